"""Part of the images protected."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

SHARES = (0, 10, 20, 40, 60, 80, 100)
ALONE = "clean part alone"


def row(percent: int) -> str:
    """Return the name of a row."""
    return f"{percent}%"


@experiment(
    order=3,
    title="Share of the images that is protected",
    rows="protected",
    columns="form of the noise, and training on the rest alone",
    figure="lines",
    claims=[
        *(
            Below(
                (row(0), WORDS[form]),
                (row(40), WORDS[form]),
                f"40% protected {WORDS[form]} costs less than 10 points",
                by=-0.1,
            )
            for form in FORMS
        ),
        *(
            Below(
                (row(100), WORDS[form]),
                (row(80), WORDS[form]),
                f"the last 20% make the difference, {WORDS[form]}",
                by=0.1,
            )
            for form in FORMS
        ),
    ],
    published={(row(60), "sample-wise"): "2.1 points below clean", (row(80), "sample-wise"): "86.85"},
)
def share(p: Profile) -> Iterator[Entry]:
    """How much accuracy is lost if some images are protected, and is it more than without those images?

    The images that are protected at a smaller share are also protected at every larger share.
    """
    for seed in p.seeds:
        for percent in SHARES:
            for form in FORMS:
                poison = (
                    p.poison("cifar10", form, seed).model_copy(update={"share": percent / 100})
                    if percent
                    else None
                )
                yield Entry(row(percent), WORDS[form], p.cell("cifar10", seed, poison), percent)
            if 0 < percent < 100:
                poison = p.poison("cifar10", "samplewise", seed).model_copy(update={"share": percent / 100})
                yield Entry(row(percent), ALONE, p.cell("cifar10", seed, poison, keep="clean"), percent)
