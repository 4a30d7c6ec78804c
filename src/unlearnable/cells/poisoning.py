"""From the noise of a search to the training images of a cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from unlearnable.cells.spec import Poison
from unlearnable.data.image_set import ImageSet
from unlearnable.data.source import Change, changed
from unlearnable.noise import Noise


def poisoned(noise: Noise, poison: Poison, class_of: Mapping[str, str], seed: int) -> Noise:
    """Return noise as a cell applies it.

    Args:
        noise: The noise of the search.
        poison: The description of how it is applied.
        class_of: Class name of every image, by id.
        seed: Seed of a shuffle.
    """
    if poison.positive_only:
        noise = replace(noise, bank=np.maximum(noise.bank, 0))
    if poison.prefix:
        noise = replace(noise, keys=tuple(f"{poison.prefix}{key}" for key in noise.keys))
    if poison.shuffle:
        noise = _shuffled(noise, poison.shuffle, class_of, seed)
    assignment = replace(
        noise.assignment, share=poison.share, classes=poison.classes or None, mapped=poison.mapped
    )
    return replace(noise, assignment=assignment)


def published(images: ImageSet, noise: Noise, poison: Poison) -> ImageSet:
    """Return images with noise as a trainer finds them: as files of the encoding, if there is one.

    Args:
        images: Clean images.
        noise: The noise as ``poisoned`` returns it.
        poison: The description; ``encoding`` holds for images without noise too, as in a published folder.
    """
    protected = images.with_noise(noise)
    if not poison.encoding:
        return protected
    return replace(protected, source=changed(protected.source, _through_file(poison.encoding)))


def _through_file(encoding: str) -> Change:
    """Return a change that writes a photo as a file at its own size, and decodes it again."""
    # cells must be described where Pillow is missing, so it is imported where a photo is encoded
    from unlearnable.data.decoding import decode
    from unlearnable.data.encoding import Encoding, encode

    format, _, quality = encoding.partition(":")
    chosen = Encoding(format, int(quality)) if quality else Encoding(format)  # type: ignore[arg-type]
    return lambda id, photo, digest: decode(encode(photo, chosen), id)


def _shuffled(noise: Noise, how: str, class_of: Mapping[str, str], seed: int) -> Noise:
    """Give every pattern the key of another one: of the same class, or of any.

    Class-wise noise is the same for a whole class, so a shuffle within the class changes nothing.
    """
    rng = np.random.default_rng(seed)
    group = [
        class_of[key] if how == "within" and noise.form == "samplewise" else key if how == "within" else ""
        for key in noise.keys
    ]
    keys = np.array(noise.keys, dtype=object)
    for name in sorted(set(group)):
        rows = np.array([row for row, mine in enumerate(group) if mine == name])
        keys[rows] = keys[rng.permutation(rows)]
    return replace(noise, keys=tuple(keys), digests=())
