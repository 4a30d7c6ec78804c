"""Several countermeasures, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from unlearnable.countermeasures.base import STAGES, Countermeasure
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo
from unlearnable.errors import UsageError
from unlearnable.training.compute import Compute
from unlearnable.training.randomness import generator


@dataclass(frozen=True)
class Chain:
    """Countermeasures in the order in which they are applied; an empty chain is the identity, and false.

    ``on_photos`` applies the stage at the photo's own size; ``learn`` takes the chain for the others.

    Raises:
        UsageError: If a countermeasure comes after one whose stage is later, so that the order written would
            not be the order applied; or if two of them change the step of training.
    """

    members: tuple[Countermeasure, ...] = ()

    def __post_init__(self) -> None:
        steps = [member.name for member in self.members if "step" in member.stages]
        if len(steps) > 1:
            raise UsageError(f"{' and '.join(steps)} each change the step of training.", "Use one of them.")
        ordered = sorted(self.members, key=_first_stage)  # stable
        for written, applied in zip(self.members, ordered, strict=True):
            if written is not applied:
                raise UsageError(
                    f"{applied.name} is applied before {written.name}, whatever the order written.",
                    f"Write {'+'.join(member.spec for member in ordered)}.",
                )

    def __bool__(self) -> bool:
        return bool(self.members)

    @property
    def spec(self) -> str:
        """The text that makes this chain, with every setting: ``jpeg:10+cutout:16``, or ``none``."""
        return "+".join(member.spec for member in self.members) or "none"

    @property
    def revisions(self) -> dict[str, int]:
        """The revision of each countermeasure by name."""
        return {member.name: member.revision for member in self.members}

    @property
    def test_time(self) -> bool:
        """Whether one of them prepares test images."""
        return any(member.test_time for member in self.members)

    def on_photos(self, images: ImageSet, seed: int, *, test: bool = False) -> ImageSet:
        """Return images after the stage at the photo's own size.

        Args:
            images: The published images, or those that are tested on.
            seed: Of the training; a photo's draws belong to its id.
            test: Whether they are tested on.
        """
        members = [member for member in self.members if "photo" in member.stages]
        members = [member for member in members if member.test_time or not test]
        if not members:
            return images

        def change(id: str, photo: Photo, digest: str) -> Photo:
            rng = generator(seed, "photo", id)
            for member in members:
                photo = member.photo(photo, rng)
            return photo

        return images.changed(change)

    def prepare(
        self, pixels: torch.Tensor, labels: torch.Tensor | None, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return images as they are trained on, or (``labels`` is None) tested on.

        See ``Countermeasure.prepare``.
        """
        for member in self.members:
            if labels is not None or member.test_time:
                pixels = member.prepare(pixels, labels, rng, compute)
        return pixels

    def batch(
        self, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a batch as it is trained on: see ``Countermeasure.batch``."""
        for member in self.members:
            x, y = member.batch(x, y, rng, compute)
        return x, y

    def step(
        self, model: nn.Module, x: torch.Tensor, y: torch.Tensor, rng: torch.Generator, compute: Compute
    ) -> torch.Tensor:
        """Return the input on which the step is taken: see ``Countermeasure.step``."""
        for member in self.members:
            x = member.step(model, x, y, rng, compute)
        return x


def _first_stage(member: Countermeasure) -> int:
    return min((STAGES.index(stage) for stage in member.stages), default=0)
