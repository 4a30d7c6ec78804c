"""The report card for every form of noise."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.cells import Poison
from unlearnable.evaluation.report_card import AS_PUBLISHED, FIRST, LONGER, SHARE, THEN
from unlearnable.experiments.base import Entry, experiment
from unlearnable.experiments.profile import WORDS, Profile, Settings
from unlearnable.noise import Form

# the noise of each column: form, method
COLUMNS: dict[str, tuple[Form, str]] = {
    WORDS["samplewise"]: ("samplewise", "error_minimizing"),
    WORDS["classwise"]: ("classwise", "error_minimizing"),
    "error-maximizing, sample-wise": ("samplewise", "error_maximizing"),
    "random, class-wise": ("classwise", "random"),
}
RULES = {"joined classes": "pairs", "one against all": "first"}


@experiment(order=26, title="The report card of each form of noise", rows="the trainer", columns="trained on")
def report_card(p: Profile) -> Iterator[Entry]:
    """By which ways to train is each form of noise undone?

    The rows are those of `verify --report-card` without pretrained networks. The class told apart from all
    others is the first one. Compare each column with the clean column, row by row.
    """
    for seed in p.seeds:
        noises: dict[str, Poison | None] = {"clean": None}
        noises |= {
            column: p.poison("cifar10", form, seed, method=method)
            for column, (form, method) in COLUMNS.items()
        }
        for row, more in rows(p).items():
            for column, poison in noises.items():
                yield Entry(row, column, p.cell("cifar10", seed, poison, **more))
        for column, poison in noises.items():
            partly = poison and poison.model_copy(update={"share": SHARE})
            yield Entry(f"{SHARE:.0%} protected", column, p.cell("cifar10", seed, partly))


def rows(p: Profile) -> dict[str, Settings]:
    """Return the settings of the training of each row, by its name."""
    longer = {"epochs": LONGER * p.victim("cifar10").epochs}
    return {
        AS_PUBLISHED: {},
        **{spec: {"countermeasure": spec} for spec in FIRST},
        "longer training": {"train": longer},
        **{spec: {"countermeasure": spec} for spec in THEN},
        **{name: {"relabel": rule} for name, rule in RULES.items()},
    }
