"""Noise that is found on a share of the images and made for the others."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

SHARES = (10, 20, 50, 100)


@experiment(
    order=24,
    title="Noise made for images that the search has not seen",
    rows="images that the search sees, %",
    columns="trained on",
    figure="lines",
    claims=[
        Below(
            ("20", WORDS[form]),
            ("20", "clean"),
            f"a search on 20% of the photos protects all, {WORDS[form]}",
            by=0.1,
        )
        for form in FORMS
    ],
)
def extended(p: Profile) -> Iterator[Entry]:
    """Is a search on some of the photos enough, if its surrogate then serves to make noise for the others?

    All photos are protected. Class-wise noise needs no extension, because it holds for the whole class.
    """
    for seed in p.seeds:
        for percent in SHARES:
            yield Entry(str(percent), "clean", p.cell("photos", seed), percent)
            for form in FORMS:
                poison = p.poison("photos", form, seed)
                search = poison.search.model_copy(update={"found_on": percent / 100})
                protected = p.cell("photos", seed, poison.model_copy(update={"search": search}))
                yield Entry(str(percent), WORDS[form], protected, percent)
