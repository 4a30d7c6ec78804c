"""Finding the noise of images inside a run folder: resumes where it was stopped, and keeps a record."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from dataclasses import replace
from typing import Any

from unlearnable.data.image_set import ImageSet
from unlearnable.errors import UsageError
from unlearnable.events import Event, OnProgress, silent
from unlearnable.methods import Context, Fitted, Method
from unlearnable.methods.fitted import load_state, save_state
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
    on_progress: OnProgress = silent,
) -> Fitted:
    """Fit a method to images, or return what was fitted before with the same request.

    Args:
        images: Readable images; context classes included, if there are any.
        run: An open run folder.
        method: The method as asked for; every ``auto`` is resolved here, once, and recorded.
        seed: None for the recorded seed, or one drawn from the operating system.
        compute: Where to compute; chosen if None.
        on_progress: Told about progress.

    Raises:
        UsageError: If the folder holds a run with other settings, images or seed; the message names the
            difference.
        DataError: If the images cannot be used.
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
        on_progress(Event("searching", text="the photos changed since the search began, so it begins again"))
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
    frame = _frame(images)
    method = method.resolve(frame, len(images))
    size = int(method.config.resolution)
    view = images.view(size, method.zoom, run.path)
    on_progress(Event("reading", len(images), len(images)))
    settings = method.config.model_dump(mode="json")
    identity = {"method": method.name, "settings": settings, "seed": seed, "fingerprint": view.fingerprint}
    run.update(
        asked=asked,
        seed=seed,
        method=method.name,
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
    fitted = method.fit(
        view,
        Context(seed, compute),
        on_progress,
        state=load_state(run.checkpoint, identity),
        save=lambda state: save_state(run.checkpoint, state, identity),
        every=CHECKPOINT_SECONDS,
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


def _frame(images: ImageSet) -> tuple[int, int]:
    """The median (height, width) of up to 200 of the images, which is all that ``auto`` settings need."""
    import numpy as np

    some = images.ids[:: max(1, len(images) // 200)]
    height, width = np.median([images.about(id).size for id in some], axis=0)
    return int(height), int(width)


def as_before(record: dict[str, Any], compute: Compute) -> Compute:
    """Restore the precision that ``auto`` stood for when a search began, if the kind of device is the same.

    Args:
        record: What ``run.json`` says; empty for a search that has not begun.
        compute: What was chosen now; a precision that was asked for stays.
    """
    before = record.get("environment", {})
    same = compute.found and before.get("device") == compute.device
    return replace(compute, precision=before["precision"]) if same else compute


def _changed(before: dict[str, Any], now: dict[str, Any]) -> str:
    """What is another environment than when the search began, in words."""
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
    method = method.resolve(_frame(some), len(images))
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
    """The number of images that the steps of each kind go over in one round."""
    work: Counter[str] = Counter()
    for part in method.round_steps(number, images):
        work[part.kind] += part.images
    return work
