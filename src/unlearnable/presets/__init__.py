"""Named settings of error_minimizing, each a complete TOML file, and how they merge with others."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from unlearnable.arguments import path, unknown
from unlearnable.data.image_set import is_small
from unlearnable.errors import UsageError
from unlearnable.noise import Form
from unlearnable.presets.visibility import limits as limits
from unlearnable.renamed import to_current

FORMS: tuple[Form, Form] = ("samplewise", "classwise")
TABLES = (*FORMS, "fast")


def names() -> list[str]:
    """Return the names of the presets."""
    found = [file.name for file in files(__package__).iterdir() if file.name.endswith(".toml")]
    return sorted(name.removesuffix(".toml") for name in found)


def read(name: str) -> dict[str, Any]:
    """Return the settings of a preset.

    Raises:
        UsageError: If no preset has that name.
    """
    if name not in names():
        raise unknown("preset", name, ["auto", *names()])
    return parse((files(__package__) / f"{name}.toml").read_bytes(), f"preset {name}")


def auto(frame: tuple[int, int], device: str) -> str:
    """Return the preset for images of a usual (height, width) on a device.

    Small images get ``paper`` on an accelerator and ``small`` on a CPU; photos get ``gpu`` and ``laptop``.
    """
    if is_small(frame):
        return "paper" if device != "cpu" else "small"
    return "gpu" if device != "cpu" else "laptop"


def read_file(config: str | Path) -> dict[str, Any]:
    """Return the settings in a TOML file.

    Raises:
        UsageError: If it is missing or not TOML.
    """
    file = path("config", config, "file")
    if not file.is_file():
        raise UsageError(f"{file} is not a file.", "Give a TOML file of settings.")
    return parse(file.read_bytes(), str(file))


def merge(preset: dict[str, Any], config: str | Path | None, given: dict[str, Any]) -> dict[str, Any]:
    """Merge a preset, a file and options (None where not given), the later over the earlier.

    A preset or a file may have tables ``[samplewise]`` and ``[classwise]`` of settings that hold for one form
    only, and ``[fast]`` (or ``[fast.samplewise]``, ``[fast.classwise]``) of settings that save time: they
    hold where ``search`` is ``fast`` rather than ``exact``. All three may use names of earlier versions.

    Raises:
        UsageError: If the file is missing or not TOML, if ``search`` is unknown, or if no table makes the
            search fast.
    """
    merged = _current(preset)
    tables = {table: merged.pop(table, {}) for table in TABLES}
    over: dict[str, Any] = {}
    if config is not None:
        over |= read_file(config)
        for table in TABLES:
            if not isinstance(over.get(table, {}), dict):
                raise UsageError(
                    f"{config}: {table} is a table of settings, not a setting.",
                    f"Write [{table}] above them.",
                )
        tables = {table: {**tables[table], **over.pop(table, {})} for table in TABLES}
    over |= to_current({key: value for key, value in given.items() if value is not None})
    form: Form = "samplewise" if over.get("form", merged.get("form", "auto")) == "samplewise" else "classwise"
    search = over.pop("search", "exact")
    if search not in ("exact", "fast"):
        raise unknown("search", search, ["exact", "fast"])
    saving = fast(tables, form) if search == "fast" else {}
    if search == "fast" and not saving:
        raise UsageError(
            f"No setting is known to make this {form} search fast.",
            "Remove --search, or give a table [fast] in --config.",
        )
    merged |= tables[form] | saving | over
    least, most = merged.get("min_rounds", 1), given.get("max_rounds")
    # An explicit `max_rounds` below the preset's `min_rounds` is intended.
    if isinstance(least, int) and isinstance(most, int) and least > most >= 1:
        merged["min_rounds"] = most
    return merged


def fast(tables: dict[str, Any], form: Form) -> dict[str, Any]:
    """Return the settings that ``fast`` changes in a search for one form; empty where none saves time."""
    table: dict[str, Any] = tables.get("fast", {})
    return {**{name: value for name, value in table.items() if name not in FORMS}, **table.get(form, {})}


def parse(data: bytes, name: str) -> dict[str, Any]:
    """Return the settings of a TOML file, under today's names.

    Raises:
        UsageError: If it is not TOML; the message says where.
    """
    try:
        return _current(tomllib.loads(data.decode("utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{name} is not TOML ({error}).", "docs/cli.md lists the settings.") from error


def _current(table: Mapping[str, Any]) -> dict[str, Any]:
    """Rename old settings in a table and in the tables inside it."""
    renamed = to_current(table)
    return {name: _current(value) if isinstance(value, dict) else value for name, value in renamed.items()}
