"""Aligned crops of the faces in a set of photos, as a set of images that every method takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from unlearnable import hashing
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo, squash
from unlearnable.data.source import Derived, Source
from unlearnable.faces.face import CROP, Alignment

# between the id of a photo and the number of a further face; no photo ends so, because extensions do not
MARK = "#"


def crop_id(photo: str, number: int) -> str:
    """Return the id of a crop: that of the photo for the first face, numbered from 2 for the others."""
    return photo if number == 0 else f"{photo}{MARK}{number + 1}"


def crop_digest(digest: str, place: Alignment | None) -> str:
    """Return the content hash of a crop: another face of the same photo is another image.

    Args:
        digest: Content hash of the photo.
        place: The place of the crop; None for the whole photo.
    """
    return digest if place is None else hashing.digest("crop", digest, place.a, place.b, place.x, place.y)


@dataclass(frozen=True)
class _Located:
    source: Source
    photo_of: Mapping[str, str]

    def __call__(self, id: str) -> tuple[Source, str]:
        return self.source, self.photo_of[id]


@dataclass(frozen=True)
class _Cropping:
    """A change of photos: the aligned crop instead, or the whole photo as a square without a place."""

    places: Mapping[str, Alignment | None]
    side: int

    def __call__(self, id: str, photo: Photo, digest: str) -> Photo:
        place = self.places[id]
        opaque = photo.opaque
        pixels = squash(opaque, self.side) if place is None else place.crop(opaque, self.side)
        return replace(photo, pixels=pixels)


class _Crops(Derived):
    """Crops with content hashes of their own, so that noise found for one face is not given to another."""

    def load(self, id: str) -> tuple[Photo, str]:
        assert isinstance(self.change, _Cropping)
        photo, digest = super().load(id)
        return photo, crop_digest(digest, self.change.places[id])


def crops(images: ImageSet, places: Mapping[str, tuple[Alignment | None, ...]], side: int = CROP) -> ImageSet:
    """Return the aligned crops of the protected faces, with the class of their photo.

    Args:
        images: The photos.
        places: The places of each photo's crops, by id; photos without any are left out.
        side: Side of the crops in pixels.

    Raises:
        DataError: If there is no crop.
    """
    photo_of, place_of = dict[str, str](), dict[str, Alignment | None]()
    for id in images.ids:
        for number, place in enumerate(places.get(id, ())):
            photo_of[crop_id(id, number)] = id
            place_of[crop_id(id, number)] = place
    return replace(
        images,
        ids=tuple(photo_of),
        class_of={id: images.class_of[photo] for id, photo in photo_of.items()},
        source=_Crops(_Located(images.source, photo_of), _Cropping(place_of, side)),
        facts={},
        squares=None,
    )
