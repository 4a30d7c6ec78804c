"""From the noise of a search to the noise that a cell puts on its images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from unlearnable.cells.spec import Poison
from unlearnable.noise import Noise


def poisoned(noise: Noise, poison: Poison, class_of: Mapping[str, str], seed: int) -> Noise:
    """Return noise as a cell applies it to images of some classes, by id."""
    if poison.positive_only:
        noise = replace(noise, bank=np.maximum(noise.bank, 0))
    if poison.shuffle:
        noise = _shuffled(noise, poison.shuffle, class_of, seed)
    assignment = replace(
        noise.assignment, share=poison.share, classes=poison.classes or None, mapped=poison.mapped
    )
    return replace(noise, assignment=assignment)


def _shuffled(noise: Noise, how: str, class_of: Mapping[str, str], seed: int) -> Noise:
    """Give every pattern the key of another one: of the same class, or of any. Class-wise noise is the same for a whole class anyway."""
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
