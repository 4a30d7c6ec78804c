"""The schedule of a verification: trials, their estimated time, and those that fit into the time limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unlearnable import countermeasures, duration, models
from unlearnable.data.image_set import is_small
from unlearnable.errors import UnlearnableError, UsageError
from unlearnable.evaluation.trial import Trial as Trial
from unlearnable.training.victim import Victim

HELD_OUT = 0.25
TIME_LIMIT = 15 * 60.0
COSFACE = "CosFace"
# those known to undo the noise come first
COUNTERMEASURES = ("grey", "jpeg:30", "project", "shrink:2")


@dataclass(frozen=True)
class Defaults:
    """Default networks and recipes of ``verify``.

    Args:
        victim: A network of the surrogate's family with the usual recipe. Its epochs and its batch depend on
            the number of training images.
        unseen: Fields of a recipe that the search for noise does not use.
        other: A network of another family.
        side: Side of the squares in pixels; larger than the victim's size, so that a crop shows more detail.
        images: Images that a training sees in total, over all epochs.
        epochs: Smallest and largest number of epochs.
        steps: Smallest number of steps an epoch: small sets get smaller batches.
    """

    victim: Victim
    unseen: Mapping[str, object]
    other: str = "cnn:width=16"
    side: int = 96
    images: int = 22_500
    epochs: tuple[int, int] = (20, 80)
    steps: int = 6


UNSEEN = {"transform": "photo", "crop_min": 0.08, "jitter": 0.4}
PHOTOS = Defaults(
    Victim(model="resnet18:width=16,stem=half", size=64, batch=64, schedule="onecycle", transform="photo"),
    unseen={**UNSEEN, "size": 48},
)
# A crop of 8% of such an image has 9 px; with it, clean images taught two thirds of what they usually teach.
# In single trials on 900 images, 14 steps an epoch taught the clean arm more in the same time than 7 or 28.
# These networks take a seventh and a third of the time of a ResNet that does not halve the image first.
SMALL = Defaults(
    Victim(model="cnn:width=16", size=32, batch=128, schedule="onecycle"),
    unseen={**UNSEEN, "size": 28, "crop_min": 0.25},
    other="resnet18:width=16,stem=half",
    side=32,
    images=7_500,
    epochs=(10, 80),
    steps=14,
)


def defaults(frame: tuple[int, int]) -> Defaults:
    """Return the defaults for photos of a median (height, width) in pixels."""
    return SMALL if is_small(frame) else PHOTOS


def trials(
    chosen: Defaults,
    count: int,
    targets: Sequence[str] = (),
    specs: Sequence[str] = COUNTERMEASURES,
    pretrained: Sequence[Trial] = (),
    cosface: bool = False,
) -> tuple[Trial, ...]:
    """Return the trials of ``verify``, the most important first.

    The first target trains with the usual recipe on the files as published. Then come the victims with
    pretrained weights, the first target under each chain, the other targets, and the first target with a
    recipe that the search for noise does not use.

    Args:
        chosen: The defaults.
        count: Number of training images.
        targets: Networks; by default one of the surrogate's family and one other.
        specs: Chains of countermeasures.
        pretrained: Trials of victims that start from pretrained weights; see ``from_pretrained``.
        cosface: Whether the second trial is the first target with the head of face recognisers.

    Raises:
        UsageError: If a network or a countermeasure is unknown.
    """
    check(targets, specs)
    targets = tuple(targets) or (chosen.victim.model, chosen.other)
    victims = [usual(chosen, count, target) for target in targets]
    short = [target.partition(":")[0] for target in targets]
    names = short if len(set(short)) == len(short) else list(targets)
    chains = {chain.spec: chain for spec in specs if (chain := countermeasures.create(spec))}
    first, *others = (Trial(name, victim) for name, victim in zip(names, victims, strict=True))
    margin = victims[0].model_copy(update={"head": "cosface"})
    return (
        first,
        *((Trial(COSFACE, margin),) if cosface else ()),
        *pretrained,
        *(Trial(spec, victims[0], chain) for spec, chain in chains.items()),
        *others,
        Trial("unseen recipe", victims[0].model_copy(update=chosen.unseen)),
    )


def usual(chosen: Defaults, count: int, model: str = "") -> Victim:
    """Return a network with the usual recipe for a number of training images.

    Args:
        chosen: The defaults.
        count: Number of training images.
        model: The network; empty for the default one.
    """
    fewest, most = chosen.epochs
    recipe = {
        "model": model or chosen.victim.model,
        # small sets need several steps an epoch, or the running statistics of batch normalisation lag behind
        "batch": min(chosen.victim.batch, max(8, count // chosen.steps)),
        "epochs": min(most, max(fewest, round(chosen.images / count))),
    }
    return chosen.victim.model_copy(update=recipe)


def from_pretrained(model: str = "", weights: str = "", surrogates: Sequence[str] = ()) -> tuple[Trial, ...]:
    """Return a trial for each recipe that starts from pretrained weights.

    Args:
        model: The network; empty for the first one whose published weights are at hand. Without any, there
            are no trials.
        weights: ``pretrained`` for the published weights, or the path of a file; empty for ``pretrained``.
        surrogates: Networks that the noise was found against. Another one is preferred to them, because they
            are misled most.

    Raises:
        DataError: If the weights are missing.
        UsageError: If the network is unknown, or has no published weights.
    """
    from unlearnable.models.pretrained import at_hand
    from unlearnable.training.finetuning import recipes

    model = model or min(at_hand(), key=lambda name: name in surrogates, default="")
    if not model:
        return ()
    found = tuple(Trial(name, victim) for name, victim in recipes(model, weights or "pretrained").items())
    for trial in found:
        # raises now, before an image is read
        trial.victim.start_file  # noqa: B018
    return found


def check(targets: Sequence[str], specs: Sequence[str], limit: float = TIME_LIMIT) -> None:
    """Refuse a request that cannot be measured, before any image is read.

    Args:
        targets: Networks.
        specs: Chains of countermeasures.
        limit: Time limit in seconds.

    Raises:
        UsageError: If a network or a countermeasure is unknown or has impossible settings, or the limit is
            not positive.
    """
    for target in targets:
        models.parse(target)
        try:
            Victim(model=target).build(2, 0)
        except UnlearnableError:
            raise
        # a layer refuses its settings with any error
        except Exception as error:
            raise UsageError(
                f"The network {target!r} cannot be built ({error}).", "Give --target other settings."
            ) from error
    for spec in specs:
        countermeasures.create(spec)
    if limit <= 0:
        raise UsageError(
            f"The time limit is {limit:g} s, but must be positive.", "Give --time-limit 15m, for example."
        )


@dataclass(frozen=True)
class Schedule:
    """The trials that fit into the time limit, and the others.

    Args:
        trials: Trials to run, in order.
        unmeasured: Name and estimated seconds of the trials that do not fit.
        seconds: Estimated seconds of all trials to run.
        first: Estimated seconds of the first trial, which runs even if it does not fit.
        limit: The time limit in seconds.
        left_out: The trials that do not fit.
        done: Number of the trials whose trainings are all saved from an earlier call.
        answer: Estimated seconds until the first seed of the first trial gives an answer; 0 if it is saved.
    """

    trials: tuple[Trial, ...]
    unmeasured: tuple[tuple[str, float], ...]
    seconds: float
    first: float
    limit: float
    left_out: tuple[Trial, ...] = ()
    done: int = 0
    answer: float = 0.0

    @property
    def needed(self) -> float:
        """Estimated seconds of all trials, those that do not fit included."""
        return self.seconds + sum(seconds for _, seconds in self.unmeasured)

    @property
    def words(self) -> str:
        """The time that the trials take, and those that do not fit, in sentences for people."""
        limit, total = duration.words(self.limit), len(self.trials) + len(self.unmeasured)
        rest = (
            f"{self.done} of {total} trials are measured already; the others" if self.done else "The trials"
        )
        soon = ""
        if 0 < self.answer < self.seconds:
            soon = f"; the first answer comes after about {duration.words(self.answer)}"
        said = [f"{rest} take about {duration.words(self.seconds)}{soon}."]
        if self.done == total:
            said = [f"All {total} trials are measured already."]
        if self.first > self.limit:
            needed = f"the first trial needs about {duration.words(self.first)}{soon}"
            said = [f"The time limit is {limit}, but {needed}; it runs anyway."]
        if self.unmeasured:
            names = ", ".join(name.partition(" (")[0] for name, _ in self.unmeasured)
            said += [
                f"All {total - self.done} {'others' if self.done else 'trials'} need about "
                f"{duration.words(self.needed)}. "
                f"Not measured within {limit}: {names}."
            ]
        return " ".join(said)


def schedule(
    tried: Sequence[Trial], seconds: Sequence[float], limit: float = TIME_LIMIT, answer: float = 0.0
) -> Schedule:
    """Return the trials that fit into a time limit. The first always runs, the others if they fit.

    Args:
        tried: The trials, the most important first.
        seconds: Estimated seconds of each trial, for all seeds and both arms.
        limit: Time limit for all trials, in seconds.
        answer: Estimated seconds of the first seed of the first trial.

    Raises:
        UsageError: If the limit is not positive.
    """
    check((), (), limit)
    chosen, unmeasured, spent = [tried[0]], list[tuple[str, float]](), seconds[0]
    for trial, needed in zip(tried[1:], seconds[1:], strict=True):
        if spent + needed <= limit:
            spent += needed
            chosen.append(trial)
        else:
            unmeasured.append((f"{trial.name} ({trial.words})", needed))
    left_out = tuple(trial for trial in tried if trial not in chosen)
    done = sum(needed == 0 for needed in seconds)
    return Schedule(tuple(chosen), tuple(unmeasured), spent, seconds[0], limit, left_out, done, answer)
