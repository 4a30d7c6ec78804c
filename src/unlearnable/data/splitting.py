"""Holding images out: stratified by class, exact duplicates on one side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def held_out(class_of: Mapping[str, str], digests: Mapping[str, str], share: float, seed: int) -> set[str]:
    """Choose about ``share`` of every class, at least one image and never all.

    Images of the same content move together, also when they lie in different classes, so that none is trained
    on and tested on.

    Args:
        class_of: Class name of every id.
        digests: Content hash of every id.
        share: Between 0 and 1.
        seed: Another seed chooses others.

    Returns:
        The ids that are held out.
    """
    twins: dict[str, list[str]] = {}
    for id in sorted(class_of):
        twins.setdefault(digests[id], []).append(id)
    size: dict[str, int] = {}
    for name in class_of.values():
        size[name] = size.get(name, 0) + 1
    wanted = {name: min(max(1, round(share * count)), count - 1) for name, count in size.items()}
    taken = dict.fromkeys(size, 0)
    out: set[str] = set()
    groups = [twins[digest] for digest in sorted(twins, key=lambda digest: twins[digest][0])]
    order = [groups[index] for index in np.random.default_rng(seed).permutation(len(groups))]
    for group in order:
        names = [class_of[id] for id in group]
        if all(taken[name] + names.count(name) <= wanted[name] for name in names):
            out.update(group)
            for name in names:
                taken[name] += 1
    # where every group of duplicates is larger than the share, the smallest is taken, or nothing of the class
    # would be tested
    for group in sorted(order, key=len):
        names = [class_of[id] for id in group]
        if any(taken[name] == 0 for name in names) and all(
            taken[name] + names.count(name) < size[name] for name in names
        ):
            out.update(group)
            for name in names:
                taken[name] += 1
    return out
