"""The condition of each verdict in words: the trainings that files are protected against, or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from unlearnable.countermeasures.base import Countermeasure
from unlearnable.evaluation.statistics import Interval
from unlearnable.evaluation.trial import Trial
from unlearnable.evaluation.verdict import Verdict

FROM_SCRATCH = "training from scratch on the files as published"
PRETRAINED = "fine-tuning a pretrained network"
# conditions that a sentence lists; the table has all of them
LISTED = 4

CHANGES: dict[str, Callable[[Any], str]] = {
    "grey": lambda one: "turned grey",
    "jpeg": lambda one: f"compressed as JPEG of quality {one.quality}",
    "blur": lambda one: "blurred",
    "shrink": lambda one: "shrunk to half their size" if one.factor == 2 else f"shrunk by {one.factor:g}",
    "bitdepth": lambda one: f"reduced to {one.bits} bits a channel",
    "project": lambda one: "put through a linear projection",
}
TRAININGS: dict[str, Callable[[Any], str]] = {
    "adversarial": lambda one: f"if networks train adversarially with {one.epsilon:g} levels",
    "randaugment": lambda one: "under RandAugment",
    "ueraser": lambda one: "under UEraser",
    "cutout": lambda one: "under Cutout",
    "mixup": lambda one: "under Mixup",
    "cutmix": lambda one: "under CutMix",
}


@dataclass(frozen=True)
class Finding:
    """The verdict on one trial.

    Args:
        trial: The trial.
        verdict: Its verdict.
        retained: Retained share: the part of the gain over guessing that is still learned.
    """

    trial: Trial
    verdict: Verdict
    retained: Interval


def condition(trial: Trial) -> str:
    """Return the condition of a trial as the end of a sentence, such as ``if they are turned grey``."""
    if trial.as_published:
        return f"against {_pretrained(trial) if trial.pretrained else FROM_SCRATCH}"
    parts = [_chain(trial.chain.members)] if trial.chain else []
    if trial.labels:
        parts.append(f"under other labels ({trial.about})")
    if trial.share < 1:
        parts.append(f"if {1 - trial.share:.0%} of the training files are clean")
    return " and ".join(parts)


def _pretrained(trial: Trial) -> str:
    return {
        "all": PRETRAINED,
        "head": "a linear classifier on the features of a pretrained network",
    }.get(trial.victim.trains, "the nearest neighbour in the features of a pretrained network")


def _chain(members: Sequence[Countermeasure]) -> str:
    if all(member.name in CHANGES for member in members):
        return f"if they are {' and '.join(CHANGES[member.name](member) for member in members)}"
    if len(members) == 1 and members[0].name in TRAININGS:
        return TRAININGS[members[0].name](members[0])
    return f"under {'+'.join(member.spec for member in members)}"


def headline(base: Verdict, findings: Sequence[Finding], unmeasured: Sequence[str] = ()) -> str:
    """Return the verdict with its conditions, in one line.

    Such as ``protected against training from scratch on the files as published; not protected if they are
    turned grey``.

    Args:
        base: The verdict on networks that train from scratch on the files as published.
        findings: The verdict on every trial.
        unmeasured: Names of the trials that were not measured.
    """
    parts = [f"{base} {'for' if base == 'cannot tell' else 'against'} {FROM_SCRATCH}"]
    others = [one for one in findings if not (one.trial.as_published and not one.trial.pretrained)]
    # if nothing is protected, nothing can undo it
    if base in ("protected", "weakened"):
        broken = [condition(one.trial) for one in others if one.verdict == "not protected"]
        if broken:
            parts.append(f"not protected {_listed(broken)}")
    if base == "protected":
        # the largest share first, because a weakened protection may be almost none
        weaker = sorted(
            (one for one in others if one.verdict == "weakened"), key=lambda one: -one.retained.value
        )
        if weaker:
            shown = [f"{condition(one.trial)} ({one.retained.value:.0%} retained)" for one in weaker]
            parts.append(f"weakened {_listed(shown)}")
    if unmeasured:
        rest = len(unmeasured) - LISTED
        more = f", and {rest} more" if rest > 0 else ""
        parts.append(f"not measured: {', '.join(unmeasured[:LISTED])}{more}")
    return "; ".join(parts)


def as_it_is(base: Verdict, findings: Sequence[Finding]) -> str:
    """Return the verdict on the files as they are, pretrained networks included, in one sentence.

    Args:
        base: The verdict on networks that train from scratch.
        findings: The verdict on every trial.
    """
    tuned = [one for one in findings if one.trial.as_published and one.trial.pretrained]
    verdicts = {one.verdict for one in tuned} - {"cannot tell"}
    if base == "not protected":
        return "As it is: no measurable protection."
    if "not protected" in verdicts:
        worst = [_pretrained(one.trial) for one in tuned if one.verdict == "not protected"]
        return f"As it is: no measurable protection against {_joined(worst)}."
    if not verdicts:
        return f"As it is: {base} {'for' if base == 'cannot tell' else 'against'} training from scratch only."
    if base == "cannot tell":
        return "As it is: cannot tell."
    word = "weakened" if "weakened" in {base, *verdicts} else "protected"
    return f"As it is: {word}, also against networks that start from pretrained weights."


def _listed(conditions: Sequence[str]) -> str:
    rest = len(conditions) - LISTED
    if rest > 1:
        return f"{', '.join(conditions[:LISTED])}, or in {rest} other rows"
    return _joined(conditions)


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"
