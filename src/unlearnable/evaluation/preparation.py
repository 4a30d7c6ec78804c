"""A verification that is ready to run: its images, trials and seeds. ``measure`` trains and tests."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from unlearnable.errors import DataError
from unlearnable.evaluation import arms
from unlearnable.evaluation.comparison import Comparison, OnLearned, compare, ignored
from unlearnable.evaluation.enough import Outlook
from unlearnable.evaluation.measured import FOLDER, Measured
from unlearnable.evaluation.pairs import Pairs
from unlearnable.evaluation.result import Sample, Verification
from unlearnable.evaluation.schedule import Schedule
from unlearnable.evaluation.separability import separability
from unlearnable.evaluation.trial import Trial
from unlearnable.evaluation.visibility import Visibility, overall, visibility
from unlearnable.events import Event, OnProgress, silent
from unlearnable.runs import RunFolder
from unlearnable.training.compute import Compute
from unlearnable.words import counted

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
        run: The run folder, in which the finished trainings of a report card are saved; None to save none.
        report_card: Whether the trials are the rows of a report card.
        brief: Whether only the trials from scratch on the files as published take all seeds, and the others
            the first one.
        impossible: Name and 0.0 for each trial that cannot be measured here.
    """

    pairs: Pairs
    schedule: Schedule
    seeds: tuple[int, ...]
    compute: Compute
    outlook: Outlook
    run: Path | None = None
    report_card: bool = False
    brief: bool = False
    impossible: tuple[tuple[str, float], ...] = ()

    def measure(self, on_progress: OnProgress = silent, on_learned: OnLearned = ignored) -> Verification:
        """Train and test every scheduled trial, and return the results.

        Args:
            on_progress: Called after every epoch, and with the answer of a trial as a remark.
            on_learned: Called with every network that is trained, not with those of saved trainings.

        Raises:
            UsageError: If another process works in the run folder of a report card.
        """
        if self.run is None or not self.report_card:
            return self._measure(None, on_progress, on_learned)
        with RunFolder(self.run).open(on_progress):
            return self._measure(
                Measured(self.run / FOLDER, self.pairs, self.compute), on_progress, on_learned
            )

    def _measure(
        self, saved: Measured | None, on_progress: OnProgress, on_learned: OnLearned
    ) -> Verification:
        start = time.perf_counter()
        pairs = self.pairs
        comparisons, failed = list[Comparison](), list[tuple[str, float]]()
        for trial in self.schedule.trials:
            try:
                comparisons.append(self._compare(trial, saved, on_progress, on_learned))
            except DataError as error:
                # the other trials are worth a report, unless the images themselves cannot be used
                if not trial.chain:
                    raise
                failed.append((f"{trial.name}: {error.problem}", 0.0))
        ids = _spread(pairs.clean.ids, VISIBILITY_PAIRS)
        return Verification(
            comparisons=tuple(comparisons),
            unmeasured=(*failed, *self.impossible, *self.schedule.unmeasured),
            classes=pairs.clean.classes,
            context=pairs.context.classes if pairs.context else (),
            pairs=len(pairs.clean),
            unchanged=pairs.unchanged,
            pictured=pairs.pictured,
            near_duplicates=pairs.near_duplicates,
            unjudged=tuple(trial.name for trial in self.schedule.left_out if trial.decides),
            left_out=dict(pairs.left_out),
            tested_on=pairs.tested_on_words,
            visibility=_visibility(pairs, ids),
            sampled=len(ids),
            samples=tuple(_sample(pairs, id) for id in _shown_ids(pairs)),
            environment=self.compute.describe(),
            seconds=time.perf_counter() - start + (saved.seconds if saved else 0.0),
            report_card=self.report_card,
            separability=separability(pairs) if self.report_card else None,
        )

    def _compare(
        self, trial: Trial, saved: Measured | None, on_progress: OnProgress, on_learned: OnLearned
    ) -> Comparison:
        return compare(
            ARMS,
            partial(arms.arm, self.pairs, trial),
            trial,
            arms.classes(self.pairs, trial),
            seeds=seeds_of(trial, self.seeds, self.brief),
            judged=arms.judged(self.pairs, trial),
            compute=self.compute,
            on_progress=on_progress,
            saved=saved,
            on_learned=on_learned,
            on_seed=partial(self._report_answer, on_progress),
        )

    def _report_answer(self, on_progress: OnProgress, so_far: Comparison) -> None:
        """Send the answer of a trial as a remark, after its first seed and at its end."""
        seeds = len(seeds_of(so_far.trial, self.seeds, self.brief))
        done = len(so_far.arms[0].runs)
        if done in (1, seeds):
            after = f" after {done} of {counted(seeds, 'seed')}" if done < seeds else ""
            on_progress(Event(so_far.trial.name, text=f"{so_far.words}{after}"))


def seeds_of(trial: Trial, seeds: tuple[int, ...], brief: bool) -> tuple[int, ...]:
    """Return the seeds of a trial: all, or the first one if ``brief`` and it does not decide the verdict."""
    return seeds[:1] if brief and not trial.decides else seeds


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
