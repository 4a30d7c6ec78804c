"""Recognition with a frozen network: who is on a new photo, by photos whose names are known (the gallery)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from unlearnable.data.image_set import ImageSet
from unlearnable.data.splitting import held_out
from unlearnable.evaluation.statistics import BoolArray, IntArray
from unlearnable.faces.holding import Outcome, outcome
from unlearnable.faces.recogniser import Embeddings

# every photo is asked for once, in one of so many parts
PARTS = 4


@dataclass(frozen=True, eq=False)
class Recognised(Outcome):
    """The share of new, clean photos that a frozen network recognises, mean over the seeds.

    Args:
        rule: How the answer follows from the gallery.
        clean_answers: int64 (N,): the person that a gallery of the photos gives for each photo, first seed;
            -1 for a photo that was not asked for. People of a context are numbered after those of the photos.
        protected_answers: The same with a gallery of their published copies.
    """

    rule: str
    clean_answers: IntArray
    protected_answers: IntArray


def nearest(gallery: Embeddings, people: IntArray, asked: Embeddings) -> IntArray:
    """Return the person of the most similar photo of the gallery."""
    return np.asarray(people[np.argmax(asked @ gallery.T, axis=1)])


def centre(gallery: Embeddings, people: IntArray, asked: Embeddings) -> IntArray:
    """Return the person with the most similar mean embedding."""
    names, centres = centres_of(gallery, people)
    return np.asarray(names[np.argmax(asked @ centres.T, axis=1)])


def centres_of(gallery: Embeddings, people: IntArray) -> tuple[IntArray, Embeddings]:
    """Return the people of a gallery, and the mean embedding of each, of length 1."""
    names = np.unique(people)
    centres = np.stack([gallery[people == name].mean(axis=0) for name in names])
    return names, centres / np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)


def head(gallery: Embeddings, people: IntArray, asked: Embeddings) -> IntArray:
    """Return the answer of a linear classifier on the embeddings."""
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(people)) == 1:
        return np.full(len(asked), people[0])
    fitted = LogisticRegression(C=100.0, max_iter=500).fit(gallery, people)
    return np.asarray(fitted.predict(asked), dtype=np.int64)


RULES: dict[str, Callable[[Embeddings, IntArray, Embeddings], IntArray]] = {
    "nearest neighbour": nearest,
    "class centre": centre,
    "linear head": head,
}


def parts(crops: ImageSet, seed: int) -> list[BoolArray]:
    """Return four sets of photos, bool (N,) each, with a quarter of each person's; copies stay together."""
    left = {id: crops.class_of[id] for id in crops.ids}
    digests, found = {id: crops.about(id).digest for id in left}, list[set[str]]()
    for rest in range(PARTS, 1, -1):
        found.append(held_out(left, digests, 1 / rest, seed))
        left = {id: name for id, name in left.items() if id not in found[-1]}
    return [np.array([id in part for id in crops.ids]) for part in (*found, set(left))]


def recognised(
    clean: Embeddings,
    protected: Embeddings,
    crops: ImageSet,
    seeds: Sequence[int],
    others: tuple[Embeddings, IntArray] | None = None,
) -> list[Recognised]:
    """Return how many clean photos are recognised with a clean and with a protected gallery.

    Every photo is asked for once per seed: the gallery is then that of the other three quarters. A photo is
    not asked for if its person is in no gallery, as for a person with one photo.

    Args:
        clean: Embeddings of the crops of the photos, in the order of ``crops``.
        protected: Those of the crops of the published copies, in the same order.
        crops: The crops, with their people.
        seeds: Each divides the photos otherwise.
        others: Embeddings and people of clean photos of a context, which are in every gallery and are not
            asked for; None without.
    """
    people, found, own = crops.labels, list[Recognised](), len(crops.classes)
    more, names = (clean[:0], people[:0]) if others is None else (others[0], others[1] + own)
    chance = 1 / (own + len(np.unique(names)))
    answers = {name: np.full((len(seeds), 2, len(people)), -1) for name in RULES}
    for row, seed in enumerate(seeds):
        for part in parts(crops, seed):
            asked = part & np.isin(people, people[~part])
            if not asked.any():
                continue
            for name, rule in RULES.items():
                for arm, shown in enumerate((clean, protected)):
                    gallery = np.concatenate([shown[~part], more]), np.concatenate([people[~part], names])
                    answers[name][row, arm, asked] = rule(*gallery, clean[asked])
    for name, given in answers.items():
        asked_for = [np.flatnonzero(arms[0] >= 0) for arms in given]
        made = outcome(
            [
                (people[rows], arms[:, rows] == people[rows], rows)
                for arms, rows in zip(given, asked_for, strict=True)
            ],
            chance,
        )
        found.append(
            Recognised(**vars(made), rule=name, clean_answers=given[0, 0], protected_answers=given[0, 1])
        )
    return found
