"""Searches that must find the same noise in any number of processes. Run as a program by the tests."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

import unlearnable as un
from conftest import pixels
from pretend import OnDevice, pretend_gpu, without_waiting
from unlearnable import methods
from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.methods.context import Context
from unlearnable.training import connection
from unlearnable.training.compute import Compute
from unlearnable.training.launch import Launch
from unlearnable.training.ranks import Ranks

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
    "backward context": (
        "error_minimizing",
        {"form": "samplewise", "shared_backward": True, "steps": 1, "train_batches": 6},
        23,
    ),
    "backward": (
        "error_minimizing",
        {"form": "classwise", "shared_backward": True, "steps": 1, **TINY, "transforms": "flip-crop"},
        22,
    ),
    "groups": (
        "error_minimizing",
        {"form": "samplewise", "init": "gratings", "class_groups": 2, "early_resolution": 8},
        22,
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
    return un.fit(images(case), method_of(case), seed=3, compute=Compute("cpu", precision))


def method_of(case: str) -> methods.Method:
    name, settings, _ = CASES[case]
    known = methods.get(name).Config.model_fields
    quick = {key: value for key, value in QUICK.items() if key in known}
    stop = {"stop_error": 1.0} if methods.get(name).rises else {}
    return methods.create(name, {**quick, **stop, **settings})


def search_on_gpus(case: str) -> methods.Fitted:
    """The same search on GPUs that are not there, which would send their tensors to each other."""

    def sent(send: Any) -> Any:
        def through_the_host(first: Any, *rest: Any, **named: Any) -> Any:
            if isinstance(first, list):
                first = [one.value if isinstance(one, OnDevice) else one for one in first]
            values = [one.value if isinstance(one, OnDevice) else one for one in rest]
            group = named["group"] if named["group"] is not dist.group.WORLD else connection.groups["steps"]
            return send(getattr(first, "value", first), *values, **{**named, "group": group})

        return through_the_host

    connection.connect(0)
    for name in ("all_reduce", "all_gather"):
        setattr(dist, name, sent(getattr(dist, name)))
    with pretend_gpu():
        launch = Launch.of()
        ranks = Ranks(launch.rank, launch.count)
        method = method_of(case)
        method = method.resolve(images(case).frame, len(images(case)))
        for kind in ("train", "move"):
            setattr(method, kind, not_waiting(getattr(method, kind)))
        view = images(case).view(int(method.config.resolution), method.zoom)
        return method.fit(view, Context(3, Compute("cuda", "float64"), ranks))


def not_waiting(step: Any) -> Any:
    @functools.wraps(step)
    def taken(plan: Any, state: Any, number: int) -> None:
        plan.surrogate(state)
        with without_waiting():
            step(plan, state, number)

    return taken


def main(folder: Path, cases: list[str]) -> None:
    """Save the results of every process."""
    torch.set_num_threads(1)
    rank = Launch.of().rank
    on_gpus = cases[:1] == ["gpus"]
    for case in cases[on_gpus:] or CASES:
        (search_on_gpus if on_gpus else search)(case).save(folder / f"{rank}" / case)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
