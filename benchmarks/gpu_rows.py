"""Goals for a GPU and measurements of `gpu.py`, for docs/performance.md; empty if not measured."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean
from typing import Any

Parts = dict[str, Any]
EQUAL = 0.999  # share of equal levels: a GPU may add in another order, and a gradient of zero has any sign


def inner(parts: Parts) -> str:
    """Return the speed-up of the inner loop over the baseline, the median of pairs."""
    return f"{parts['inner loop, width 64']['bfloat16']['ratio']:.2f}"


def whole(parts: Parts) -> str:
    """Return the speed-up of a round over one of the baseline, per image."""
    found = parts["noise, exact"]
    ours = found["seconds"] / found["rounds"] / found["images"]
    return f"{parts['published round']['seconds_per_image'] / ours:.2f}"


def share(parts: Parts) -> str:
    """Return the inner loop's share of the rate of a large matrix product."""
    return f"{parts['floor, width 64, bfloat16']['share']:.0%}"


def noise(search: str) -> Callable[[Parts], str]:
    """Return a renderer of the seconds to the end of a search, with its rounds and its last error."""

    def row(parts: Parts) -> str:
        found = parts[f"noise, {search}"]
        return f"{found['seconds']:.0f} s, {found['rounds']} rounds to {found['errors'][-1]:.1%}"

    return row


def accuracy(parts: Parts) -> str:
    """Return the mean accuracy over networks, and their number."""
    found = _clean(parts)
    return f"{mean(one['accuracy'] for one in found):.2%}, mean of {len(found)}"


def seconds(parts: Parts) -> str:
    """Return the seconds of training until the test accuracy was 94%, for the slowest network."""
    taken = [one["seconds_to_94"] for one in _clean(parts)]
    return "not reached by all" if None in taken else f"{max(taken):.1f} s"


def _clean(parts: Parts) -> list[Any]:
    found = [part for name, part in parts.items() if name.startswith("clean training")]
    if not found:
        raise KeyError("clean training")
    return found


def smoke(parts: Parts) -> str:
    """Return how many searches gave the noise of a CPU, and how many searches and countermeasures failed."""
    found = {name: part for name, part in parts.items() if name.startswith("smoke")}
    searches = [one for name, part in found.items() if "method" in name for one in part.values()]
    if not searches:
        raise KeyError("smoke")
    equal = sum(one.get("equal", 0) > EQUAL for one in searches)
    failed = sum("failed" in one for one in (*searches, *found.values()))
    return f"{equal} of {len(searches)}" + (f", {failed} failed" if failed else "")


ROWS: list[tuple[str, str, Callable[[Parts], str]]] = [
    ("searches, by every method and form, that give the noise of a CPU in float64", "all", smoke),
    ("inner loop, width 64, bfloat16, times as fast as the baseline", "6", inner),
    ("sample-wise noise for CIFAR-10, per image and round, times as fast as the baseline", "15", whole),
    ("inner loop, width 64, share of the rate of a bfloat16 matrix product", "25%, if possible 35%", share),
    ("sample-wise noise for CIFAR-10 to an error of 1%, `exact`", "120 s", noise("exact")),
    ("sample-wise noise for CIFAR-10 to an error of 1%, `fast`", "60 s, if possible 30 s", noise("fast")),
    ("ResNet-18 on clean CIFAR-10, accuracy", "94%", accuracy),
    ("ResNet-18 on clean CIFAR-10, training to 94%", "30 s", seconds),
]


def rows(parts: Parts) -> list[list[str]]:
    """Return one row per goal: what is measured, the goal, and the measurement."""
    return [[what, wanted, _or_nothing(found, parts)] for what, wanted, found in ROWS]


def _or_nothing(found: Callable[[Parts], str], parts: Parts) -> str:
    try:
        return found(parts)
    except KeyError:  # that part was not run
        return ""
