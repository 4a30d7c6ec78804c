"""The outputs of a surrogate: one for each class, or one for each group of very many classes."""

from __future__ import annotations

from unlearnable import hashing
from unlearnable.errors import UsageError


def outputs(classes: tuple[str, ...], groups: int) -> tuple[int, ...]:
    """Return the output of the surrogate for each class.

    The group of a class depends on its name only, so it stays the same when classes are added.

    Args:
        classes: Names of the classes.
        groups: Number of groups. 0, or at least as many as classes, gives one output for each class.

    Raises:
        UsageError: If all classes are in one group, so that there is nothing to tell apart.
    """
    if not 0 < groups < len(classes):
        return tuple(range(len(classes)))
    found = tuple(int(groups * hashing.draw(0, "class group", name)) for name in classes)
    if len(set(found)) < 2:
        raise UsageError(
            f"class_groups is {groups}, and all {len(classes)} classes are in one group.",
            f"Set class_groups to more than {groups}, or to 0 for an output for each class.",
        )
    return found


def count(classes: tuple[str, ...], groups: int) -> int:
    """Return the number of outputs of the surrogate; arguments are those of ``outputs``."""
    return groups if 0 < groups < len(classes) else len(classes)
