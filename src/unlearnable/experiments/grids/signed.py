"""Signed noise, and noise without its negative values as in the published code."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

SIGNED, POSITIVE = "signed", "positive only"


@experiment(
    order=17,
    title="Signed noise, and noise without its negative half",
    rows="noise",
    claims=[
        Below(
            (SIGNED, WORDS[form]),
            (POSITIVE, WORDS[form]),
            f"signed noise is not weaker by more than 2 points, {WORDS[form]}",
            by=-0.02,
        )
        for form in FORMS
    ],
)
def signed(p: Profile) -> Iterator[Entry]:
    """The published code clamps noise to [0, 255] before adding it, which loses every negative value.

    How much protection does that cost?
    """
    for seed in p.seeds:
        for form in FORMS:
            poison = p.poison("cifar10", form, seed)
            yield Entry("none", WORDS[form], p.cell("cifar10", seed))
            yield Entry(SIGNED, WORDS[form], p.cell("cifar10", seed, poison))
            yield Entry(
                POSITIVE,
                WORDS[form],
                p.cell("cifar10", seed, poison.model_copy(update={"positive_only": True})),
            )
