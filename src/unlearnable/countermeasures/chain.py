"""Chains of countermeasures, applied one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from unlearnable.countermeasures.base import STAGES, Countermeasure
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError, UsageError
from unlearnable.training.compute import Compute
from unlearnable.training.randomness import generator


@dataclass(frozen=True)
class Chain:
    """Countermeasures in the order in which they are applied. An empty chain changes nothing and is false.

    ``on_photos`` runs the stage ``photo``; ``learn`` runs the other stages of the chain it is given.

    Args:
        members: The countermeasures.

    Raises:
        UsageError: If a countermeasure is written after one that starts at a later stage, so that it would
            run earlier than written; or if two of them override ``step``.
    """

    members: tuple[Countermeasure, ...] = ()

    def __post_init__(self) -> None:
        steps = [member.name for member in self.members if "step" in member.stages]
        if len(steps) > 1:
            raise UsageError(
                f"{' and '.join(steps)} both change the training step.", "Give only one of them."
            )
        # stages run in a fixed order, so a chain in another order would not do what it says
        ordered = sorted(self.members, key=_first_stage)
        for written, applied in zip(self.members, ordered, strict=True):
            if written is not applied:
                raise UsageError(
                    f"{applied.name} always runs before {written.name}, but is written after it.",
                    f"Write {'+'.join(member.spec for member in ordered)}.",
                )

    def __bool__(self) -> bool:
        return bool(self.members)

    @property
    def spec(self) -> str:
        """The specification of this chain, with every setting: ``jpeg:10+cutout:16``; ``none`` if empty."""
        return "+".join(member.spec for member in self.members) or "none"

    @property
    def revisions(self) -> dict[str, int]:
        """The revision of each countermeasure by name."""
        return {member.name: member.revision for member in self.members}

    @property
    def stages(self) -> frozenset[str]:
        """The stages that a countermeasure of the chain overrides."""
        return frozenset(stage for member in self.members for stage in member.stages)

    @property
    def test_time(self) -> bool:
        """Whether a countermeasure of the chain changes test images."""
        return any(member.test_time for member in self.members)

    def on_photos(self, images: ImageSet, seed: int, *, test: bool = False) -> ImageSet:
        """Return images after the stage ``photo``, at their own size.

        Args:
            images: Training or test images.
            seed: Seed of the draws, which depend on it and on the id of the photo.
            test: Whether these are test images, which only countermeasures with ``test_time`` change.
        """
        members = [member for member in self.members if "photo" in member.stages]
        members = [member for member in members if member.test_time or not test]
        if not members:
            return images

        def change(id: str, photo: Photo, digest: str) -> Photo:
            rng = generator(seed, "photo", id)
            for member in members:
                try:
                    photo = member.photo(photo, rng)
                # an encoder raises anything over a photo that it cannot hold, and a plugin may too
                except Exception as error:
                    raise DataError(
                        f"{member.name} cannot be applied to {id} ({error}).",
                        "Leave the photo or the countermeasure out.",
                    ) from error
            return photo

        return images.changed(change)

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return training images, or test images if ``labels`` is None: see ``Countermeasure.prepare``."""
        for member in self.members:
            if labels is not None or member.test_time:
                pixels = member.prepare(pixels, labels, rng, compute)
        return pixels

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a batch to train on: see ``Countermeasure.batch``."""
        for member in self.members:
            x, y = member.batch(x, y, rng, compute)
        return x, y

    def step(
        self, model: nn.Module, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return the input of a training step: see ``Countermeasure.step``."""
        for member in self.members:
            x = member.step(model, x, y, rng, compute)
        return x

    def stand_in(self, x: torch.Tensor, rng: torch.Generator, compute: Compute) -> torch.Tensor:
        """Return images after the stand-in of every member: see ``Countermeasure.stand_in``."""
        for member in self.members:
            x = member.stand_in(x, rng, compute)
        return x


def _first_stage(member: Countermeasure) -> int:
    return min((STAGES.index(stage) for stage in member.stages), default=0)
