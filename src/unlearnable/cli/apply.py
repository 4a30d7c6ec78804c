"""``unlearnable apply``: the noise of a run added to photos, at once or by shard."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnable.cli import listing, options
from unlearnable.cli.console import Console
from unlearnable.cli.verb import require_path
from unlearnable.errors import Unfinished, UsageError
from unlearnable.words import counted

if TYPE_CHECKING:
    from unlearnable.jobs.applying import Applied

SHARDS = "Shards"
BY_SHARD = "where photos are protected by shard"


def apply(
    ctx: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Run folder of `fit`, `protect` or `import`.", show_default=False),
    ] = None,
    photos: Annotated[
        str | None,
        typer.Argument(
            metavar="PHOTOS",
            help="Folder with one sub-folder of images per class; or tar or Parquet files: a folder, an "
            "address or a pattern. Never changed.",
            show_default=False,
        ),
    ] = None,
    protected: Annotated[
        str | None,
        typer.Argument(metavar="PROTECTED", help="Folder (or address) to publish.", show_default=False),
    ] = None,
    labels: options.Labels = None,
    class_name: options.ClassName = None,
    folders_are_classes: options.FoldersAreClasses = False,
    max_pixels: options.MaxPixels = None,
    missing: Annotated[
        str,
        typer.Option(
            "--missing",
            metavar="NAME",
            help="Photos without noise: skip (and list) or extend (make noise for them).",
            rich_help_panel=options.NOISE,
        ),
    ] = "skip",
    purpose: options.Purpose = None,
    format: options.ImageFormat = None,
    quality: options.Quality = None,
    max_side: options.MaxSide = None,
    keep_metadata: options.KeepMetadata = False,
    workers: options.Workers = 0,
    part: Annotated[
        str | None,
        options.option(
            SHARDS,
            "--part",
            "Make part K of N of the shards; the other parts may run at the same time.",
            "K/N",
        ),
    ] = None,
    engine: Annotated[
        str | None,
        options.option(
            SHARDS,
            "--engine",
            "Where shards are made: local (processes of this machine) or ray.",
            "NAME",
            show_default="local",
        ),
    ] = None,
    manifests: Annotated[
        str | None,
        options.option(
            SHARDS,
            "--manifests",
            "Folder or address of the shards' manifests, to keep private; by default beside RUN.",
            "FOLDER",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        options.option(
            SHARDS,
            "--columns",
            "Columns of Parquet files that hold photos and classes; needed if their types do not show it.",
            "IMAGE,LABEL",
        ),
    ] = None,
    status: Annotated[
        str | None,
        options.option(
            SHARDS, "--status", "Print how far the shards of PROTECTED are, and do nothing else.", "PROTECTED"
        ),
    ] = None,
    plugin: options.Plugin = None,
    time_limit: options.TimeLimit = None,
    device: options.Device = "auto",
    precision: options.Precision = "auto",
    log: options.Log = "text",
    metrics: options.Metrics = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Add the noise of a run to photos: those it was made for, or photos added later."""
    console = Console(json, quiet, log, metrics)
    with console.errors(resumes=True):
        if status is not None:
            _status(console, run, status, manifests)
            return
        if run is None or photos is None or protected is None:
            missing_word = "RUN" if run is None else "PHOTOS" if photos is None else "PROTECTED"
            raise UsageError(
                f"The argument {missing_word} is missing.", "Give `unlearnable apply RUN PHOTOS PROTECTED`."
            )
        require_path(run, "RUN")
        from unlearnable import duration
        from unlearnable.data.encoding import Encoding
        from unlearnable.data.photo_file import MAX_PIXELS
        from unlearnable.jobs.inputs import is_shards
        from unlearnable.jobs.places import is_address
        from unlearnable.opening import PhotoOptions

        if missing not in ("skip", "extend"):
            raise UsageError(f"--missing {missing} is unknown.", "Choose skip or extend.")
        started = time.monotonic()
        limit = None if time_limit is None else duration.parse(time_limit)
        encoding = Encoding.chosen(purpose, format, quality, max_side, keep_metadata)
        reading = PhotoOptions(labels, class_name, folders_are_classes, max_pixels or MAX_PIXELS)
        if part or engine or manifests or columns or is_address(protected) or is_shards(photos):
            options.refuse(ctx, ("device", "precision"), BY_SHARD)
            if missing == "skip":
                options.refuse(ctx, ("plugin",), f"{BY_SHARD}, without --missing extend")
            options.load_plugins(plugin)
            from unlearnable.jobs.applying import apply_shards

            with console.progress() as on_progress:
                applied = apply_shards(
                    run,
                    photos,
                    protected,
                    part=part,
                    manifests=manifests,
                    engine=engine or "local",
                    extend=missing == "extend",
                    columns=tuple(name.strip() for name in columns.split(",")) if columns else (),
                    options=reading,
                    encoding=encoding,
                    workers=workers,
                    time_limit=limit,
                    on_progress=on_progress,
                )
            _report(console, applied, time.monotonic() - started)
            return
        from unlearnable import api
        from unlearnable.cli import protection
        from unlearnable.training.compute import Compute

        options.load_plugins(plugin)
        reading = protection.ask_about_splits(Path(photos), reading)
        with console.progress() as on_progress:
            published = api.apply(
                run,
                photos,
                protected,
                options=reading,
                extend=missing == "extend",
                encoding=encoding,
                workers=workers,
                compute=Compute.choose(device, precision),
                time_limit=limit,
                on_progress=on_progress,
            )
        protection.report(console, published, time.monotonic() - started)


def _report(console: Console, applied: Applied, seconds: float) -> None:
    """Print what became of the shards of a part."""
    from unlearnable import duration

    record = {
        **asdict(applied),
        "part": f"{applied.part.number}/{applied.part.of}",
        "seconds": round(seconds, 1),
    }
    lines = [
        f"{counted(applied.shards, 'shard')} made and checked in {duration.words(seconds)}, "
        f"{applied.finished} finished before: {counted(applied.written, 'photo')}; "
        f"no pixel changed by more than {applied.largest}/255.",
        *([f"Noise was made for {counted(applied.extended, 'photo')}."] if applied.extended else []),
        f"Publish: {applied.protected}",
        f"Keep private: {applied.manifests}",
    ]
    if applied.part.of > 1:
        lines.insert(
            1, f"This was {applied.part}; `unlearnable apply RUN --status PROTECTED` shows all parts."
        )
    console.result(record, "\n".join(lines))
    if not console.quiet:
        listing.named(console, "Published, but the photo is gone; delete them if you want", applied.vanished)
        listing.named(console, "Remarks", {id: "; ".join(notes) for id, notes in applied.notes.items()})
    listing.sum_up_others(console, applied.others)
    listing.list_skipped(console, applied.skipped)


def _status(console: Console, run: str | None, protected: str, manifests: str | None) -> None:
    """Print the state of all shards of a folder."""
    from unlearnable import disk_space
    from unlearnable.jobs.folders import find_manifests, manifests_of
    from unlearnable.jobs.status import shard_status

    if manifests is None:
        manifests = find_manifests(protected) if run is None else manifests_of(Path(run), protected)
    found = shard_status(manifests)
    of = f" of {found.photos:,}" if found.photos else ""
    lines = [
        f"{found.finished:,} of {counted(found.shards, 'shard', 'is')} finished: "
        f"{found.written:,}{of} photos published ({disk_space.size(found.bytes)}), "
        f"{len(found.skipped):,} skipped; no pixel changed by more than {found.largest}/255.",
        f"Published: {found.protected}",
        f"Manifests: {found.manifests}",
    ]
    console.result(asdict(found), "\n".join(lines))
    listing.named(console, "Left", found.left)
    if found.left:
        listing.named(console, "Skipped", dict(found.skipped))
        raise typer.Exit(Unfinished.exit_code)
    listing.list_skipped(console, found.skipped)
