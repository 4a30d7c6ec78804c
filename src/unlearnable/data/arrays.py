"""Images in memory: NumPy arrays, tensors, or Pillow images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unlearnable import hashing
from unlearnable.data.class_names import class_names
from unlearnable.data.image_set import ImageSet, from_entries
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError

LEVELS = "Give images as uint8, or as floats in [0, 1], before normalisation and augmentation."


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
    labels: Any,
    *,
    ids: Sequence[str] | None = None,
    classes: Iterable[str] | None = None,
) -> ImageSet:
    """Return an ImageSet of arrays, tensors or Pillow images, in their order.

    Args:
        images: uint8 (N, H, W), (N, H, W, 3) or (N, 3, H, W); floats in [0, 1] that are multiples of 1/255;
            or a list of such images or of Pillow images, of any sizes.
        labels: N labels: class names, or indices into ``classes``.
        ids: N different ids. By default they are made from the pixels, so the noise does not depend on the
            order of the images.
        classes: Class names for labels that are indices. Without them, index 0 is named ``"0000"``.

    Raises:
        DataError: If shapes or lengths do not match, values are out of range, or a label is no class.
    """
    pixels = _photos(images)
    names = class_names(labels, classes)
    if len(pixels) != len(names):
        raise DataError(
            f"There are {len(pixels)} images and {len(names)} labels.", "Give as many labels as images."
        )
    keys = list(ids) if ids is not None else _from_pixels(pixels, names)
    return labelled(pixels, names, keys)


def labelled(photos: Sequence[Photo], names: Sequence[str], ids: Sequence[str]) -> ImageSet:
    """Return an ImageSet of photos in memory, in their order.

    Args:
        photos: N photos.
        names: Their N class names.
        ids: Their N ids.

    Raises:
        DataError: If there is no photo, or two ids are equal.
    """
    if len(set(ids)) != len(photos):
        raise DataError(
            f"There are {len(photos)} images and {len(set(ids))} different ids.",
            "Give as many different ids as images.",
        )
    return from_entries(zip(ids, names, strict=True), ArraySource(dict(zip(ids, photos, strict=True))))


def photo_from(image: Any, what: str = "An image") -> Photo:
    """Return an image in memory as a photo.

    Args:
        image: An array or tensor (H, W), (H, W, C) or (C, H, W), or a Pillow image.
        what: The subject of messages, for example ``images[3]``.

    Raises:
        DataError: If it is no 8-bit image.
    """
    # Pillow images are not arrays of levels: some modes hold indices into a palette, or other colours
    if hasattr(image, "getbands"):
        from unlearnable.data.decoding import photo_of

        try:
            return photo_of(image)
        except DataError as error:
            raise DataError(f"{what}: {error.problem}", error.remedy) from error
    if image is None or isinstance(image, str | bytes | dict):
        raise DataError(f"{what} is {image!r:.60}, not an image.", "Give arrays, tensors or Pillow images.")
    array = _array(image, what)
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or not array.size:
        raise DataError(
            f"{what} has the shape {array.shape}, which is neither grey nor colour.",
            "Give images of shape (H, W), (H, W, 3) or (3, H, W).",
        )
    return Photo(np.ascontiguousarray(_levels(array, what)))


def _photos(images: Any) -> list[Photo]:
    if isinstance(images, str | bytes) or not hasattr(images, "__iter__"):
        raise DataError(f"The images are {images!r:.60}, not arrays.", "Give images as an array or a list.")
    if hasattr(images, "getbands") or getattr(images, "ndim", 4) == 2:
        raise DataError("One image was given.", "Give a list of images: [image].")
    return [photo_from(image, f"images[{position}]") for position, image in enumerate(images)]


def _array(image: Any, what: str) -> np.ndarray[Any, Any]:
    try:
        if hasattr(image, "detach"):
            image = image.detach().cpu()
            # NumPy has no bfloat16
            image = image.float() if image.is_floating_point() else image
        return np.asarray(image)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{what} is not an array ({error}).", "Give arrays, tensors or Pillow images."
        ) from error


def _levels(array: np.ndarray[Any, Any], what: str) -> np.ndarray[Any, Any]:
    if array.dtype == np.uint8:
        return array
    if np.issubdtype(array.dtype, np.floating):
        if not np.isfinite(array).all():
            raise DataError(f"{what} has values that are NaN or infinite.", LEVELS)
        levels = np.rint(array.astype(np.float64) * 255)
        if not np.allclose(levels / 255, array, atol=1e-3) or levels.min() < 0 or levels.max() > 255:
            raise DataError(
                f"{what} has values from {array.min():.3g} to {array.max():.3g}: outside [0, 1], or between "
                "the levels of 1/255.",
                LEVELS,
            )
        eight: np.ndarray[Any, Any] = levels.astype(np.uint8)
        return eight
    if array.dtype == np.uint16:
        raise DataError(
            f"{what} has values of type uint16.", "Convert it: (image / 257).round().astype('uint8')."
        )
    raise DataError(f"{what} has values of type {array.dtype}.", LEVELS)


def _from_pixels(photos: list[Photo], names: list[str]) -> list[str]:
    digests = [hashing.of_pixels(photo.pixels)[:32] for photo in photos]
    keys, copies = [""] * len(photos), dict[str, int]()
    # Equal images get different ids: the digest, then the digest with a number. They are numbered by class,
    # so that the class of an id does not depend on the order of the images. The digest leaves out the shape.
    facts = [(photo.pixels.shape, name) for photo, name in zip(photos, names, strict=True)]
    for position in sorted(range(len(photos)), key=facts.__getitem__):
        digest = digests[position]
        copy = copies[digest] = copies.get(digest, -1) + 1
        keys[position] = digest if copy == 0 else f"{digest}.{copy}"
    return keys
