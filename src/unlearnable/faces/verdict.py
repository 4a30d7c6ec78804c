"""The verdict on protected faces: one part for each way of recognising people that was measured."""

from __future__ import annotations

from collections.abc import Sequence

from unlearnable.evaluation.comparison import ArmResult, Comparison
from unlearnable.evaluation.result import Verification
from unlearnable.faces.existing import Tried
from unlearnable.faces.galleries import Recognised
from unlearnable.faces.holding import Against, Outcome
from unlearnable.faces.telling_apart import StrangersTold

SCRATCH, COSFACE = "training from scratch", "training from scratch with CosFace"


def parts(
    measured: Verification,
    told: Sequence[StrangersTold],
    tried: Tried,
) -> list[Against]:
    """Return the parts of the verdict; each is decided where the protection is weakest.

    Args:
        measured: The networks that trained from scratch.
        told: Verification of strangers by these networks.
        tried: The recognisers that exist already. One that the search used is marked.
    """
    found = []
    for name, margin in ((SCRATCH, False), (COSFACE, True)):
        own = [pair for pair in measured.as_published if (pair[0].trial.victim.head == "cosface") == margin]
        if own:
            found.append(_scratch(name, own))
        named = {comparison.trial.name for comparison, _ in own}
        apart = [one for one in told if one.name in named]
        if apart:
            found.append(_apart(f"verification of strangers after {name}", apart))
    marks = {name: "; the noise was found with it" if name in tried.searched else "" for name in tried.frozen}
    found += [_frozen(name, rules, marks[name]) for name, rules in tried.frozen.items()]
    found += [
        Against(f"{name}, fine-tuned", one.verdict, f"{_figures(one)}{marks[name]}")
        for name, one in tried.tuned.items()
    ]
    return found


def _scratch(name: str, pairs: Sequence[tuple[Comparison, ArmResult]]) -> Against:
    comparison, arm = max(
        pairs,
        key=lambda pair: (
            pair[1].verdict != "cannot tell",
            pair[1].retained.value if pair[1].retained else 0,
        ),
    )
    clean = comparison.arms[0].peak.value
    figures = (
        f"{arm.peak.value:.1%} instead of {clean:.1%} at the best epoch, guessing {comparison.chance:.1%}"
    )
    return Against(name, arm.verdict or "cannot tell", figures)


def _apart(name: str, told: Sequence[StrangersTold]) -> Against:
    worst = max(told, key=lambda one: (one.verdict != "cannot tell", one.retained.value))
    figures = f"AUC {worst.protected.auc:.3f} instead of {worst.clean.auc:.3f}, floor {worst.floor:.3f}"
    return Against(name, worst.verdict, figures)


def _frozen(name: str, rules: Sequence[Recognised], mark: str) -> Against:
    worst = max(rules, key=lambda one: (one.verdict != "cannot tell", one.retained.value))
    return Against(name, worst.verdict, f"{worst.rule} {_figures(worst)}{mark}")


def _figures(one: Outcome) -> str:
    return f"{one.protected.value:.1%} instead of {one.clean.value:.1%}"
