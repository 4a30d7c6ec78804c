"""Holding images out, stratified by class; duplicates stay together."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import numpy as np


def held_out_of(count: int, share: float) -> int:
    """Return how many of a class's images are held out: about a share, at least one, and never all.

    Args:
        count: Images of the class, at least one.
        share: Share to hold out, between 0 and 1.
    """
    return min(max(1, round(share * count)), count - 1)


def held_out(
    class_of: Mapping[str, str], group_of: Mapping[str, Hashable], share: float, seed: int
) -> set[str]:
    """Return the ids to hold out: about a share of every class, at least one image and never all.

    A group is never split, even if the classes of its images differ. With copies of an image in one group, no
    network is tested on an image it trained on.

    Args:
        class_of: Class name of every id.
        group_of: Group of every id: its content hash, for example.
        share: Share of every class, between 0 and 1.
        seed: Seed of the random choice.
    """
    members: dict[Hashable, list[str]] = {}
    for id in sorted(class_of):
        members.setdefault(group_of[id], []).append(id)
    size: dict[str, int] = {}
    for name in class_of.values():
        size[name] = size.get(name, 0) + 1
    wanted = {name: held_out_of(count, share) for name, count in size.items()}
    taken = dict.fromkeys(size, 0)
    out: set[str] = set()
    groups = sorted(members.values())
    order = [groups[index] for index in np.random.default_rng(seed).permutation(len(groups))]
    for group in order:
        names = [class_of[id] for id in group]
        if all(taken[name] + names.count(name) <= wanted[name] for name in names):
            out.update(group)
            for name in names:
                taken[name] += 1
    # A class whose groups are all larger than its share has no image yet. It gets its smallest
    # group, because a class without test images cannot be measured.
    for group in sorted(order, key=len):
        names = [class_of[id] for id in group]
        if any(taken[name] == 0 for name in names) and all(
            taken[name] + names.count(name) < size[name] for name in names
        ):
            out.update(group)
            for name in names:
                taken[name] += 1
    return out
