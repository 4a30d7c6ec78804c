"""The demo on squares of ten photographs, from the noise to the report: an illustration, not a benchmark."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from unlearnable import methods, presets
from unlearnable.data.demo_photos import demo_photos
from unlearnable.data.image_set import ImageSet
from unlearnable.data.view import View
from unlearnable.evaluation import schedule, timing
from unlearnable.evaluation.comparison import Arm, compare
from unlearnable.evaluation.result import Sample
from unlearnable.evaluation.schedule import HELD_OUT, Trial
from unlearnable.events import Event, OnProgress, silent
from unlearnable.methods import Context, Method
from unlearnable.noise import Form
from unlearnable.report import Record
from unlearnable.search import estimate
from unlearnable.training.compute import Compute
from unlearnable.training.victim import Labelled

NAMES: dict[Form, str] = {"samplewise": "sample-wise", "classwise": "class-wise"}
SHOWN = 6
INTRO = (
    "An illustration on squares cut from ten photographs that come with dependencies, not a benchmark. "
    "Three copies of one network learn which photograph a square was cut from: one on clean squares, one on "
    "squares that each have their own noise (sample-wise), and one on squares with one noise per photograph "
    "(class-wise). All three are tested on the same clean squares, cut from regions that no training has "
    "seen. The squares are in sepia, with the same mean and contrast, because noise cannot hide a class "
    "that colour alone gives away."
)


@dataclass(frozen=True)
class Demo:
    """A demo that is ready to run.

    Args:
        train: The images that are protected and trained on.
        test: Clean images of the same classes.
        searches: The search for each form of noise, in order.
        trial: Training of the networks.
        seed: Seed of the noise and the trainings.
        compute: Device and precision.
    """

    train: ImageSet
    test: ImageSet
    searches: Mapping[Form, Method[Any]]
    trial: Trial
    seed: int
    compute: Compute

    def estimate(self) -> float:
        """Return about how many seconds ``run`` takes. Times a few steps, which itself takes seconds."""
        side, size = self.trial.victim.size, (len(self.train), len(self.test), len(self.train.classes))
        searches = sum(estimate(self.train, method, self.compute) for method in self.searches.values())
        (training,) = timing.estimate([self.trial], [1], self.train, side, *size, self.compute)
        return searches + (1 + len(self.searches)) * training

    def run(self, on_progress: OnProgress = silent, command: str = "") -> Record:
        """Search for noise, train networks on clean and on protected images, and test all on the same images.

        Args:
            on_progress: Called during the searches and after every epoch.
            command: The command line, for the record.

        Returns:
            The record, which ``unlearnable.report.page`` renders.
        """
        started = time.monotonic()
        sets: dict[str, ImageSet] = {"clean": self.train}
        for form, method in self.searches.items():
            sets[NAMES[form]] = self._protected(method, f"noise, {NAMES[form]}", on_progress)
        side = self.trial.victim.size
        tested = _labelled(self.test.view(side))
        arms = {name: Arm(_labelled(images.view(side)), tested) for name, images in sets.items()}
        comparison = compare(
            list(arms),
            lambda name, _: arms[name],
            self.trial,
            len(self.train.classes),
            seeds=(self.seed,),
            compute=self.compute,
            on_progress=on_progress,
        )
        return Record.demo(
            comparison,
            _samples(self.train, list(sets.values())[1]),
            self.train.classes,
            title="Can a network learn from these photos?",
            intro=INTRO,
            pairs=len(self.train),
            environment=self.compute.describe(),
            command=command,
            seconds=time.monotonic() - started,
        )

    def _protected(self, method: Method[Any], stage: str, on_progress: OnProgress) -> ImageSet:
        view = self.train.view(int(method.config.resolution), method.zoom)
        fitted = method.fit(
            view,
            Context(self.seed, self.compute),
            lambda event: on_progress(Event(stage, event.done, event.total, event.text)),
        )
        return self.train.with_noise(fitted.noise)


def prepare(
    seed: int = 0,
    compute: Compute | None = None,
    *,
    images: ImageSet | None = None,
    settings: Mapping[str, object] | None = None,
    trial: Trial | None = None,
) -> Demo:
    """Return a demo that is ready to run, by default with the fast search of small images.

    Args:
        seed: Seed of the split, the noise and the trainings.
        compute: Device and precision; chosen if None.
        images: Images of two or more classes; the squares of ten photographs if None.
        settings: Settings of the search that differ from the preset ``small`` with ``search = fast``.
        trial: Training of the networks; the first of ``verify`` if None.

    Raises:
        DataError: If an installed dependency does not have its photograph.
    """
    compute = compute or Compute.choose()
    train, test = (demo_photos() if images is None else images).split(HELD_OUT, seed)
    searches: dict[Form, Method[Any]] = {}
    for form in NAMES:
        # two searches have the time of one
        given = {"form": form, "search": "fast", **(settings or {})}
        merged = presets.merge(presets.read("small"), None, given)
        searches[form] = methods.create("error_minimizing", merged).resolve(train.frame, len(train))
    chosen = trial or schedule.trials(schedule.SMALL, len(train))[0]
    return Demo(train, test, searches, chosen, seed, compute)


def _samples(clean: ImageSet, protected: ImageSet) -> list[Sample]:
    """Return one image of each of the first classes, before and after."""
    shown = [next(id for id in clean.ids if clean.class_of[id] == name) for name in clean.classes[:SHOWN]]
    return [Sample(id, clean.class_of[id], clean.photo(id), protected.photo(id)) for id in shown]


def _labelled(view: View) -> Labelled:
    return Labelled(torch.from_numpy(view.pixels), torch.from_numpy(view.labels), len(view.classes))
