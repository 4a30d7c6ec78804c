"""Noise in a patch of the image only."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

SPOTS = {"centre": "in the centre", "random": "at a random spot of each image"}


@experiment(
    order=8, title="Patches", rows="side of the patch", columns="form, spot", figure="lines", gallery=True
)
def patches(p: Profile) -> Iterator[Entry]:
    """Does noise in a part of the image protect?"""
    settings = p.by_experiment.get("patches", {})
    for seed in p.seeds:
        for side in p.patches:
            for form in FORMS:
                for spot, words in SPOTS.items():
                    poison = p.poison("cifar10", form, seed, tile=side, offset=spot, **settings)
                    yield Entry(
                        f"{side} px", f"{WORDS[form]}, {words}", p.cell("cifar10", seed, poison), side
                    )
