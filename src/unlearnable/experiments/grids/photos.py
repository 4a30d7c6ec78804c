"""Photos, with and without the trainer's transformations and the photo's own size inside the search."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

BOTH, UNLIFTED, STILL, NEITHER = (
    "lifting and transformations",
    "transformations only",
    "lifting only",
    "neither",
)


@experiment(
    order=14,
    title="Photos, with and without lifting and transformations in the search",
    rows="the search takes into account",
    claims=[
        Below(
            (BOTH, WORDS[form]),
            (NEITHER, WORDS[form]),
            f"a search with both protects better, {WORDS[form]}",
            by=0.03,
        )
        for form in FORMS
    ],
)
def photos(p: Profile) -> Iterator[Entry]:
    """Noise is lifted (enlarged) to the photo's own size, and the trainer resizes, crops and flips the photo.

    Must the search take both into account?
    """
    for seed in p.seeds:
        for form in FORMS:
            yield Entry("no noise", WORDS[form], p.cell("photos", seed))
            for row, lifted, still in (
                (BOTH, True, {}),
                (UNLIFTED, False, {}),
                (STILL, True, {"transforms": "none"}),
                (NEITHER, False, {"transforms": "none"}),
            ):
                yield Entry(
                    row,
                    WORDS[form],
                    p.cell("photos", seed, p.poison("photos", form, seed, lifted=lifted, **still)),
                )
