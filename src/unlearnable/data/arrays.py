"""Images that are already in memory: NumPy arrays, tensors, or any data set that yields (image, label)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unlearnable import hashing
from unlearnable.data.image_set import ImageSet, table
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError


@dataclass(frozen=True)
class ArraySource:
    """Photos in memory, by id."""

    photos: dict[str, Photo]

    def load(self, id: str) -> tuple[Photo, str]:
        """Return the photo and the hash of its pixels."""
        photo = self.photos[id]
        return photo, hashing.of_pixels(photo.pixels)

    def size(self, id: str) -> tuple[int, int]:
        """Return (height, width)."""
        return self.photos[id].size

    def stamp(self, id: str) -> str:
        """The content is at hand, so the stamp is its hash."""
        return hashing.of_pixels(self.photos[id].pixels)

    def origin(self, id: str) -> Photo:
        """The photo."""
        return self.photos[id]


def arrays(
    images: Any,
    labels: Sequence[Any],
    *,
    ids: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
) -> ImageSet:
    """Make an ImageSet of arrays or tensors.

    Args:
        images: uint8 (N, H, W), (N, H, W, 3) or (N, 3, H, W); or floats in [0, 1], which must lie on the
            levels of 1/255.
        labels: N labels: class names, or indices into ``classes``.
        ids: N different ids; when left out, ids are made from the pixels, so that order does not matter.
        classes: Names of the classes when the labels are indices; else indices become ``"0000"``, ``"0001"``
            and so on.

    Raises:
        DataError: If the shapes or lengths do not fit, or values lie outside their range.
    """
    pixels = [_photo(image) for image in images]
    if len(pixels) != len(labels):
        raise DataError(f"{len(pixels)} images need as many labels; there are {len(labels)}.")
    names = [_name(label, classes) for label in labels]
    keys = list(ids) if ids is not None else _from_pixels(pixels)
    if len(set(keys)) != len(pixels):
        raise DataError(f"{len(pixels)} images need as many different ids; there are {len(set(keys))}.")
    return table(zip(keys, names, strict=True), ArraySource(dict(zip(keys, pixels, strict=True))))


def dataset(items: Any, *, classes: Sequence[str] | None = None) -> ImageSet:
    """Make an ImageSet of any torch-style data set: ``len(items)`` and ``items[i] -> (image, label)``.

    Images may be PIL images, arrays or tensors without augmentation. Ids are positions (``00042``): the order
    of the data set is its identity, as with the benchmark sets.
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
            f"An image of shape {array.shape} is neither grey nor colour.",
            "Give (H, W), (H, W, 3) or (3, H, W).",
        )
    if np.issubdtype(array.dtype, np.floating):
        levels = np.rint(array.astype(np.float64) * 255)
        if not np.allclose(levels / 255, array, atol=1e-3) or levels.min() < 0 or levels.max() > 255:
            raise DataError(
                "Float images must lie in [0, 1] and on the levels of 1/255.",
                "Undo normalisation and augmentation first.",
            )
        array = levels.astype(np.uint8)
    if array.dtype != np.uint8:
        raise DataError(f"Images are uint8, or floats in [0, 1]; these are {array.dtype}.")
    return Photo(np.ascontiguousarray(array))


def _name(label: Any, classes: Sequence[str] | None) -> str:
    if isinstance(label, str):
        return label
    index = int(label)
    return f"{index:04d}" if classes is None else str(classes[index])


def _from_pixels(photos: list[Photo]) -> list[str]:
    seen: dict[str, int] = {}
    keys = []
    for photo in photos:
        digest = hashing.of_pixels(photo.pixels)[:32]
        count = seen[digest] = seen.get(digest, -1) + 1
        keys.append(digest if count == 0 else f"{digest}.{count}")
    return keys
