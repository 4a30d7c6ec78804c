"""Noise on other images than those it was made for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

ROWS: dict[str, Literal["", "within", "across"]] = {
    "its own": "",
    "another image of its class": "within",
    "any image (class-wise: any class)": "across",
}


@experiment(
    order=18,
    title="Shuffled noise",
    rows="image that the noise is put on",
    claims=[
        Below(
            ("any image (class-wise: any class)", "class-wise"),
            ("no noise", "class-wise"),
            "class-wise noise survives a shuffle",
            by=0.2,
        ),
        Below(
            ("its own", "sample-wise"),
            ("any image (class-wise: any class)", "sample-wise"),
            "sample-wise noise does not survive a shuffle",
            by=0.1,
        ),
    ],
)
def shuffle(p: Profile) -> Iterator[Entry]:
    """Some implementations shuffle images, and then add the noise of other images.

    How much protection does that cost?
    """
    for seed in p.seeds:
        for form in FORMS:
            yield Entry("no noise", WORDS[form], p.cell("cifar10", seed))
            for row, how in ROWS.items():
                yield Entry(
                    row,
                    WORDS[form],
                    p.cell(
                        "cifar10", seed, p.poison("cifar10", form, seed).model_copy(update={"shuffle": how})
                    ),
                )
