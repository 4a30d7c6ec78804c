"""The texts that ``protect``, ``fit`` and ``apply`` share: question, announcement and result."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from unlearnable import duration
from unlearnable.cli import listing
from unlearnable.cli.console import Console
from unlearnable.cli.listing import list_skipped, sum_up_others
from unlearnable.data.folder import splits
from unlearnable.data.photo_file import MAX_PIXELS
from unlearnable.evaluation.enough import from_counts
from unlearnable.events import Event, OnProgress
from unlearnable.opening import PhotoOptions
from unlearnable.preparation import Prepared
from unlearnable.publish import Published
from unlearnable.words import counted

# Estimates below this are not worth a line.
SHORT = 5.0


def photo_options(
    labels: Path | None, class_name: str | None, folders_are_classes: bool, max_pixels: int | None
) -> PhotoOptions:
    """Return the reading options of the command line."""
    return PhotoOptions(labels, class_name, folders_are_classes, max_pixels or MAX_PIXELS)


def ask_about_splits(photos: Path, options: PhotoOptions) -> PhotoOptions:
    """Ask whether ``train`` beside ``val`` are classes, if a person sits at the terminal."""
    decided = options.folders_are_classes or options.labels or options.class_name
    found = () if decided else splits(photos)
    if not (found and sys.stdin.isatty() and sys.stderr.isatty()):
        return options
    question = f"{' and '.join(found)} look like splits of one data set. Are they classes?"
    return replace(options, folders_are_classes=typer.confirm(question, default=False, err=True))


def announce(
    console: Console,
    prepared: Prepared,
    image: str = "photo",
    group: str = "class",
    *,
    judge: bool = True,
    processes: int = 1,
) -> None:
    """Print the number of images, the settings and the device, and an estimate if there is a search.

    Args:
        console: Where it is printed.
        prepared: The search.
        image: The word for an image.
        group: The word for a class.
        judge: Whether to say which verdicts of ``verify`` their number allows.
        processes: Number of processes that share the search.
    """
    images, compute = prepared.images, prepared.compute
    context = len(images) - len(images.own)
    counts = Counter(images.class_of[id] for id in images.own).values()
    own = len(set(images.classes) - images.context)
    parts = [f"{counted(len(images.own), image)} in {counted(own, group)}"]
    parts += [counted(context, f"context {image}")] if context else []
    parts += [f"preset {prepared.preset}" if prepared.preset else prepared.method.name]
    shared = f", {processes} processes" if processes > 1 else ""
    console.remark(f"{', '.join(parts)}; {compute.device}, {compute.precision}{shared}")
    # said before the search, which may take hours
    if judge:
        console.remark(f"For `unlearnable verify`: {from_counts(counts, context).words}")
    # The estimate itself takes seconds.
    if console.quiet or prepared.finished:
        return
    # as if each had a device or a core of its own
    seconds = prepared.estimate() / processes
    rounds = prepared.method.resolve(images.frame, len(images)).most_rounds
    most = "at most " if prepared.may_end_early else ""
    how_long = f"{most}about {duration.words(seconds)}"
    if prepared.resumes:
        console.remark(f"The search resumes; the rest takes {how_long}.")
    elif seconds > SHORT:
        ends = f", for {counted(rounds, 'round')}" if prepared.may_end_early else ""
        console.remark(f"The search takes {how_long}{ends}.")


def remarks(console: Console) -> OnProgress:
    """Return an ``on_progress`` that prints remarks only."""

    def on_progress(event: Event) -> None:
        if event.text and not event.done:
            console.remark(f"{event.stage}: {event.text}")

    return on_progress


def report(console: Console, published: Published, seconds: float) -> None:
    """Print what was published, which folder to publish and which to keep private."""
    fitted = published.fitted
    assert fitted is not None
    record = {
        "protected": str(published.protected),
        "run": str(published.run),
        "written": published.written,
        "retained": published.retained,
        # its name in earlier versions, which scripts may read
        "kept": published.retained,
        "added": list(published.added),
        "changed": list(published.changed),
        "relabelled": list(published.relabelled),
        "vanished": list(published.vanished),
        "skipped": dict(published.skipped),
        "others": dict(published.others),
        "notes": {id: list(remarks) for id, remarks in published.notes.items()},
        "largest_change": published.largest,
        "encoded_change": list(published.encoded or ()),
        "visibility": published.visibility,
        "epsilon": fitted.noise.budget.epsilon,
        "form": fitted.noise.form,
        "rounds": len(fitted.log),
        "stopped": fitted.reason,
        "seconds": round(seconds, 1),
    }
    lines = [
        f"{counted(published.written, 'photo')} written and checked in {duration.words(seconds)}; "
        f"no pixel changed by more than {published.largest}/255."
    ]
    if published.encoded is not None:
        largest, mean = published.encoded
        lines.append(f"JPEG then changed pixels by up to {largest} levels, {mean:.1f} on average.")
    if published.visibility is not None:
        lines.append(f"Visibility: {_visibility(published.visibility)}.")
    if published.retained:
        lines.append(f"{counted(published.retained, 'finished photo')} of an earlier run left unchanged.")
    rounds = f", {counted(len(fitted.log), 'round')}; {fitted.reason}" if len(fitted.log) > 1 else ""
    lines.append(f"Noise: {fitted.noise.form}{rounds}.")
    # a line each, so that a path can be copied whole
    lines += [f"Publish: {published.protected}", f"Keep private: {published.run}"]
    console.result(record, "\n".join(lines))
    if not console.quiet:
        new = [id for id in published.added if id not in published.changed]
        listing.named(console, "Changed since they were protected, now protected again", published.changed)
        listing.named(
            console,
            "Class corrected, now with the noise of the new class",
            published.relabelled,
        )
        listing.named(console, "Added since the noise was found, now protected", new)
        listing.named(
            console, "Published, but the photo is gone; delete them if you want", published.vanished
        )
        listing.named(console, "Remarks", {id: "; ".join(notes) for id, notes in published.notes.items()})
    sum_up_others(console, published.others)
    list_skipped(console, published.skipped)


def _visibility(seen: Mapping[str, Any]) -> str:
    """Return the visibility of the noise in words."""
    parts = [
        "" if seen["ssim"] is None else f"SSIM {seen['ssim']:.3f}",
        "" if seen["psnr"] is None else f"PSNR {seen['psnr']:.1f} dB",
        f"CIEDE2000 {seen['ciede2000']:.1f} after a blur",
    ]
    return f"{', '.join(part for part in parts if part)} ({counted(seen['photos'], 'photo')})"
