"""Detection: tells from a data set alone whether it carries noise that protects it, by any method.

Noise that protects is weak, and depends on the class of the image. The content of natural images is strong,
and tells the class as well. So simple networks are fitted to two parts of the same images: the *fine* part,
which is at most 8 levels strong, and the *coarse* part, grey and blurred. If fine parts tell the class much
better than coarse parts, they carry noise. Both accuracies come from the data itself, so classes that
are easy to tell apart do not count as protected.

Source: Zhu et al., "Detection and defense of unlearnable examples", AAAI 2024, Algorithm 1, which calls data
protected if a simple network reaches 70% on the held-out images. Clean digits reach 95%, so the comparison
above replaces the absolute bound.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from unlearnable import arguments
from unlearnable.data import load
from unlearnable.data.image_set import ImageSet
from unlearnable.data.view import View
from unlearnable.errors import DataError
from unlearnable.evaluation import simple_networks as simple
from unlearnable.evaluation.answer import (
    CLASS_IMAGES,
    CLASS_MARGIN,
    MIN_PER_CLASS,
    Detection,
    enough,
    judge,
    too_few,
)
from unlearnable.evaluation.contrasts import Contrast, class_leads, contrast
from unlearnable.events import Event, OnProgress, silent
from unlearnable.training.compute import Compute

# images beyond this are left out, evenly over the classes; the matrices have this many rows and columns
MAX_IMAGES, MAX_CLASSES = 1000, 50
# pixels
MIN_SIDE, MAX_SIDE = 8, 64
TIMED_IMAGES = 50


@dataclass(frozen=True)
class Preparation:
    """A detection that is ready to run: the images are read.

    Args:
        view: The images used, as squares.
        seeds: Seeds of the folds.
        compute: Device; the precision is that of ``Compute.dtype``.
        left_out: Number of images that are not used.
        skipped: Reason for each image that cannot be read.
    """

    view: View
    seeds: tuple[int, ...]
    compute: Compute
    left_out: int
    skipped: dict[str, str]

    @property
    def counts(self) -> dict[str, int]:
        """Number of images by class."""
        found = np.bincount(self.view.labels, minlength=len(self.view.classes))
        return {name: int(count) for name, count in zip(self.view.classes, found, strict=True)}

    def estimate(self) -> float:
        """Return the seconds that the comparison takes, from a few of its images and one solved system."""
        count, start = len(self.view.ids), time.perf_counter()
        few = self._pixels(slice(0, TIMED_IMAGES))
        simple.convolutional(simple.fine(few), 0)
        convolved = time.perf_counter()
        products = self.compute.send(torch.eye(count) + 0.01)
        labels = self.compute.send(torch.from_numpy(np.array(self.view.labels)))
        # one of the folds
        simple.held_out_scores(products, labels, (torch.arange(count) % simple.FOLDS == 0).long().to(labels))
        solved = time.perf_counter()
        systems = 2 * len(simple.NETWORKS) * simple.FOLDS * len(self.seeds)
        return 2 * (convolved - start) * count / len(few) + (solved - convolved) * systems

    def measure(self, on_progress: OnProgress = silent) -> Detection:
        """Fit the simple networks and return the answer."""
        start = time.perf_counter()
        counts = self.counts
        found = self._compared(on_progress) if enough(counts) else too_few(counts)
        return replace(
            found,
            images=len(self.view.ids),
            images_of=counts,
            left_out=self.left_out,
            skipped=self.skipped,
            side=self.view.pixels.shape[-1],
            seeds=self.seeds,
            seconds=time.perf_counter() - start,
            environment=self.compute.describe(),
        )

    def _compared(self, on_progress: OnProgress) -> Detection:
        view, compute = self.view, self.compute
        pixels, labels = self._pixels(slice(None)), compute.send(torch.from_numpy(np.array(view.labels)))
        folds = [
            compute.send(simple.stratified_folds(view.labels, view.digests, seed)) for seed in self.seeds
        ]
        contrasts, alone = list[Contrast](), tuple[str, ...]()
        for name, network in simple.NETWORKS.items():
            scores = []
            for part in (simple.fine, simple.coarse):
                products = simple.kernel(network(part(pixels), self.seeds[0]))
                every = [simple.held_out_scores(products, labels, fold) for fold in folds]
                scores.append(torch.stack(every).cpu().numpy())
                on_progress(Event("comparing", 2 * len(contrasts) + len(scores), 2 * len(simple.NETWORKS)))
            contrasts.append(contrast(name, scores[0], scores[1], view.labels))
            if name == "linear":
                leads = zip(view.classes, class_leads(scores[0], scores[1], view.labels), strict=True)
                counts = self.counts
                alone = tuple(
                    name for name, lead in leads if lead > CLASS_MARGIN and counts[name] >= CLASS_IMAGES
                )
        answer, reason = judge(contrasts, alone)
        return Detection(answer, reason, tuple(contrasts), alone)

    def _pixels(self, rows: slice) -> torch.Tensor:
        return self.compute.send(torch.from_numpy(np.array(self.view.pixels[rows])).float())


def prepare(
    images: str | Path | ImageSet,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    compute: Compute | str | None = None,
    on_progress: OnProgress | None = None,
) -> Preparation:
    """Read the images and return a detection that is ready to run; arguments as for ``detect``."""
    seeds, on_progress = arguments.seeds(seeds), arguments.callback(on_progress)
    compute = Compute.choose("auto", "float32") if compute is None else Compute.of(compute)
    given = images if isinstance(images, ImageSet) else load(images)
    if len(given.classes) < 2:
        empty = given.skipped or given.others
        raise DataError(
            "There is only one class, so there is nothing to tell it apart from.",
            "Give a folder with two classes or more."
            + (" Some sub-folders hold no photo; `unlearnable inspect` says why." if empty else ""),
        )
    side = min(MAX_SIDE, max(given.frame))
    if side < MIN_SIDE:
        raise DataError(
            f"The images measure {side} px, but at least {MIN_SIDE} px are needed.", "Give larger images."
        )
    some = some_of(given, seeds[0])
    chosen = some.readable(on_progress, side)
    return Preparation(chosen.view(side), seeds, compute, len(given) - len(some), dict(chosen.skipped))


def detect(
    images: str | Path | ImageSet,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    compute: Compute | str | None = None,
    on_progress: OnProgress | None = None,
) -> Detection:
    """Return whether a data set looks protected, by this package or by any other method.

    Args:
        images: A folder with one sub-folder per class, a benchmark by name, or an ImageSet.
        seeds: Each splits the images into other folds. The first also chooses images, if there are many.
        compute: Device, or the name of one; chosen if None.
        on_progress: Called after every image that is read and after every comparison.

    Raises:
        UsageError: If an argument is of another type.
        DataError: If there is only one class, or the images are too small or cannot be read.

    Example:
        >>> detect("dataset").answer  # doctest: +SKIP
        'no sign of protection'
    """
    prepared = prepare(images, seeds=seeds, compute=compute, on_progress=on_progress)
    return prepared.measure(arguments.callback(on_progress))


def some_of(images: ImageSet, seed: int) -> ImageSet:
    """Return at most ``MAX_IMAGES`` images of at most ``MAX_CLASSES`` classes, drawn evenly from the classes.

    Classes with too few images for an answer are left out, if two or more others remain.
    """
    rng, counts = np.random.default_rng(seed), np.bincount(images.labels, minlength=len(images.classes))
    large = np.flatnonzero(counts >= MIN_PER_CLASS)
    classes = rng.permutation(large if len(large) > 1 else len(counts))[:MAX_CLASSES]
    # every image gets its rank in the random order of its class; the first ranks of all classes are taken
    rank = np.full(len(images), np.inf)
    for label in np.sort(classes):
        members = np.flatnonzero(images.labels == label)
        rank[members] = rng.permutation(len(members))
    order = np.lexsort((rng.random(len(images)), rank))
    taken = order[: min(MAX_IMAGES, int(np.isfinite(rank).sum()))]
    return images.subset({images.ids[index] for index in taken})
