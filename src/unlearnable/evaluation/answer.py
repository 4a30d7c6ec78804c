"""The answer of a detection: the rule, the words and the figures behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from unlearnable.evaluation.contrasts import Contrast

Answer = Literal["probably protected", "no sign of protection", "cannot tell"]

# Log-odds. Chosen on clean sets (leads up to 0.44) and on noise (from 0.89) that are not in the table of
# docs/detect.md. Protected data leads by more than MARGIN; SMALLEST is a lead that protection shows.
MARGIN, SMALLEST = 0.6, 1.0
# above this accuracy of the linear network on both parts, a lead has no room; clean digits reach 0.97
FULL = 0.98
# the lead of one class against the rest, by areas under ROC curves of the linear network (clean: up to 1.6),
# and the images that the class must have
CLASS_MARGIN, CLASS_IMAGES = 2.5, 20
MIN_PER_CLASS, MIN_IMAGES = 10, 100


@dataclass(frozen=True)
class Detection:
    """The answer for a data set, and the figures behind it.

    Args:
        answer: ``probably protected``, ``no sign of protection`` or ``cannot tell``.
        reason: The reason for the answer, in one sentence.
        contrasts: One for each simple network; empty if there are too few images.
        classes: Classes that look protected by themselves, by the linear network.
        images: Number of images used.
        images_of: Number of images used by class.
        left_out: Number of images that were not used, because there are enough, or too few of their class.
        skipped: Reason for each image that cannot be read.
        side: Side in pixels of the squares that were compared.
        seeds: Seeds of the folds.
        seconds: Time the comparison took.
        environment: Device, precision and versions.
    """

    answer: Answer
    reason: str
    contrasts: tuple[Contrast, ...] = ()
    classes: tuple[str, ...] = ()
    images: int = 0
    images_of: dict[str, int] = field(default_factory=dict)
    left_out: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    side: int = 0
    seeds: tuple[int, ...] = ()
    seconds: float = 0.0
    environment: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return everything, for programs; accuracies in [0, 1]."""
        return asdict(self)


def judge(contrasts: Sequence[Contrast], alone: Sequence[str] = ()) -> tuple[Answer, str]:
    """Return the answer and its reason.

    Args:
        contrasts: One for each network.
        alone: Classes that look protected by themselves.
    """
    leading = [one.network for one in contrasts if one.low > MARGIN]
    if leading:
        return "probably protected", (
            f"Fine noise tells the class of an image better than its content does ({' and '.join(leading)} "
            "network)."
        )
    if alone:
        return "probably protected", "Fine noise sets single classes apart from the others."
    if any(one.network == "linear" and min(*one.fine, *one.coarse) > FULL for one in contrasts):
        return (
            "cannot tell",
            "A linear network classifies nearly every image, both by fine noise and by content.",
        )
    if all(one.lead < MARGIN and one.high < SMALLEST for one in contrasts):
        return "no sign of protection", "Content tells the class of an image, as in natural data."
    if all(one.lead < MARGIN for one in contrasts):
        return "cannot tell", "There are too few images: the intervals are too wide."
    return "cannot tell", "The lead of the fine part is between those of clean and of protected data."


def enough(counts: Mapping[str, int]) -> bool:
    """Return whether images, counted by class, are enough for an answer."""
    return sum(counts.values()) >= MIN_IMAGES and min(counts.values()) >= MIN_PER_CLASS


def too_few(counts: Mapping[str, int]) -> Detection:
    """Return the answer for too few images."""
    return Detection(
        "cannot tell",
        f"There are too few images: {sum(counts.values())}, {min(counts.values())} in the smallest class. "
        f"At least {MIN_IMAGES} are needed, and {MIN_PER_CLASS} of each class.",
    )
