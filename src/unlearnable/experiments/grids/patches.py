"""Noise in a patch of the image only."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

OFFSETS = {"centre": "in the centre", "random": "at a place of its own for each image"}


@experiment(
    place=8, title="Patches", rows="side of the patch", columns="form and place", figure="lines", gallery=True
)
def patches(p: Profile) -> Iterator[Entry]:
    """Is noise in a part of the image enough?"""
    for seed in p.seeds:
        for side in p.patches:
            for form in FORMS:
                for offset, words in OFFSETS.items():
                    poison = p.poison("cifar10", form, seed, tile=side, offset=offset)
                    yield Entry(
                        f"{side} px", f"{WORDS[form]}, {words}", p.cell("cifar10", seed, poison), side
                    )
