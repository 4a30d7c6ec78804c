"""The search for noise inside a run folder: resumes after an interruption, and records what it does."""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from dataclasses import replace
from typing import Any

from unlearnable import models
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import Unfinished, UsageError
from unlearnable.events import Event, OnProgress, silent
from unlearnable.methods import Context, Fitted, Method, State
from unlearnable.methods.fitted import load_state, save_state
from unlearnable.plugins import file_of
from unlearnable.renamed import to_current
from unlearnable.runs import RunFolder
from unlearnable.training.compute import Compute
from unlearnable.training.randomness import fresh_seed
from unlearnable.version import __version__

CHECKPOINT_SECONDS = 60.0
TIMED_IMAGES = 64


def search(
    images: ImageSet,
    run: RunFolder,
    method: Method[Any],
    *,
    seed: int | None = None,
    compute: Compute | None = None,
    deadline: float = math.inf,
    on_progress: OnProgress = silent,
) -> Fitted:
    """Fit a method to images, or return the result of an earlier search with the same request.

    Args:
        images: Readable images; context classes included, if there are any.
        run: An open run folder.
        method: The method as requested; every ``auto`` is resolved here, once, and recorded.
        seed: None for the recorded seed, or one drawn from the operating system.
        compute: Device and precision; chosen if None.
        deadline: Time of ``time.monotonic()`` after which the search is saved and stops.
        on_progress: Called with an event after every step.

    Raises:
        UsageError: If the folder holds a run with other settings or another seed; the message names the
            difference.
        DataError: If the images cannot be used.
        Unfinished: If the deadline has passed; the search is saved, and the same call resumes.
    """
    record = run.read()
    asked = {"method": method.name, "settings": method.config.model_dump(mode="json"), "stamp": images.stamp}
    _require_same(record.get("asked"), asked, run)
    if seed is not None and record.get("seed", seed) != seed:
        raise UsageError(
            f"{run.path} holds a run with seed {record['seed']}, not {seed}.",
            "Name another PROTECTED or --run.",
        )
    if record.get("searched") and run.noise.exists():
        return Fitted.load(run.path)
    if record.get("asked", asked)["stamp"] != images.stamp and run.checkpoint.exists():
        on_progress(Event("searching", text="the photos changed since the search began, so it starts over"))
    seed = record.get("seed", fresh_seed() if seed is None else seed)
    compute = as_before(record, compute or Compute.choose())
    if run.checkpoint.exists() and (changed := _changed(record.get("environment", {}), compute.describe())):
        on_progress(
            Event(
                "searching",
                text=f"resuming with {changed}: the noise may differ from that of an uninterrupted run",
            )
        )
    on_progress(Event("reading", 0, len(images)))
    method = method.resolve(images.frame, len(images))
    size = int(method.config.resolution)
    view = images.view(size, method.zoom, run.path)
    on_progress(Event("reading", len(images), len(images)))
    settings = method.config.model_dump(mode="json")
    identity = {"method": method.name, "settings": settings, "seed": seed, "fingerprint": view.fingerprint}
    plugin = file_of(type(method))
    if plugin is None and settings.get("surrogate"):
        plugin = file_of(models.builder(settings["surrogate"]))
    run.update(
        asked=asked,
        seed=seed,
        method=method.name,
        plugin=None if plugin is None else str(plugin),
        settings=settings,
        fingerprint=view.fingerprint,
        images=len(images.own),
        context=len(images) - len(images.own),
        classes=sorted(set(images.classes) - images.context),
        environment=compute.describe(),
        version=__version__,
        started=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        searched=False,
    )
    started = time.monotonic()

    def save(state: State) -> None:
        save_state(run.checkpoint, state, identity)
        if time.monotonic() >= deadline:
            rounds = len(state.get("log", []))
            raise Unfinished(
                f"The time is up after {rounds} rounds; the search is saved in {run.path}.",
                "Run the same command again to resume.",
            )

    fitted = method.fit(
        view,
        Context(seed, compute),
        on_progress,
        state=load_state(run.checkpoint, identity),
        save=save,
        every=_save_interval(deadline - started),
    )
    fitted.save(run.path)
    run.update(
        searched=True,
        rounds=list(fitted.log),
        stopped=fitted.reason,
        search_seconds=round(time.monotonic() - started, 1),
    )
    run.checkpoint.unlink(missing_ok=True)
    return fitted


def _save_interval(remaining: float) -> float:
    """Return the seconds between two checkpoints, so that the last one falls on the deadline."""
    if CHECKPOINT_SECONDS <= 0 or not math.isfinite(remaining):
        return CHECKPOINT_SECONDS
    return max(0.0, remaining) / max(1, math.ceil(remaining / CHECKPOINT_SECONDS))


def as_before(record: dict[str, Any], compute: Compute) -> Compute:
    """Restore the precision that ``auto`` resolved to when a search began, if it resumes on the same device.

    Args:
        record: The content of ``run.json``; empty for a search that has not begun.
        compute: The choice of this call; an explicit precision stays.
    """
    before = record.get("environment", {})
    same = compute.found and before.get("device") == compute.device
    return replace(compute, precision=before["precision"]) if same else compute


def _changed(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Name every entry of the environment that changed since the search began."""
    return ", ".join(
        f"{key} {now[key]} instead of {before[key]}"
        for key in now
        if key in before and before[key] != now[key]
    )


def _require_same(before: dict[str, Any] | None, now: dict[str, Any], run: RunFolder) -> None:
    if before is None:
        return
    # a run that was begun under old names of settings is resumed under today's
    before = {**before, "settings": to_current(before["settings"])}
    if all(before[key] == now[key] for key in ("method", "settings")):
        return
    if before["method"] != now["method"]:
        difference = f"method {before['method']}, not {now['method']}"
    else:
        keys = [k for k in now["settings"] if before["settings"].get(k) != now["settings"][k]]
        difference = (
            ", ".join(f"{k} {before['settings'].get(k)}, not {now['settings'][k]}" for k in keys)
            or "other settings"
        )
    raise UsageError(
        f"{run.path} holds a run with {difference}.", "Name another PROTECTED, or start over with --refit."
    )


def estimate(images: ImageSet, method: Method[Any], compute: Compute) -> float:
    """Return about how many seconds a search takes at most, from timed rounds on some of the images.

    Returns:
        Seconds; 0.0 for a method without rounds.
    """
    some = images.subset(images.ids[:: max(1, len(images) // TIMED_IMAGES)])
    method = method.resolve(images.frame, len(images))
    first, later = (_work(method, number, len(images)) for number in (0, 1))
    if not first:
        return 0.0
    view, context = some.view(int(method.config.resolution), method.zoom), Context(0, compute)
    state, per_image = method.start(view, context), dict[str, float]()
    # a second round is timed only if it has steps that the first does not have
    for number in range(1 if later.keys() <= first.keys() else 2):
        taken: dict[str, list[float]] = {}
        ended = False
        while not ended:
            started = time.monotonic()
            progress = method.advance(state, view, context)
            taken.setdefault(progress.kind, []).append(time.monotonic() - started)
            ended = progress.round_ended
        counts = _work(method, number, len(some))
        for kind, seconds in taken.items():
            # the first step of a kind also allocates memory and chooses kernels
            usual = statistics.median(seconds[1:] or seconds) * len(seconds)
            per_image.setdefault(kind, usual / max(1, counts[kind]))
    rounds = int(method.config.max_rounds) - 1
    return sum(one * (first[kind] + rounds * later[kind]) for kind, one in per_image.items())


def _work(method: Method[Any], number: int, images: int) -> Counter[str]:
    """Return the number of images that the steps of each kind process in one round."""
    work: Counter[str] = Counter()
    for part in method.round_steps(number, images):
        work[part.kind] += part.images
    return work
