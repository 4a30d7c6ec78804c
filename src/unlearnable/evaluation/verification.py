"""Verification: networks trained on clean and on protected images, tested on the same clean images."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from unlearnable import arguments
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UsageError
from unlearnable.evaluation.comparison import Comparison, compare
from unlearnable.evaluation.enough import Outlook
from unlearnable.evaluation.gathering import Images, gather
from unlearnable.evaluation.pairs import Pairs
from unlearnable.evaluation.result import Sample, Verification
from unlearnable.evaluation.schedule import (
    COUNTERMEASURES,
    TIME_LIMIT,
    Schedule,
    Trial,
    check,
    schedule,
    trials,
)
from unlearnable.evaluation.timing import estimate
from unlearnable.evaluation.visibility import Visibility, overall, visibility
from unlearnable.events import OnProgress, silent
from unlearnable.runs import find_run
from unlearnable.training.compute import Compute

ARMS = ("clean", "protected")
# pairs whose visibility is measured
VISIBILITY_PAIRS = 32
# pairs shown in the report
SHOWN_PAIRS = 6


@dataclass(frozen=True)
class Preparation:
    """A verification that is ready to run.

    Args:
        pairs: The images.
        schedule: The trials to run, with the estimated time.
        seeds: Seeds of split, initialisation and order.
        compute: Device and precision.
        outlook: The verdicts that the number of test images allows.
    """

    pairs: Pairs
    schedule: Schedule
    seeds: tuple[int, ...]
    compute: Compute
    outlook: Outlook

    def measure(self, on_progress: OnProgress = silent) -> Verification:
        """Train and test every scheduled trial, and return the results."""
        start = time.perf_counter()
        pairs = self.pairs
        comparisons, failed = list[Comparison](), list[tuple[str, float]]()
        for trial in self.schedule.trials:
            try:
                comparisons.append(self._compare(trial, on_progress))
            except DataError as error:
                # what was measured so far is worth a report, unless it is the images themselves
                if not trial.chain:
                    raise
                failed.append((f"{trial.name}: {error.problem}", 0.0))
        ids = _spread(pairs.clean.ids, VISIBILITY_PAIRS)
        return Verification(
            comparisons=tuple(comparisons),
            unmeasured=(*failed, *self.schedule.unmeasured),
            classes=pairs.clean.classes,
            context=pairs.context.classes if pairs.context else (),
            pairs=len(pairs.clean),
            unchanged=pairs.unchanged,
            pictured=pairs.pictured,
            near_duplicates=pairs.near_duplicates,
            unjudged=tuple(trial.name for trial in self.schedule.left_out if not trial.chain),
            left_out=dict(pairs.left_out),
            tested_on=pairs.tested_on_words,
            visibility=_visibility(pairs, ids),
            sampled=len(ids),
            samples=tuple(_sample(pairs, id) for id in _shown_ids(pairs)),
            environment=self.compute.describe(),
            seconds=time.perf_counter() - start,
        )

    def _compare(self, trial: Trial, on_progress: OnProgress) -> Comparison:
        return compare(
            ARMS,
            partial(self.pairs.arm, chain=trial.chain),
            trial,
            len(self.pairs.classes),
            seeds=self.seeds,
            judged=self.pairs.judged,
            compute=self.compute,
            on_progress=on_progress,
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
    time_limit: float | None = TIME_LIMIT,
    compute: Compute | str | None = None,
    on_progress: OnProgress | None = None,
) -> Preparation:
    """Return a verification that is ready to run, with its time estimated; arguments as for ``verify``.

    Raises:
        DataError: If there is no pair, or there are too few classes or photos to measure anything.
        UsageError: If a network or a countermeasure is unknown, or there is no seed.
    """
    seeds, on_progress = arguments.seeds(seeds), arguments.callback(on_progress)
    given = arguments.time_limit(time_limit)
    limit = math.inf if given is None else given
    targets = arguments.specs("targets", targets, "resnet18:width=16")
    countermeasures = arguments.specs("countermeasures", countermeasures, "grey")
    check(targets, countermeasures, limit)
    photos = arguments.images_or_folder("photos", photos, ImageSet)
    protected = arguments.images_or_folder("protected", protected, ImageSet)
    if test is not None:
        test = arguments.images_or_folder("test", test, ImageSet)
    if context is not None:
        context = arguments.images_or_folder("context", context, ImageSet)
    if _same(photos, protected):
        raise UsageError(
            "PHOTOS and PROTECTED are the same images.", "Give the photos, then what `protect` has written."
        )
    compute = Compute.of(compute)
    if run is None and not isinstance(photos, ImageSet) and not isinstance(protected, ImageSet):
        run = find_run(Path(photos), Path(protected))
    private = None if run is None else arguments.path("run", run)
    pairs = gather(photos, protected, test, context, private, on_progress)
    outlook = pairs.outlook(len(seeds))
    if not outlook.tested:
        raise DataError(
            "No held-out image belongs to a protected class, so nothing can be measured.",
            f"Give more photos, at least {outlook.per_class} of each class, or clean test images with "
            "--test FOLDER.",
        )
    if pairs.context is not None and not outlook.tested_context:
        raise DataError(
            "No context image can be held out, so false positives cannot be measured.",
            "Give more photos of other classes with --context FOLDER.",
        )
    tried = trials(pairs.settings, pairs.trained_on, targets, countermeasures)
    size = (pairs.trained_on, pairs.tested_on, len(pairs.classes))
    once = estimate(tried, pairs.protected, pairs.settings.side, *size, compute)
    runs = len(seeds) * len(ARMS)
    chosen = schedule(tried, [runs * seconds for seconds in once], limit)
    return Preparation(pairs, chosen, seeds, compute, outlook)


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
    time_limit: float | None = TIME_LIMIT,
    compute: Compute | str | None = None,
    on_progress: OnProgress | None = None,
) -> Verification:
    """Measure what networks learn from photos and from their protected images.

    Both networks of a trial are tested on the same clean images, and neither has trained on those.

    Args:
        photos: The photos: a folder with one sub-folder per class, or an ImageSet.
        protected: The protected images, likewise.
        test: Clean test images of the same classes. Without them, a quarter of the photos is held out of both
            trainings.
        context: Images of other classes, clean in both trainings, for networks to distinguish the photos
            from. A quarter of them is held out too.
        run: The run folder of ``protect``, whose list of files has the pairs. By default, the usual run
            folder of the two folders, if it exists.
        seeds: Each changes split, initialisation and order.
        targets: Networks, as ``models.create`` takes them; one alone may be a text.
        countermeasures: Chains such as ``grey+jpeg:30``. For each chain, the first network trains on clean
            and on protected images, both under the chain.
        time_limit: Seconds for all trials, None for no limit. The first trial always runs. Trials that do
            not fit are listed in ``unmeasured``.
        compute: Device and precision, or the name of a device; chosen by default.
        on_progress: Called after every image that is read and after every epoch.

    Raises:
        DataError: If there is no pair, or there are too few classes or photos to measure anything.
        UsageError: If a network or a countermeasure is unknown, or there is no seed.

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
    return prepared.measure(arguments.callback(on_progress))


def _same(photos: Images, protected: Images) -> bool:
    if isinstance(photos, ImageSet) or isinstance(protected, ImageSet):
        return photos is protected
    return Path(photos).resolve() == Path(protected).resolve()


def _spread(ids: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Return about ``count`` ids, evenly spread."""
    return tuple(ids[i] for i in sorted({int(i) for i in np.linspace(0, len(ids) - 1, min(count, len(ids)))}))


def _visibility(pairs: Pairs, ids: tuple[str, ...]) -> Visibility | None:
    try:
        return overall([visibility(pairs.clean.photo(id), pairs.protected.photo(id)) for id in ids])
    except DataError:
        return None


def _shown_ids(pairs: Pairs) -> list[str]:
    """Return ids of pairs to show: changed ones if there are any, and as many classes as possible."""
    changed = (pairs.clean_view.pixels != pairs.protected_view.pixels).any(axis=(1, 2, 3))
    ids = [id for id, differs in zip(pairs.clean.ids, changed, strict=True) if differs]
    ids = ids or list(pairs.clean.ids)
    turns: dict[str, int] = {}
    order: list[tuple[int, str]] = []
    for id in ids:
        name = pairs.clean.class_of[id]
        order.append((turns.get(name, 0), id))
        turns[name] = turns.get(name, 0) + 1
    return [id for _, id in sorted(order)[:SHOWN_PAIRS]]


def _sample(pairs: Pairs, id: str) -> Sample:
    return Sample(id, pairs.clean.class_of[id], pairs.clean.photo(id), pairs.protected.photo(id))
