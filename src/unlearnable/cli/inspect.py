"""``unlearnable inspect PATH``: describe a folder of images, a photo, a noise file or a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unlearnable.cli import options
from unlearnable.cli.console import Console, shortened
from unlearnable.errors import DataError, UsageError
from unlearnable.events import OnProgress
from unlearnable.words import counted

if TYPE_CHECKING:
    from unlearnable.opening import PhotoOptions

Described = tuple[dict[str, Any], list[str]]
SHOWN = (
    "method",
    "plugin",
    "seed",
    "images",
    "context",
    "photos",
    "protected",
    "stopped",
    "search_seconds",
    "version",
)


def inspect(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="Folder of images, photo, noise file or run folder.")
    ],
    labels: options.Labels = None,
    class_name: options.ClassName = None,
    folders_are_classes: options.FoldersAreClasses = False,
    max_pixels: options.MaxPixels = None,
    photos: Annotated[
        Path | None,
        options.option(
            options.PHOTOS,
            "--photos",
            "Compare PATH with the run of these photos, or find the photo of each download in it.",
            "FOLDER",
        ),
    ] = None,
    run: Annotated[
        Path | None,
        options.option(
            options.RUN, "--run", "Compare PATH with the list of the run that published it.", "FOLDER"
        ),
    ] = None,
    time_limit: options.Ends = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Describe a folder of images, a published folder, a photo, a noise file or a run folder."""
    console = Console(json, quiet)
    with console.errors():
        from unlearnable.cli.protection import photo_options
        from unlearnable.cli.published import published, run_of
        from unlearnable.data.file_kinds import is_photo
        from unlearnable.opening import PhotoOptions

        deadline = options.deadline(time_limit)
        reading = photo_options(labels, class_name, folders_are_classes, max_pixels)
        is_folder = path.is_dir() and not (path / "run.json").is_file()
        one_photo = is_photo(path.name) and path.is_file()
        try:
            wrote = run_of(path, photos, run, search=is_folder and reading == PhotoOptions())
        except UsageError as error:
            # no run wrote this folder, so it may hold what a site made of the published files
            if photos is None or run is not None or not is_folder:
                raise
            with console.progress(deadline) as on_progress:
                record, lines = _copies(path, photos, reading, error, on_progress)
            console.result(record, "\n".join(lines))
            return
        if wrote is not None and not is_folder:
            raise UsageError(f"{path} is not a published folder.", "Leave --run and --photos out.")
        used = PhotoOptions(max_pixels=reading.max_pixels) if one_photo else PhotoOptions()
        if reading != used and (wrote is not None or not is_folder):
            raise UsageError(
                "--labels, --class, --folders-are-classes and --max-pixels are for a folder of photos.",
                f"Leave them out for {path}.",
            )
        if wrote is not None:
            with console.progress(deadline) as on_progress:
                record, lines = published(path, wrote, on_progress)
        elif is_folder:
            with console.progress(deadline) as on_progress:
                record, lines = _folder(path, reading, on_progress)
        elif path.is_dir():
            record, lines = _run(path)
        elif one_photo:
            record, lines = _photo(path, reading)
        elif path.is_file():
            record, lines = _noise(path)
        else:
            raise DataError(
                f"{path} does not exist.", "Give a folder of images, a photo, a noise file, or a run folder."
            )
        console.result(record, "\n".join(lines))
        if is_folder and wrote is None:
            console.remark("If this folder was published, --photos PHOTOS compares it with its run.")


def _copies(
    path: Path, photos: Path, reading: PhotoOptions, refused: UsageError, on_progress: OnProgress
) -> Described:
    """Describe downloads; ``refused`` is raised if the photos themselves cannot be opened."""
    from unlearnable.cli.copies import copies

    try:
        images = reading.folder(photos)
    except DataError:
        raise refused from None
    return copies(path, images, on_progress=on_progress)


def _photo(path: Path, reading: PhotoOptions) -> Described:
    from unlearnable.data.decoding import decode
    from unlearnable.data.photo_file import read_photo_file

    photo = decode(read_photo_file(path, reading.max_pixels), str(path), reading.max_pixels)
    kind = "grey" if photo.grey else "colour with transparency" if photo.pixels.shape[2] == 4 else "colour"
    height, width = photo.size
    record = {
        "kind": "photo",
        "height": height,
        "width": width,
        "colours": kind,
        "profile": photo.profile is not None,
    }
    profile = ", with an ICC profile" if photo.profile else ""
    return record, [f"A photo of {width} x {height} px, {kind}{profile}"]


def _folder(path: Path, reading: PhotoOptions, on_progress: OnProgress) -> Described:
    from collections import Counter

    from unlearnable.data.file_kinds import summary
    from unlearnable.data.reading import read

    images = reading.folder(path)
    found = read(images.source, images.ids, on_progress=on_progress)
    skipped = {**images.skipped, **{id: error.problem for id, error in found.errors.items()}}
    counts = Counter(images.class_of[id] for id in found.facts)
    areas = sorted((facts.size for facts in found.facts.values()), key=lambda size: size[0] * size[1])
    record = {
        "kind": "folder",
        "images": len(areas),
        "classes": dict(sorted(counts.items())),
        "smallest": list(areas[0]) if areas else None,
        "largest": list(areas[-1]) if areas else None,
        "skipped": skipped,
        "others": dict(images.others),
    }
    lines = [f"{counted(len(areas), 'image')} of {counted(len(counts), 'class')}"]
    if areas:
        lines[0] += f", {_size(areas[0])} to {_size(areas[-1])} px (width x height)"
    lines += shortened({name: str(count) for name, count in counts.items()})
    lines += shortened({f"skipped {id}": reason for id, reason in skipped.items()})
    lines += [f"  {summary(images.others)}"] if images.others else []
    return record, lines


def _noise(path: Path) -> Described:
    import numpy as np

    from unlearnable.assignment import Assignment
    from unlearnable.noise import Noise
    from unlearnable.renamed import to_current

    noise = Noise.load(path)
    # noise files record the first names of settings
    assignment, default = (to_current(one.to_json()) for one in (noise.assignment, Assignment()))
    used = int(np.abs(noise.bank.astype(np.int16)).max()) if noise.bank.size else 0
    rms = float(np.sqrt(np.mean(noise.bank.astype(np.float64) ** 2))) if noise.bank.size else 0.0
    record = {
        "kind": "noise",
        "form": noise.form,
        "patterns": len(noise.keys),
        "shape": list(noise.bank.shape[1:]),
        "grid": list(noise.grid),
        "interpolation": noise.interpolation,
        "epsilon": noise.budget.epsilon,
        "largest": used,
        "rms": round(rms, 3),
        "assignment": assignment,
        "provenance": dict(noise.provenance),
    }
    size = _size(noise.bank.shape[2:])
    lines = [
        f"{len(noise.keys)} {noise.form} patterns of {size} px on a grid of {_size(noise.grid)}",
        f"  budget {noise.budget}; largest value {used}, rms {rms:.2f} levels",
        *[f"  {key}: {value}" for key, value in assignment.items() if value != default[key]],
        *[f"  {key}: {value}" for key, value in sorted(noise.provenance.items())],
    ]
    return record, lines


def _run(path: Path) -> Described:
    from unlearnable.runs import RunFolder

    run = RunFolder(path)
    record, lists = run.read(), run.lists()
    counts = [len(listed.records()) for listed in lists]
    folders = [
        {"protected": str(listed.protected), "format": listed.encoding.get("format"), "files": count}
        for listed, count in zip(lists, counts, strict=True)
        if listed.protected is not None
    ]
    found: dict[str, Any] = {"kind": "run", "run": record, "files": sum(counts), "published": folders}
    status = record.get("status", "searching")
    lines = [f"Run folder (keep it private): {status}, {sum(counts)} files written"]
    lines += [f"  {key}: {record[key]}" for key in SHOWN if record.get(key) is not None]
    lines += [
        f"  also published: {one['protected']}, {one['files']} {one['format']} files" for one in folders[1:]
    ]
    lines += [f"  {key} = {value}" for key, value in record.get("settings", {}).items()]
    lines += [f"  {key}: {value}" for key, value in record.get("environment", {}).items()]
    if run.noise.is_file():
        noise, more = _noise(run.noise)
        found["noise"] = noise
        lines += more[:2]
    return found, lines


def _size(size: Any) -> str:
    return f"{size[1]} x {size[0]}"
