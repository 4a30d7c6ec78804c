"""Images in memory: NumPy arrays, tensors, or any data set that yields (image, label)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unlearnable import hashing
from unlearnable.data.image_set import ImageSet, from_entries
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError


@dataclass(frozen=True)
class ArraySource:
    """Photos in memory, by id."""

    photos: dict[str, Photo]

    def load(self, id: str) -> tuple[Photo, str]:
        """Return a photo and the hash of its pixels."""
        photo = self.photos[id]
        return photo, hashing.of_pixels(photo.pixels)

    def size(self, id: str) -> tuple[int, int]:
        """Return (height, width)."""
        return self.photos[id].size

    def stamp(self, id: str) -> str:
        """Return the hash of the pixels, which are in memory anyway."""
        return hashing.of_pixels(self.photos[id].pixels)

    def origin(self, id: str) -> Photo:
        """Return the photo itself."""
        return self.photos[id]


def arrays(
    images: Any,
    labels: Sequence[Any],
    *,
    ids: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
) -> ImageSet:
    """Return an ImageSet of arrays or tensors.

    Args:
        images: uint8 (N, H, W), (N, H, W, 3) or (N, 3, H, W); or floats in [0, 1] that are multiples of
            1/255.
        labels: N labels: class names, or indices into ``classes``.
        ids: N different ids. By default they are made from the pixels, so the order of the images does not
            matter.
        classes: Class names for labels that are indices. Without them, index 0 is named ``"0000"``.

    Raises:
        DataError: If shapes or lengths do not match, or values are out of range.
    """
    pixels = [_photo(image) for image in images]
    if len(pixels) != len(labels):
        raise DataError(
            f"There are {len(pixels)} images and {len(labels)} labels.", "Give as many labels as images."
        )
    names = [_name(label, classes) for label in labels]
    keys = list(ids) if ids is not None else _from_pixels(pixels)
    if len(set(keys)) != len(pixels):
        raise DataError(
            f"There are {len(pixels)} images and {len(set(keys))} different ids.",
            "Give as many different ids as images.",
        )
    return from_entries(zip(keys, names, strict=True), ArraySource(dict(zip(keys, pixels, strict=True))))


def dataset(items: Any, *, classes: Sequence[str] | None = None) -> ImageSet:
    """Return an ImageSet of any torch-style data set: ``len(items)`` and ``items[i] -> (image, label)``.

    Args:
        items: The data set. Images are PIL images, arrays or tensors, without augmentation. Their ids are
            their positions (``00042``), so the data set must always be in the same order.
        classes: Class names for labels that are indices; ``items.classes`` if None and the data set has it.

    Raises:
        DataError: If an image cannot be used.
    """
    pairs = [items[index] for index in range(len(items))]
    names = classes if classes is not None else getattr(items, "classes", None)
    return arrays(
        [image for image, _ in pairs],
        [label for _, label in pairs],
        ids=[f"{i:05d}" for i in range(len(pairs))],
        classes=names,
    )


def _photo(image: Any) -> Photo:
    array = np.asarray(image.detach().cpu() if hasattr(image, "detach") else image)
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)):
        raise DataError(
            f"An image has the shape {array.shape}, which is neither grey nor colour.",
            "Give images of shape (H, W), (H, W, 3) or (3, H, W).",
        )
    if np.issubdtype(array.dtype, np.floating):
        levels = np.rint(array.astype(np.float64) * 255)
        if not np.allclose(levels / 255, array, atol=1e-3) or levels.min() < 0 or levels.max() > 255:
            raise DataError(
                "A float image has values outside [0, 1] or between the levels of 1/255.",
                "Give images before normalisation and augmentation.",
            )
        array = levels.astype(np.uint8)
    if array.dtype != np.uint8:
        raise DataError(
            f"An image has values of type {array.dtype}.", "Give images as uint8, or as floats in [0, 1]."
        )
    return Photo(np.ascontiguousarray(array))


def _name(label: Any, classes: Sequence[str] | None) -> str:
    if isinstance(label, str):
        return label
    index = int(label)
    return f"{index:04d}" if classes is None else str(classes[index])


def _from_pixels(photos: list[Photo]) -> list[str]:
    copies: dict[str, int] = {}
    keys = []
    for photo in photos:
        digest = hashing.of_pixels(photo.pixels)[:32]
        # equal images get different ids: the digest, then the digest with a number
        copy = copies[digest] = copies.get(digest, -1) + 1
        keys.append(digest if copy == 0 else f"{digest}.{copy}")
    return keys
