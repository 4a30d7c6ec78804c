"""Adversarial training against the noise."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable import countermeasures
from unlearnable.countermeasures.adversarial import Adversarial
from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile, Settings

PLAIN, ADVERSARIAL = "plain training", "adversarial training"


def _training(p: Profile) -> str:
    (attack,) = countermeasures.create(p.pgd).members
    epochs = p.victim("cifar10", **p.victims["adversarial"]).epochs
    assert isinstance(attack, Adversarial)
    return (
        f"Adversarial training is PGD-{attack.steps} within {attack.epsilon:g} levels for {epochs} epochs; "
        "that of the paper is PGD-10 for 100 epochs."
    )


@experiment(
    order=12,
    title="Adversarial training against the noise",
    rows="training, epsilon of the noise",
    columns="trained on",
    claims=[
        Below(
            (f"{PLAIN}, 8", WORDS[form]),
            (f"{ADVERSARIAL}, 8", WORDS[form]),
            f"adversarial training recovers accuracy, {WORDS[form]}",
            by=0.1,
        )
        for form in FORMS
    ],
    note=_training,
    published={(f"{ADVERSARIAL}, 8", WORDS["samplewise"]): "about 85"},
)
def adversarial(p: Profile) -> Iterator[Entry]:
    """Adversarial training is known to undo error-minimizing noise.

    Does noise with a larger budget withstand it?
    """
    trainings: dict[str, Settings] = {
        PLAIN: {},
        ADVERSARIAL: {"countermeasure": p.pgd, "train": p.victims["adversarial"]},
    }
    for seed in p.seeds:
        for epsilon in (8, *(larger for larger in p.epsilons if larger > 8)):
            for name, more in trainings.items():
                row = f"{name}, {epsilon}"
                yield Entry(row, "clean", p.cell("cifar10", seed, **more))
                for form in FORMS:
                    poison = p.poison("cifar10", form, seed, **p.budget("cifar10", form, epsilon))
                    yield Entry(row, WORDS[form], p.cell("cifar10", seed, poison, **more))
