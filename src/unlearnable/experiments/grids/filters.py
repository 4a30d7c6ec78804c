"""Filters against the noise."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.countermeasures import unlisted
from unlearnable.experiments.base import Entry, experiment
from unlearnable.experiments.grids.augmentations import AUGMENTATIONS
from unlearnable.experiments.profile import FORMS, WORDS, Profile

FILTERS = (
    "none",
    *(f"jpeg:{quality}" for quality in (10, 30, 50, 70, 90)),
    "grey",
    "blur:1",
    "bitdepth:3",
    "project",
)


@experiment(order=13, title="Filters against the noise", rows="filter", columns="trained on")
def filters(p: Profile) -> Iterator[Entry]:
    """Does it help the trainer to compress, blur or project the images before training?

    Turning images grey is known to undo this noise, and so is strong JPEG compression. Every countermeasure
    that acts before the training has a row, except for the noise in the table of augmentations.
    """
    for seed in p.seeds:
        for name in (*FILTERS, *unlisted((*FILTERS, *AUGMENTATIONS), "photo", "prepare")):
            yield Entry(name, "clean", p.cell("cifar10", seed, countermeasure=name))
            for form in FORMS:
                yield Entry(
                    name,
                    WORDS[form],
                    p.cell("cifar10", seed, p.poison("cifar10", form, seed), countermeasure=name),
                )
