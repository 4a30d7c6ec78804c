"""Recognisers, strangers and the verdict of ``faces verify``, in lines for people and entries of the JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from unlearnable.evaluation.result import Verification
from unlearnable.faces.afresh import Arrival, Pairs
from unlearnable.faces.existing import Tried
from unlearnable.faces.holding import Outcome
from unlearnable.faces.telling_apart import Examiner, StrangersTold
from unlearnable.faces.verdict import parts
from unlearnable.report.parts import Part, RecognitionRecord
from unlearnable.words import counted


@dataclass(frozen=True)
class Told:
    """Everything that ``faces verify`` says about faces.

    Args:
        found: The photos and their faces.
        measured: The networks that trained from scratch.
        tried: Recognisers that exist already.
        examiner: Verification of strangers, or None.
    """

    found: Pairs
    measured: Verification
    tried: Tried
    examiner: Examiner | None

    @cached_property
    def strangers(self) -> list[StrangersTold]:
        """The figures on strangers, one for each network."""
        return self.examiner.results() if self.examiner else []

    @cached_property
    def record(self) -> RecognitionRecord:
        """The verdict and the lines, for the report."""
        found = parts(self.measured, self.strangers, self.tried)
        verdict = [Part(name=one.name, verdict=one.verdict, text=one.words) for one in found]
        return RecognitionRecord(parts=verdict, lines=self.lines)

    @cached_property
    def lines(self) -> list[str]:
        """The figures in sentences."""
        lines = arrival_lines(self.found.arrival)
        for name, rules in self.tried.frozen.items():
            lines += [
                f"{name}, {one.rule}: balanced accuracy {one.clean.value:.1%} with a clean gallery, "
                f"{one.protected.value:.1%} with a protected gallery."
                for one in rules
            ]
        lines += [
            f"{name}, fine-tuned: balanced accuracy {one.clean.value:.1%} after clean photos, "
            f"{one.protected.value:.1%} after protected photos (last epoch)."
            for name, one in self.tried.tuned.items()
        ]
        return lines + [line for one in self.strangers for line in _stranger_lines(one)]

    @property
    def entries(self) -> dict[str, Any]:
        """Entries of the JSON."""
        arrival = self.found.arrival
        entries = {
            "faces": arrival.faces,
            "lost": list(arrival.lost),
            "landmark_shift": arrival.shift,
            "noise_correlation": None if math.isnan(arrival.correlation) else arrival.correlation,
            "unpaired": dict(self.found.left_out),
            "recognisers": {
                name: [{"rule": one.rule, **_figures(one)} for one in rules]
                for name, rules in self.tried.frozen.items()
            },
            "fine_tuned": {name: _figures(one) for name, one in self.tried.tuned.items()},
        }
        if self.examiner is None:
            return entries
        strangers = self.examiner.strangers
        told = {
            "people": strangers.people,
            "left_out": dict(strangers.left_out),
            "missing_pairs": strangers.missing,
            "networks": [asdict(one) | {"floor": one.floor} for one in self.strangers],
        }
        return {**entries, "strangers": told}


def _figures(one: Outcome) -> dict[str, Any]:
    return {
        "clean": one.clean.value,
        "protected": one.protected.value,
        "retained": asdict(one.retained),
        "verdict": one.verdict,
    }


def arrival_lines(arrival: Arrival) -> list[str]:
    """Return what detection on the published copies finds, in lines for people."""
    found = f"{counted(arrival.faces, 'face')} in the photos. Detection on the published copies "
    found += f"misses {counted(len(arrival.lost), 'photo')}." if arrival.lost else "finds them all again."
    moved = f"Landmarks move by a median of {arrival.shift:.1f} pixels (crop of 112)."
    if math.isnan(arrival.correlation):
        return [found, f"{moved} The copies equal the photos, so there is no noise to follow."]
    return [
        found,
        f"{moved} In the trainer's crops, the change has a median correlation of {arrival.correlation:.2f} "
        "with the noise that was added.",
    ]


def _stranger_lines(one: StrangersTold) -> list[str]:
    pairs = f"{one.people} strangers, {one.same} pairs of one person and {one.different} of two"
    lines = [
        f"{pairs}, told apart by {one.name}: AUC {one.clean.auc:.3f} after clean photos, "
        f"{one.protected.auc:.3f} after protected ones; floor {one.floor:.3f} (pixels {one.pixels.auc:.3f}, "
        f"untrained network {one.untrained.auc:.3f}).",
        f"{one.name}, share of true matches (TAR) at {one.rate:.2%} false ones (FAR), which these pairs "
        f"support: {one.clean.matched:.1%} after clean photos, {one.protected.matched:.1%} after protected "
        f"ones; pixels {one.pixels.matched:.1%}, untrained network {one.untrained.matched:.1%}.",
    ]
    if one.clean.folds is not None and one.protected.folds is not None and one.pixels.folds is not None:
        lines.append(
            f"Accuracy over the folds of the file: {one.clean.folds:.1%} after clean photos, "
            f"{one.protected.folds:.1%} after protected ones, pixels {one.pixels.folds:.1%}."
        )
    return lines
