"""The images of a verification: what is trained on and what is tested on, for every arm and seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet
from unlearnable.data.splitting import held_out
from unlearnable.data.view import View
from unlearnable.errors import DataError
from unlearnable.evaluation.comparison import Arm, Labelled
from unlearnable.evaluation.pairing import aligned, pair
from unlearnable.evaluation.treatments import treated
from unlearnable.evaluation.trials import HELD_OUT, Defaults, defaults

Images = str | Path | ImageSet
SAMPLED = 32


@dataclass
class Material:
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
    _treated: dict[str, tuple[View, View, View | None]] = field(default_factory=dict)

    @cached_property
    def plain(self) -> View:
        """The photos as squares."""
        return self.clean.view(self.settings.side)

    @cached_property
    def changed(self) -> View:
        """The protected images as squares."""
        return self.protected.view(self.settings.side)

    @cached_property
    def unchanged(self) -> int:
        """How many protected images are their photos, pixel by pixel of the squares."""
        return int((self.plain.pixels == self.changed.pixels).all(axis=(1, 2, 3)).sum())

    @property
    def classes(self) -> tuple[str, ...]:
        """All classes that a network tells apart."""
        return tuple(sorted({*self.clean.classes, *(self.context.classes if self.context else ())}))

    @property
    def judged(self) -> tuple[int, ...]:
        """Labels of the protected classes."""
        return tuple(self.classes.index(name) for name in self.clean.classes)

    def held_out(self, seed: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Return which photos are tested on and not trained on: bool (N,)."""
        if self.test is not None:
            return np.zeros(len(self.clean), dtype=bool)
        digests = dict(zip(self.plain.ids, self.plain.digests, strict=True))
        out = held_out({id: self.clean.class_of[id] for id in self.clean.ids}, digests, HELD_OUT, seed)
        return np.array([id in out for id in self.clean.ids])

    def arm(self, name: str, seed: int) -> Arm:
        """Return the images of ``clean``, ``protected`` or one of the treatments.

        A treatment is applied to all that its trainer has, test images too: what is asked is how well one can
        do that way.
        """
        views = self._views(name)
        out = self.held_out(seed)
        pixels, labels = self._labelled(views[0], ~out)
        if views[2] is not None:
            more = self._labelled(views[2], np.ones(len(views[2].ids), dtype=bool))
            pixels, labels = torch.cat([pixels, more[0]]), torch.cat([labels, more[1]])
        return Arm(
            (pixels, labels),
            self._labelled(views[1], out if self.test is None else ~np.zeros(len(self.test), dtype=bool)),
        )

    def _labelled(self, view: View, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Labelled:
        index = np.array([self.classes.index(name) for name in view.classes])
        return torch.from_numpy(view.pixels[rows]), torch.from_numpy(index[view.labels[rows]])

    @cached_property
    def _others(self) -> tuple[View, View | None]:
        side = self.settings.side
        test = self.plain if self.test is None else self.test.view(side)
        return test, None if self.context is None else self.context.view(side)

    def _views(self, name: str) -> tuple[View, View, View | None]:
        if name in ("clean", "protected"):
            return (self.plain if name == "clean" else self.changed, *self._others)
        if name not in self._treated:
            self._treated.clear()  # one treatment in memory at a time
            tested = self.clean if self.test is None else self.test
            views = [
                None if one is None else treated(one, name).view(self.settings.side)
                for one in (self.protected, tested, self.context)
            ]
            assert views[0] is not None
            assert views[1] is not None
            self._treated[name] = (views[0], views[1], views[2])
        return self._treated[name]


def gather(
    photos: Images, protected: Images, test: Images | None, context: Images | None, run: Path | None
) -> Material:
    """Open, pair and check all images.

    Raises:
        DataError: If nothing pairs, there is one class only, or a class has no image to test on.
    """
    clean = opened(photos)
    # whatever the protected files are sorted by, the classes of the photos count
    changed = protected if isinstance(protected, ImageSet) else folder(protected, class_name="protected")
    pairs = pair(clean, changed, run)
    left_out = {**clean.skipped, **pairs.left_out}
    clean, changed = aligned(clean, changed, pairs)
    around = None if context is None else opened(context).readable()
    shared = set(clean.classes) & set(around.classes if around else ())
    if shared:
        raise DataError(
            f"Class {sorted(shared)[0]!r} is among the photos and in the context.",
            "Context holds other classes.",
        )
    if len({*clean.classes, *(around.classes if around else ())}) < 2:
        raise DataError(
            "There is one class only, so there is nothing to tell apart.",
            "Give other classes with --context FOLDER.",
        )
    sizes = [clean.photo(id).size for id in sample(clean.ids, SAMPLED)]
    height, width = np.median(sizes, axis=0)
    made = Material(clean, changed, around, None, defaults((int(height), int(width))), left_out)
    made = _usable(made, pairs.digests)
    if made.context is not None:
        digests = set(
            made.plain.digests
        )  # a twin of a held-out photo must not be trained on, in whatever class it lies
        made.context = made.context.subset(
            [id for id in made.context.ids if made.context.source.load(id)[1] not in digests]
        )
    return made if test is None else _with_test(made, opened(test))


def opened(images: Images) -> ImageSet:
    """Open a folder; return a set as it is."""
    return images if isinstance(images, ImageSet) else folder(images)


def sample(ids: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Return about ``count`` ids, evenly spread."""
    return tuple(ids[i] for i in sorted({int(i) for i in np.linspace(0, len(ids) - 1, min(count, len(ids)))}))


def _usable(made: Material, digests: Mapping[str, str]) -> Material:
    """Leave out pairs that cannot be decoded, or whose photo is another one than was protected."""
    reasons: dict[str, str] = {}
    try:
        found = zip(made.plain.ids, made.plain.digests, strict=True)
        reasons = {
            id: "has changed since it was protected"
            for id, digest in found
            if digests.get(id, digest) != digest
        }
        made.changed  # noqa: B018  decoded here, so that what cannot be read is known before any training
    except DataError:
        reasons |= dict(made.clean.readable().skipped) | dict(made.protected.readable().skipped)
    if not reasons:
        return made
    good = [id for id in made.clean.ids if id not in reasons]
    left_out = {**made.left_out, **reasons}
    return _usable(
        Material(
            made.clean.subset(good), made.protected.subset(good), made.context, None, made.settings, left_out
        ),
        digests,
    )


def _with_test(made: Material, test: ImageSet) -> Material:
    test = test.readable()
    view = made.plain
    known = {*view.digests, *(made._others[1].digests if made._others[1] else ())}
    left_out = {f"test: {id}": reason for id, reason in test.skipped.items()}
    for id in test.ids:
        if test.class_of[id] not in made.clean.classes:
            left_out[f"test: {id}"] = f"class {test.class_of[id]!r} is not among the photos"
        elif test.source.load(id)[1] in known:
            left_out[f"test: {id}"] = "is also trained on"
    good = [id for id in test.ids if f"test: {id}" not in left_out]
    missing = set(made.clean.classes) - {test.class_of[id] for id in good}
    if missing:
        raise DataError(
            f"No test image belongs to class {sorted(missing)[0]!r}.",
            "Give test images of every class, named as in PHOTOS.",
        )
    joined = Material(
        made.clean,
        made.protected,
        made.context,
        test.subset(good),
        made.settings,
        {**made.left_out, **left_out},
    )
    joined.plain, joined.changed = made.plain, made.changed
    return joined
