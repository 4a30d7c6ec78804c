"""One cell, made: its data opened, its noise found or taken from the cache, its network trained and tested."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from unlearnable import countermeasures, hashing, methods
from unlearnable.cells.cache import Cache
from unlearnable.cells.poisoning import poisoned
from unlearnable.cells.results import Result
from unlearnable.cells.revisions import data_of, revisions, search_revisions
from unlearnable.cells.sets import Sets, relabelled, standing_against
from unlearnable.cells.spec import Cell, Search
from unlearnable.data.image_set import ImageSet
from unlearnable.events import Event, OnProgress, silent
from unlearnable.hashing import digest
from unlearnable.methods import Context
from unlearnable.methods.fitted import Fitted, load_state, load_tensors, save_state, save_tensors
from unlearnable.training.compute import Compute
from unlearnable.training.victim import FRESH, Epoch, Labelled, Victim, learn
from unlearnable.version import __version__

CONFUSION = 20  # classes up to which the whole table is kept


class TimeIsUp(Exception):
    """The budget is spent; what was done so far is kept."""


@dataclass
class CellRunner:
    """Where cells are made.

    Args:
        sets: Opens data.
        cache: Keeps noise and weights.
        compute: Device and precision.
        on_progress: Told about progress.
        deadline: ``time.monotonic()`` after which a search is put aside.
        every: Seconds between two checkpoints of a search.
    """

    sets: Sets
    cache: Cache
    compute: Compute
    on_progress: OnProgress = silent
    deadline: float = float("inf")
    every: float = 60.0

    def hash(self, cell: Cell) -> str:
        """Return the name of a cell's result: over the description, the data and the revisions of what it uses."""
        return digest(cell.text, self.fingerprints(cell), revisions(cell))

    def fingerprints(self, cell: Cell) -> dict[str, str]:
        """Return the fingerprint of each set of images that a cell uses, by the hash of its description."""
        found = {digest(data.text)[:12]: self.sets.fingerprint(data) for data in data_of(cell)}
        if cell.victim.start != FRESH:
            found["start"] = hashing.of_file(Path(cell.victim.start))
        return found

    def search_hash(self, search: Search) -> str:
        """Return the name of a search's noise."""
        return digest(search.text, self.sets.fingerprint(search.data), search_revisions(search))

    def is_found(self, search: Search) -> bool:
        """Say whether a search's noise is in the cache."""
        return (self.cache.place("noise", self.search_hash(search)) / "noise.safetensors").exists()

    def fitted(self, search: Search) -> tuple[Fitted, float]:
        """Return noise and the seconds that finding it took; from the cache, or found now.

        Raises:
            Busy: If another process is finding it.
            TimeIsUp: If the time is over; the search goes on where it was when it is asked for again.
        """
        hash = self.search_hash(search)
        place = self.cache.place("noise", hash)
        if not (place / "noise.safetensors").exists():
            with self.cache.claim("noise", hash):
                if not (place / "noise.safetensors").exists():
                    self._find(search, place)
        seconds = load_tensors(place / "time.safetensors")[1]["seconds"]
        return Fitted.load(place), seconds

    def _find(self, search: Search, place: Path) -> None:
        images = standing_against(self.sets(search.data)[0], search.own)
        method = methods.create(search.method, dict(search.settings)).resolve(images.frame, len(images))
        view = images.view(int(method.config.resolution), method.zoom, self.cache.room())
        if not search.lifted:
            view = replace(view, frame=view.pixels.shape[-2:])
        checkpoint, identity = (
            place / "checkpoint.safetensors",
            {"search": search.text, "revisions": search_revisions(search)},
        )
        state = load_state(checkpoint, identity)
        before = 0.0 if state is None else float(state.pop("seconds"))
        started = time.monotonic()

        def save(state: dict[str, Any]) -> None:
            save_state(checkpoint, {**state, "seconds": before + time.monotonic() - started}, identity)
            if time.monotonic() > self.deadline:
                raise TimeIsUp

        fitted = method.fit(
            view,
            Context(search.seed, self.compute),
            self.on_progress,
            state=state,
            save=save,
            every=self.every,
        )
        save_tensors(
            place / "time.safetensors", {}, {"seconds": round(before + time.monotonic() - started, 1)}
        )
        fitted.save(place)  # the noise last: where it is, everything is
        checkpoint.unlink(missing_ok=True)

    def weights(self, cell: Cell) -> Path:
        """Return a file of the weights that a training ends with; from the cache, or trained now."""
        hash = self.hash(cell)
        path = self.cache.place("weights", hash) / "weights.safetensors"
        if not path.exists():
            with self.cache.claim("weights", hash):
                if not path.exists():
                    save_tensors(path, self._train(cell)[0], {"cell": cell.text})
        return path

    def run(self, cell: Cell) -> Result:
        """Make a cell.

        Raises:
            Busy: If another process is making something that it needs.
            TimeIsUp: If the time is over before its noise is found.
        """
        artefacts, search = {}, None
        if cell.poison is not None:
            fitted, found_in = self.fitted(cell.poison.search)
            artefacts["noise"] = self.search_hash(cell.poison.search)
            errors = [error for error in fitted.log if error is not None]
            search = {
                "rounds": len(fitted.log),
                "error": errors[-1] if errors else None,
                "stopped": fitted.reason,
                "seconds": found_in,
            }
        if cell.start is not None:
            artefacts["start"] = self.hash(cell.start)
        started = time.monotonic()
        _, facts = self._train(cell)
        return Result(
            hash=self.hash(cell),
            cell=cell,
            fingerprints=self.fingerprints(cell),
            revisions=revisions(cell),
            artefacts=artefacts,
            **facts,
            search=search,
            seconds=round(time.monotonic() - started, 1),
            environment=self.compute.describe(),
            machine=f"{platform.machine()}, {os.cpu_count()} cores",
            version=__version__,
            date=time.strftime("%Y-%m-%d"),
        )

    def _train(self, cell: Cell) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        train, test = self.sets(cell.data)
        protected: set[str] = set()
        if cell.poison is not None:
            noise = poisoned(self.fitted(cell.poison.search)[0].noise, cell.poison, train.class_of, cell.seed)
            digests = {id: train.source.load(id)[1] for id in train.ids}
            protected = {
                id for id in train.ids if noise.slot(id, train.class_of[id], digests[id]) is not None
            }
            train = train.with_noise(noise)
        if cell.keep == "clean":
            train = train.subset([id for id in train.ids if id not in protected])
        train, test = relabelled(train, cell.relabel), relabelled(test, cell.relabel)
        victim, chain = self.victim(cell), countermeasures.create(cell.countermeasure)
        train, test = chain.on_photos(train, cell.seed), chain.on_photos(test, cell.seed, test=True)
        pixels, tested = (self._labelled(images, victim) for images in (train, test))

        def report(epoch: Epoch) -> None:
            text = f"{epoch.test_accuracy:.1%}"
            self.on_progress(Event("training", epoch.number, victim.epochs, text))

        learned = learn(victim, pixels, tested, cell.seed, self.compute, chain, report)
        epochs, labels, count = learned.epochs, tested.labels.numpy(), tested.classes
        table = np.zeros((count, count), np.int64)
        np.add.at(table, (labels, epochs[-1].answers.numpy()), 1)
        facts = {
            "classes": list(test.classes),
            "images": len(train),
            "protected": len(protected & set(train.ids)),
            "train": [round(epoch.train_accuracy, 4) for epoch in epochs],
            "test": [round(epoch.test_accuracy, 4) for epoch in epochs],
            "recall": [round(float(share), 4) for share in table.diagonal() / table.sum(1)],
            "confusion": table.tolist() if count <= CONFUSION else None,
        }
        return {name: value.detach().cpu() for name, value in learned.model.state_dict().items()}, facts

    def victim(self, cell: Cell) -> Victim:
        """Return the victim of a cell; one that starts from another cell starts from a file of its weights."""
        if cell.start is None:
            return cell.victim
        return cell.victim.model_copy(update={"start": str(self.weights(cell.start))})

    def _labelled(self, images: ImageSet, victim: Victim) -> Labelled:
        view = images.view(victim.size, victim.zoom, self.cache.room())
        return Labelled(torch.from_numpy(view.pixels), torch.from_numpy(view.labels), len(view.classes))
