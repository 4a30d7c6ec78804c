"""Named settings of error_minimizing, each a complete TOML file, and how they merge with a file and with options."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from unlearnable.data.image_set import is_small
from unlearnable.errors import UsageError
from unlearnable.noise import Form

FORMS: tuple[Form, Form] = ("samplewise", "classwise")
TABLES = (*FORMS, "fast")


def names() -> list[str]:
    """Return the names of the presets."""
    return sorted(
        path.name.removesuffix(".toml")
        for path in files(__package__).iterdir()
        if path.name.endswith(".toml")
    )


def read(name: str) -> dict[str, Any]:
    """Return the settings of a preset.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in names():
        raise UsageError(f"There is no preset {name!r}.", f"There are: auto, {', '.join(names())}.")
    return parse((files(__package__) / f"{name}.toml").read_bytes(), f"preset {name}")


def auto(frame: tuple[int, int], device: str) -> str:
    """Choose a preset: ``paper`` for images of up to 40 px, ``gpu`` for photos where there is an accelerator, else ``laptop``."""
    if is_small(frame):
        return "paper" if device != "cpu" else "small"
    return "gpu" if device != "cpu" else "laptop"


def merge(preset: dict[str, Any], config: Path | None, given: dict[str, Any]) -> dict[str, Any]:
    """Merge a preset, a file and options (None where not given), the later over the earlier.

    A preset or a file may have tables ``[samplewise]`` and ``[classwise]`` of settings that hold for one form
    only, and ``[fast]`` (or ``[fast.samplewise]``, ``[fast.classwise]``) of those that hold where ``search``
    is ``fast`` rather than ``exact``: what saves time.

    Raises:
        UsageError: If the file is missing or no TOML, or there is no such search, or nothing says what makes
            it fast.
    """
    merged = dict(preset)
    tables = {table: merged.pop(table, {}) for table in TABLES}
    over: dict[str, Any] = {}
    if config is not None:
        if not config.is_file():
            raise UsageError(f"{config} is not a file.", "Give a TOML file of settings.")
        over |= parse(config.read_bytes(), str(config))
        tables = {table: {**tables[table], **over.pop(table, {})} for table in TABLES}
    over |= {key: value for key, value in given.items() if value is not None}
    form: Form = "samplewise" if over.get("form", merged.get("form", "auto")) == "samplewise" else "classwise"
    search = over.pop("search", "exact")
    if search not in ("exact", "fast"):
        raise UsageError(f"There is no search {search!r}.", "Choose exact or fast.")
    saving = fast(tables, form) if search == "fast" else {}
    if search == "fast" and not saving:
        raise UsageError(
            f"Nothing is known to make this {form} search fast.",
            "Leave --search away, or give a table [fast] in --config.",
        )
    merged |= tables[form] | saving | over
    least, most = merged.get("min_rounds", 1), given.get("max_rounds")
    # An explicit `max_rounds` below the preset's `min_rounds` is intended.
    if isinstance(least, int) and isinstance(most, int) and least > most:
        merged["min_rounds"] = most
    return merged


def fast(tables: dict[str, Any], form: Form) -> dict[str, Any]:
    """Return what ``fast`` changes in a search for noise of a form, given a preset; nothing where nothing is known to save time."""
    table: dict[str, Any] = tables.get("fast", {})
    return {**{name: value for name, value in table.items() if name not in FORMS}, **table.get(form, {})}


def parse(data: bytes, name: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        UsageError: If it is none; the message says where.
    """
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{name} is not TOML ({error}).", "See docs/cli.md for the settings.") from error
