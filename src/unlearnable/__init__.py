"""Protect photos from being learned by models.

Add imperceptible noise to your photos so that models trained on them learn very little, and measure how well
it works.

    import unlearnable as un

    # A folder, a benchmark by name, arrays, or a data set of (image, label).
    images = un.load("photos")
    # From folder to folder.
    result = un.protect("photos", "protected")
    # The accuracy of networks trained on each of the two.
    report = un.verify("photos", "protected")

    method = un.ErrorMinimizing(form="classwise", transforms="flip-crop")
    fitted = un.fit(images, method, seed=0)
    protected = images.with_noise(fitted.noise)

Names are imported on first use, so that ``import unlearnable`` takes no time.
"""

from __future__ import annotations

import logging
from difflib import get_close_matches
from importlib import import_module
from typing import TYPE_CHECKING, Any

from unlearnable.version import __version__

if TYPE_CHECKING:
    from unlearnable.api import apply, fit, protect
    from unlearnable.budget import Budget
    from unlearnable.data import load
    from unlearnable.data.encoding import Encoding
    from unlearnable.data.image_set import ImageSet
    from unlearnable.data.photo import Photo
    from unlearnable.data.view import View
    from unlearnable.errors import DataError, GoalMissed, Unfinished, UnlearnableError, UsageError
    from unlearnable.evaluation.answer import Detection
    from unlearnable.evaluation.detection import detect
    from unlearnable.evaluation.result import Verification
    from unlearnable.evaluation.verification import verify
    from unlearnable.events import Event, OnProgress
    from unlearnable.jobs.applying import Applied, apply_shards
    from unlearnable.jobs.part import Part
    from unlearnable.jobs.status import Status, shard_status
    from unlearnable.methods import Method
    from unlearnable.methods.autoregressive import Autoregressive
    from unlearnable.methods.bait import Bait
    from unlearnable.methods.error_maximizing import ErrorMaximizing
    from unlearnable.methods.error_minimizing import ErrorMinimizing
    from unlearnable.methods.feature_shift import FeatureShift
    from unlearnable.methods.fitted import Fitted
    from unlearnable.methods.gratings import Gratings
    from unlearnable.methods.linear_separable import LinearSeparable
    from unlearnable.methods.random import Random
    from unlearnable.methods.robust_error_minimizing import RobustErrorMinimizing
    from unlearnable.methods.textures import Textures
    from unlearnable.noise import Noise
    from unlearnable.opening import PhotoOptions, open_photos
    from unlearnable.plugins import load_plugin
    from unlearnable.preparation import Prepared, Request, prepare
    from unlearnable.publish import Published
    from unlearnable.report import Record
    from unlearnable.runs import RunFolder
    from unlearnable.training.compute import Compute

_HOMES = {
    "Applied": "jobs.applying",
    "Autoregressive": "methods.autoregressive",
    "Bait": "methods.bait",
    "Budget": "budget",
    "Compute": "training.compute",
    "DataError": "errors",
    "Detection": "evaluation.answer",
    "Encoding": "data.encoding",
    "ErrorMaximizing": "methods.error_maximizing",
    "ErrorMinimizing": "methods.error_minimizing",
    "Event": "events",
    "FeatureShift": "methods.feature_shift",
    "Fitted": "methods.fitted",
    "GoalMissed": "errors",
    "Gratings": "methods.gratings",
    "ImageSet": "data.image_set",
    "LinearSeparable": "methods.linear_separable",
    "Method": "methods",
    "Noise": "noise",
    "OnProgress": "events",
    "Part": "jobs.part",
    "Photo": "data.photo",
    "PhotoOptions": "opening",
    "Prepared": "preparation",
    "Published": "publish",
    "Random": "methods.random",
    "Record": "report",
    "Request": "preparation",
    "RobustErrorMinimizing": "methods.robust_error_minimizing",
    "RunFolder": "runs",
    "Status": "jobs.status",
    "Textures": "methods.textures",
    "Unfinished": "errors",
    "UnlearnableError": "errors",
    "UsageError": "errors",
    "Verification": "evaluation.result",
    "View": "data.view",
    "apply": "api",
    "apply_shards": "jobs.applying",
    "detect": "evaluation.detection",
    "fit": "api",
    "load": "data",
    "load_plugin": "plugins",
    "open_photos": "opening",
    "prepare": "preparation",
    "protect": "api",
    "shard_status": "jobs.status",
    "verify": "evaluation.verification",
}

__all__ = [
    "Applied",
    "Autoregressive",
    "Bait",
    "Budget",
    "Compute",
    "DataError",
    "Detection",
    "Encoding",
    "ErrorMaximizing",
    "ErrorMinimizing",
    "Event",
    "FeatureShift",
    "Fitted",
    "GoalMissed",
    "Gratings",
    "ImageSet",
    "LinearSeparable",
    "Method",
    "Noise",
    "OnProgress",
    "Part",
    "Photo",
    "PhotoOptions",
    "Prepared",
    "Published",
    "Random",
    "Record",
    "Request",
    "RobustErrorMinimizing",
    "RunFolder",
    "Status",
    "Textures",
    "Unfinished",
    "UnlearnableError",
    "UsageError",
    "Verification",
    "View",
    "__version__",
    "apply",
    "apply_shards",
    "detect",
    "fit",
    "load",
    "load_plugin",
    "open_photos",
    "prepare",
    "protect",
    "shard_status",
    "verify",
]


# silent unless the program that imports the package wants to hear
logging.getLogger("unlearnable").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        near = get_close_matches(name, __all__, 1)
        hint = f". Did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"module 'unlearnable' has no attribute {name!r}{hint}")
    return getattr(import_module(f"unlearnable.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
