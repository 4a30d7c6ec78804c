"""What the measurement scripts share: choosing images, tensors, and the head of a result file."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unlearnable import methods, presets
from unlearnable.data.image_set import ImageSet
from unlearnable.data.view import View
from unlearnable.training.compute import Compute
from unlearnable.version import __version__


def head(compute: Compute, places: dict[str, Path]) -> dict[str, Any]:
    """Command (with ``places`` named instead of shown), machine, versions and date."""
    command = shlex.join(["python", *sys.argv])
    for name, path in places.items():
        command = command.replace(str(path), name)
    return {
        "command": command,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "environment": compute.describe(),
        "version": __version__,
        "date": time.strftime("%Y-%m-%d"),
    }


def some(images: ImageSet, per_class: int, classes: str = "") -> ImageSet:
    """The first ``per_class`` images (0 for all) of every class, or of a slice of the class names such as ``:5``."""
    names = (
        images.classes[slice(*(int(part) if part else None for part in classes.split(":")))]
        if classes
        else images.classes
    )
    return images.first(per_class, names)


def laptop(images: ImageSet, count: int, **changes: object) -> methods.Method:
    """The laptop preset, changed, with every ``auto`` replaced as for ``count`` photos like these."""
    frame = np.median([images.photo(id).size for id in images.ids[:100]], axis=0)
    method = methods.create("error_minimizing", presets.merge(presets.read("laptop"), None, changes))
    return method.resolve((int(frame[0]), int(frame[1])), count)


def tensors(view: View) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and labels of a view."""
    return torch.from_numpy(view.pixels), torch.from_numpy(view.labels)
