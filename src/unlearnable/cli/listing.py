"""Lists of photos: those that were skipped, and the files that are none."""

from __future__ import annotations

from collections.abc import Mapping
from unicodedata import category

import typer

from unlearnable.cli.console import Console
from unlearnable.errors import SKIPPED


def sum_up_others(console: Console, others: Mapping[str, int]) -> None:
    """Print a line about the files that are no photos, if there are any."""
    if others:
        from unlearnable.data.file_kinds import summary

        console.remark(f"{summary(others)}.")


def list_skipped(console: Console, skipped: Mapping[str, str]) -> None:
    """Print the skipped files and leave with their exit code; do nothing if there are none."""
    if not skipped:
        return
    named(console, "Skipped", skipped)
    raise typer.Exit(SKIPPED)


def named(console: Console, title: str, entries: Mapping[str, str] | list[str] | tuple[str, ...]) -> None:
    """Print a list of photos on stderr, each with its reason if it has one."""
    reasons = entries if isinstance(entries, Mapping) else dict.fromkeys(entries, "")
    console.listing(title, {shown(id): shown(reason) for id, reason in reasons.items()})


def shown(name: str) -> str:
    """Return a name on one line: characters that would break it or act on the terminal are escaped."""
    plain = (
        c if c.isprintable() or category(c) == "Zs" else c.encode("unicode_escape").decode() for c in name
    )
    return "".join(plain)
