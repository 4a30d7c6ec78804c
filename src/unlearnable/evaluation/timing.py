"""The time of each trial, estimated before it runs from a few of its parts."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch

from unlearnable.countermeasures import Chain
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UsageError
from unlearnable.evaluation.trial import Trial
from unlearnable.events import Event, OnProgress, silent
from unlearnable.training import crowding
from unlearnable.training.compute import Compute
from unlearnable.training.loop import Training, predict
from unlearnable.training.randomness import generator
from unlearnable.training.victim import Victim
from unlearnable.training.weights import freeze_all_but_head

TIMED_STEPS = 5
TIMED_PHOTOS = 8
TIMED_SQUARES = 256


def estimate(
    tried: Sequence[Trial],
    runs: Sequence[int],
    images: ImageSet,
    side: int,
    train: int,
    tested: int,
    classes: int,
    compute: Compute,
    on_progress: OnProgress = silent,
) -> list[float]:
    """Return the estimated seconds of all trainings of each trial, countermeasures included.

    A few training steps, a test and the preparation of a few images are timed.

    Args:
        tried: The trials.
        runs: Number of trainings of each trial.
        images: The photos.
        side: Side of the squares in memory, in pixels.
        train: Number of training images.
        tested: Number of test images.
        classes: Number of classes.
        compute: Device and precision.
        on_progress: Called with an event after every trial.

    Raises:
        UsageError: If a network cannot train on images of this size.
    """
    crowding.announce("estimating the time", compute, on_progress)
    sample = images.subset(images.ids[:: max(1, len(images) // TIMED_PHOTOS)][:TIMED_PHOTOS])
    known: dict[tuple[Victim, Chain], tuple[float, float]] = {}
    found = []
    for number, (trial, count) in enumerate(zip(tried, runs, strict=True)):
        on_progress(Event("estimating the time", number, len(tried)))
        victim, chain = trial.victim, trial.chain
        batch = min(victim.batch, train)
        # neither the number of epochs nor what happens before the training changes the time of a step
        key = (
            victim.model_copy(update={"epochs": 1}),
            Chain(tuple(one for one in chain.members if {"batch", "step"} & {*one.stages})),
        )
        if count and key not in known:
            known[key] = _checked(*key, side, batch, classes, compute)
        if not count:
            found.append(0.0)
            continue
        step, test = known[key]
        if victim.frozen_features(chain.stages):
            # every image goes through the network once
            training = (train + tested) / batch * test
        else:
            # without the last batch, if it is smaller
            training = victim.epochs * (train // batch * step + tested / batch * test)
        training += _preparing(chain, side, train, tested, classes, compute)
        # the photos are changed once for each arm, whatever the number of seeds
        found.append(count * training + min(count, 2) * _changing(chain, sample, train, tested))
    on_progress(Event("estimating the time", len(tried), len(tried)))
    return found


def _checked(
    victim: Victim, chain: Chain, side: int, batch: int, classes: int, compute: Compute
) -> tuple[float, float]:
    """Return what ``_timed`` returns, and name the network that cannot train on such images."""
    try:
        return _timed(victim, chain, side, batch, classes, compute)
    # pooling leaves nothing of a small image, or memory runs out
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"The network {victim.model!r} cannot train on images of {victim.size} px ({error}).",
            "Give another network with --target.",
        ) from error


def _timed(
    victim: Victim, chain: Chain, side: int, batch: int, classes: int, compute: Compute
) -> tuple[float, float]:
    """Return the seconds of a training step and of testing a batch, on random images.

    A step takes no time where the network maps every image to features once.
    """
    pixels, labels = _random(batch * (TIMED_STEPS + 1), side, classes)
    # the recipe's batch may be larger than the set, and would then take all these images in one step
    victim = victim.model_copy(update={"batch": batch})
    model = compute.to_device(victim.build(classes, 0))
    step = 0.0
    if not victim.frozen_features(chain.stages):
        frozen = freeze_all_but_head(model) if victim.trains == "head" else []
        training = Training(
            model, victim.recipe, victim.size, pixels, labels, classes, 0, compute, chain, frozen
        )
        ticks = [time.perf_counter()]
        for correct in training.steps(0):
            # waits for the device, so that the step is finished
            float(correct)
            ticks.append(time.perf_counter())
        # without the first step, which also allocates memory and chooses kernels. Not the median: on a
        # machine that others use, few steps take most of the time
        step = statistics.fmean(after - before for before, after in pairwise(ticks[1:]))

    def test() -> object:
        return predict(model, pixels[:batch], victim.size, compute)

    test()
    return step, _seconds(test)


def _changing(chain: Chain, sample: ImageSet, train: int, tested: int) -> float:
    """Return the seconds that the stage ``photo`` of a chain takes for all images of an arm."""
    changed = chain.on_photos(sample, 0)
    if changed is sample:
        return 0.0
    # a photo that the chain cannot be applied to is reported when the trial runs
    with contextlib.suppress(DataError):
        each = _seconds(lambda: [changed.photo(id) for id in sample.ids]) / len(sample)
        return each * (train + (tested if chain.test_time else 0))
    return 0.0


def _preparing(chain: Chain, side: int, train: int, tested: int, classes: int, compute: Compute) -> float:
    """Return the seconds that the stage ``prepare`` of a chain takes before a training."""
    if not any("prepare" in member.stages for member in chain.members):
        return 0.0
    pixels, labels = _random(min(train, TIMED_SQUARES), side, classes)
    rng = generator(0, "timing")
    prepared = _seconds(lambda: chain.prepare(pixels, labels, rng, compute))
    return prepared / len(pixels) * (train + (tested if chain.test_time else 0))


def _random(count: int, side: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = generator(0, "timing")
    pixels = torch.randint(0, 256, (count, 3, side, side), generator=rng, dtype=torch.uint8)
    return pixels, torch.randint(0, classes, (count,), generator=rng)


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
