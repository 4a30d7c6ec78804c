"""Clean against protected: what does a network learn from each?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError, UsageError
from unlearnable.evaluation.comparison import ArmResult, Comparison, compare
from unlearnable.evaluation.material import SAMPLED, Images, Material, gather, sample
from unlearnable.evaluation.trials import TIME_LIMIT, Plan, plan, trials
from unlearnable.evaluation.verdict import Goal, Verdict
from unlearnable.evaluation.visibility import Visibility, overall, visibility
from unlearnable.events import OnProgress, silent
from unlearnable.runs import default_run
from unlearnable.training.compute import Compute

PICTURES = 6


@dataclass(frozen=True)
class Sample:
    """A pair to look at."""

    id: str
    class_name: str
    clean: Photo
    protected: Photo


@dataclass(frozen=True)
class Verification:
    """The result of ``verify``.

    Args:
        comparisons: Every trial that was run, the most important first.
        unmeasured: Name and estimated seconds of what was not.
        classes: Names of the protected classes, in the order of every arm's ``recall``.
        context: Names of the classes that are clean in both arms.
        pairs: Number of pairs.
        unchanged: Pairs in which nothing changed.
        left_out: Ids that take no part, with the reason.
        tested_on: Where the test images come from, in words.
        visibility: Over a sample of pairs; None where sizes differ, so that they cannot be compared.
        sampled: Size of that sample.
        samples: A few pairs to look at.
        environment: Device and versions.
        seconds: How long it took.
    """

    comparisons: tuple[Comparison, ...]
    unmeasured: tuple[tuple[str, float], ...]
    classes: tuple[str, ...]
    context: tuple[str, ...]
    pairs: int
    unchanged: int
    left_out: dict[str, str]
    tested_on: str
    visibility: Visibility | None
    sampled: int
    samples: tuple[Sample, ...]
    environment: dict[str, Any]
    seconds: float

    @property
    def headline(self) -> tuple[Comparison, ArmResult]:
        """The published images where they protect least: of all trials that can tell, the one in which most was kept.

        Where none can tell, the first trial.
        """
        published = [(comparison, comparison.arm("protected")) for comparison in self.comparisons]
        telling = [(comparison, arm) for comparison, arm in published if arm.verdict != "cannot tell"]
        return (
            max(telling, key=lambda pair: pair[1].kept.value if pair[1].kept else 0.0)
            if telling
            else published[0]
        )

    @property
    def verdict(self) -> Verdict:
        """The verdict of the headline."""
        verdict = self.headline[1].verdict
        assert verdict is not None
        return verdict

    def meets(self, goal: Goal) -> bool:
        """Return whether every trial that can tell reaches a goal on the published images, and the first one can tell."""
        if self.comparisons[0].arm("protected").verdict == "cannot tell":
            return False
        arms = [(comparison.chance, comparison.arm("protected")) for comparison in self.comparisons]
        return all(
            goal.met(arm.peak, arm.kept, chance)
            for chance, arm in arms
            if arm.kept and arm.verdict != "cannot tell"
        )


@dataclass(frozen=True)
class Preparation:
    """A verification that is ready to run: images read and paired, trials planned, time estimated."""

    material: Material
    plan: Plan
    seeds: tuple[int, ...]
    compute: Compute

    def measure(self, on_progress: OnProgress = silent) -> Verification:
        """Train and test everything that is planned."""
        start = time.perf_counter()
        material = self.material
        comparisons = tuple(
            compare(
                job.arms,
                material.arm,
                job.trial,
                len(material.classes),
                seeds=self.seeds,
                judged=material.judged,
                compute=self.compute,
                on_progress=on_progress,
            )
            for job in self.plan.jobs
        )
        ids = sample(material.clean.ids, SAMPLED)
        held = material.test is None
        return Verification(
            comparisons=comparisons,
            unmeasured=self.plan.unmeasured,
            classes=material.clean.classes,
            context=material.context.classes if material.context else (),
            pairs=len(material.clean),
            unchanged=material.unchanged,
            left_out=dict(material.left_out),
            tested_on="photos held out of both trainings, other ones for each seed"
            if held
            else "a separate folder of clean photos",
            visibility=_visibility(material, ids),
            sampled=len(ids),
            samples=tuple(_sample(material, id) for id in _to_show(material)),
            environment=self.compute.describe(),
            seconds=time.perf_counter() - start,
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
    time_limit: float = TIME_LIMIT,
    compute: Compute | None = None,
) -> Preparation:
    """Read and pair the images and plan the trials; the arguments are those of ``verify``."""
    if not seeds:
        raise UsageError("There is no seed to measure with.", "Give at least one.")
    compute = compute or Compute.choose()
    if run is None and not isinstance(photos, ImageSet) and not isinstance(protected, ImageSet):
        run = default_run(Path(photos), Path(protected))
    material = gather(photos, protected, test, context, None if run is None else Path(run))
    out = int(material.held_out(seeds[0]).sum())
    train = len(material.clean) - out + (len(material.context) if material.context else 0)
    tested = out if material.test is None else len(material.test)
    tried = trials(material.settings, train, targets)
    planned = plan(tried, len(seeds), train, tested, len(material.classes), compute, time_limit)
    return Preparation(material, planned, tuple(seeds), compute)


def verify(
    photos: Images,
    protected: Images,
    *,
    test: Images | None = None,
    context: Images | None = None,
    run: str | Path | None = None,
    seeds: Sequence[int] = (0, 1, 2),
    targets: Sequence[str] = (),
    time_limit: float = TIME_LIMIT,
    compute: Compute | None = None,
    on_progress: OnProgress = silent,
) -> Verification:
    """Measure what a network learns from photos and from their protected images, tested on clean images it has not seen.

    Args:
        photos: The photos: a folder with one sub-folder per class, or an ImageSet.
        protected: The protected images, likewise; files are read from the disk as anybody would.
        test: Clean test images of the same classes; else a quarter of the photos is held out of both
            trainings.
        context: Other classes, clean in both trainings, to tell the photos from.
        run: The run folder that ``protect`` left, whose list of files decides what belongs together; for two
            folders, the default one if it is there.
        seeds: Each changes split, initialisation and order.
        targets: Networks, as ``models.create`` takes them.
        time_limit: Seconds; what does not fit is listed as not measured. Clean against protected is always
            measured.
        compute: Where; chosen by default.
        on_progress: Hears of every epoch.

    Raises:
        DataError: If nothing pairs, or there are too few classes or photos to measure anything.

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
        time_limit=time_limit,
        compute=compute,
    )
    return prepared.measure(on_progress)


def _visibility(material: Material, ids: tuple[str, ...]) -> Visibility | None:
    try:
        return overall([visibility(material.clean.photo(id), material.protected.photo(id)) for id in ids])
    except DataError:
        return None


def _to_show(material: Material) -> list[str]:
    """Choose ids to look at: one per class as far as they go round, of images that did change."""
    moved = (material.plain.pixels != material.changed.pixels).any(axis=(1, 2, 3))
    ids = [id for id, differs in zip(material.clean.ids, moved, strict=True) if differs] or list(
        material.clean.ids
    )
    turns: dict[str, int] = {}
    order: list[tuple[int, str]] = []
    for id in ids:
        name = material.clean.class_of[id]
        order.append((turns.get(name, 0), id))
        turns[name] = turns.get(name, 0) + 1
    return [id for _, id in sorted(order)[:PICTURES]]


def _sample(material: Material, id: str) -> Sample:
    return Sample(id, material.clean.class_of[id], material.clean.photo(id), material.protected.photo(id))
