"""Clean against protected: what does a network learn from each?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError, UsageError
from unlearnable.evaluation.comparison import ArmResult, Comparison, compare
from unlearnable.evaluation.pairs import Images, Pairs, gather
from unlearnable.evaluation.schedule import (
    COUNTERMEASURES,
    TIME_LIMIT,
    Schedule,
    estimate,
    schedule,
    trials,
)
from unlearnable.evaluation.verdict import Goal, Verdict
from unlearnable.evaluation.visibility import Visibility, overall, visibility
from unlearnable.events import OnProgress, silent
from unlearnable.runs import default_run
from unlearnable.training.compute import Compute

ARMS = ("clean", "protected")
SAMPLED = 32
PICTURES = 6


@dataclass(frozen=True)
class Sample:
    """A pair to look at."""

    id: str
    class_name: str
    clean: Photo
    protected: Photo


@dataclass(frozen=True)
class Verification:
    """The result of ``verify``.

    Args:
        comparisons: Every trial that was run, the most important first.
        unmeasured: Name and estimated seconds of what was not.
        classes: Names of the protected classes, in the order of every arm's ``recall``.
        context: Names of the classes that are clean in both arms.
        pairs: Number of pairs.
        unchanged: Pairs in which nothing changed.
        left_out: Ids that take no part, with the reason.
        tested_on: Where the test images come from, in words.
        visibility: Over a sample of pairs; None where sizes differ, so that they cannot be compared.
        sampled: Size of that sample.
        samples: A few pairs to look at.
        environment: Device and versions.
        seconds: How long it took.
    """

    comparisons: tuple[Comparison, ...]
    unmeasured: tuple[tuple[str, float], ...]
    classes: tuple[str, ...]
    context: tuple[str, ...]
    pairs: int
    unchanged: int
    left_out: dict[str, str]
    tested_on: str
    visibility: Visibility | None
    sampled: int
    samples: tuple[Sample, ...]
    environment: dict[str, Any]
    seconds: float

    @property
    def as_published(self) -> tuple[tuple[Comparison, ArmResult], ...]:
        """Every trial without countermeasures, with its protected arm."""
        plain = [comparison for comparison in self.comparisons if not comparison.trial.chain]
        return tuple((comparison, comparison.arm("protected")) for comparison in plain)

    @property
    def headline(self) -> tuple[Comparison, ArmResult]:
        """The trial on the images as published in which they protect least, and its protected arm.

        Of all that can tell, the one in which most was kept; where none can tell, the first.
        """
        telling = [pair for pair in self.as_published if pair[1].verdict != "cannot tell"]
        if not telling:
            return self.as_published[0]
        return max(telling, key=lambda pair: pair[1].kept.value if pair[1].kept else 0.0)

    @property
    def verdict(self) -> Verdict:
        """The verdict of the headline."""
        verdict = self.headline[1].verdict
        assert verdict is not None
        return verdict

    def meets(self, goal: Goal) -> bool:
        """Say whether every trial on the images as published that can tell reaches a goal.

        The first one must be able to tell.
        """
        if self.as_published[0][1].verdict == "cannot tell":
            return False
        return all(
            goal.met(arm.peak, arm.kept, comparison.chance)
            for comparison, arm in self.as_published
            if arm.kept and arm.verdict != "cannot tell"
        )


@dataclass(frozen=True)
class Preparation:
    """A verification that is ready to run: images read and paired, trials chosen, time estimated."""

    pairs: Pairs
    schedule: Schedule
    seeds: tuple[int, ...]
    compute: Compute

    def measure(self, on_progress: OnProgress = silent) -> Verification:
        """Train and test everything that is scheduled."""
        start = time.perf_counter()
        pairs = self.pairs
        comparisons = tuple(
            compare(
                ARMS,
                partial(pairs.arm, chain=trial.chain),
                trial,
                len(pairs.classes),
                seeds=self.seeds,
                judged=pairs.judged,
                compute=self.compute,
                on_progress=on_progress,
            )
            for trial in self.schedule.trials
        )
        ids = _spread(pairs.clean.ids, SAMPLED)
        held_out = "photos held out of both trainings, other ones for each seed"
        return Verification(
            comparisons=comparisons,
            unmeasured=self.schedule.unmeasured,
            classes=pairs.clean.classes,
            context=pairs.context.classes if pairs.context else (),
            pairs=len(pairs.clean),
            unchanged=pairs.unchanged,
            left_out=dict(pairs.left_out),
            tested_on=held_out if pairs.test is None else "a separate folder of clean photos",
            visibility=_visibility(pairs, ids),
            sampled=len(ids),
            samples=tuple(_sample(pairs, id) for id in _to_show(pairs)),
            environment=self.compute.describe(),
            seconds=time.perf_counter() - start,
        )


def prepare(
    photos: Images,
    protected: Images,
    *,
    test: Images | None = None,
    context: Images | None = None,
    run: str | Path | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    targets: Sequence[str] = (),
    countermeasures: Sequence[str] = COUNTERMEASURES,
    time_limit: float = TIME_LIMIT,
    compute: Compute | None = None,
    on_progress: OnProgress = silent,
) -> Preparation:
    """Read and pair the images and choose the trials; the arguments are those of ``verify``."""
    if not seeds:
        raise UsageError("There is no seed to measure with.", "Give at least one.")
    compute = compute or Compute.choose()
    if run is None and not isinstance(photos, ImageSet) and not isinstance(protected, ImageSet):
        run = default_run(Path(photos), Path(protected))
    pairs = gather(photos, protected, test, context, None if run is None else Path(run), on_progress)
    tried = trials(pairs.settings, pairs.trained_on, targets, countermeasures)
    size = (pairs.trained_on, pairs.tested_on, len(pairs.classes))
    once = estimate(tried, pairs.protected, *size, compute)
    runs = len(seeds) * len(ARMS)
    chosen = schedule(tried, [runs * seconds for seconds in once], time_limit)
    return Preparation(pairs, chosen, tuple(seeds), compute)


def verify(
    photos: Images,
    protected: Images,
    *,
    test: Images | None = None,
    context: Images | None = None,
    run: str | Path | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    targets: Sequence[str] = (),
    countermeasures: Sequence[str] = COUNTERMEASURES,
    time_limit: float = TIME_LIMIT,
    compute: Compute | None = None,
    on_progress: OnProgress = silent,
) -> Verification:
    """Measure what a network learns from photos and from their protected images.

    Both are tested on the same clean images, which neither network has seen.

    Args:
        photos: The photos: a folder with one sub-folder per class, or an ImageSet.
        protected: The protected images, likewise; files are read from the disk as anybody would.
        test: Clean test images of the same classes; else a quarter of the photos is held out of both
            trainings.
        context: Other classes, clean in both trainings, to tell the photos from.
        run: The run folder that ``protect`` left, whose list of files decides what belongs together; for two
            folders, the default one if it is there.
        seeds: Each changes split, initialisation and order.
        targets: Networks, as ``models.create`` takes them.
        countermeasures: Chains such as ``grey+jpeg:30``. Each is measured with the first network, which then
            trains on clean and on protected images under the same chain.
        time_limit: Seconds; what does not fit is listed as not measured. Clean against protected is always
            measured.
        compute: Where; chosen by default.
        on_progress: Called after every image that is read and every epoch.

    Raises:
        DataError: If nothing pairs, or there are too few classes or photos to measure anything.
        UsageError: If a network or a countermeasure is unknown.

    Example:
        >>> verify("photos", "protected").verdict  # doctest: +SKIP
        'protected'
    """
    prepared = prepare(
        photos,
        protected,
        test=test,
        context=context,
        run=run,
        seeds=seeds,
        targets=targets,
        countermeasures=countermeasures,
        time_limit=time_limit,
        compute=compute,
        on_progress=on_progress,
    )
    return prepared.measure(on_progress)


def _spread(ids: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Return about ``count`` ids, evenly spread."""
    return tuple(ids[i] for i in sorted({int(i) for i in np.linspace(0, len(ids) - 1, min(count, len(ids)))}))


def _visibility(pairs: Pairs, ids: tuple[str, ...]) -> Visibility | None:
    try:
        return overall([visibility(pairs.clean.photo(id), pairs.protected.photo(id)) for id in ids])
    except DataError:
        return None


def _to_show(pairs: Pairs) -> list[str]:
    """Choose ids to show: one per class as far as they go round, of images that did change."""
    moved = (pairs.clean_view.pixels != pairs.protected_view.pixels).any(axis=(1, 2, 3))
    ids = [id for id, differs in zip(pairs.clean.ids, moved, strict=True) if differs] or list(pairs.clean.ids)
    turns: dict[str, int] = {}
    order: list[tuple[int, str]] = []
    for id in ids:
        name = pairs.clean.class_of[id]
        order.append((turns.get(name, 0), id))
        turns[name] = turns.get(name, 0) + 1
    return [id for _, id in sorted(order)[:PICTURES]]


def _sample(pairs: Pairs, id: str) -> Sample:
    return Sample(id, pairs.clean.class_of[id], pairs.clean.photo(id), pairs.protected.photo(id))
