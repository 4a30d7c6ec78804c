"""Which victims train in which way, how long that takes, and what fits into the time there is."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import torch

from unlearnable import countermeasures, models
from unlearnable.countermeasures import Chain
from unlearnable.data.image_set import ImageSet, is_small
from unlearnable.errors import UsageError
from unlearnable.training.compute import Compute
from unlearnable.training.loop import Training, predict
from unlearnable.training.randomness import generator
from unlearnable.training.victim import Victim

HELD_OUT = 0.25
TIME_LIMIT = 15 * 60.0
TIMED_STEPS = 5
TIMED_PHOTOS = 8
TIMED_SQUARES = 256
COUNTERMEASURES = ("jpeg:75", "shrink:2", "grey")


@dataclass(frozen=True)
class Trial:
    """A victim that trains on the images, with or without countermeasures.

    Args:
        name: What people call it.
        victim: Network and recipe.
        chain: What the trainer does against the noise; empty for images as published.
    """

    name: str
    victim: Victim
    chain: Chain = field(default_factory=Chain)

    @property
    def words(self) -> str:
        """The victim and the chain in words."""
        after = f"after {self.chain.spec}, " if self.chain else ""
        return f"{self.victim.model}, {after}{self.victim.words}"


@dataclass(frozen=True)
class Defaults:
    """Everything that ``verify`` tries unless the caller says otherwise.

    Args:
        victim: The network of the surrogate's family and the usual recipe; the number of images sets its
            epochs.
        unseen: Fields of a recipe that the search never saw.
        other: A network of another family.
        side: Side of the squares in memory, larger than the victim's size so that a crop magnifies what is in
            the photo.
        images: Images that a training sees in all, which decides the number of epochs.
        epochs: Fewest and most epochs.
    """

    victim: Victim
    unseen: Mapping[str, object]
    other: str = "cnn:width=16"
    side: int = 96
    images: int = 22_500
    epochs: tuple[int, int] = (20, 80)


UNSEEN = {"transform": "photo", "crop_min": 0.08, "jitter": 0.4}
PHOTOS = Defaults(
    Victim(model="resnet18:width=16,stem=half", size=64, batch=64, schedule="onecycle", transform="photo"),
    unseen={**UNSEEN, "size": 48},
)
SMALL = Defaults(
    Victim(model="resnet18:width=16,stem=cifar", size=32, batch=128, schedule="onecycle"),
    unseen={**UNSEEN, "size": 28},
    side=32,
)


def defaults(frame: tuple[int, int]) -> Defaults:
    """Return the settings for photos of a (height, width)."""
    return SMALL if is_small(frame) else PHOTOS


def trials(
    chosen: Defaults, count: int, targets: Sequence[str] = (), specs: Sequence[str] = COUNTERMEASURES
) -> tuple[Trial, ...]:
    """Return what is tried, the most important first.

    Every target trains with the usual recipe; the first also with one that the search never saw, and with
    each countermeasure.

    Args:
        chosen: The settings.
        count: Number of training images.
        targets: Networks; by default the surrogate's family and one other.
        specs: Chains of countermeasures.

    Raises:
        UsageError: If a network or a countermeasure is unknown.
    """
    targets = tuple(targets) or (chosen.victim.model, chosen.other)
    for target in targets:
        models.parse(target)
    fewest, most = chosen.epochs
    usual = {
        # a few dozen photos need several steps an epoch, or batch normalisation never catches up
        "batch": min(chosen.victim.batch, max(8, count // 6)),
        "epochs": min(most, max(fewest, round(chosen.images / count))),
    }
    victims = [chosen.victim.model_copy(update={**usual, "model": target}) for target in targets]
    short = [target.partition(":")[0] for target in targets]
    names = short if len(set(short)) == len(short) else list(targets)
    chains = {chain.spec: chain for spec in specs if (chain := countermeasures.create(spec))}
    return (
        *(Trial(name, victim) for name, victim in zip(names, victims, strict=True)),
        Trial("unseen recipe", victims[0].model_copy(update=chosen.unseen)),
        *(Trial(spec, victims[0], chain) for spec, chain in chains.items()),
    )


@dataclass(frozen=True)
class Schedule:
    """The trials that run, and those that do not.

    Args:
        trials: Trials that run, in order.
        unmeasured: Name and estimated seconds of trials that do not fit into the time limit.
        seconds: Estimate for all trials that run.
    """

    trials: tuple[Trial, ...]
    unmeasured: tuple[tuple[str, float], ...]
    seconds: float


def estimate(
    tried: Sequence[Trial], images: ImageSet, train: int, tested: int, classes: int, compute: Compute
) -> list[float]:
    """Estimate the seconds of one training of each trial, countermeasures included, by timing parts of it.

    Args:
        tried: The trials.
        images: The photos, of which a few go through the stage at their own size.
        train: Number of training images.
        tested: Number of test images.
        classes: Number of classes.
        compute: Where.
    """
    some = images.subset(images.ids[:: max(1, len(images) // TIMED_PHOTOS)][:TIMED_PHOTOS])
    known: dict[tuple[Victim, Chain], tuple[float, float]] = {}
    found = []
    for trial in tried:
        victim, chain = trial.victim, trial.chain
        batch = min(victim.batch, train)
        # trials that differ only in what happens before the training take the same steps
        steps = (victim, Chain(tuple(one for one in chain.members if {"batch", "step"} & {*one.stages})))
        if steps not in known:
            known[steps] = _timed(*steps, batch, classes, compute)
        step, test = known[steps]
        training = victim.epochs * (train // batch * step + tested / batch * test)
        found.append(training + _preparing(chain, victim, some, train, tested, classes, compute))
    return found


def _timed(victim: Victim, chain: Chain, batch: int, classes: int, compute: Compute) -> tuple[float, float]:
    """Return the seconds of a training step and of testing a batch, on random images."""
    pixels, labels = _random(batch * (TIMED_STEPS + 1), victim.size, classes)
    model = compute.place(victim.build(classes, 0))
    training = Training(model, victim.recipe, victim.size, pixels, labels, classes, 0, compute, chain)
    ticks = [time.perf_counter()]
    for correct in training.steps(0):
        float(correct)  # waits for the device
        ticks.append(time.perf_counter())
    # the first step also allocates and chooses kernels
    step = statistics.median(after - before for before, after in pairwise(ticks[1:]))

    def test() -> object:
        return predict(model, pixels[:batch], victim.size, compute)

    test()
    return step, _seconds(test)


def _preparing(
    chain: Chain, victim: Victim, some: ImageSet, train: int, tested: int, classes: int, compute: Compute
) -> float:
    """Return the seconds of what a chain does before a training."""
    if not chain:
        return 0.0
    everything = train + (tested if chain.test_time else 0)
    changed, seconds = chain.on_photos(some, 0), 0.0
    if changed is not some:
        seconds += _seconds(lambda: [changed.photo(id) for id in some.ids]) / len(some) * everything
    if any("prepare" in member.stages for member in chain.members):
        pixels, labels = _random(min(train, TIMED_SQUARES), victim.size, classes)
        rng = generator(0, "timing")
        prepared = _seconds(lambda: chain.prepare(pixels, labels, rng, compute))
        seconds += prepared / len(pixels) * everything
    return seconds


def _random(count: int, side: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = generator(0, "timing")
    pixels = torch.randint(0, 256, (count, 3, side, side), generator=rng, dtype=torch.uint8)
    return pixels, torch.randint(0, classes, (count,), generator=rng)


def schedule(tried: Sequence[Trial], seconds: Sequence[float], limit: float = TIME_LIMIT) -> Schedule:
    """Decide which trials run within a time limit. The first always does; the others as far as they fit.

    Args:
        tried: The trials, the most important first.
        seconds: Estimate for each of them, all seeds and both arms.
        limit: Seconds for all of it.

    Raises:
        UsageError: If the limit is not positive.
    """
    if limit <= 0:
        raise UsageError(f"The time limit is {limit:g} s, which leaves no time.", "Give one like 15m.")
    chosen, unmeasured, spent = [tried[0]], list[tuple[str, float]](), seconds[0]
    for trial, needed in zip(tried[1:], seconds[1:], strict=True):
        if spent + needed <= limit:
            spent += needed
            chosen.append(trial)
        else:
            unmeasured.append((f"{trial.name} ({trial.words})", needed))
    return Schedule(tuple(chosen), tuple(unmeasured), spent)


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started
