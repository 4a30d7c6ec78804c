"""Class-wise noise that was found on other data."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import Profile

OWN, MOVED = "found on these images", "found on other data"


@experiment(
    order=9,
    title="Noise moved between data sets",
    rows="class-wise noise",
    columns="trained and tested on",
    claims=[
        Below((MOVED, "cifar10"), ("none", "cifar10"), "class-wise noise protects other data too", by=0.1)
    ],
)
def moved(p: Profile) -> Iterator[Entry]:
    """Does class-wise noise protect data that its search has not seen?

    Each class takes the noise of the class at the same index of the other data. In the paper, that is
    ImageNet at 32 px, with twice the budget.
    """
    for seed in p.seeds:
        for data, source in p.moved:
            column = data if p.sets[data].name == data else f"{data}: {p.sets[data].name}"
            yield Entry("none", column, p.cell(data, seed))
            yield Entry(OWN, column, p.cell(data, seed, p.poison(data, "classwise", seed)))
            mapped = dict(zip(p.classes(data), p.classes(source), strict=False))
            poison = p.poison(source, "classwise", seed).model_copy(update={"mapped": mapped})
            yield Entry(MOVED, column, p.cell(data, seed, poison))
