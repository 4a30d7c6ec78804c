"""Evaluation of a protection: what networks learn from clean and protected images, and its visibility."""

from unlearnable.evaluation.comparison import Arm, ArmResult, Comparison, compare
from unlearnable.evaluation.schedule import Trial
from unlearnable.evaluation.verdict import Goal, Verdict
from unlearnable.evaluation.verification import Verification, verify

__all__ = ["Arm", "ArmResult", "Comparison", "Goal", "Trial", "Verdict", "Verification", "compare", "verify"]
