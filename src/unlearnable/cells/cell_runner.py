"""Run one cell: open its data, find its noise or take it from the cache, train and test its network."""

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
from unlearnable.cells.poisoning import poisoned, published
from unlearnable.cells.results import Result
from unlearnable.cells.revisions import data_of, revisions, search_revisions
from unlearnable.cells.sets import Sets, first_share, relabelled, with_context
from unlearnable.cells.spec import Cell, Search
from unlearnable.data.image_set import ImageSet
from unlearnable.data.view import View
from unlearnable.errors import UsageError
from unlearnable.evaluation.statistics import curve
from unlearnable.events import Event, OnProgress, silent
from unlearnable.hashing import digest
from unlearnable.methods import Context
from unlearnable.methods.base import Method
from unlearnable.methods.fitted import Fitted, load_state, load_tensors, save_state, save_tensors
from unlearnable.noise import Noise
from unlearnable.training.compute import Compute
from unlearnable.training.victim import Epoch, Labelled, Victim, learn
from unlearnable.version import __version__

TRAINING_SECONDS = 10.0  # at most, between two checkpoints of a training, which are small
CONFUSION = 20  # classes up to which the confusion matrix is recorded


class TimeIsUp(Exception):
    """The time limit is reached. Finished work and the checkpoint of the search or the training are saved."""


@dataclass
class CellRunner:
    """Runs cells.

    Args:
        sets: Opens data.
        cache: Stores noise and weights.
        compute: Device and precision.
        on_progress: Called with progress.
        deadline: Value of ``time.monotonic()`` after which a search or a training stops at its next
            checkpoint.
        checkpoint_seconds: Seconds between two checkpoints.
    """

    sets: Sets
    cache: Cache
    compute: Compute
    on_progress: OnProgress = silent
    deadline: float = float("inf")
    checkpoint_seconds: float = 60.0

    def hash(self, cell: Cell) -> str:
        """Return the hash that names a cell's result: over description, data and revisions."""
        return digest(cell.text, self.fingerprints(cell), revisions(cell))

    def fingerprints(self, cell: Cell) -> dict[str, str]:
        """Return the fingerprint of each set of images that a cell uses, by the hash of its description."""
        found = {digest(data.text)[:12]: self.sets.fingerprint(data) for data in data_of(cell)}
        if file := cell.victim.start_file:
            found["start"] = hashing.of_file(file)
        if cell.start is not None and (weights := self.fingerprints(cell.start).get("start")):
            found["start"] = weights
        return found

    def search_hash(self, search: Search) -> str:
        """Return the hash that names a search's noise."""
        # the hash of the search that it begins with covers that one's data
        before = [] if search.start is None else [self.search_hash(search.start)]
        return digest(search.text, self.sets.fingerprint(search.data), search_revisions(search), *before)

    def noise_name(self, search: Search) -> str:
        """Return the hash that names a search's noise in the cache: that of the search and its precision.

        Another precision finds other noise, in another time.
        """
        return digest(self.search_hash(search), search.precision or self.compute.precision)

    def is_found(self, search: Search) -> bool:
        """Return whether a search's noise is in the cache."""
        return (self.cache.path("noise", self.noise_name(search)) / "noise.safetensors").exists()

    def fitted(self, search: Search) -> tuple[Fitted, dict[str, float]]:
        """Return noise, and the time of its search; from the cache, or found now.

        Returns:
            The noise, and its times: ``seconds`` by the clock, and ``cpu_seconds``, which depend less on the
            load of the machine (missing for noise of earlier versions).

        Raises:
            Busy: If another process is finding it.
            TimeIsUp: If the deadline passes; the next call resumes the search.
        """
        name = self.noise_name(search)
        folder = self.cache.path("noise", name)
        if not (folder / "noise.safetensors").exists():
            with self.cache.claim("noise", name):
                # another process may have found it while this one waited for the lock
                if not (folder / "noise.safetensors").exists():
                    self._find(search, folder)
        return Fitted.load(folder), load_tensors(folder / "time.safetensors")[1]

    def _find(self, search: Search, folder: Path) -> None:
        images = with_context(self.sets(search.data)[0], search.own)
        seen = first_share(images, search.found_on)
        # the rule for grey photos when the committed cells were made, which have no such setting
        settings = {"grey": "mean", **search.settings}
        method = methods.create(search.method, settings).resolve(images.frame, len(seen))
        compute = Compute.choose(self.compute.device, search.precision) if search.precision else self.compute
        context = Context(search.seed, compute)

        def view_of(chosen: ImageSet) -> View:
            view = chosen.view(int(method.config.resolution), method.zoom, self.cache.view_folder())
            return view if search.lifted else replace(view, frame=view.pixels.shape[-2:])

        checkpoint = folder / "checkpoint.safetensors"
        identity = {"search": search.text, "revisions": search_revisions(search)}
        state = load_state(checkpoint, identity)
        # before the clocks start: the other search has a time of its own
        begun = None if search.start is None or state is not None else self.fitted(search.start)[0].noise
        started = _clocks()
        before = {name: 0.0 if state is None else float(state.pop(name, 0.0)) for name in started}

        def spent() -> dict[str, float]:
            return {name: before[name] + now - started[name] for name, now in _clocks().items()}

        def save(state: dict[str, Any]) -> None:
            save_state(checkpoint, {**state, **spent()}, identity)
            if time.monotonic() > self.deadline:
                raise TimeIsUp

        if begun is not None:
            state = _begun(method, view_of(seen), context, begun)
        fitted = method.fit(
            view_of(seen), context, self.on_progress, state=state, save=save, every=self.checkpoint_seconds
        )
        unseen = sorted(set(images.own) - set(seen.ids))
        if unseen and method.form == "samplewise":  # class-wise noise holds for every image of its class
            more = method.extend(fitted, view_of(images.subset(unseen)), context)
            fitted = replace(fitted, noise=fitted.noise.joined(more))
        save_tensors(
            folder / "time.safetensors", {}, {name: round(found, 1) for name, found in spent().items()}
        )
        # Fitted.save writes the noise last, so a noise file shows that every other file is complete
        fitted.save(folder)
        checkpoint.unlink(missing_ok=True)

    def weights(self, cell: Cell) -> Path:
        """Return the file of the weights at the end of a training; from the cache, or trained now."""
        hash = self.hash(cell)
        path = self.cache.path("weights", hash) / "weights.safetensors"
        if not path.exists():
            with self.cache.claim("weights", hash):
                if not path.exists():
                    save_tensors(path, self._train(cell)[0], {"cell": cell.text})
        return path

    def run(self, cell: Cell) -> Result:
        """Run a cell.

        Raises:
            Busy: If another process is finding its noise or training its starting weights.
            TimeIsUp: If the deadline passes before its noise is found or its network has trained; the next
                call resumes.
        """
        artefacts, search = {}, None
        if cell.poison is not None:
            fitted, spent = self.fitted(cell.poison.search)
            artefacts["noise"] = self.search_hash(cell.poison.search)
            errors = [error for error in fitted.log if error is not None]
            search = {
                "rounds": len(fitted.log),
                "error": errors[-1] if errors else None,
                "stopped": fitted.reason,
                **spent,
            }
        if cell.start is not None:
            artefacts["start"] = self.hash(cell.start)
        _, facts = self._train(cell)
        return Result(
            hash=self.hash(cell),
            cell=cell,
            fingerprints=self.fingerprints(cell),
            revisions=revisions(cell),
            artefacts=artefacts,
            **facts,
            search=search,
            environment=self.compute.describe(),
            machine=f"{platform.machine()}, {os.cpu_count()} cores",
            version=__version__,
            date=time.strftime("%Y-%m-%d"),
        )

    def _train(self, cell: Cell) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        started = time.monotonic()
        train, test = self.sets(cell.data)
        protected: set[str] = set()
        if cell.poison is not None:
            noise = poisoned(self.fitted(cell.poison.search)[0].noise, cell.poison, train.class_of, cell.seed)
            digests = {id: train.source.load(id)[1] for id in train.ids}
            protected = {
                id for id in train.ids if noise.slot(id, train.class_of[id], digests[id]) is not None
            }
            train = published(train, noise, cell.poison)
        if cell.keep == "clean":
            train = train.subset([id for id in train.ids if id not in protected])
        train, test = relabelled(train, cell.relabel), relabelled(test, cell.relabel)
        victim, chain = self.victim(cell), countermeasures.create(cell.countermeasure)
        train, test = chain.on_photos(train, cell.seed), chain.on_photos(test, cell.seed, test=True)
        pixels, tested = (self._labelled(images, victim) for images in (train, test))

        def report(epoch: Epoch) -> None:
            text = f"{epoch.test_accuracy:.1%}"
            self.on_progress(Event("training", epoch.number, victim.epochs, text))

        # beside the results, because an unfinished training is worth nothing to another cell
        checkpoint = self.cache.path("training", self.hash(cell)) / "checkpoint.safetensors"
        identity = {"cell": self.hash(cell), "compute": self.compute.describe()}
        state = load_state(checkpoint, identity)
        before = 0.0 if state is None else float(state.pop("seconds"))

        def save(state: dict[str, Any]) -> None:
            save_state(checkpoint, {**state, "seconds": before + time.monotonic() - started}, identity)
            if time.monotonic() > self.deadline:
                raise TimeIsUp

        learned = learn(
            victim,
            pixels,
            tested,
            cell.seed,
            self.compute,
            chain,
            report,
            state=state,
            save=save,
            every=min(self.checkpoint_seconds, TRAINING_SECONDS),
        )
        checkpoint.unlink(missing_ok=True)
        epochs, labels, count = learned.epochs, tested.labels.numpy(), tested.classes
        judged = curve([epoch.correct.numpy() for epoch in epochs], labels)
        table = np.zeros((count, count), np.int64)
        np.add.at(table, (labels, epochs[-1].answers.numpy()), 1)
        facts = {
            "classes": list(test.classes),
            "images": len(train),
            "protected": len(protected & set(train.ids)),
            "train": [round(epoch.train_accuracy, 4) for epoch in epochs],
            "test": [round(epoch.test_accuracy, 4) for epoch in epochs],
            "balanced": [round(value, 4) for value in judged.epochs],
            "recall": [round(float(share), 4) for share in table.diagonal() / table.sum(1)],
            "confusion": table.tolist() if count <= CONFUSION else None,
            "seconds": round(before + time.monotonic() - started, 1),
        }
        return {name: value.detach().cpu() for name, value in learned.model.state_dict().items()}, facts

    def victim(self, cell: Cell) -> Victim:
        """Return the victim of a cell, which may start from the file of another cell's weights."""
        if cell.start is None:
            return cell.victim
        return cell.victim.model_copy(update={"start": str(self.weights(cell.start))})

    def _labelled(self, images: ImageSet, victim: Victim) -> Labelled:
        view = images.view(victim.size, victim.zoom, self.cache.view_folder())
        return Labelled(torch.from_numpy(view.pixels), torch.from_numpy(view.labels), len(view.classes))


def _begun(method: Method[Any], view: View, ctx: Context, noise: Noise) -> dict[str, Any]:
    """Return the state before the first round, with the noise of another search as the initial noise.

    Raises:
        UsageError: If that noise is not of the same form and shape.
    """
    state = method.start(view.in_order_of_ids(), ctx)
    begun = torch.tensor(noise.bank)
    if not method.form == noise.form == "classwise" or state["noise"].shape != begun.shape:
        raise UsageError(
            f"The search cannot begin with {noise.form} noise of shape {tuple(begun.shape)}, because its own "
            f"is {method.form}, of shape {tuple(state['noise'].shape)}.",
            "Give `start` a class-wise search with as many classes, patterns_per_class and the same grid.",
        )
    return {**state, "noise": begun.to(state["noise"])}


def _clocks() -> dict[str, float]:
    """Return seconds by the clock, and the CPU seconds that this process has used."""
    return {"seconds": time.monotonic(), "cpu_seconds": time.process_time()}
