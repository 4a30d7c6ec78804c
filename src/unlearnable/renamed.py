"""Settings that had another name: one table, so that files of earlier versions are still read.

TOML files, ``run.json``, noise files and committed cells may hold the old names. Cells and noise files keep
writing them: the text of a cell is hashed, and the format of noise files has not changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unlearnable.errors import UsageError

# old name: name today
RENAMED = {
    "several": "patterns_per_class",
    "settled": "skip_below",
    "place": "offset",
    "jpeg": "countermeasures",
}
# settings whose value is written in another way too; records are not translated back to them
_VALUES = {"jpeg": lambda quality: f"jpeg:{quality}" if quality else "none"}
_OLD = {new: old for old, new in RENAMED.items() if old not in _VALUES}


def to_current(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings under the names, and in the spelling, of today.

    Raises:
        UsageError: If a setting is given under both of its names.
    """
    for old, new in RENAMED.items():
        if old in settings and new in settings:
            raise UsageError(
                f"{old} and {new} are one setting, and both are given.", f"Remove {old}, its old name."
            )
    return {
        RENAMED.get(name, name): _VALUES[name](value) if name in _VALUES else value
        for name, value in settings.items()
    }


def to_recorded(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings under their first names, as cells and noise files write them."""
    return {_OLD.get(name, name): value for name, value in settings.items()}
