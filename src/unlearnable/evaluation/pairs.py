"""The images of a verification: training and test images of every arm, seed and chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from unlearnable.countermeasures import Chain
from unlearnable.data.image_set import ImageSet
from unlearnable.data.splitting import held_out
from unlearnable.data.view import View
from unlearnable.evaluation.comparison import Arm
from unlearnable.evaluation.enough import Outlook, outlook
from unlearnable.evaluation.schedule import HELD_OUT, Defaults
from unlearnable.training.victim import Labelled

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
        pictured: Number of pairs found by their pictures, because the names differ.
    """

    clean: ImageSet
    protected: ImageSet
    context: ImageSet | None
    test: ImageSet | None
    settings: Defaults
    left_out: Mapping[str, str]
    pictured: int = 0
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

    def outlook(self, seeds: int) -> Outlook:
        """Return the verdicts that the number of test images allows, before any training.

        Args:
            seeds: Number of seeds.
        """
        images, rows = (self.clean, self.held_out(0)) if self.test is None else (self.test, None)
        names = [images.class_of[id] for index, id in enumerate(images.ids) if rows is None or rows[index]]
        context = len(self.context.classes) if self.context else 0
        counts = [names.count(name) for name in self.clean.classes]
        return outlook(counts, context, seeds, held_out=self.test is None)

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
