"""A published folder, compared with the list of the run that wrote it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unlearnable import hashing
from unlearnable.cli.console import shortened
from unlearnable.data.litter import is_litter
from unlearnable.errors import DataError, UsageError
from unlearnable.events import Event, OnProgress
from unlearnable.runs import RunFolder, find_run
from unlearnable.words import counted


def run_of(path: Path, photos: Path | None, run: Path | None, *, search: bool) -> Path | None:
    """Return the run folder that published a folder, or None if none is known.

    Args:
        path: The folder.
        photos: The photos it was published from, whose run folder lies beside them; None if not given.
        run: The run folder; None if not given.
        search: Whether to look for it beside the folder if neither is given.

    Raises:
        UsageError: If both are given, or there is no run.
    """
    if photos is not None and run is not None:
        raise UsageError("Both --photos and --run were given.", "Give one of them.")
    given = find_run(photos, path) if photos is not None else run
    if given is not None and not (given / "run.json").is_file():
        raise UsageError(
            f"There is no run in {given}.",
            "Give the folder that `protect` or `fit` called private with --run FOLDER.",
        )
    if given is not None or not search:
        return given
    beside = path.resolve()
    for record in sorted(beside.parent.glob("*.unlearnable/*/run.json")):
        try:
            known = RunFolder(record.parent).wrote(beside)
        # a damaged run of other photos says nothing about this folder
        except (DataError, OSError):
            continue
        if known:
            return record.parent
    return None


def published(path: Path, run: Path, on_progress: OnProgress) -> tuple[dict[str, Any], list[str]]:
    """Describe a published folder by the list of its run: JSON record and lines of text.

    Args:
        path: The folder.
        run: The run folder.
        on_progress: Called after each file, with the stage ``comparing``.

    Raises:
        UsageError: If the run has published nothing.
    """
    records = {
        record["output"]: record
        for record in RunFolder(run).files(path).values()
        if record.get("output") and record.get("output_digest")
    }
    if not records:
        raise UsageError(f"The run in {run} has published nothing.", "Publish with `unlearnable apply`.")
    state: dict[str, str] = {}
    for number, (output, record) in enumerate(records.items(), 1):
        file = path / output
        same = file.is_file() and hashing.of_file(file) == record["output_digest"]
        state[output] = "as written" if same else "changed" if file.is_file() else "missing"
        on_progress(Event("comparing", number, len(records)))
    others = [name for name in _files(path) if name not in records]
    return _described(run, records, state, others)


def _described(
    run: Path, records: Mapping[str, Mapping[str, Any]], state: Mapping[str, str], others: list[str]
) -> tuple[dict[str, Any], list[str]]:
    files = {
        output: {
            "photo": record["id"],
            "class": record.get("class"),
            "state": state[output],
            "largest_change": record.get("largest"),
            **{key: record[key] for key in ("strength", "notes") if key in record},
        }
        for output, record in records.items()
    }
    largest = max(record.get("largest") or 0 for record in records.values())
    counts = Counter(state.values())
    classes = Counter(str(record.get("class")) for record in records.values())
    record = {
        "kind": "published",
        "run": str(run),
        "classes": dict(sorted(classes.items())),
        "as_written": counts["as written"],
        "changed": counts["changed"],
        "missing": counts["missing"],
        "others": others,
        "largest_change": largest,
        "files": files,
    }
    lines = [
        f"Published: {counted(len(files), 'photo')} of {counted(len(classes), 'class')}",
        f"  no pixel changed by more than {largest}/255",
        f"  as the run wrote them: {counts['as written']}",
    ]
    lines += [f"  {word}: {counts[word]}" for word in ("changed", "missing") if counts[word]]
    lines += [f"  not of this run: {len(others)}"] if others else []
    lines += shortened({output: _line(one) for output, one in files.items()})
    return record, [*lines, f"Keep private: {run}"]


def _line(file: Mapping[str, Any]) -> str:
    """Return a published file in words: its photo, its largest change and its strength."""
    parts = [f"{file['photo']}, {file['largest_change']}/255"]
    parts += [f"strength {file['strength']:.0%}"] if file.get("strength") is not None else []
    parts += [file["state"]] if file["state"] != "as written" else []
    return ", ".join([*parts, *file.get("notes", ())])


def _files(folder: Path) -> list[str]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    names = (path.relative_to(folder) for path in found)
    return [name.as_posix() for name in names if not any(map(is_litter, name.parts))]
