"""The bank of a search: the keys of its rows, the row of every image, and its patterns as noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unlearnable.arguments import shown
from unlearnable.data.view import View
from unlearnable.errors import UnlearnableError
from unlearnable.methods.config import NoiseConfig
from unlearnable.noise import Noise
from unlearnable.version import __version__

if TYPE_CHECKING:
    from unlearnable.methods.base import Method

CHUNK = 256  # patterns that are rounded at a time


def own_classes(view: View) -> tuple[str, ...]:
    """Return the names of the classes of own images, in code-point order."""
    return tuple(
        sorted({view.classes[label] for label, own in zip(view.labels, view.own, strict=True) if own})
    )


def keys(config: NoiseConfig, view: View) -> tuple[str, ...]:
    """Return the key of every row: own ids, or own classes once per pattern."""
    if config.form == "samplewise":
        return tuple(id for id, own in zip(view.ids, view.own, strict=True) if own)
    assignment = config.assignment(0)
    return tuple(key for name in own_classes(view) for key in assignment.keys(name))


def rows(config: NoiseConfig, keys: Sequence[str], view: View, seed: int) -> torch.Tensor:
    """Return the row of every image, int64 (N,); -1 for context.

    Args:
        config: The settings, resolved.
        keys: The key of every row.
        view: The images.
        seed: Seed of the run.
    """
    assignment = config.assignment(seed)
    of_images = view.ids
    if config.form != "samplewise":
        named = zip(view.ids, view.labels, strict=True)
        of_images = tuple(assignment.key(id, view.classes[label]) for id, label in named)
    row = {key: row for row, key in enumerate(keys)}
    own = zip(of_images, view.own, strict=True)
    return torch.tensor([row.get(key, -1) if is_own else -1 for key, is_own in own])


def to_noise(method: Method[Any], patterns: torch.Tensor, view: View, seed: int) -> Noise:
    """Return the patterns that a method found as noise: projected, rounded, with keys and provenance.

    Args:
        method: The method, resolved.
        patterns: Float or whole (rows, 3, h, w), in levels.
        view: The images.
        seed: Seed of the run.

    Raises:
        UnlearnableError: If the patterns are no tensor of this shape.
    """
    if not isinstance(patterns, torch.Tensor) or patterns.ndim != 4:
        raise UnlearnableError(
            f"The noise of {method.name} is {shown(patterns)}, but must be a tensor (rows, 3, h, w).",
            "Correct what its `finish` returns.",
        )
    config = method.config
    bank = np.empty(tuple(patterns.shape), np.int8)
    for start in range(0, len(bank), CHUNK):
        chunk = patterns[start : start + CHUNK].detach().cpu().double().numpy()
        bank[start : start + CHUNK] = config.budget.round(chunk)
    digests: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    if method.form == "samplewise":
        digests = tuple(digest for digest, own in zip(view.digests, view.own, strict=True) if own)
        classes = tuple(view.classes[label] for label, own in zip(view.labels, view.own, strict=True) if own)
    return Noise(
        bank=bank,
        keys=method.keys(view),
        form=method.form,
        budget=config.budget,
        grid=(config.grid, config.grid),
        interpolation=config.interpolation,
        grey=config.grey,
        digests=digests,
        classes=classes,
        assignment=config.assignment(seed),
        provenance={
            "method": method.name,
            "config": config.model_dump(mode="json"),
            "fingerprint": view.fingerprint,
            "version": __version__,
            "seed": seed,
        },
    )
