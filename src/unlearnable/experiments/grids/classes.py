"""One or four protected classes among clean ones, and the classes that the network predicts for them."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

FOUR = (0, 1, 8, 9)  # indices of the protected classes in order, as in the paper


@experiment(
    order=4,
    title="Protected classes among clean ones",
    rows="protected classes",
    columns="form of the noise, test images",
    figure="confusion",
    claims=[
        Below(
            (row, f"{WORDS[form]}, protected"),
            (row, f"{WORDS[form]}, others"),
            f"{WORDS[form]}, {words}: only protected classes are misclassified",
            by=0.2,
        )
        for form in FORMS
        for row, words in (("one", "one class"), ("four", "four classes"))
    ],
)
def classes(p: Profile) -> Iterator[Entry]:
    """Does the network misclassify images of the protected classes, and still recognise the other classes?"""
    names = p.classes("cifar10")
    for seed in p.seeds:
        for form in FORMS:
            for row, indices in (("one", FOUR[:1]), ("four", FOUR)):
                own = tuple(names[index] for index in indices)
                others = tuple(name for name in names if name not in own)
                poison = p.poison("cifar10", form, seed).model_copy(update={"classes": own})
                cell = p.cell("cifar10", seed, poison)
                yield Entry(row, f"{WORDS[form]}, protected", cell, over=own)
                yield Entry(row, f"{WORDS[form]}, others", cell, over=others)
                clean = p.cell("cifar10", seed)
                yield Entry(f"none ({row})", f"{WORDS[form]}, protected", clean, over=own)
                yield Entry(f"none ({row})", f"{WORDS[form]}, others", clean, over=others)
