"""Finished trainings of a report card, saved in the run folder, so that the same command resumes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from unlearnable import hashing, models
from unlearnable.data.image_set import ImageSet
from unlearnable.evaluation.comparison import Tested
from unlearnable.evaluation.pairs import Pairs
from unlearnable.evaluation.trial import Trial
from unlearnable.files import write
from unlearnable.training.compute import Compute
from unlearnable.training.victim import Epoch

# raised when the same trial on the same images gives another result
REVISION = 2
FOLDER = "measured"


class Measured:
    """Finished trainings: one file each, named by a hash over everything that decides the result.

    These are the contents, the ids and the classes of all images, the split of the seed, the victim and its
    starting weights, the countermeasures, the labels, the share of protected files, the revisions of the
    code, device, precision and the version of torch.

    Args:
        folder: Folder of the files; made when the first one is written.
        pairs: The images.
        compute: Device and precision.

    Attributes:
        seconds: Duration of the trainings that were loaded instead of run again.
    """

    def __init__(self, folder: Path, pairs: Pairs, compute: Compute) -> None:
        self.folder, self._pairs = folder, pairs
        self._images = [
            _prints(images) for images in (pairs.clean, pairs.protected, pairs.context, pairs.test)
        ]
        self._where = [compute.device, compute.precision, torch.__version__]
        self._weights: dict[Path, str] = {}
        self.seconds = 0.0

    def path(self, trial: Trial, name: str, seed: int) -> Path:
        """Return the path of a training's file.

        Args:
            trial: The trial.
            name: Name of the arm.
            seed: Seed of the training.
        """
        victim, chain = trial.victim, trial.chain
        revisions = {**chain.revisions, "model": models.revision(victim.model), "measured": REVISION}
        rows = (self._pairs.held_out(seed), self._pairs.context_held_out(seed))
        split = [hashing.of_bytes(one.tobytes()) for one in rows]
        what = [victim.text, self._start(trial), chain.spec, list(trial.labels), trial.share, revisions]
        side = self._pairs.settings.side
        key = hashing.digest(self._images, side, split, what, name, seed, self._where)
        return self.folder / f"{key}.json"

    def load(self, trial: Trial, name: str, seed: int) -> Tested | None:
        """Return a saved training and count its seconds; None without a file, or with a damaged one."""
        try:
            record = json.loads(self.path(trial, name, seed).read_text("utf-8"))
            labels = torch.tensor(record["labels"], dtype=torch.long)
            epochs = []
            for number, (train, answers) in enumerate(
                zip(record["train"], record["answers"], strict=True), 1
            ):
                given = torch.tensor(answers, dtype=torch.long)
                epochs.append(Epoch(number, train, given, given == labels))
            images = np.array(record["images"], dtype=np.int64)
            tested = Tested(tuple(epochs), labels, images, float(record["seconds"]))
        except (OSError, ValueError, KeyError, TypeError, RuntimeError):
            return None
        self.seconds += tested.seconds
        return tested

    def save(self, trial: Trial, name: str, seed: int, tested: Tested) -> None:
        """Write the file of a training, whole or not at all."""
        record = {
            "trial": trial.name,
            "words": trial.words,
            "arm": name,
            "seed": seed,
            "seconds": tested.seconds,
            "train": [epoch.train_accuracy for epoch in tested.epochs],
            "images": tested.images.tolist(),
            "labels": tested.labels.tolist(),
            "answers": [epoch.answers.tolist() for epoch in tested.epochs],
        }
        write(self.path(trial, name, seed), json.dumps(record).encode())

    def missing(self, trial: Trial, names: Sequence[str], seeds: Sequence[int]) -> int:
        """Return the number of a trial's trainings that have no file yet."""
        return sum(not self.path(trial, name, seed).is_file() for name in names for seed in seeds)

    def _start(self, trial: Trial) -> str:
        """Return the hash of the weights that a victim starts from; empty for new weights."""
        path = trial.victim.start_file
        if path is None:
            return ""
        if path not in self._weights:
            self._weights[path] = hashing.of_file(path)
        return self._weights[path]


def _prints(images: ImageSet | None) -> str:
    """Return a hash over the ids, the classes and the contents of images; empty for None."""
    if images is None:
        return ""
    return hashing.digest([[id, images.class_of[id], images.about(id).digest] for id in images.ids])
