"""A protected class added to clean data of others (CIFAR-101 in the paper)."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.cells.sets import prefix
from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import Profile


@experiment(
    order=5,
    title="A protected class added to a clean data set",
    rows="the added class",
    columns="test images",
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
    """You add images of one more class to a data set, with sample-wise noise found against its other classes.

    Is that class hidden from the network, and that class only?

    In the paper (CIFAR-101), the class is ship of CIFAR-10, the data set is CIFAR-100, and the noise of the
    ships is found on CIFAR-10.
    """
    plus = p.sets["cifar101"].plus[0]
    added = plus.classes
    for seed in p.seeds:
        clean = p.cell("cifar101", seed)
        if p.added_from:
            found = p.poison(p.added_from, "samplewise", seed)
            poison = found.model_copy(update={"classes": added, "prefix": prefix(plus)})
        else:
            poison = p.poison("cifar101", "samplewise", seed, own=added)
        protected = p.cell("cifar101", seed, poison)
        for row, cell in (("clean", clean), ("protected, sample-wise", protected)):
            yield Entry(row, "added class", cell, over=added)
            yield Entry(row, "others", cell, over=p.classes("cifar101"))
