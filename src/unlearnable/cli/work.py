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
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Format
from unlearnable.errors import SKIPPED, UsageError
from unlearnable.methods import Method
from unlearnable.publish import Published
from unlearnable.search import estimate
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


def image_format(name: str) -> Format:
    """Check the name of an output format."""
    if name not in ("png", "webp"):
        raise UsageError(f"There is no format {name!r}.", "Choose png or webp.")
    return name  # type: ignore[return-value]  # checked in the line above


def prepare(console: Console, request: Request, photos: Path, context: Path | None) -> tuple[Method[Any], Compute]:
    """Build the method that was asked for, and say what is about to happen and how long it takes."""
    if request.plugin is not None:
        methods.load_plugin(request.plugin)
    images = open_photos(photos, context)
    compute = Compute.choose(request.device)
    name, preset = "", {}
    if request.method == "error_minimizing":
        name = presets.auto(images.photo(images.ids[0]).size, compute.device) if request.preset == "auto" else request.preset
        preset = presets.read(name)
    elif request.preset != "auto":
        raise UsageError(f"--preset {request.preset}: presets are settings of error_minimizing, not of {request.method}.")
    method = methods.create(request.method, presets.merge(preset, request.config, request.given))
    _announce(console, images, method, name, compute)
    return method, compute


def _announce(console: Console, images: ImageSet, method: Method[Any], preset: str, compute: Compute) -> None:
    own, others = len(images.own), len(images) - len(images.own)
    words = [f"{own} photos of {len(set(images.classes) - images.context)} classes"]
    words += [f"{others} of context"] if others else []
    words += [f"preset {preset}"] if preset else [method.name]
    console.say(f"{', '.join(words)}; {compute.device}, {compute.precision}")
    seconds = estimate(images, method, compute)
    if seconds > 5:
        console.say(f"The search takes at most about {duration(seconds)}.")


def report(console: Console, published: Published, seconds: float) -> None:
    """Print what was published, and what to publish and what to keep."""
    fitted = published.fitted
    assert fitted is not None
    record = {
        "protected": str(published.protected), "run": str(published.run), "written": published.written, "kept": published.kept,
        "skipped": dict(published.skipped), "largest_change": published.largest, "epsilon": fitted.noise.budget.epsilon,
        "form": fitted.noise.form, "rounds": len(fitted.log), "stopped": fitted.reason, "seconds": round(seconds, 1),
    }  # fmt: skip
    lines = [f"{published.written} photos written and checked in {duration(seconds)}; no pixel moved by more than {published.largest}/255."]
    if published.kept:
        lines.append(f"{published.kept} photos of an earlier run were in place already.")
    lines.append(f"Noise: {fitted.noise.form}, {len(fitted.log)} rounds; {fitted.reason}.")
    lines.append(f"Publish: {published.protected}   Keep private: {published.run}")
    console.result(record, "\n".join(lines))
    list_skipped(published.skipped)


def list_skipped(skipped: Mapping[str, str]) -> None:
    """List what was skipped, and leave with the exit code that says so."""
    if not skipped:
        return
    print(f"{len(skipped)} files were skipped:", file=sys.stderr)
    for id, reason in sorted(skipped.items()):
        print(f"  {id}: {reason}", file=sys.stderr)
    raise typer.Exit(SKIPPED)
