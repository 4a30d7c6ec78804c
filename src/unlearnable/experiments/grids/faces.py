"""Faces: people whose aligned photos are protected, all of them or a few among others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unlearnable.cells import Poison
from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile
from unlearnable.noise import Form

CLEAN, EVERYBODY = "none", "everybody protected"
PROTECTED, OTHERS = "a few protected: these", "a few protected: the others"
USUAL, LARGE = 8, 16
# of surrogate and victim
MODEL = "recogniser"


@experiment(
    order=31,
    title="Faces",
    rows="noise",
    columns="people who are recognised",
    claims=[
        Below(
            (f"{WORDS[form]}, {epsilon}", EVERYBODY),
            (CLEAN, EVERYBODY),
            f"{WORDS[form]} noise of {epsilon} levels on faces protects",
            by=0.3,
        )
        for form in FORMS
        for epsilon in (USUAL, LARGE)
    ],
)
def faces(p: Profile) -> Iterator[Entry]:
    """Does a network learn to recognise people from protected photos of their faces?

    The data is a folder of aligned faces, made with `unlearnable faces align`, a folder for each person. Rows
    name the form of the noise and its budget in levels. The noise of a few people among clean ones is that
    of the search for everybody, or of a search with the others as clean context.
    """
    for seed in p.seeds:
        yield from _row(p, CLEAN, seed, None, None)
        yield from _row(p, f"random, {LARGE}", seed, *_noise(p, seed, "classwise", LARGE, method="random"))
        for form in FORMS:
            for epsilon in (USUAL, LARGE):
                yield from _row(p, f"{WORDS[form]}, {epsilon}", seed, *_noise(p, seed, form, epsilon))
        if p.people:
            amid = _noise(p, seed, "classwise", LARGE, own=p.people)[0]
            row = f"class-wise, {LARGE}, the others as context"
            yield from _few(p, row, seed, amid)


def _noise(p: Profile, seed: int, form: Form, epsilon: int, **more: Any) -> tuple[Poison, Poison]:
    """Return the noise of everybody, and the same for the few."""
    found = p.poison("faces", form, seed, surrogate=MODEL, **p.budget("faces", form, epsilon), **more)
    return found, found.model_copy(update={"classes": p.people})


def _row(p: Profile, row: str, seed: int, everybody: Poison | None, few: Poison | None) -> Iterator[Entry]:
    yield Entry(row, EVERYBODY, p.cell("faces", seed, everybody, model=MODEL))
    if p.people:
        yield from _few(p, row, seed, few)


def _few(p: Profile, row: str, seed: int, poison: Poison | None) -> Iterator[Entry]:
    cell = p.cell("faces", seed, poison, model=MODEL)
    yield Entry(row, PROTECTED, cell, over=p.people)
    yield Entry(row, OTHERS, cell, over=p.people, apart=True)
