"""Frozen recognisers: every photo is asked for once, and the verdict follows from the answers."""

from __future__ import annotations

import numpy as np
import pytest

from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.faces.galleries import RULES, centre, head, nearest, parts, recognised
from unlearnable.faces.recogniser import unit

PEOPLE, EACH = 6, 8
LABELS = np.repeat(np.arange(PEOPLE), EACH)


def crops(each: int = EACH) -> ImageSet:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (PEOPLE * each, 8, 8, 3), dtype=np.uint8)
    return arrays(pixels, [f"p{number}" for number in range(PEOPLE) for _ in range(each)])


def embeddings(labels: np.ndarray, spread: float = 0.1, seed: int = 0) -> np.ndarray:
    """Embeddings around a direction for each person."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(PEOPLE, 12))
    return unit((centres[labels] + spread * rng.normal(size=(len(labels), 12))).astype(np.float32))


def test_the_rules_by_hand() -> None:
    gallery = unit(np.array([[1, 0], [0.9, 0.5], [0, 1], [-0.3, 1]], dtype=np.float32))
    people = np.array([3, 3, 5, 5])
    asked = unit(np.array([[1, 0.1], [-1, 1], [0.7, 0.72]], dtype=np.float32))
    assert nearest(gallery, people, asked).tolist() == [3, 5, 3]
    assert centre(gallery, people, asked).tolist() == [3, 5, 3]
    assert head(gallery, people, asked).tolist() == [3, 5, 3]
    # the nearest photo is another person's than the nearest centre
    between = unit(np.array([[0.05, 1], [1, 0], [0.3, 1], [1, -0.2]], dtype=np.float32))
    people = np.array([1, 1, 2, 2])
    assert nearest(between, people, asked[2:]).tolist() == [2]
    assert centre(between, people, asked[2:]).tolist() == [1]


def test_every_photo_is_in_one_part_and_every_person_in_all() -> None:
    found = parts(crops(), 0)
    assert np.sum(found, axis=0).tolist() == [1] * PEOPLE * EACH
    labels = crops().labels
    assert [np.bincount(labels[part]).tolist() for part in found] == [[2] * PEOPLE] * 4
    assert any((one != other).any() for one, other in zip(found, parts(crops(), 1), strict=True))


def test_copies_of_a_photo_stay_together() -> None:
    rng = np.random.default_rng(0)
    pixels = np.repeat(rng.integers(0, 256, (12, 8, 8, 3), dtype=np.uint8), 2, axis=0)
    twice = arrays(pixels, ["a"] * 12 + ["b"] * 12, ids=[f"{number:02d}" for number in range(24)])
    for part in parts(twice, 0):
        assert (part[::2] == part[1::2]).all()


@pytest.mark.parametrize("rule", ["nearest neighbour", "class centre", "linear head"])
def test_a_recogniser_that_knows_everybody_and_one_that_is_misled(rule: str) -> None:
    clean = embeddings(LABELS)
    # protected photos look like the next person
    misled = embeddings((LABELS + 1) % PEOPLE, seed=1)
    found = {one.rule: one for one in recognised(clean, misled, crops(), (0, 1))}[rule]
    assert (found.clean.value, found.protected.value) == (1, 0)
    assert found.verdict == "protected"
    assert found.clean_answers.tolist() == LABELS.tolist()
    assert found.protected_answers.tolist() == ((LABELS - 1) % PEOPLE).tolist()
    same = {one.rule: one for one in recognised(clean, clean, crops(), (0,))}[rule]
    assert same.protected.value == 1
    assert same.verdict == "not protected"


def test_the_answer_comes_from_the_gallery_and_the_question_is_clean() -> None:
    """Half of the people have protected photos that look like somebody else."""
    clean = embeddings(LABELS)
    noise = embeddings(LABELS, seed=2)
    noise[LABELS < 3] = embeddings((LABELS[LABELS < 3] + 3) % PEOPLE, seed=3)
    (found, *_) = recognised(clean, noise, crops(), (0,))
    recall = [(found.protected_answers[name == LABELS] == name).mean() for name in range(PEOPLE)]
    assert 0.1 < np.mean(recall) < 0.8
    assert found.protected.value == pytest.approx(np.mean(recall))
    assert found.clean.value == 1


def test_few_photos_keep_from_saying_that_it_holds_but_not_that_it_does_not() -> None:
    labels = np.repeat(np.arange(PEOPLE), 3)
    clean, misled = embeddings(labels), embeddings((labels + 1) % PEOPLE, seed=1)
    few = crops(3)
    assert {one.verdict for one in recognised(clean, misled, few, (0,))} == {"cannot tell"}
    assert {one.verdict for one in recognised(clean, clean, few, (0,))} == {"not protected"}


def test_a_recogniser_that_knows_nobody_cannot_tell() -> None:
    rng = np.random.default_rng(4)
    blind = [unit(rng.normal(size=(len(LABELS), 12)).astype(np.float32)) for _ in range(2)]
    assert {one.verdict for one in recognised(*blind, crops(), (0,))} == {"cannot tell"}


def test_a_person_with_one_photo_is_not_asked_for() -> None:
    labels = np.concatenate([LABELS, [0]])
    labels[-1] = PEOPLE
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (len(labels), 8, 8, 3), dtype=np.uint8)
    more = arrays(pixels, [f"p{label}" for label in labels])
    clean = np.concatenate([embeddings(LABELS), embeddings(LABELS[:1], seed=5)])
    (found, *_) = recognised(clean, clean, more, (0,))
    assert found.clean_answers[-1] == found.protected_answers[-1] == -1
    assert found.clean.value == 1


def test_one_person_is_asked_for_among_the_people_of_a_context() -> None:
    whole, clean = crops(), embeddings(LABELS)
    alone = whole.subset([id for id in whole.ids if whole.class_of[id] == "p0"])
    own, others = clean[LABELS == 0], (clean[LABELS > 0], LABELS[LABELS > 0] - 1)
    # protected photos look like the last person
    misled = embeddings(np.full(EACH, PEOPLE - 1), seed=1)
    for one in recognised(own, misled, alone, (0,), others):
        assert one.clean.value == 1
        assert one.clean_answers.tolist() == [0] * EACH
        assert one.retained.value == pytest.approx((one.protected.value - 1 / PEOPLE) / (1 - 1 / PEOPLE))
    (near, *_) = recognised(own, embeddings(np.zeros(EACH, dtype=int) + 3, seed=1), alone, (0,), others)
    assert near.protected.value < 0.5
    # people of the context are numbered after the one person
    assert set(near.protected_answers.tolist()) <= set(range(PEOPLE))


def test_a_gallery_of_one_person_answers_that_person() -> None:
    gallery, asked = np.eye(3, 4, dtype=np.float32), np.ones((2, 4), np.float32)
    for rule in RULES.values():
        assert rule(gallery, np.full(3, 7), asked).tolist() == [7, 7]
