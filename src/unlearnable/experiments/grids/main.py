"""The main table: data sets x networks x forms."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

NETWORKS = ("resnet18", "vgg11", "resnet50", "densenet121")
PUBLISHED = {
    ("cifar10, resnet18", "clean"): "94 to 95",
    **{("cifar10, resnet18", WORDS[form]): "below 23" for form in FORMS},
}


@experiment(
    order=1,
    title="Data sets and networks",
    rows="data, network",
    claims=[
        Below(
            ("cifar10, resnet18", WORDS[form]),
            ("cifar10, resnet18", "clean"),
            f"{WORDS[form]} noise hides CIFAR-10 from ResNet-18",
            by=0.2,
        )
        for form in FORMS
    ],
    published=PUBLISHED,
)
def main(p: Profile) -> Iterator[Entry]:
    """How much do networks learn from protected images, if the noise was found against a ResNet-18 only?"""
    for seed in p.seeds:
        for data in p.main:
            for model in NETWORKS:
                row = f"{data}, {model}"
                yield Entry(row, "clean", p.cell(data, seed, model=model))
                for form in p.forms.get(data, FORMS):
                    yield Entry(row, WORDS[form], p.cell(data, seed, p.poison(data, form, seed), model=model))
