"""The searches of the paper, of the presets (with a trainer's transformations), and with new surrogates."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable import presets
from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile, Settings
from unlearnable.noise import Form

PAPER, OURS, RENEWED = "the paper's", "the presets'", "with new surrogates"
SAME = ("form", "surrogate", "batch", "epsilon")  # as in the rest of the profile


@experiment(
    order=20,
    title="The paper's search and that of the presets",
    rows="search, target",
    claims=[
        Below(
            (f"{OURS}, {model}", WORDS[form]),
            (f"{PAPER}, {model}", WORDS[form]),
            f"the presets' search protects better, {WORDS[form]}, {model}",
        )
        for model in ("resnet18", "vgg11")
        for form in FORMS
    ],
)
def rules(p: Profile) -> Iterator[Entry]:
    """The paper takes many steps on unchanged images and stops once the surrogate makes no more errors.

    The presets train the surrogate for an epoch per round, then take one step under crops and flips, and stop
    after a fixed number of rounds. The third search trains the surrogate on few batches per round, and
    replaces a surrogate that makes no more errors. Which search protects best?
    """
    for seed in p.seeds:
        for row in (PAPER, OURS, RENEWED):
            for model in ("resnet18", "vgg11"):
                for form in FORMS:
                    poison = p.poison("cifar10", form, seed, **_settings(p, row, form))
                    yield Entry(f"{row}, {model}", WORDS[form], p.cell("cifar10", seed, poison, model=model))


def _settings(p: Profile, row: str, form: Form) -> Settings:
    given: Settings = {"form": form, "max_rounds": p.rounds}
    if row == RENEWED:
        given |= {"train_batches": 3, "measure": "before", "init": "uniform", "restart_error": 0.01}
        given |= {"steps": 5 if form == "samplewise" else 1, "min_rounds": p.rounds}
    preset = presets.read("small" if row == OURS else "paper")
    found = presets.merge(preset, None, given)
    return {"share": 1.0, **{key: value for key, value in found.items() if key not in SAME}}
