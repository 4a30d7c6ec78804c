"""Which networks are trained in which way, how long that takes, and what fits into the time there is."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from unlearnable import models
from unlearnable.errors import UsageError
from unlearnable.evaluation.treatments import TREATMENTS
from unlearnable.training.compute import Compute
from unlearnable.training.loop import predict, train_step
from unlearnable.training.randomness import generator, seeded
from unlearnable.training.recipe import Recipe
from unlearnable.training.transforms import Transform


@dataclass(frozen=True)
class Trial:
    """One way of learning from the images.

    Args:
        name: What people call it.
        target: The network, as ``models.create`` takes it.
        size: Side in pixels that the network sees.
        recipe: How it is trained.
    """

    name: str
    target: str
    size: int
    recipe: Recipe

    @property
    def words(self) -> str:
        """The recipe in words."""
        transform = self.recipe.transform
        crops = {
            "none": "no augmentation",
            "flip-crop": "shifts and flips",
            "photo": f"random resized crops of {transform.scale[0]:.0%} to {transform.scale[1]:.0%} of the area, flips",
        }[transform.name]
        colours = f", colour jitter {transform.jitter:g}" if transform.jitter else ""
        return f"{crops}{colours}, {self.size} px, {self.recipe.epochs} epochs"


@dataclass(frozen=True)
class Defaults:
    """What is tried unless the caller says otherwise. All of verify's settings are here.

    Args:
        family: The network of the surrogate's family.
        other: A network of another family.
        size: Side in pixels at which networks are trained.
        unseen_size: Side of the recipe that the search never saw.
        side: Side of the squares in memory, larger than ``size`` so that a crop magnifies what is in the
            photo.
        recipe: How to train; its epochs are set by the number of images.
        unseen: Transformations that the search never saw.
        images: Images that a training sees in all, which decides the number of epochs.
        epochs: Fewest and most epochs.
    """

    family: str = "resnet18:width=16,stem=half"
    other: str = "cnn:width=16"
    size: int = 64
    unseen_size: int = 48
    side: int = 96
    recipe: Recipe = field(
        default_factory=lambda: Recipe(
            batch=64, lr=0.1, schedule="onecycle", transform=Transform("photo", (0.35, 1.0))
        )
    )
    unseen: Transform = field(default_factory=lambda: Transform("photo", (0.08, 1.0), jitter=0.4))
    images: int = 22_500
    epochs: tuple[int, int] = (20, 80)


PHOTOS = Defaults()
SMALL = Defaults(
    family="resnet18:width=16,stem=cifar",
    size=32,
    unseen_size=28,
    side=32,
    recipe=Recipe(batch=128, lr=0.1, schedule="onecycle", transform=Transform("flip-crop")),
)
LARGEST_SMALL = 40  # pixels: digits, CIFAR
HELD_OUT = 0.25
TIME_LIMIT = 15 * 60.0
TIMED_STEPS = 5


def defaults(frame: tuple[int, int]) -> Defaults:
    """Return the settings for photos of a (height, width)."""
    return SMALL if max(frame) <= LARGEST_SMALL else PHOTOS


def trials(chosen: Defaults, count: int, targets: Sequence[str] = ()) -> tuple[Trial, ...]:
    """Return what is tried: every target with the usual recipe, and the first also with one that the search never saw.

    Args:
        chosen: The settings.
        count: Number of training images.
        targets: Networks; by default the surrogate's family and one other.
    """
    targets = tuple(targets) or (chosen.family, chosen.other)
    for target in targets:
        models.parse(target)
    fewest, most = chosen.epochs
    # a few dozen photos need several steps an epoch, or batch normalisation never catches up
    batch = min(chosen.recipe.batch, max(8, count // 6))
    usual = replace(chosen.recipe, batch=batch, epochs=min(most, max(fewest, round(chosen.images / count))))
    unseen = Trial("unseen recipe", targets[0], chosen.unseen_size, replace(usual, transform=chosen.unseen))
    named = [Trial(target.partition(":")[0], target, chosen.size, usual) for target in targets]
    if len({trial.name for trial in named}) < len(named):
        named = [replace(trial, name=trial.target) for trial in named]
    return (*named, unseen)


@dataclass(frozen=True)
class Job:
    """A trial and the arms it is run on, the clean one first."""

    trial: Trial
    arms: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What is run, and what is not.

    Args:
        jobs: What is run, in order.
        unmeasured: Name and estimated seconds of what would not fit into the time limit.
        seconds: Estimate for all jobs.
    """

    jobs: tuple[Job, ...]
    unmeasured: tuple[tuple[str, float], ...]
    seconds: float


def seconds_per_run(trial: Trial, train: int, tested: int, classes: int, compute: Compute) -> float:
    """Estimate the seconds of one training by timing a few of its steps on noise."""
    batch = min(trial.recipe.batch, train)
    with seeded(0, "timing"):
        model = compute.place(models.create(trial.target, classes))
    optimizer = trial.recipe.optimizer(model)
    rng = generator(0, "timing")
    pixels = torch.randint(0, 256, (batch, 3, trial.size, trial.size), generator=rng, dtype=torch.uint8)
    labels = torch.randint(0, classes, (batch,), generator=rng).to(compute.device)

    def step() -> float:
        start = time.perf_counter()
        draw = trial.recipe.transform.draw(batch, rng, compute)
        x = trial.recipe.transform(pixels.to(compute.device, compute.dtype) / 255, trial.size, draw)
        float(
            train_step(model, optimizer, x.contiguous(memory_format=torch.channels_last), labels, compute)[0]
        )
        return time.perf_counter() - start

    def test() -> float:
        start = time.perf_counter()
        predict(model, pixels.to(compute.device), trial.size, compute)
        return time.perf_counter() - start

    step(), test()  # the first ones allocate and choose kernels
    stepping = statistics.median(step() for _ in range(TIMED_STEPS))
    return trial.recipe.epochs * (train // batch * stepping + tested / batch * test())


def plan(
    tried: Sequence[Trial],
    seeds: int,
    train: int,
    tested: int,
    classes: int,
    compute: Compute,
    limit: float = TIME_LIMIT,
) -> Plan:
    """Decide what is run within a time limit.

    The first trial, clean against protected, always is. Then, as far as they fit: the other trials, and the
    first trial on the protected images after each of the ``TREATMENTS``.

    Args:
        tried: The trials, the most important first.
        seeds: Number of seeds.
        train: Training images of an arm.
        tested: Test images.
        classes: Number of classes.
        compute: Where.
        limit: Seconds for all of it.

    Raises:
        UsageError: If the limit is not positive.
    """
    if limit <= 0:
        raise UsageError(f"A time limit of {limit:g} s leaves no time.", "Give one like 15m.")
    once = [seconds_per_run(trial, train, tested, classes, compute) for trial in tried]
    spent = 2 * seeds * once[0]
    first, others = ["clean", "protected"], []
    unmeasured: list[tuple[str, float]] = []
    for trial, seconds in zip(tried[1:], once[1:], strict=True):
        if spent + 2 * seeds * seconds <= limit:
            spent += 2 * seeds * seconds
            others.append(Job(trial, ("clean", "protected")))
        else:
            unmeasured.append((f"{trial.name} ({trial.target}, {trial.words})", 2 * seeds * seconds))
    for name in TREATMENTS:
        if spent + seeds * once[0] <= limit:
            spent += seeds * once[0]
            first.append(name)
        else:
            unmeasured.append((f"protected photos after: {name}", seeds * once[0]))
    return Plan((Job(tried[0], tuple(first)), *others), tuple(unmeasured), spent)
