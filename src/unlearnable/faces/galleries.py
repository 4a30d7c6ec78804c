"""Recognition with a frozen network: who is on a new photo, by photos whose names are known (the gallery)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unlearnable.data.image_set import ImageSet
from unlearnable.faces.recogniser import Embeddings

Labels = np.ndarray[Any, np.dtype[np.int64]]
HELD_OUT = 0.25


@dataclass(frozen=True)
class Recognised:
    """The share of new, clean photos that a frozen network recognises, mean over the seeds.

    Args:
        rule: How the answer follows from the gallery.
        clean: Balanced accuracy with a gallery of the photos, in [0, 1].
        protected: The same with a gallery of their published copies.
    """

    rule: str
    clean: float
    protected: float


def nearest(gallery: Embeddings, people: Labels, asked: Embeddings) -> Labels:
    """Return the person of the most similar photo of the gallery."""
    return np.asarray(people[np.argmax(asked @ gallery.T, axis=1)])


def centre(gallery: Embeddings, people: Labels, asked: Embeddings) -> Labels:
    """Return the person with the most similar mean embedding."""
    names = np.unique(people)
    centres = np.stack([gallery[people == name].mean(axis=0) for name in names])
    centres /= np.maximum(np.linalg.norm(centres, axis=1, keepdims=True), 1e-12)
    return np.asarray(names[np.argmax(asked @ centres.T, axis=1)])


def head(gallery: Embeddings, people: Labels, asked: Embeddings) -> Labels:
    """Return the answer of a linear classifier on the embeddings."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(C=100.0, max_iter=500).fit(gallery, people)
    return np.asarray(fitted.predict(asked), dtype=np.int64)


RULES: dict[str, Callable[[Embeddings, Labels, Embeddings], Labels]] = {
    "nearest neighbour": nearest,
    "class centre": centre,
    "linear head": head,
}


def recognised(
    clean: Embeddings, protected: Embeddings, crops: ImageSet, seeds: Sequence[int]
) -> list[Recognised]:
    """Return how many clean photos are recognised with a clean and with a protected gallery.

    Args:
        clean: Embeddings of the crops of the photos, in the order of ``crops``.
        protected: Those of the crops of the published copies, in the same order.
        crops: The crops, with their people. A quarter of each person's is asked for, the rest is the gallery.
        seeds: Each chooses another quarter.
    """
    scores: dict[str, list[tuple[float, float]]] = {name: [] for name in RULES}
    people = crops.labels
    for seed in seeds:
        out = set(crops.split(HELD_OUT, seed)[1].ids)
        asked = np.array([id in out for id in crops.ids])
        for name, rule in RULES.items():
            pair = [
                _balanced(rule(gallery[~asked], people[~asked], clean[asked]), people[asked])
                for gallery in (clean, protected)
            ]
            scores[name].append((pair[0], pair[1]))
    means = {name: np.mean(pairs, axis=0) for name, pairs in scores.items()}
    return [Recognised(name, float(mean[0]), float(mean[1])) for name, mean in means.items()]


def _balanced(answers: Labels, truth: Labels) -> float:
    return float(np.mean([(answers[truth == name] == name).mean() for name in np.unique(truth)]))
