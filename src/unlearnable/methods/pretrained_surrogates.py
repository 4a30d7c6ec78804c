"""Pretrained networks as surrogates: the settings that name them, and the record of their weights.

A run records the digests of the files, so that a search that resumes, and noise for photos that come later,
use the same weights. Nothing is downloaded.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator
from torch import nn

from unlearnable import hashing, models
from unlearnable.data.image_set import is_small
from unlearnable.errors import DataError
from unlearnable.methods.settings import SearchConfig
from unlearnable.models import starts
from unlearnable.training.finetuning import SIZE
from unlearnable.training.transforms import Name
from unlearnable.training.weights import load_weights, read_weights, split


class PretrainedConfig(SearchConfig):
    """Settings of a search against pretrained networks.

    Attributes:
        surrogate: The pretrained networks that the noise is found against: ``pretrained:NETWORK`` for
            published weights (`docs/pretrained.md`), ``NETWORK=FILE`` for a file of weights. Nothing is
            downloaded.
        resolution: Side in pixels of the network's input. ``auto`` is 128, for small images too: at this size
            `verify` uses pretrained networks.
        grid: Side of the grid over the frame on which noise lives; 0 for the resolution, or for the images'
            own size up to 40 px.
        weights: SHA-256 of the files of weights, joined with ``+``. ``auto`` is the files on this machine.
            The run records it, and other files are refused later.
    """

    surrogate: str = "pretrained:efficientnet-lite0"
    transforms: Name = "photo"
    crop_min: float = Field(default=0.5, gt=0, le=1)
    zoom: float = Field(default=1.5, ge=1, le=4)
    weights: str = "auto"

    @field_validator("surrogate")
    @classmethod
    def _known(cls, surrogate: str) -> str:
        """Refuse unknown networks now rather than after all photos have been read."""
        starts.parse(surrogate)
        return surrogate


def resolved(config: PretrainedConfig, settings: dict[str, Any], frame: tuple[int, int]) -> dict[str, Any]:
    """Return the settings that ``auto`` stands for, with the digests of the files of weights.

    Args:
        config: The settings as requested.
        settings: Those that ``auto`` stands for in a search against a network without weights.
        frame: Usual (height, width) of the photos.

    Raises:
        DataError: If weights are not on this machine. The remedy says how to get them.
    """
    found = starts.parse(config.surrogate)
    size = SIZE if config.resolution == "auto" else config.resolution
    return {
        **settings,
        "surrogate": "+".join(start.text for start in found),
        "resolution": size,
        # noise of small images changes single pixels, however large the network's input is
        "grid": config.grid or (max(frame) if is_small(frame) else size),
        "weights": "+".join(map(_digest, found)) if config.weights == "auto" else config.weights,
    }


def require_weights(config: PretrainedConfig) -> None:
    """Refuse files of weights that are missing, or not those of the run.

    Raises:
        DataError: If they are.
    """
    found = starts.parse(config.surrogate)
    recorded = ["auto"] * len(found) if config.weights == "auto" else config.weights.split("+")
    if len(recorded) != len(found):
        raise DataError(
            f"weights has {len(recorded)} digests for {len(found)} networks.", "Leave the setting out."
        )
    for start, digest in zip(found, recorded, strict=True):
        if digest not in ("auto", now := _digest(start)):
            raise DataError(
                f"{start.path} is not the file that the noise was found with: its SHA-256 is {now[:16]}, not "
                f"{digest[:16]}.",
                "Put that file back, or find new noise with `unlearnable protect --refit`.",
            )


def build(spec: str, classes: int) -> nn.Module:
    """Return the surrogate of a specification, with a new head if it is a network with weights.

    Args:
        spec: A network as ``models.create`` takes it, or one network with weights.
        classes: Number of outputs.
    """
    (name,) = starts.models_of(spec)
    model = models.create(name, classes)
    if name != spec:
        (start,) = starts.parse(spec)
        load_weights(model, read_weights(start.path), name)
    return model


def backbones(spec: str) -> list[nn.Module]:
    """Return the networks of a specification without their last layers: images to features, float (N, D)."""
    found: list[nn.Module] = []
    for start in starts.parse(spec):
        if start.recogniser:
            found.append(start.recogniser.network())
            continue
        # the head is left out, so its number of outputs is arbitrary
        model = models.create(start.model, 2)
        load_weights(model, read_weights(start.path), start.model)
        found.append(split(model)[0])
    return found


def _digest(start: starts.Start) -> str:
    return hashing.of_file(start.path)
