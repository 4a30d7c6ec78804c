"""A class that is added to somebody else's data (CIFAR-101 in the paper)."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import Profile


@experiment(
    order=5,
    title="A protected class added to a clean data set",
    rows="the added class",
    columns="whose images are counted",
    figure="confusion",
    claims=[
        Below(
            ("protected, sample-wise", "added class"),
            ("clean", "added class"),
            "the added class is hidden",
            by=0.3,
        )
    ],
)
def added_class(p: Profile) -> Iterator[Entry]:
    """Somebody adds photos of one more class, protected sample-wise against the classes that are there. Is that class hidden, and only it?

    In the paper (CIFAR-101) ships of CIFAR-10 are added to CIFAR-100.
    """
    added = p.sets["cifar101"].plus[0].classes
    for seed in p.seeds:
        clean = p.cell("cifar101", seed)
        protected = p.cell("cifar101", seed, p.poison("cifar101", "samplewise", seed, own=added))
        for row, cell in (("clean", clean), ("protected, sample-wise", protected)):
            yield Entry(row, "added class", cell, over=added)
            yield Entry(row, "others", cell, over=p.classes("cifar101"))
