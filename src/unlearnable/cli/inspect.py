"""``unlearnable inspect PATH``: describe a folder of images, a photo, a noise file or a run folder."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer

from unlearnable.cli import options
from unlearnable.cli.console import Console
from unlearnable.errors import DataError

Described = tuple[dict[str, Any], list[str]]


def inspect(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="Folder of images, photo, noise file or run folder.")
    ],
    json: options.Json = False,
) -> None:
    """Describe a folder of images, a photo, a noise file or a run folder."""
    console = Console(json)
    with console.errors():
        from unlearnable.data.decoding import SUFFIXES

        if (path / "run.json").is_file():
            record, lines = _run(path)
        elif path.is_dir():
            record, lines = _folder(path)
        elif path.suffix.lower() in SUFFIXES and path.is_file():
            record, lines = _photo(path)
        elif path.is_file():
            record, lines = _noise(path)
        else:
            raise DataError(
                f"{path} does not exist.", "Give a folder of images, a photo, a noise file, or a run folder."
            )
        console.result(record, "\n".join(lines))


def _photo(path: Path) -> Described:
    from unlearnable.data.decoding import decode

    photo = decode(path.read_bytes(), str(path))
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


def _folder(path: Path) -> Described:
    from unlearnable.data.folder import folder

    images = folder(path)
    sizes: dict[str, tuple[int, int]] = {}
    skipped = dict(images.skipped)
    for id in images.ids:
        try:
            sizes[id] = images.photo(id).size
        except DataError as error:
            skipped[id] = error.problem
    counts = Counter(images.class_of[id] for id in sizes)
    areas = sorted(sizes.values(), key=lambda size: size[0] * size[1])
    record = {
        "kind": "folder",
        "images": len(sizes),
        "classes": dict(sorted(counts.items())),
        "smallest": list(areas[0]) if areas else None,
        "largest": list(areas[-1]) if areas else None,
        "skipped": skipped,
    }
    extent = f", {_size(areas[0])} to {_size(areas[-1])} px (width x height)" if areas else ""
    lines = [f"{len(sizes)} images of {len(counts)} classes{extent}"]
    lines += [f"  {name}: {count}" for name, count in sorted(counts.items())]
    lines += [f"  skipped {id}: {reason}" for id, reason in sorted(skipped.items())]
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
    lines = [
        f"Run folder (keep it private): {record.get('status', 'searching')}, {sum(counts)} files written"
    ]
    shown = (
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
    lines += [f"  {key}: {record[key]}" for key in shown if record.get(key) is not None]
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
