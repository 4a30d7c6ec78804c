"""The demo on scikit-learn's digits, from the noise to the report: an illustration, not a benchmark."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from unlearnable import methods
from unlearnable.data.digits import INK, SIDE, digits
from unlearnable.data.image_set import ImageSet
from unlearnable.data.view import View
from unlearnable.evaluation.comparison import Arm, compare
from unlearnable.evaluation.result import Sample
from unlearnable.evaluation.schedule import Trial
from unlearnable.events import Event, OnProgress, silent
from unlearnable.methods import Context
from unlearnable.noise import Form, Noise
from unlearnable.report import Record
from unlearnable.training.compute import Compute
from unlearnable.training.victim import Labelled, Victim

HELD_OUT = 0.25
NAMES: dict[Form, str] = {"samplewise": "sample-wise", "classwise": "class-wise"}
INTRO = (
    "An illustration on 1,797 scans of handwritten digits that come with scikit-learn, not a benchmark. "
    "The same network is trained three times: on clean scans, on scans with noise of their own each "
    "(sample-wise), and on scans with one noise for each digit (class-wise). All three are tested on the "
    "same clean scans, which are in none of the trainings. Paper and ink are {ink} of 255 levels apart."
)


@dataclass(frozen=True)
class Settings:
    """Settings of the demo. benchmarks/results/demo.json has its results for five seeds.

    Args:
        trial: Training of the victims.
        samplewise: Settings of the search for sample-wise noise.
        classwise: Settings of the search for class-wise noise.
    """

    trial: Trial
    samplewise: dict[str, object]
    classwise: dict[str, object]


SURROGATE = "resnet18:width=16,stem=cifar"
# Digits are so easy that a surrogate soon classifies all of them, and noise fitted to such a surrogate hides
# nothing from a network that is still learning. So there are few surrogate batches per round, and a new
# surrogate replaces one that has learned everything.
COMMON: dict[str, object] = {
    "surrogate": SURROGATE,
    "resolution": SIDE,
    "batch": 128,
    "measure": "before",
    "init": "uniform",
    "train_batches": 3,
    "stop_error": 0.01,
    "restart_error": 0.01,
}
SETTINGS = Settings(
    trial=Trial("demo", Victim(model=SURROGATE, size=SIDE, epochs=20, transform="none")),
    samplewise={
        **COMMON,
        "form": "samplewise",
        "steps": 5,
        "skip_below": 0.01,
        "min_rounds": 24,
        "max_rounds": 40,
    },
    classwise={**COMMON, "form": "classwise", "steps": 1, "min_rounds": 15, "max_rounds": 30},
)


def demo(
    seed: int = 0,
    compute: Compute | None = None,
    on_progress: OnProgress = silent,
    command: str = "",
    ink: int = INK,
) -> Record:
    """Train networks on clean and on protected digits, and test them all on the same clean digits.

    Args:
        seed: Seed of the split, the noise and the trainings.
        compute: Device and precision; chosen if None.
        on_progress: Called during the searches and after every epoch.
        command: The command line, for the record.
        ink: Levels between paper and ink, 1 to 255. Noise of 8 levels cannot hide strong ink.

    Returns:
        The record, which ``unlearnable.report.page`` renders.
    """
    started = time.monotonic()
    compute = compute or Compute.choose()
    train, test = digits(SIDE, ink).split(HELD_OUT, seed)
    view, tested = train.view(SIDE), _labelled(test.view(SIDE))
    sets: dict[str, ImageSet] = {"clean": train}
    for form, settings in (("samplewise", SETTINGS.samplewise), ("classwise", SETTINGS.classwise)):
        noise = _noise(view, settings, seed, compute, on_progress)
        sets[NAMES[noise.form]] = train.with_noise(noise)
        on_progress(Event(f"noise, {NAMES[noise.form]}", 1, 1, form))
    arms = {name: Arm(_labelled(images.view(SIDE)), tested) for name, images in sets.items()}
    comparison = compare(
        list(arms),
        lambda name, _: arms[name],
        SETTINGS.trial,
        len(view.classes),
        seeds=(seed,),
        compute=compute,
        on_progress=on_progress,
    )
    shown = [next(id for id in train.ids if train.class_of[id] == name) for name in train.classes[:6]]
    samples = [Sample(id, train.class_of[id], train.photo(id), sets["sample-wise"].photo(id)) for id in shown]
    return Record.demo(
        comparison,
        samples,
        view.classes,
        title="Can a network learn from these digits?",
        intro=INTRO.format(ink=ink),
        pairs=len(train),
        environment=compute.describe(),
        command=command,
        seconds=time.monotonic() - started,
    )


def _noise(
    view: View, settings: dict[str, object], seed: int, compute: Compute, on_progress: OnProgress
) -> Noise:
    method = methods.create("error_minimizing", settings).resolve(view.frame, len(view.ids))
    stage = f"noise, {NAMES[method.form]}"
    return method.fit(
        view,
        Context(seed, compute),
        lambda event: on_progress(Event(stage, event.done, event.total, event.text)),
    ).noise


def _labelled(view: View) -> Labelled:
    return Labelled(torch.from_numpy(view.pixels), torch.from_numpy(view.labels), len(view.classes))
