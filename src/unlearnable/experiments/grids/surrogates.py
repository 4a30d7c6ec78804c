"""From each surrogate to each target."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

NETWORKS = ("resnet18", "vgg11", "cnn")


@experiment(
    order=10,
    title="From each surrogate to each target",
    rows="form, surrogate",
    columns="target",
    figure="heat",
)
def surrogates(p: Profile) -> Iterator[Entry]:
    """Does noise that was found against one network protect against another?"""
    for seed in p.seeds:
        for target in NETWORKS:
            yield Entry("none", target, p.cell("cifar10", seed, model=target))
            for form in FORMS:
                for surrogate in NETWORKS:
                    poison = p.poison("cifar10", form, seed, surrogate=surrogate)
                    yield Entry(
                        f"{WORDS[form]}, {surrogate}", target, p.cell("cifar10", seed, poison, model=target)
                    )
