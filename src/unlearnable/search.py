"""The search for noise inside a run folder: resumes after an interruption, and records what it does."""

from __future__ import annotations

import json
import math
import shlex
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, Unfinished, UsageError
from unlearnable.events import Event, OnProgress, silent
from unlearnable.methods import Context, Fitted, Method, State
from unlearnable.methods.shared import require_same_request
from unlearnable.models import builder
from unlearnable.models.starts import models_of
from unlearnable.plugins import file_of
from unlearnable.renamed import to_current
from unlearnable.runs import RunFolder
from unlearnable.training.compute import Compute
from unlearnable.training.randomness import fresh_seed
from unlearnable.training.ranks import ALONE, Ranks
from unlearnable.version import __version__
from unlearnable.words import counted

CHECKPOINT_SECONDS = 60.0
# An estimate takes about this long, or the time of two rounds on this many images.
ESTIMATE_SECONDS = 3.0
TIMED_IMAGES = 32
# The time left is told from this share of the search, or after this time.
MEASURED_SHARE, MEASURED_SECONDS = 0.02, 30.0


def search(
    images: ImageSet,
    run: RunFolder,
    method: Method[Any],
    *,
    seed: int | None = None,
    compute: Compute | None = None,
    origin: Mapping[str, Any] | None = None,
    deadline: float = math.inf,
    on_progress: OnProgress = silent,
    ranks: Ranks = ALONE,
) -> Fitted:
    """Fit a method to images, or return the result of an earlier search with the same request.

    Args:
        images: Readable images; context classes included, if there are any.
        run: An open run folder.
        method: The method as requested; every ``auto`` is resolved here, once, and recorded.
        seed: None for the recorded seed, or one drawn from the operating system.
        compute: Device and precision; chosen if None.
        origin: The request that the method was made from, for the record.
        deadline: Time of ``time.monotonic()`` after which the search is saved and stops.
        on_progress: Called with an event after every step.
        ranks: The processes that search together. All of them call this function with the same arguments; the
            first one writes the run folder.

    Raises:
        UsageError: If the folder holds a run with other settings or another seed; the message names the
            difference.
        DataError: If the images cannot be used.
        Unfinished: If the deadline has passed; the search is saved, and the same call resumes.
    """
    # the first process may write to it while others read it
    record = ranks.of_first(run.read())
    asked = {"method": method.name, "settings": method.config.model_dump(mode="json"), "stamp": images.stamp}
    with ranks.together():
        require_same(run, method, seed)
    if ranks.of_first(run.finished):
        return found(run)
    seed = record.get("seed", ranks.of_first(fresh_seed() if seed is None else seed))
    compute = as_before(record, compute or Compute.choose())
    compute = replace(compute, precision=ranks.of_first(compute.precision))
    environment = compute.describe() | ({"processes": ranks.count} if ranks.several else {})
    on_progress(Event("reading", 0, len(images)))
    method = method.resolve(images.frame, len(images))
    size = int(method.config.resolution)
    with ranks.together():
        view = images.view(size, method.zoom, run.path).in_order_of_ids()
    require_same_request(ranks, method, view)
    on_progress(Event("reading", len(images), len(images)))
    settings = method.config.model_dump(mode="json")
    identity = {"method": method.name, "settings": settings, "seed": seed, "fingerprint": view.fingerprint}
    context = Context(seed, compute, ranks)
    checkpoint = method.checkpoint(run.checkpoint, identity, view, context)
    with ranks.together():
        state = checkpoint.load()
    if ranks.first and run.checkpoint.exists():
        changed = _changed(record.get("environment", {}), environment)
        text = f"resuming with {changed}: the noise may differ from that of an uninterrupted run"
        if state is None:
            what = "photos" if record.get("fingerprint") != view.fingerprint else "surrogate's weights"
            text = f"the {what} changed since the search began, so it starts over"
        if state is None or changed:
            on_progress(Event("searching", text=text))
    plugin = file_of(type(method))
    for name in models_of(settings.get("surrogate", "")):
        plugin = plugin or file_of(builder(name))
    run.update(
        **(origin or {}),
        asked=asked,
        seed=seed,
        method=method.name,
        plugin=None if plugin is None else str(plugin),
        settings=settings,
        fingerprint=view.fingerprint,
        images=len(images.own),
        context=len(images) - len(images.own),
        classes=sorted(set(images.classes) - images.context),
        environment=environment,
        version=__version__,
        started=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        searched=False,
    )
    started = time.monotonic()

    def save(state: State) -> None:
        checkpoint.save(state)
        if ranks.of_first(time.monotonic() >= deadline):
            rounds = len(state.get("log", []))
            raise Unfinished(
                f"The time is up after {counted(rounds, 'round')}; the search is saved in {run.path}.",
                "Run the same command again to resume.",
            )

    fitted = method.fit(
        view,
        context,
        TimeLeft(on_progress),
        state=state,
        save=save,
        every=_save_interval(deadline - started),
    )
    with ranks.together():
        if not fitted.noise.bank.any():
            # forgotten, so that the next command may ask for other settings
            run.forget()
            raise UsageError(
                "The noise that was found is zero everywhere, so it would protect nothing.",
                "Give the search more max_rounds, longer steps, or a larger low_limit.",
            )
        if ranks.first:
            fitted.save(run.path)
            run.update(
                searched=True,
                rounds=list(fitted.log),
                stopped=fitted.reason,
                search_seconds=round(time.monotonic() - started, 1),
            )
            checkpoint.delete()
    return fitted


def found(run: RunFolder) -> Fitted:
    """Return the result of a finished search.

    Raises:
        DataError: If a file of it is missing or damaged. The remedy finds the noise again, with its seed.
    """
    if not run.noise.exists():
        raise DataError(
            f"{run.path} holds no noise: its search is not finished.",
            "Run the command that began it (`protect` or `fit`) again.",
        )
    try:
        fitted = Fitted.load(run.path)
    except DataError as error:
        file = run.noise if str(run.noise) in error.problem else run.surrogate
        raise DataError(error.problem, _again(run, file)) from error
    noise = fitted.noise
    if noise.form == "samplewise" and not noise.classes:
        # a file of an earlier version: its rows were found for the classes under which they were published
        known = {
            id: record.get("class", "") for listed in run.lists() for id, record in listed.records().items()
        }
        fitted = replace(fitted, noise=noise.with_classes(known))
    return fitted


def rounds_done(checkpoint: Path) -> int:
    """Return the rounds that a saved search has done, without reading its tensors; 0 if it is damaged."""
    try:
        with safe_open(str(checkpoint), framework="np") as file:
            return len(json.loads(file.metadata()["record"])["numbers"].get("log", []))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return 0


def _again(run: RunFolder, file: Path) -> str:
    if run.read().get("method") == "imported":
        return "Import the noise again, into another run folder, with `unlearnable import`."
    return (
        f"Delete {file}, then run the command that made it (`protect` or `fit`) again: its seed is recorded."
    )


class TimeLeft:
    """Adds the time left to the events of a search, from the speed of the rounds measured so far."""

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._first: tuple[float, float] | None = None

    def __call__(self, event: Event) -> None:
        """Pass an event on, with the seconds left as soon as they are known."""
        left = None
        if event.total and event.done:
            now, share = time.monotonic(), event.done / event.total
            # the first step also allocates memory and chooses kernels, so the clock starts after it
            self._first = self._first or (now, share)
            began, at = self._first
            if share - at >= MEASURED_SHARE or (now - began >= MEASURED_SECONDS and share > at):
                left = (now - began) * (1 - share) / (share - at)
        self._on_progress(replace(event, left=left))


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


def require_same(run: RunFolder, method: Method[Any], seed: int | None = None) -> None:
    """Refuse a run folder that holds a run with other settings, before anything else is done in it.

    Raises:
        UsageError: If method, settings or seed differ; the message names the difference.
    """
    record = run.read()
    if record.get("method") == "imported":
        raise UsageError(
            f"{run.path} holds imported noise, which a search would replace.",
            f"Add it with `unlearnable apply {shlex.quote(str(run.path))} PHOTOS PROTECTED`.",
        )
    if "asked" in record and (difference := _difference(record, method)):
        raise UsageError(
            f"{run.path} holds a run with {difference}.",
            "Use the same settings, or name another PROTECTED (`fit`: another RUN), "
            "or start over with `protect --refit`.",
        )
    if seed is not None and record.get("seed", seed) != seed:
        raise UsageError(
            f"{run.path} holds a run with seed {record['seed']}, not {seed}.",
            "Leave --seed out, or name another PROTECTED (`fit`: another RUN).",
        )


def _difference(record: dict[str, Any], method: Method[Any]) -> str:
    """Return where a method differs from the one that a run records; an empty text if nowhere."""
    if record["asked"]["method"] != method.name:
        return f"method {record['asked']['method']}, not {method.name}"
    now = method.config.model_dump(mode="json")
    # A run that was begun under old names of settings is resumed under today's, and one that was begun before
    # a setting existed used its default.
    fields = type(method.config).model_fields.items()
    defaults = {name: field.get_default(call_default_factory=True) for name, field in fields}
    asked = {**defaults, **to_current(record["asked"]["settings"])}
    resolved = to_current(record.get("settings", {}))
    # asking for what auto was resolved to is asking for the same
    same = {
        key
        for key in now
        if now[key] == asked[key] or (asked[key] == "auto" and now[key] == resolved.get(key))
    }
    return ", ".join(f"{key} {asked[key]}, not {now[key]}" for key in now if key not in same)


def estimate(images: ImageSet, method: Method[Any], compute: Compute) -> float:
    """Return about how many seconds all rounds of a search take, from timed rounds on some of the images.

    A search with ``stop_error`` or ``patience`` may stop before its last round.

    Returns:
        Seconds; 0.0 for a method without rounds.
    """
    method = method.resolve(images.frame, len(images))
    first, later = (_work(method, number, len(images)) for number in (0, 1))
    if not first:
        return 0.0
    # a GPU takes hardly longer for a whole batch than for a few images
    batch = int(getattr(method.config, "batch", TIMED_IMAGES))
    count = TIMED_IMAGES if compute.device == "cpu" else max(TIMED_IMAGES, batch)
    some = images.subset(images.ids[:: max(1, len(images) // count)])
    view, context = some.view(int(method.config.resolution), method.zoom), Context(0, compute)
    brief = method.brief()
    state, started = brief.start(view, context), time.monotonic()
    taken: dict[str, list[float]] = {}
    number = 0
    # the second round is left out only where the first took very long and had every kind of step
    while number < (1 if later.keys() <= taken.keys() else 2) or time.monotonic() - started < (
        3 * ESTIMATE_SECONDS if number == 1 else ESTIMATE_SECONDS
    ):
        work, ended = _work(brief, number, len(some)), False
        seconds: dict[str, list[float]] = {}
        while not ended:
            begun = time.monotonic()
            progress = brief.advance(state, view, context)
            seconds.setdefault(progress.kind, []).append(time.monotonic() - begun)
            ended = progress.round_ended
        for kind, times in seconds.items():
            images_each = max(1.0, work[kind] / len(times))
            taken.setdefault(kind, []).extend(one / images_each for one in times)
        number += 1
    # The first step of a kind also allocates memory and chooses kernels. Not the median: on a machine that
    # others use, few steps take most of the time
    per_image = {kind: statistics.fmean(times[1:] or times) for kind, times in taken.items()}
    rounds = method.most_rounds - 1
    return sum(one * (first[kind] + rounds * later[kind]) for kind, one in per_image.items())


def _work(method: Method[Any], number: int, images: int) -> Counter[str]:
    """Return the number of images that the steps of each kind process in one round."""
    work: Counter[str] = Counter()
    for part in method.round_steps(number, images):
        work[part.kind] += part.images
    return work
