"""What ``protect``, ``fit`` and ``apply`` share on the command line: from options to a method, and from a result to words."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from unlearnable import methods, presets
from unlearnable.api import open_photos
from unlearnable.cli.console import Console, duration
from unlearnable.data.folder import folder, splits
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import SKIPPED, UsageError
from unlearnable.methods import Method
from unlearnable.publish import Published
from unlearnable.runs import RunFolder
from unlearnable.search import as_before, estimate
from unlearnable.training.compute import Compute


@dataclass(frozen=True)
class Request:
    """What was asked of a search on the command line; None or ``auto`` where nothing was said."""

    method: str
    preset: str
    config: Path | None
    given: dict[str, Any]
    plugin: Path | None
    device: str
    precision: str


@dataclass(frozen=True)
class Place:
    """Where the photos are and how they are read, as it was asked for on the command line."""

    photos: Path
    context: Path | None = None
    labels: Path | None = None
    class_name: str | None = None
    folders_are_classes: bool = False
    max_pixels: int | None = None

    @property
    def reading(self) -> dict[str, Any]:
        """Arguments of ``data.folder``."""
        most = {} if self.max_pixels is None else {"max_pixels": self.max_pixels}
        return {
            "labels": self.labels,
            "class_name": self.class_name,
            "as_classes": self.folders_are_classes,
            **most,
        }

    def open(self, console: Console, *, alone: bool = False) -> ImageSet:
        """Read every photo once; ``alone`` allows a single class. Asks about ``train`` beside ``val`` if a person is there."""
        reading = self.reading
        found = () if self.folders_are_classes or self.labels or self.class_name else splits(self.photos)
        if found and sys.stdin.isatty() and sys.stderr.isatty():
            classes = typer.confirm(
                f"{' and '.join(found)} look like splits of one data set. Are they classes?",
                default=False,
                err=True,
            )
            reading["as_classes"] = classes
        with console.progress() as on_progress:
            if alone:
                return folder(self.photos, **reading).readable(on_progress)
            return open_photos(self.photos, self.context, on_progress=on_progress, **reading)


def prepare(
    console: Console, request: Request, place: Place, run: RunFolder | None
) -> tuple[ImageSet, Method[Any], Compute]:
    """Open the photos, build the method that was asked for, and say what is about to happen and how long it takes.

    Args:
        console: Where it is said.
        request: What was asked of the search.
        place: Where the photos are.
        run: A folder whose search may go on, or be over; None for a search from the start.
    """
    if request.plugin is not None:
        methods.load_plugin(request.plugin)
    images = place.open(console)
    record = run.read() if run else {}
    compute = as_before(record, Compute.choose(request.device, request.precision))
    name, preset = "", {}
    if request.method == "error_minimizing":
        name = (
            presets.auto(images.about(images.ids[0]).size, compute.device)
            if request.preset == "auto"
            else request.preset
        )
        preset = presets.read(name)
    elif request.preset != "auto":
        raise UsageError(
            f"--preset {request.preset}: presets are settings of error_minimizing, not of {request.method}."
        )
    method = methods.create(request.method, presets.merge(preset, request.config, request.given))
    _announce(console, images, method, name, compute)
    if not record.get("searched"):
        _estimate(console, images, method, compute, stopped=run is not None and run.checkpoint.exists())
    return images, method, compute


def _announce(console: Console, images: ImageSet, method: Method[Any], preset: str, compute: Compute) -> None:
    own, others = len(images.own), len(images) - len(images.own)
    words = [f"{own} photos of {len(set(images.classes) - images.context)} classes"]
    words += [f"{others} of context"] if others else []
    words += [f"preset {preset}"] if preset else [method.name]
    console.say(f"{', '.join(words)}; {compute.device}, {compute.precision}")


def _estimate(
    console: Console, images: ImageSet, method: Method[Any], compute: Compute, *, stopped: bool
) -> None:
    seconds = estimate(images, method, compute)
    if stopped:
        console.say(
            f"The search goes on where it was stopped; as a whole it takes at most about {duration(seconds)}."
        )
    elif seconds > 5:
        console.say(f"The search takes at most about {duration(seconds)}.")


def report(console: Console, published: Published, seconds: float) -> None:
    """Print what was published, and what to publish and what to keep."""
    fitted = published.fitted
    assert fitted is not None
    record = {
        "protected": str(published.protected),
        "run": str(published.run),
        "written": published.written,
        "kept": published.kept,
        "added": list(published.added),
        "changed": list(published.changed),
        "vanished": list(published.vanished),
        "skipped": dict(published.skipped),
        "notes": {id: list(said) for id, said in published.notes.items()},
        "largest_change": published.largest,
        "encoded_change": list(published.encoded or ()),
        "epsilon": fitted.noise.budget.epsilon,
        "form": fitted.noise.form,
        "rounds": len(fitted.log),
        "stopped": fitted.reason,
        "seconds": round(seconds, 1),
    }
    lines = [
        f"{published.written} photos written and checked in {duration(seconds)}; no pixel moved by more than {published.largest}/255."
    ]
    if published.encoded is not None:
        lines.append(
            f"That is before JPEG, which moved pixels by up to {published.encoded[0]}, by {published.encoded[1]:.1f} on average."
        )
    if published.kept:
        lines.append(f"{published.kept} photos of an earlier run were in place already.")
    rounds = f", {len(fitted.log)} rounds; {fitted.reason}" if len(fitted.log) > 1 else ""
    lines.append(f"Noise: {fitted.noise.form}{rounds}.")
    lines.append(f"Publish: {published.protected}   Keep private: {published.run}")
    console.result(record, "\n".join(lines))
    if not console.quiet:
        _list(
            "changed since they were protected, and were protected anew", dict.fromkeys(published.changed, "")
        )
        new = [id for id in published.added if id not in published.changed]
        _list("came since the noise was found, and got noise now", dict.fromkeys(new, ""))
        _list(
            "are published, but their photos are gone; delete them if you want",
            dict.fromkeys(published.vanished, ""),
        )
        _list("deserve a remark", {id: "; ".join(said) for id, said in published.notes.items()})
    list_skipped(published.skipped)


def list_skipped(skipped: Mapping[str, str]) -> None:
    """List what was skipped, and leave with the exit code that says so."""
    if not skipped:
        return
    _list("were skipped", skipped)
    raise typer.Exit(SKIPPED)


def _list(what: str, entries: Mapping[str, str]) -> None:
    if entries:
        print(f"{len(entries)} files {what}:", file=sys.stderr)
    for id, reason in sorted(entries.items()):
        print(f"  {id}: {reason}" if reason else f"  {id}", file=sys.stderr)
