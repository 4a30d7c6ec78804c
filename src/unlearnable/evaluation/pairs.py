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
from unlearnable.evaluation.by_picture import Cells
from unlearnable.evaluation.comparison import Arm
from unlearnable.evaluation.enough import Outlook, outlook
from unlearnable.evaluation.near_duplicates import groups
from unlearnable.evaluation.schedule import HELD_OUT, Defaults
from unlearnable.training.victim import Labelled

Rows = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Views:
    """Views of an arm, after the stage ``photo`` of a chain.

    Args:
        train: Photos or protected images.
        test: Test images.
        context: Context images to train on, or None.
        context_test: The same images to test on, or None.
    """

    train: View
    test: View
    context: View | None
    context_test: View | None


@dataclass
class Pairs:
    """Photos and their protected images under the same ids, with test and context images.

    Args:
        clean: The photos.
        protected: The protected images, under the photos' ids.
        context: Images of other classes, clean in every arm, or None.
        test: Clean test images of the same classes; None to hold some photos out of both arms. Context
            images are held out in either case.
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
    _changed: dict[tuple[str, str], Views] = field(default_factory=dict, init=False)
    _grouped: dict[str, Mapping[str, int]] = field(default_factory=dict, init=False)

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
        return int((~self.held_out(0)).sum() + (~self.context_held_out(0)).sum())

    @property
    def tested_on(self) -> int:
        """Number of test images, context included."""
        own = int(self.held_out(0).sum()) if self.test is None else len(self.test)
        return own + int(self.context_held_out(0).sum())

    @property
    def tested_on_words(self) -> str:
        """Description of the test images."""
        held_out = "held out of both trainings, different ones for each seed"
        if self.test is None:
            return f"photos {held_out}" if self.context is None else f"photos and context images {held_out}"
        given = "a separate folder of clean photos"
        return given if self.context is None else f"{given}, and context images {held_out}"

    @cached_property
    def near_duplicates(self) -> int:
        """Number of photos that are copies or near duplicates of another photo, and stay on its side."""
        _, group, size = np.unique(
            [*self._groups(self.clean).values()], return_inverse=True, return_counts=True
        )
        return int((size[group] > 1).sum())

    def outlook(self, seeds: int) -> Outlook:
        """Return the verdicts that the number of test images allows, before any training.

        Args:
            seeds: Number of seeds.
        """
        images, rows = (self.clean, self.held_out(0)) if self.test is None else (self.test, None)
        names = [images.class_of[id] for index, id in enumerate(images.ids) if rows is None or rows[index]]
        counts = [names.count(name) for name in self.clean.classes]
        context = int(self.context_held_out(0).sum())
        return outlook(counts, context, seeds, held_out=self.test is None)

    def held_out(self, seed: int) -> Rows:
        """Return whether each photo is held out for testing: bool (N,)."""
        if self.test is not None:
            return np.zeros(len(self.clean), dtype=bool)
        return self._held_out(self.clean, seed)

    def context_held_out(self, seed: int) -> Rows:
        """Return whether each context image is held out for testing: bool (M,)."""
        return np.zeros(0, dtype=bool) if self.context is None else self._held_out(self.context, seed)

    def _held_out(self, images: ImageSet, seed: int) -> Rows:
        class_of = {id: images.class_of[id] for id in images.ids}
        out = held_out(class_of, self._groups(images), HELD_OUT, seed)
        return np.array([id in out for id in images.ids])

    def _groups(self, images: ImageSet) -> Mapping[str, int]:
        """Return the group of every id; copies and near duplicates share one."""
        name = "clean" if images is self.clean else "context"
        if name not in self._grouped:
            cells = Cells.of(images, self.settings.side)
            found = groups(cells, tuple(images.facts[id].digest for id in images.ids))
            self._grouped[name] = dict(zip(images.ids, found.tolist(), strict=True))
        return self._grouped[name]

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
        tested = out if self.test is None else np.ones(len(self.test), dtype=bool)
        train, test = self._labelled(views.train, ~out), self._labelled(views.test, tested)
        if views.context is not None and views.context_test is not None:
            out = self.context_held_out(seed)
            train = _joined(train, self._labelled(views.context, ~out))
            test = _joined(test, self._labelled(views.context_test, out))
        return Arm(train, test)

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
            for images, test in (
                (trained, False),
                (tested, True),
                (self.context, False),
                (self.context, True),
            )
        ]
        if changed == [None] * 4:
            plain = self.clean_view if name == "clean" else self.protected_view
            return Views(plain, self._test_view, self._context_view, self._context_view)
        key = (name, chain.spec)
        if key not in self._changed:
            # one set of changed images in memory at a time
            self._changed.clear()
            train, test, context, unseen = (
                None if new is None else new.view(self.settings.side) for new in changed
            )
            assert train is not None
            self._changed[key] = Views(
                train, test or self._test_view, context or self._context_view, unseen or self._context_view
            )
        return self._changed[key]


def _joined(one: Labelled, other: Labelled) -> Labelled:
    pixels, labels = torch.cat([one.pixels, other.pixels]), torch.cat([one.labels, other.labels])
    return Labelled(pixels, labels, one.classes)
