"""The images of a verification: what is trained on and tested on, for every arm, seed and chain."""

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
    """Squares of everything that an arm needs, after the stage of a chain at the photo's own size."""

    train: View
    test: View
    context: View | None


@dataclass
class Pairs:
    """Photos and their protected images under the same ids, with what they are tested on.

    Args:
        clean: The photos.
        protected: The protected images, under the photos' ids.
        context: Classes that are clean in every arm, or None.
        test: Clean test images of the same classes, or None to hold some photos out of both arms.
        settings: Sizes and recipes for photos of this size.
        left_out: Ids that take no part, with the reason.
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
        """How many protected images equal their photos, pixel by pixel of the squares."""
        return int((self.clean_view.pixels == self.protected_view.pixels).all(axis=(1, 2, 3)).sum())

    @property
    def classes(self) -> tuple[str, ...]:
        """All classes that a network tells apart."""
        return tuple(sorted({*self.clean.classes, *(self.context.classes if self.context else ())}))

    @property
    def judged(self) -> tuple[int, ...]:
        """Labels of the protected classes."""
        return tuple(self.classes.index(name) for name in self.clean.classes)

    @property
    def trained_on(self) -> int:
        """How many images a training has."""
        context = len(self.context) if self.context else 0
        return len(self.clean) - int(self.held_out(0).sum()) + context

    @property
    def tested_on(self) -> int:
        """How many images a training is tested on."""
        return int(self.held_out(0).sum()) if self.test is None else len(self.test)

    def held_out(self, seed: int) -> Rows:
        """Return which photos are tested on and not trained on: bool (N,)."""
        if self.test is not None:
            return np.zeros(len(self.clean), dtype=bool)
        digests = dict(zip(self.clean_view.ids, self.clean_view.digests, strict=True))
        out = held_out({id: self.clean.class_of[id] for id in self.clean.ids}, digests, HELD_OUT, seed)
        return np.array([id in out for id in self.clean.ids])

    def arm(self, name: str, seed: int, chain: Chain | None = None) -> Arm:
        """Return the images of the arm ``clean`` or ``protected`` under a chain of countermeasures.

        The trainer applies the chain to everything that is trained on, and to test images where the
        countermeasure says so. Draws at the photo's own size are the same for all seeds, so that photos are
        read once.
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
            self._changed.clear()  # one set of changed images in memory at a time
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

    Raises:
        DataError: If nothing pairs, there is one class only, or a class has no image to test on.
    """
    clean = opened(photos)
    # the classes of the photos count, whatever folders the protected files lie in
    changed = protected if isinstance(protected, ImageSet) else folder(protected, class_name="protected")
    matching = match(clean, changed, run)
    left_out = {**clean.skipped, **matching.left_out}
    clean, changed = aligned(clean, changed, matching)
    others = None if context is None else opened(context)
    shared = set(clean.classes) & set(others.classes if others else ())
    if shared:
        raise DataError(
            f"Class {min(shared)!r} is among the photos and in the context.", "Context holds other classes."
        )
    if len({*clean.classes, *(others.classes if others else ())}) < 2:
        raise DataError(
            "There is one class only, so there is nothing to tell apart.",
            "Give other classes with --context FOLDER.",
        )
    settings = defaults(clean.frame)
    clean, changed = (images.readable(on_progress, settings.side) for images in (clean, changed))
    replaced = _replaced(clean, matching.digests)
    left_out |= {**clean.skipped, **changed.skipped, **replaced}
    good = [id for id in clean.ids if id in changed.facts and id not in replaced]
    clean, changed = clean.subset(good), changed.subset(good)
    if others is not None:
        # a twin of a held-out photo must not be trained on, in whatever class it lies
        others = _without(others.readable(on_progress, settings.side), _digests(clean))
    made = Pairs(clean, changed, others, None, settings, left_out)
    return made if test is None else _with_test(made, opened(test).readable(on_progress, settings.side))


def opened(images: Images) -> ImageSet:
    """Open a folder; return a set as it is."""
    return images if isinstance(images, ImageSet) else folder(images)


def _digests(images: ImageSet) -> set[str]:
    return {images.facts[id].digest for id in images.ids}


def _replaced(clean: ImageSet, digests: Mapping[str, str]) -> dict[str, str]:
    """Return a reason for every photo that is another one than was protected."""
    now = {id: fact.digest for id, fact in clean.facts.items()}
    changed = [id for id in now if digests.get(id, now[id]) != now[id]]
    return dict.fromkeys(changed, "has changed since it was protected")


def _without(images: ImageSet, digests: Collection[str]) -> ImageSet:
    """Return the images that are not among some contents."""
    return images.subset([id for id in images.ids if images.facts[id].digest not in digests])


def _with_test(made: Pairs, test: ImageSet) -> Pairs:
    known = _digests(made.clean) | (_digests(made.context) if made.context else set())
    left_out = {f"test: {id}": reason for id, reason in test.skipped.items()}
    for id in test.ids:
        if test.class_of[id] not in made.clean.classes:
            left_out[f"test: {id}"] = f"class {test.class_of[id]!r} is not among the photos"
        elif test.facts[id].digest in known:
            left_out[f"test: {id}"] = "is also trained on"
    good = [id for id in test.ids if f"test: {id}" not in left_out]
    missing = set(made.clean.classes) - {test.class_of[id] for id in good}
    if missing:
        raise DataError(
            f"No test image belongs to class {min(missing)!r}.",
            "Give test images of every class, named as in PHOTOS.",
        )
    joined = {**made.left_out, **left_out}
    return Pairs(made.clean, made.protected, made.context, test.subset(good), made.settings, joined)
