"""Searches that must find the same noise in any number of processes. Run as a program by the tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import unlearnable as un
from conftest import pixels
from unlearnable import methods
from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.training.compute import Compute
from unlearnable.training.launch import Launch

QUICK: dict[str, Any] = {
    "surrogate": "cnn:width=8,depth=2",
    "resolution": 16,
    "batch": 8,
    "steps": 3,
    "min_rounds": 2,
    "max_rounds": 2,
    "stop_error": 0.0,
}
# of a batch of 2 images, a process often owns none
TINY: dict[str, Any] = {"train_batches": 12, "batch": 2, "lr": 0.01}
# name: method, settings, number of images; 22 images are no whole number of batches
CASES: dict[str, tuple[str, dict[str, Any], int]] = {
    "classwise": ("error_minimizing", {"form": "classwise", "train_batches": 4}, 24),
    "samplewise": ("error_minimizing", {"form": "samplewise", "train_batches": 4}, 24),
    "uneven": ("error_minimizing", {"form": "samplewise", "train_batches": 4, "batch": 7}, 22),
    "tiny batches": ("error_minimizing", {"form": "classwise", **TINY}, 22),
    "tiny crops": (
        "error_minimizing",
        {"form": "samplewise", "transforms": "photo", "zoom": 1.5, **TINY},
        22,
    ),
    "context": ("error_minimizing", {"form": "samplewise", "train_batches": 4}, 23),
    "classwise context": ("error_minimizing", {"form": "classwise", "train_batches": 4}, 23),
    "offsets": ("error_minimizing", {"form": "classwise", "tile": 8, "offset": "random"}, 22),
    "samplewise offsets": ("error_minimizing", {"form": "samplewise", "tile": 8, "offset": "random"}, 22),
    "patterns": ("error_minimizing", {"form": "classwise", "patterns_per_class": 3, "init": "uniform"}, 24),
    "before": ("error_minimizing", {"form": "classwise", "measure": "before", "share": 0.5}, 24),
    "training": ("error_minimizing", {"form": "classwise", "measure": "training", "passes": 2}, 24),
    "skip": ("error_minimizing", {"form": "samplewise", "skip_below": 1.0, "train_batches": 4}, 24),
    "crops": (
        "error_minimizing",
        {"form": "classwise", "transforms": "photo", "zoom": 1.5, "samples": 2, "grid": 12},
        22,
    ),
    "flips": (
        "error_minimizing",
        {"form": "samplewise", "transforms": "flip-crop", "samples": 2, "init": "uniform", "clip": 0.5},
        22,
    ),
    "constraints": (
        "error_minimizing",
        {
            "form": "classwise",
            "channels": "luminance",
            "signs": "paired",
            "low_limit": 1.0,
            "init": "uniform",
        },
        24,
    ),
    "maximizing": ("error_maximizing", {"form": "samplewise", "pretrain_epochs": 2.0}, 22),
    "targeted": (
        "error_maximizing",
        {"form": "classwise", "pretrain_epochs": 2.0, "target": "next", "transforms": "flip-crop"},
        22,
    ),
    "linear": (
        "perturbation_induced_linearization",
        {"form": "samplewise", "pretrain_epochs": 2.0, "surrogate": "linear"},
        22,
    ),
}


def images(case: str) -> ImageSet:
    """Images of three classes, two of them grey; with context, the third class gets no noise."""
    count = CASES[case][2]
    some = pixels(count)
    some[3:5] = some[3:5].mean(-1, keepdims=True).astype(np.uint8)
    names = ["ant", "bee", "cat"] * 8
    ids = [f"img{i:02d}" for i in range(count)]
    if "context" not in case:
        return arrays(some, names[:count], ids=ids)
    own = [row for row in range(count) if names[row] != "cat"]
    rest = [row for row in range(count) if names[row] == "cat"]
    first, second = (
        arrays(some[rows], [names[row] for row in rows], ids=[ids[row] for row in rows])
        for rows in (own, rest)
    )
    return first.join(second)


def search(case: str, precision: str = "float64") -> methods.Fitted:
    """Search for the noise of a case, in all processes together."""
    name, settings, _ = CASES[case]
    known = methods.get(name).Config.model_fields
    quick = {key: value for key, value in QUICK.items() if key in known}
    stop = {"stop_error": 1.0} if methods.get(name).rises else {}
    method = methods.create(name, {**quick, **stop, **settings})
    return un.fit(images(case), method, seed=3, compute=Compute("cpu", precision))


def main(folder: Path, cases: list[str]) -> None:
    """Save the results of every process."""
    torch.set_num_threads(1)
    rank = Launch.of().rank
    for case in cases or CASES:
        search(case).save(folder / f"{rank}" / case)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
