"""Views: images as squares of one size, ready for training, with their labels and facts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unlearnable import hashing
from unlearnable.budget import UInt8Array
from unlearnable.data.square_views import COPY_BATCH, allocate


@dataclass(frozen=True)
class View:
    """Images as squares of one size, ready for training, in the order of their source.

    Args:
        ids: N ids.
        pixels: uint8 (N, 3, S, S).
        labels: int64 (N,), indices into ``classes``.
        classes: Class names, in code-point order.
        grey: bool (N,): whether the photo is grey, so that its noise must be equal in the three channels.
        own: bool (N,): False for context images, which the surrogate trains on and which never get noise.
        frame: Median (height, width) in pixels of the own photos at their own size.
        digests: Content hash of each image.
    """

    ids: tuple[str, ...]
    pixels: UInt8Array
    labels: np.ndarray[Any, np.dtype[np.int64]]
    classes: tuple[str, ...]
    grey: np.ndarray[Any, np.dtype[np.bool_]]
    own: np.ndarray[Any, np.dtype[np.bool_]]
    frame: tuple[int, int]
    digests: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """Hash of all ids, classes and contents, whatever their order."""
        order = self._order
        names = [self.classes[self.labels[row]] for row in order]
        return hashing.of_rows(
            [[self.ids[row] for row in order], names, [self.digests[row] for row in order]]
        )

    def in_order_of_ids(self) -> View:
        """Return the images sorted by id, so that a search does not depend on the order of their source."""
        order = self._order
        if order == list(range(len(order))):
            return self
        pixels = allocate(self.pixels.shape)
        for start in range(0, len(order), COPY_BATCH):
            pixels[start : start + COPY_BATCH] = self.pixels[order[start : start + COPY_BATCH]]
        return replace(
            self,
            ids=tuple(self.ids[row] for row in order),
            pixels=pixels,
            labels=self.labels[order],
            grey=self.grey[order],
            own=self.own[order],
            digests=tuple(self.digests[row] for row in order),
        )

    @property
    def _order(self) -> list[int]:
        return sorted(range(len(self.ids)), key=self.ids.__getitem__)
