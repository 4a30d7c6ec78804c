"""The paper's search, and the search of the presets, which sees the images as a trainer does."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable import presets
from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile, Settings
from unlearnable.noise import Form

PAPER, OURS = "the paper's", "the presets'"
SAME = ("form", "surrogate", "batch", "epsilon")  # as in the rest of the profile


@experiment(
    order=20,
    title="The paper's search and that of the presets",
    rows="search, target",
    claims=[
        Below(
            (f"{OURS}, {model}", WORDS[form]),
            (f"{PAPER}, {model}", WORDS[form]),
            f"the presets' is better, {WORDS[form]}, {model}",
        )
        for model in ("resnet18", "vgg11")
        for form in FORMS
    ],
)
def rules(p: Profile) -> Iterator[Entry]:
    """The paper takes many steps on unchanged images and stops when the surrogate errs no more.

    The presets take one step a round, under crops and flips, after an epoch of the surrogate, and stop by
    rounds. Which protects better?
    """
    for seed in p.seeds:
        for row, preset in ((PAPER, "paper"), (OURS, "small")):
            for model in ("resnet18", "vgg11"):
                for form in FORMS:
                    poison = p.poison("cifar10", form, seed, **_settings(p, preset, form))
                    yield Entry(f"{row}, {model}", WORDS[form], p.cell("cifar10", seed, poison, model=model))


def _settings(p: Profile, preset: str, form: Form) -> Settings:
    found = presets.merge(presets.read(preset), None, {"form": form, "max_rounds": p.rounds})
    return {"share": 1.0, **{key: value for key, value in found.items() if key not in SAME}}
