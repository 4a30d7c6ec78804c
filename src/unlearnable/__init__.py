"""Make photos that people can look at but models cannot learn from, and prove it.

    import unlearnable as un

    images = un.load("photos")                          # a folder, a benchmark by name, arrays, or a data set
    of (image, label) result = un.protect("photos", "protected")          # folder in, folder out report =
    un.verify("photos", "protected")           # what a network learns from each

    method = un.ErrorMinimizing(form="classwise", transforms="flip-crop")
    fitted = un.fit(images, method, seed=0)
    protected = images.with_noise(fitted.noise)

Names are imported when they are first used, so that ``import unlearnable`` takes no time.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from unlearnable.version import __version__

if TYPE_CHECKING:
    from unlearnable.api import fit, protect
    from unlearnable.budget import Budget
    from unlearnable.data import load
    from unlearnable.data.image_set import ImageSet
    from unlearnable.errors import DataError, GoalMissed, UnlearnableError, UsageError
    from unlearnable.evaluation.verification import verify
    from unlearnable.methods.error_minimizing import ErrorMinimizing
    from unlearnable.methods.fitted import Fitted
    from unlearnable.methods.random import Random
    from unlearnable.noise import Noise

_HOMES = {
    "Budget": "budget",
    "DataError": "errors",
    "ErrorMinimizing": "methods.error_minimizing",
    "Fitted": "methods.fitted",
    "GoalMissed": "errors",
    "ImageSet": "data.image_set",
    "Noise": "noise",
    "Random": "methods.random",
    "UnlearnableError": "errors",
    "UsageError": "errors",
    "fit": "api",
    "load": "data",
    "protect": "api",
    "verify": "evaluation.verification",
}

__all__ = [
    "Budget",
    "DataError",
    "ErrorMinimizing",
    "Fitted",
    "GoalMissed",
    "ImageSet",
    "Noise",
    "Random",
    "UnlearnableError",
    "UsageError",
    "__version__",
    "fit",
    "load",
    "protect",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'unlearnable' has no attribute {name!r}")
    return getattr(import_module(f"unlearnable.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
