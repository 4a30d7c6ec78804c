"""Result files: one small JSON for each cell, committed. Tables are rendered from them."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean
from typing import Any

from pydantic import ValidationError

from unlearnable.cells.spec import Cell
from unlearnable.errors import DataError, UsageError
from unlearnable.evaluation.statistics import Curve
from unlearnable.fields import Checked
from unlearnable.files import write

FORMAT = 1
ROUNDING = 1e-4  # accuracies in a file have four decimals, and two of them are compared


class Result(Checked):
    """The outcome of a cell. Accuracies are shares of images in [0, 1], on clean test images.

    Attributes:
        format: Version of the file.
        hash: Of the description, the data's fingerprints and the revisions.
        cell: The description.
        fingerprints: Of every set of images that was used, by the hash of its description.
        revisions: Of every method, model and countermeasure that was used.
        artefacts: Hashes of the noise and of the weights it started from.
        classes: Names of the classes, in order.
        images: Number of training images.
        protected: Number of those that had noise.
        train: Accuracy on the training batches, by epoch.
        test: Accuracy on the test images, by epoch.
        balanced: Balanced accuracy (mean recall over the classes) on the test images, by epoch; None in files
            of older runs, which have ``test`` only.
        recall: Accuracy on each class's test images at the last epoch.
        confusion: Test images by class (row) and prediction (column) at the last epoch; None for more than 20
            classes.
        search: Rounds, last error, reason to stop, seconds and CPU seconds of the search; None for clean
            images.
        seconds: Time of the training.
        environment: Device, precision, threads, versions.
        machine: Architecture and number of cores.
        version: Of this package.
        date: Day of the run.
    """

    format: int = FORMAT
    hash: str
    cell: Cell
    fingerprints: dict[str, str]
    revisions: dict[str, int]
    artefacts: dict[str, str]
    classes: list[str]
    images: int
    protected: int
    train: list[float]
    test: list[float]
    balanced: list[float] | None = None
    recall: list[float]
    confusion: list[list[int]] | None
    search: dict[str, Any] | None
    seconds: float
    environment: dict[str, Any]
    machine: str
    version: str
    date: str

    @property
    def curve(self) -> Curve | None:
        """Balanced accuracy by epoch; None where a file of an older run does not have it.

        Plain accuracy is used where every class has equally many test images, because the two are then
        equal. Without a confusion matrix, that is inferred from the last epoch, where both are known.
        """
        if self.balanced is not None:
            return Curve(tuple(self.balanced))
        if self.confusion is not None:
            equal = len({sum(row) for row in self.confusion}) == 1
        else:
            equal = abs(mean(self.recall) - self.test[-1]) <= ROUNDING
        return Curve(tuple(self.test)) if equal else None

    @property
    def last(self) -> float:
        """Balanced accuracy at the last epoch."""
        return mean(self.recall) if self.curve is None else self.curve.last

    @property
    def peak(self) -> float | None:
        """Balanced accuracy at the best epoch; None where a file of an older run does not have it."""
        return None if self.curve is None else self.curve.peak

    @property
    def summary(self) -> str:
        """The accuracy in words, for a line of progress."""
        best = "" if self.peak is None else f" (best {self.peak:.1%})"
        return f"last epoch {self.last:.1%}{best}"


class Results:
    """The result files of one profile.

    Args:
        folder: The folder of the files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, Result] = {}

    def path(self, cell: Cell, hash: str) -> Path:
        """Return the path of a cell's file."""
        return self.folder / f"{cell.label}-{hash[:12]}.json"

    def save(self, result: Result) -> None:
        """Write a file, whole or not at all."""
        record = result.model_dump(mode="json", exclude={"cell"}) | {"cell": json.loads(result.cell.text)}
        lines = [
            f"{json.dumps(key)}: {json.dumps(record[key], ensure_ascii=False)}" for key in Result.model_fields
        ]
        write(self.path(result.cell, result.hash), ("{\n" + ",\n".join(lines) + "\n}\n").encode())

    def all(self) -> dict[str, Result]:
        """Return every result by the text of its cell; of results with the same description, the latest.

        Raises:
            DataError: If a file is damaged.
        """
        found: dict[str, Result] = {}
        for path in sorted(self.folder.glob("*.json")):
            if path not in self._read:
                try:
                    self._read[path] = Result.model_validate_json(path.read_bytes())
                except (UsageError, ValidationError) as error:
                    reason = error.problem if isinstance(error, UsageError) else "it is not JSON"
                    raise DataError(
                        f"{path} is not a valid result file ({reason}).",
                        "Remove it, and run `unlearnable experiment` to make it again.",
                    ) from error
            result = self._read[path]
            if result.cell.text not in found or found[result.cell.text].date <= result.date:
                found[result.cell.text] = result
        return found
