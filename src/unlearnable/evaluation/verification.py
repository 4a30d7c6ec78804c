"""Verification: networks trained on clean and on protected images, tested on the same clean images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from unlearnable import arguments
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UsageError
from unlearnable.evaluation import report_card as card
from unlearnable.evaluation.conditions import PRETRAINED
from unlearnable.evaluation.gathering import Images, gather
from unlearnable.evaluation.measured import FOLDER, Measured
from unlearnable.evaluation.pairs import Pairs
from unlearnable.evaluation.preparation import ARMS, Preparation, seeds_of
from unlearnable.evaluation.result import Verification
from unlearnable.evaluation.schedule import (
    COUNTERMEASURES,
    TIME_LIMIT,
    check,
    from_pretrained,
    schedule,
    trials,
)
from unlearnable.evaluation.timing import estimate
from unlearnable.evaluation.trial import Trial
from unlearnable.events import Event, OnProgress
from unlearnable.models.starts import models_of
from unlearnable.runs import RunFolder, find_run
from unlearnable.training.compute import Compute


def prepare(
    photos: Images,
    protected: Images,
    *,
    test: Images | None = None,
    context: Images | None = None,
    run: str | Path | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    every_seed: bool = False,
    targets: Sequence[str] = (),
    weights: str | Path | None = None,
    countermeasures: Sequence[str] | None = None,
    report_card: bool = False,
    cosface: bool = False,
    time_limit: float | None = TIME_LIMIT,
    compute: Compute | str | None = None,
    on_progress: OnProgress | None = None,
) -> Preparation:
    """Return a verification that is ready to run, with its time estimated; arguments as for ``verify``.

    With ``cosface``, the first network also trains with the head of face recognisers.

    Raises:
        DataError: If there is no pair, or there are too few classes or photos to measure anything.
        UsageError: If a network or a countermeasure is unknown, or there is no seed.
    """
    brief = not (every_seed or report_card)
    seeds, on_progress = arguments.seeds(seeds), arguments.callback(on_progress)
    given = arguments.time_limit(time_limit)
    limit = math.inf if given is None else given
    targets = tuple(dict.fromkeys(arguments.specs("targets", targets, "resnet18:width=16")))
    if countermeasures is None:
        countermeasures = () if report_card else COUNTERMEASURES
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
    surrogates = () if private is None else _surrogates(private)
    tuned, targets = _pretrained(targets, weights, report_card, surrogates)
    if tuned and tuned[0].victim.model in surrogates:
        model = tuned[0].victim.model
        text = f"the noise was found through {model}, which it misleads more than other pretrained networks"
        on_progress(Event("reading", text=text))
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
    if report_card:
        tried = card.rows(pairs, next(iter(targets), ""), tuned, countermeasures)
    else:
        tried = trials(pairs.settings, pairs.trained_on, targets, countermeasures, tuned, cosface)
    saved = Measured(private / FOLDER, pairs, compute) if report_card and private is not None else None
    left = [_left(trial, seeds_of(trial, seeds, brief), saved) for trial in tried]
    needed = _seconds(tried, left, pairs, compute, on_progress)
    answer = needed[0] * _left(tried[0], seeds[:1], saved) / max(1, left[0])
    chosen = schedule(tried, needed, limit, answer)
    impossible = tuple((name, 0.0) for name in _impossible(tuned, targets, pairs, report_card))
    return Preparation(pairs, chosen, seeds, compute, outlook, private, report_card, brief, impossible)


def _pretrained(
    targets: tuple[str, ...], weights: str | Path | None, report_card: bool, surrogates: Sequence[str]
) -> tuple[tuple[Trial, ...], tuple[str, ...]]:
    """Return the trials with pretrained weights, and the networks that train from scratch."""
    if weights is not None:
        if len(targets) != 1:
            raise UsageError(
                "Starting weights belong to one network, which must be named.",
                'Give one network: --target efficientnet-lite0 (targets="efficientnet-lite0" in Python).',
            )
        return from_pretrained(targets[0], str(weights)), ()
    if report_card and len(targets) > 1:
        raise UsageError("A report card trains one network from scratch.", "Give --target once.")
    # a user who names networks wants those and no others
    return () if targets else from_pretrained(surrogates=surrogates), targets


def _surrogates(run: Path) -> tuple[str, ...]:
    """Return the networks that the noise of a run was found against."""
    return models_of(str(RunFolder(run).read().get("settings", {}).get("surrogate", "")))


def _left(trial: Trial, seeds: tuple[int, ...], saved: Measured | None) -> int:
    """Return the number of trainings of a trial that are not saved already."""
    return len(ARMS) * len(seeds) if saved is None else saved.missing(trial, ARMS, seeds)


def _seconds(
    tried: Sequence[Trial], left: Sequence[int], pairs: Pairs, compute: Compute, on_progress: OnProgress
) -> list[float]:
    """Return the estimated seconds of each trial that so many trainings of it take."""
    size = (pairs.trained_on, pairs.tested_on, len(pairs.classes))
    return estimate(tried, left, pairs.protected, pairs.settings.side, *size, compute, on_progress)


def _impossible(
    tuned: tuple[Trial, ...], targets: tuple[str, ...], pairs: Pairs, report_card: bool
) -> list[str]:
    """Return the names of the trials that cannot be measured, with the reason."""
    names = []
    if not tuned and not targets:
        names.append(f"{PRETRAINED} (no weights at hand; see `unlearnable models --weights`)")
    if report_card and not card.other_labels(pairs):
        names.append("other labels (they take at least three classes)")
    return names


def verify(
    photos: Images,
    protected: Images,
    *,
    test: Images | None = None,
    context: Images | None = None,
    run: str | Path | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    every_seed: bool = False,
    targets: Sequence[str] = (),
    weights: str | Path | None = None,
    countermeasures: Sequence[str] | None = None,
    report_card: bool = False,
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
        every_seed: Whether trials that start from pretrained weights or are under countermeasures have all
            seeds. Otherwise they have the first one, except on a report card.
        targets: Networks, as ``models.create`` takes them; one alone may be a text. By default two networks
            from scratch, and one with pretrained weights if they are at hand.
        weights: Weights that the one network in ``targets`` starts from: ``pretrained`` for its published
            ones, or a file. The default networks then train from scratch.
        countermeasures: Chains such as ``grey+jpeg:30``. For each chain, the first network trains on clean
            and on protected images, both under the chain. On a report card, these are further rows.
        report_card: Whether to measure the rows of the report card instead. The trainings that finish are
            saved in the run folder, if there is one, and the same call resumes.
        time_limit: Seconds for all trials, None for no limit. The first trial always runs. Trials that do
            not fit are listed in ``unmeasured``.
        compute: Device and precision, or the name of a device; chosen by default.
        on_progress: Called after every image that is read and after every epoch, and with the answer as a
            remark (``done`` and ``total`` are 0) after the first seed and at the end of a trial.

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
        every_seed=every_seed,
        targets=targets,
        weights=weights,
        countermeasures=countermeasures,
        report_card=report_card,
        time_limit=time_limit,
        compute=compute,
        on_progress=on_progress,
    )
    return prepared.measure(arguments.callback(on_progress))


def _same(photos: Images, protected: Images) -> bool:
    if isinstance(photos, ImageSet) or isinstance(protected, ImageSet):
        return photos is protected
    return Path(photos).resolve() == Path(protected).resolve()
