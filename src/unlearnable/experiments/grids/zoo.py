"""Methods of the field against ways to train: the zoo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from unlearnable import methods
from unlearnable.cells import Poison
from unlearnable.experiments.base import Entry, experiment
from unlearnable.experiments.profile import Profile, Settings
from unlearnable.noise import Form


@dataclass(frozen=True)
class Column:
    """The noise of a column. Other settings are the profile's, or else the method's defaults.

    Args:
        method: Name of the method.
        form: Form of the noise.
        settings: Its settings in every profile.
        cpu: Settings that differ in the profile ``cpu``, to take minutes on one core.
    """

    method: str
    form: Form = "samplewise"
    settings: Settings = field(default_factory=dict)
    cpu: Settings = field(default_factory=dict)


# One line for each noise; a new method needs a line here and nothing else. Methods that derive from another
# one get its settings from the profile, so those of their own paper are repeated here.
_ONCE: Settings = {"max_rounds": 1, "stop_error": 1.0, "batch": 128}
_ADVERSARY: Settings = {
    "adversarial_steps": 2,
    "adversarial_step_size": 2.0,
    "samples": 1,
    "steps": 2,
    "max_rounds": 15,
}
_AUE: Settings = {"train_batches": 0, "batch": 128, "weight_decay": 1e-4, "stop_error": 0.0, "max_rounds": 60}
COLUMNS: dict[str, Column] = {
    "random, class-wise": Column("random", "classwise"),
    "EM": Column("error_minimizing"),
    "EM, class-wise": Column("error_minimizing", "classwise"),
    "REM": Column("robust_error_minimizing", cpu=_ADVERSARY),
    "SEM": Column("stable_error_minimizing", cpu=_ADVERSARY),
    "TAP": Column(
        "error_maximizing",
        settings={**_ONCE, "target": "next", "shift": 3, "steps": 250, "transforms": "flip-crop"},
        cpu={"steps": 60},
    ),
    "SEP": Column(
        "self_ensemble",
        settings={
            **_ONCE,
            "checkpoints": 30,
            "pretrain_epochs": 120,
            "pretrain_transforms": "flip-crop",
            "steps": 30,
        },
        cpu={"checkpoints": 5, "pretrain_epochs": 15},
    ),
    "AAP": Column(
        "augmented_error_maximizing",
        settings={**_ONCE, "pretrain_epochs": 40, "pretrain_transforms": "none", "steps": 250},
        cpu={"pretrain_epochs": 15, "steps": 60, "step_size": 0.33},
    ),
    "AUE": Column(
        "augmented_error_minimizing",
        settings={**_AUE, "transforms": "none", "steps": 5, "step_size": 0.8},
        cpu={"steps": 2, "max_rounds": 30},
    ),
    "MI-UE": Column("mutual_information"),
    # in the profile cpu, as many training steps as the authors' 30 epochs on 50,000 images
    "PIL": Column(
        "perturbation_induced_linearization",
        settings={"surrogate": "linear"},
        cpu={"batch": 128, "pretrain_epochs": 95},
    ),
    "LSP": Column("linear_separable"),
    "AR": Column("autoregressive"),
    "textures": Column("textures", "classwise"),
    "gratings": Column("gratings", "classwise"),
}
SMOKE: Settings = {
    "batch": 64,
    "min_rounds": 1,
    "max_rounds": 1,
    "pretrain_epochs": 1,
    "checkpoints": 2,
    "steps": 2,
    "samples": 1,
    "adversarial_steps": 1,
}
ROWS = (
    "none",
    "cutout",
    "mixup",
    "cutmix",
    "randaugment",
    "grey",
    "bitdepth:3",
    *(f"jpeg:{quality}" for quality in (75, 50, 30, 10)),
    "blur:1",
    "shrink:2",
    "project",
)


def _note(p: Profile) -> str:
    named = (f"{name} (`{one.method}`)" for name, one in COLUMNS.items() if one.form == "samplewise")
    return f"The sample-wise noises are {', '.join(named)}."


@experiment(
    order=28,
    title="Methods of the field against ways to train",
    rows="countermeasure",
    columns="trained on",
    figure="heat",
    timed=True,
    note=_note,
)
def zoo(p: Profile) -> Iterator[Entry]:
    """Which published methods hold against which countermeasures?

    In the profile `paper`, every method has the settings of its paper, except for MI-UE, which has those of
    EM. In `cpu`, searches are shorter. Compare each column with the clean column, row by row.
    """
    for seed in p.seeds:
        noises: dict[str, Poison | None] = {"clean": None}
        noises |= {name: poison(p, column, seed) for name, column in COLUMNS.items()}
        for row in ROWS:
            for name, noise in noises.items():
                yield Entry(row, name, p.cell("cifar10", seed, noise, countermeasure=row))


def poison(p: Profile, column: Column, seed: int, data: str = "cifar10") -> Poison:
    """Return the noise of a column, found on a set of images."""
    fields = methods.get(column.method).Config.model_fields
    smoke = {name: value for name, value in SMOKE.items() if name in fields}
    changes = {"cpu": column.cpu, "smoke": smoke}.get(p.name, {})
    settings = {**column.settings, **changes}
    return p.poison(data, column.form, seed, method=column.method, **settings)
