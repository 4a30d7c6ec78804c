"""One class or several protected, and what the network takes them for."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

SEVERAL = (0, 1, 8, 9)  # of the classes in order, as in the paper


@experiment(
    order=4,
    title="Protected classes among clean ones",
    rows="protected classes",
    columns="form of the noise, and whose images are counted",
    figure="confusion",
    claims=[
        Below(
            (row, f"{WORDS[form]}, protected"),
            (row, f"{WORDS[form]}, others"),
            f"{WORDS[form]}, {words}: only the protected are hit",
            by=0.2,
        )
        for form in FORMS
        for row, words in (("one", "one class"), ("four", "four classes"))
    ],
)
def classes(p: Profile) -> Iterator[Entry]:
    """Are the images of a protected class named wrong, and are those of the other classes left alone?"""
    names = p.classes("cifar10")
    for seed in p.seeds:
        for form in FORMS:
            for row, places in (("one", SEVERAL[:1]), ("four", SEVERAL)):
                own = tuple(names[place] for place in places)
                others = tuple(name for name in names if name not in own)
                poison = p.poison("cifar10", form, seed).model_copy(update={"classes": own})
                cell = p.cell("cifar10", seed, poison)
                yield Entry(row, f"{WORDS[form]}, protected", cell, over=own)
                yield Entry(row, f"{WORDS[form]}, others", cell, over=others)
                clean = p.cell("cifar10", seed)
                yield Entry(f"none ({row})", f"{WORDS[form]}, protected", clean, over=own)
                yield Entry(f"none ({row})", f"{WORDS[form]}, others", clean, over=others)
