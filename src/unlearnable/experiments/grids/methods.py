"""Random and error-maximizing noise against error-minimizing noise, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

OURS, RANDOM, MAXIMIZING, TARGETED = (
    "error-minimizing",
    "random",
    "error-maximizing",
    "error-maximizing, targeted",
)
METHODS: dict[str, dict[str, Any]] = {
    RANDOM: {"method": "random"},
    MAXIMIZING: {"method": "error_maximizing"},
    TARGETED: {"method": "error_maximizing", "target": "next"},
    OURS: {},
}


@experiment(
    order=2,
    title="Random, error-maximizing and error-minimizing noise",
    rows="noise",
    figure="curves",
    gallery=True,
    claims=[
        Below(
            (OURS, "sample-wise"),
            (RANDOM, "sample-wise"),
            "sample-wise, error-minimizing noise protects better than random noise",
            by=0.1,
        ),
        Below(
            (OURS, "sample-wise"),
            (MAXIMIZING, "sample-wise"),
            "sample-wise, error-minimizing noise protects better than error-maximizing noise",
            by=0.1,
        ),
        Below(
            (OURS, "sample-wise"),
            (RANDOM, "sample-wise"),
            "sample-wise, with early stopping, error-minimizing noise protects better than random noise",
            "peak",
            by=0.1,
        ),
        Below(
            (OURS, "sample-wise"),
            (MAXIMIZING, "sample-wise"),
            "sample-wise, with early stopping, error-minimizing noise protects better than "
            "error-maximizing noise",
            "peak",
            by=0.1,
        ),
        Below(
            (RANDOM, "class-wise"),
            ("clean", "class-wise"),
            "class-wise, random noise protects too",
            by=0.1,
        ),
        *(
            Below(
                (row, "class-wise"),
                (row, "class-wise"),
                f"class-wise, early stopping recovers accuracy from {row} noise",
                by=0.1,
                upper_measure="peak",
            )
            for row in (RANDOM, MAXIMIZING)
        ),
        Below(
            (OURS, "class-wise"),
            (RANDOM, "class-wise"),
            "class-wise, with early stopping, error-minimizing noise protects better than random noise",
            "peak",
            by=0.05,
        ),
        Below(
            (OURS, "class-wise"),
            (MAXIMIZING, "class-wise"),
            "class-wise, with early stopping, error-minimizing noise protects better than "
            "error-maximizing noise",
            "peak",
            by=0.05,
        ),
    ],
)
def methods(p: Profile) -> Iterator[Entry]:
    """Does only error-minimizing noise protect, and does early stopping help the trainer?"""
    for seed in p.seeds:
        for form in FORMS:
            yield Entry("clean", WORDS[form], p.cell("cifar10", seed))
            for row, what in METHODS.items():
                yield Entry(
                    row, WORDS[form], p.cell("cifar10", seed, p.poison("cifar10", form, seed, **what))
                )
