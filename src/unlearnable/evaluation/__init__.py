"""Evaluation of a protection: what networks learn from clean and protected images, and its visibility.

The names are imported on demand: tables of experiments need ``statistics`` where only NumPy is installed.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unlearnable.evaluation.answer import Detection
    from unlearnable.evaluation.comparison import Arm, ArmResult, Comparison, compare
    from unlearnable.evaluation.detection import detect
    from unlearnable.evaluation.result import Verification
    from unlearnable.evaluation.schedule import Trial
    from unlearnable.evaluation.verdict import Goal, Verdict
    from unlearnable.evaluation.verification import verify

__all__ = [
    "Arm",
    "ArmResult",
    "Comparison",
    "Detection",
    "Goal",
    "Trial",
    "Verdict",
    "Verification",
    "compare",
    "detect",
    "verify",
]

_HOMES = {
    **dict.fromkeys(("Arm", "ArmResult", "Comparison", "compare"), "comparison"),
    "Detection": "answer",
    "detect": "detection",
    "Trial": "schedule",
    **dict.fromkeys(("Goal", "Verdict"), "verdict"),
    "Verification": "result",
    "verify": "verification",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
