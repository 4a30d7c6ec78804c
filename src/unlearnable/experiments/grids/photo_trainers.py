"""Trainers that differ from the one the search expects, on photos."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from unlearnable.cells import Cell, Poison
from unlearnable.experiments.base import Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile

TREATMENTS = ("jpeg:75", "shrink:2", "grey")
LARGER = (2.0, 3.5)  # sides of the network's input, over the usual one


@experiment(
    order=22,
    title="Other networks, recipes and treatments on photos",
    rows="trainer",
    columns="trained on",
)
def photo_trainers(p: Profile) -> Iterator[Entry]:
    """Does the noise protect photos from networks, crops, sizes and treatments unknown to the search?"""
    usual = p.victim("photos")
    trainers: dict[str, dict[str, Any]] = {
        "as in the search": {},
        "another network (cnn)": {"model": "cnn"},
        "smaller crops": {"train": {"crop_min": 0.08}},
        "smaller crops, colour jitter, fewer pixels": {
            "train": {"crop_min": 0.08, "jitter": 0.4, "size": 3 * usual.size // 4}
        },
        **{treatment: {"countermeasure": treatment} for treatment in TREATMENTS},
    }
    for seed in p.seeds:
        poisons = {WORDS[form]: p.poison("photos", form, seed) for form in FORMS}
        noises: dict[str, Poison | None] = {"clean": None, **poisons}
        for column, poison in noises.items():
            for row, more in trainers.items():
                yield Entry(row, column, p.cell("photos", seed, poison, **more))
            for factor in LARGER:
                cell = _larger(p, p.cell("photos", seed, poison), factor)
                yield Entry(f"{cell.victim.size} px", column, cell)


def _larger(p: Profile, cell: Cell, factor: float) -> Cell:
    """Return a cell whose network sees more pixels, with the stem of large images."""
    model = f"{p.models['resnet18']},stem=imagenet"
    changes = {"model": model, "size": round(factor * cell.victim.size)}
    return cell.model_copy(update={"victim": cell.victim.model_copy(update=changes)})
