"""How visible the noise of a search may be, by name: limits inside the budget (``--visibility``)."""

from __future__ import annotations

from typing import Any

from unlearnable.arguments import unknown

VISIBILITY: dict[str, dict[str, Any]] = {
    "high": {"mean_shift": "free", "low_limit": "free"},
    "medium": {"mean_shift": 0.5, "low_limit": 1.0},
    "low": {"mean_shift": 0.3, "low_limit": 0.5},
}


def limits(name: str) -> dict[str, Any]:
    """Return the settings of a search whose noise is as visible as a name says.

    Raises:
        UsageError: If there is no such name.
    """
    if name not in list(VISIBILITY):
        raise unknown("visibility", name, list(VISIBILITY))
    return dict(VISIBILITY[name])
