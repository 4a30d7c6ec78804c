"""The texts that ``verify`` and ``faces verify`` share: announcement and result."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnable.cli.console import Console
from unlearnable.errors import GoalMissed, UnlearnableError
from unlearnable.words import counted

if TYPE_CHECKING:
    from unlearnable.evaluation.preparation import Preparation
    from unlearnable.evaluation.result import Verification
    from unlearnable.evaluation.verdict import Goal
    from unlearnable.report import Record
    from unlearnable.report.parts import PersonLink, RecognitionRecord

    Pages = Callable[[Path], list[PersonLink]]


def announce(console: Console, prepared: Preparation) -> None:
    """Print what will be measured, whether a verdict is possible, and how long it takes."""
    from unlearnable.cli.listing import sum_up_others

    pairs, compute = prepared.pairs, prepared.compute
    sum_up_others(console, pairs.clean.others)
    console.remark(
        f"{counted(len(pairs.clean), 'pair')} in {counted(len(pairs.clean.classes), 'class')}; "
        f"{compute.device}, {compute.precision}"
    )
    if pairs.pictured:
        console.remark(
            f"{counted(pairs.pictured, 'pair', 'was')} found by their pictures, because the names differ."
        )
    if pairs.left_out:
        console.remark(f"{counted(len(pairs.left_out), 'file', 'is')} in no pair; the report says why.")
    if pairs.near_duplicates:
        console.remark(
            f"{counted(pairs.near_duplicates, 'photo')} nearly like another one; the split keeps such "
            "photos together."
        )
    if pairs.unchanged:
        all_ = "All" if pairs.unchanged == len(pairs.clean) else "Some"
        console.remark(
            f"{all_} published images ({pairs.unchanged}) equal their photos, so they carry no noise."
        )
    console.remark(prepared.outlook.words)
    console.remark(prepared.schedule.words)


def report(
    console: Console,
    prepared: Preparation,
    found: Verification,
    photos: Path,
    protected: Path,
    folder: Path,
    goal: Goal | None,
    more: Mapping[str, Any] | None = None,
    remarks: str = "",
    recognition: RecognitionRecord | None = None,
    pages: Pages | None = None,
) -> None:
    """Print and save the result of a verification.

    Args:
        console: Where it is printed.
        prepared: The verification.
        found: Its result.
        photos: Folder of the photos.
        protected: The published folder.
        folder: Run folder, in which the report is saved.
        goal: The goal of ``--require``, if there is one.
        more: Further entries of the JSON.
        remarks: Lines before the table.
        recognition: Recognition of the people in the photos.
        pages: Writes the pages of these people into the run folder.

    Raises:
        GoalMissed: If the goal is missed or cannot be told.
    """
    from unlearnable.report import Record, table

    command = shlex.join(["unlearnable", *sys.argv[1:]])
    record = Record.of(found, str(photos), str(protected), command, goal)
    record = record.model_copy(update={"recognition": recognition})
    record, path, failure = _saved(record, folder, pages)
    plain = record.model_dump(mode="json", exclude={"pictures"})
    entries = {
        "others": dict(prepared.pairs.clean.others),
        "verdict": found.verdict,
        "outlook": prepared.outlook.to_json(),
        "report": path,
        **(more or {}),
    }
    where = f"\nReport: {path}" if path else ""
    console.result({**plain, **entries}, f"{remarks}{table(record)}{where}")
    if failure is not None:
        raise failure
    if record.goal is not None and not record.goal.met:
        raise GoalMissed(
            f"The goal was not met: {record.goal.text}. {record.goal.reason}",
            f"The verdict is {found.verdict!r}; see {path}.",
        )


def _saved(
    record: Record, folder: Path, pages: Pages | None
) -> tuple[Record, str | None, UnlearnableError | OSError | None]:
    """Save the report and its pages.

    Returns:
        The record with links to the pages, and its path, or the error that kept it from being saved.
    """
    from unlearnable.report import save
    from unlearnable.runs import RunFolder

    try:
        # only one process at a time may write into a run folder
        with RunFolder(folder).open():
            if record.recognition is not None and pages is not None:
                named = record.recognition.model_copy(update={"people": pages(folder)})
                record = record.model_copy(update={"recognition": named})
            return record, str(save(record, folder)), None
    except (UnlearnableError, OSError) as error:
        return record, None, error
