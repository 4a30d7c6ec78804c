"""Victims that start from other weights."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile, Settings


@experiment(
    order=16, title="Victims with weights from other data", rows="weights at the start", columns="trained on"
)
def initial(p: Profile) -> Iterator[Entry]:
    """Does noise protect against a network that was first trained on other data?"""
    for seed in p.seeds:
        starts: dict[str, Settings] = {"fresh": {}, "trained on other data": {"start": p.cell("other", seed)}}
        for row, more in starts.items():
            yield Entry(row, "clean", p.cell("cifar10", seed, **more))
            for form in FORMS:
                yield Entry(
                    row, WORDS[form], p.cell("cifar10", seed, p.poison("cifar10", form, seed), **more)
                )
