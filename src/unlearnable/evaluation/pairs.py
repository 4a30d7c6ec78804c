"""The images of a verification: training and test images of every arm, seed and chain."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from unlearnable.countermeasures import Chain
from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet
from unlearnable.data.splitting import held_out
from unlearnable.data.view import View
from unlearnable.errors import DataError
from unlearnable.evaluation.comparison import Arm
from unlearnable.evaluation.pairing import aligned, match
from unlearnable.evaluation.schedule import HELD_OUT, Defaults, defaults
from unlearnable.events import OnProgress, silent
from unlearnable.training.victim import Labelled

Images = str | Path | ImageSet
Rows = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Views:
    """Views of an arm, after the stage ``photo`` of a chain.

    Args:
        train: Photos or protected images.
        test: Test images.
        context: Context images, or None.
    """

    train: View
    test: View
    context: View | None


@dataclass
class Pairs:
    """Photos and their protected images under the same ids, with test and context images.

    Args:
        clean: The photos.
        protected: The protected images, under the photos' ids.
        context: Images of other classes, clean in every arm, or None.
        test: Clean test images of the same classes; None to hold some photos out of both arms.
        settings: Sizes and recipes for photos of this size.
        left_out: Reason for each id that is in no pair.
    """

    clean: ImageSet
    protected: ImageSet
    context: ImageSet | None
    test: ImageSet | None
    settings: Defaults
    left_out: Mapping[str, str]
    _changed: dict[tuple[str, str], Views] = field(default_factory=dict)

    @cached_property
    def clean_view(self) -> View:
        """The photos as squares."""
        return self.clean.view(self.settings.side)

    @cached_property
    def protected_view(self) -> View:
        """The protected images as squares."""
        return self.protected.view(self.settings.side)

    @cached_property
    def unchanged(self) -> int:
        """Number of protected images whose squares equal those of their photos in every pixel."""
        return int((self.clean_view.pixels == self.protected_view.pixels).all(axis=(1, 2, 3)).sum())

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of all classes, context included, in code-point order."""
        return tuple(sorted({*self.clean.classes, *(self.context.classes if self.context else ())}))

    @property
    def judged(self) -> tuple[int, ...]:
        """Labels of the protected classes."""
        return tuple(self.classes.index(name) for name in self.clean.classes)

    @property
    def trained_on(self) -> int:
        """Number of training images, context included."""
        context = len(self.context) if self.context else 0
        return len(self.clean) - int(self.held_out(0).sum()) + context

    @property
    def tested_on(self) -> int:
        """Number of test images."""
        return int(self.held_out(0).sum()) if self.test is None else len(self.test)

    def held_out(self, seed: int) -> Rows:
        """Return whether each photo is held out for testing: bool (N,)."""
        if self.test is not None:
            return np.zeros(len(self.clean), dtype=bool)
        digests = dict(zip(self.clean_view.ids, self.clean_view.digests, strict=True))
        out = held_out({id: self.clean.class_of[id] for id in self.clean.ids}, digests, HELD_OUT, seed)
        return np.array([id in out for id in self.clean.ids])

    def arm(self, name: str, seed: int, chain: Chain | None = None) -> Arm:
        """Return the images of the arm ``clean`` or ``protected`` after the stage ``photo`` of a chain.

        The chain changes all training images, and the test images if a countermeasure has ``test_time``. Its
        draws are the same for all seeds, so that photos are decoded only once.

        Args:
            name: Name of the arm.
            seed: Seed of the split.
            chain: Countermeasures; None for none.
        """
        views, out = self._views(name, chain or Chain()), self.held_out(seed)
        train = self._labelled(views.train, ~out)
        if views.context is not None:
            more = self._labelled(views.context, np.ones(len(views.context.ids), dtype=bool))
            pixels, labels = torch.cat([train.pixels, more.pixels]), torch.cat([train.labels, more.labels])
            train = Labelled(pixels, labels, train.classes)
        tested = out if self.test is None else np.ones(len(self.test), dtype=bool)
        return Arm(train, self._labelled(views.test, tested))

    def _labelled(self, view: View, rows: Rows) -> Labelled:
        index = np.array([self.classes.index(name) for name in view.classes])
        pixels, labels = torch.from_numpy(view.pixels[rows]), torch.from_numpy(index[view.labels[rows]])
        return Labelled(pixels, labels, len(self.classes))

    @cached_property
    def _test_view(self) -> View:
        return self.clean_view if self.test is None else self.test.view(self.settings.side)

    @cached_property
    def _context_view(self) -> View | None:
        return None if self.context is None else self.context.view(self.settings.side)

    def _views(self, name: str, chain: Chain) -> Views:
        trained = self.clean if name == "clean" else self.protected
        tested = self.clean if self.test is None else self.test
        changed = [
            None if images is None or (new := chain.on_photos(images, 0, test=test)) is images else new
            for images, test in ((trained, False), (tested, True), (self.context, False))
        ]
        if changed == [None, None, None]:
            plain = self.clean_view if name == "clean" else self.protected_view
            return Views(plain, self._test_view, self._context_view)
        key = (name, chain.spec)
        if key not in self._changed:
            # one set of changed images in memory at a time
            self._changed.clear()
            train, test, context = (None if new is None else new.view(self.settings.side) for new in changed)
            assert train is not None
            self._changed[key] = Views(train, test or self._test_view, context)
        return self._changed[key]


def gather(
    photos: Images,
    protected: Images,
    test: Images | None = None,
    context: Images | None = None,
    run: Path | None = None,
    on_progress: OnProgress = silent,
) -> Pairs:
    """Open, pair and check all images, each decoded once.

    Args:
        photos: The photos, a folder or an ImageSet.
        protected: The protected images, likewise.
        test: Clean test images, or None to hold some photos out.
        context: Images of other classes, or None.
        run: The run folder of ``protect``, or None.
        on_progress: Called after each image.

    Raises:
        DataError: If there is no pair, only one class, or a class without test images.
    """
    clean = open_images(photos)
    # classes come from the photos, so the folders of the protected files do not matter
    changed = protected if isinstance(protected, ImageSet) else folder(protected, class_name="protected")
    matching = match(clean, changed, run)
    left_out = {**clean.skipped, **matching.left_out}
    clean, changed = aligned(clean, changed, matching)
    others = None if context is None else open_images(context)
    shared = set(clean.classes) & set(others.classes if others else ())
    if shared:
        raise DataError(
            f"Class {min(shared)!r} is among the photos and in the context.",
            "Give a --context folder with other classes.",
        )
    if len({*clean.classes, *(others.classes if others else ())}) < 2:
        raise DataError(
            "There is only one class, so a network has nothing to distinguish.",
            "Give other classes with --context FOLDER.",
        )
    settings = defaults(clean.frame)
    clean, changed = (images.readable(on_progress, settings.side) for images in (clean, changed))
    replaced = _replaced(clean, matching.digests)
    left_out |= {**clean.skipped, **changed.skipped, **replaced}
    good = [id for id in clean.ids if id in changed.facts and id not in replaced]
    clean, changed = clean.subset(good), changed.subset(good)
    if others is not None:
        # a copy of a held-out photo must not be among the training images, in any class
        others = _without(others.readable(on_progress, settings.side), _digests(clean))
    made = Pairs(clean, changed, others, None, settings, left_out)
    return made if test is None else _with_test(made, open_images(test).readable(on_progress, settings.side))


def open_images(images: Images) -> ImageSet:
    """Return a folder as an ImageSet; an ImageSet unchanged."""
    return images if isinstance(images, ImageSet) else folder(images)


def _digests(images: ImageSet) -> set[str]:
    return {images.facts[id].digest for id in images.ids}


def _replaced(clean: ImageSet, digests: Mapping[str, str]) -> dict[str, str]:
    """Return a reason for every photo that has changed since it was protected."""
    now = {id: fact.digest for id, fact in clean.facts.items()}
    changed = [id for id in now if digests.get(id, now[id]) != now[id]]
    return dict.fromkeys(changed, "has changed since it was protected")


def _without(images: ImageSet, digests: Collection[str]) -> ImageSet:
    """Return the images whose content hash is not among ``digests``."""
    return images.subset([id for id in images.ids if images.facts[id].digest not in digests])


def _with_test(made: Pairs, test: ImageSet) -> Pairs:
    known = _digests(made.clean) | (_digests(made.context) if made.context else set())
    left_out = {f"test: {id}": reason for id, reason in test.skipped.items()}
    for id in test.ids:
        if test.class_of[id] not in made.clean.classes:
            left_out[f"test: {id}"] = f"class {test.class_of[id]!r} is not among the photos"
        elif test.facts[id].digest in known:
            left_out[f"test: {id}"] = "is also a training image"
    good = [id for id in test.ids if f"test: {id}" not in left_out]
    missing = set(made.clean.classes) - {test.class_of[id] for id in good}
    if missing:
        raise DataError(
            f"No test image belongs to class {min(missing)!r}.",
            "Give test images of every class, in sub-folders named as in PHOTOS.",
        )
    joined = {**made.left_out, **left_out}
    return Pairs(made.clean, made.protected, made.context, test.subset(good), made.settings, joined)
