"""The features of pretrained networks, the centres of the classes among them, and the loss of a shift."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from unlearnable.errors import UsageError
from unlearnable.methods.pretrained_surrogates import PretrainedConfig, backbones, require_weights
from unlearnable.methods.steps import State
from unlearnable.training.compute import Compute
from unlearnable.training.frozen import freeze

# computes the features of a network for its input, in the precision of the search
Run = Callable[[nn.Module, torch.Tensor], torch.Tensor]
SUMS, COUNTS = "sums.", "counts"
TILES = 4  # in each direction: small enough to break objects, large enough for texture


class Centres(nn.Module):
    """Frozen networks, and for each the sum of the features of every class, in a state.

    The centre of a class is its mean less that of all clean images. A state holds sums, so that batches can
    be added one after the other.

    Args:
        networks: Map network input to features, float (N, D), with a gradient to the input only.
        state: The state of the search.
        classes: Number of classes. A single one is followed by its stand-in for another class.

    Attributes:
        learner: A network that is trained on protected images beside them, if there is one.
    """

    learner: nn.Module

    def __init__(self, networks: Sequence[nn.Module], state: State, classes: int) -> None:
        super().__init__()
        self.networks, self.state, self.rows = list(networks), state, max(2, classes)

    @staticmethod
    def empty(networks: Sequence[nn.Module], rows: int, size: int, compute: Compute) -> State:
        """Return the entries of a state before any features are added.

        Args:
            networks: The networks.
            rows: Number of classes, with the stand-in.
            size: Side of the networks' input in pixels.
            compute: Device and precision.

        Raises:
            UsageError: If a network does not take images of this size.
        """
        probe = compute.send(torch.full((1, 3, size, size), 0.5))
        try:
            with torch.no_grad(), compute.autocast():
                widths = [network(probe).shape[1] for network in networks]
        # a transformer takes sizes that its patches divide, and says so in many ways
        except Exception as error:
            raise UsageError(
                f"A network takes no images of {size} pixels ({type(error).__name__}: {error}).",
                "Give the size that it was trained with, such as --set resolution=224.",
            ) from error
        sums = {
            f"{SUMS}{number}": compute.send(torch.zeros(rows, width)) for number, width in enumerate(widths)
        }
        return {**sums, COUNTS: compute.send(torch.zeros(rows))}

    @staticmethod
    def holds(name: str) -> bool:
        """Return whether an entry of a state is one of ours."""
        return name == COUNTS or name.startswith(SUMS)

    @torch.no_grad()
    def add(self, run: Run, x: torch.Tensor, y: torch.Tensor) -> None:
        """Add the features of clean images to the sums of their classes.

        Args:
            run: Computes the features of a network.
            x: float (B, 3, S, S) in [0, 1].
            y: int64 (B,), their rows.
        """
        # a product with 0 and 1 sums in the same order every time; a scattered sum on a GPU does not
        one_hot = F.one_hot(y, self.rows).to(x.dtype)
        self.state[COUNTS] += one_hot.sum(0)
        for number, network in enumerate(self.networks):
            self.state[f"{SUMS}{number}"] += one_hot.T @ run(network, x)

    def of(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the centres of the classes in the features of a network, (K, D), and the mean, (D,)."""
        sums, counts = self.state[f"{SUMS}{number}"], self.state[COUNTS]
        mean = sums.sum(0) / counts.sum()
        return sums / counts.clamp(min=1).view(-1, 1) - mean, mean

    def loss(self, run: Run, x: torch.Tensor, y: torch.Tensor, away: float) -> torch.Tensor:
        """Return the sum over images and networks of -cos(z, next centre) + away cos(z, own centre).

        It counts the images that are closer to another centre than to their own, in the state's ``tally``.

        Args:
            run: Computes the features of a network.
            x: float (B, 3, S, S) in [0, 1], differentiable.
            y: int64 (B,), their classes.
            away: Weight of the second part.
        """
        total = x.new_zeros(())
        for number, network in enumerate(self.networks):
            centres, mean = self.of(number)
            z = F.normalize(run(network, x) - mean, dim=1)
            cosines = z @ F.normalize(centres, dim=1).T
            towards = cosines.gather(1, ((y + 1) % self.rows)[:, None])
            own = cosines.gather(1, y[:, None])
            total = total + (away * own - towards).sum()
            left = (cosines.detach().argmax(1) != y).sum()
            self.state["tally"] += torch.stack([left, torch.full_like(left, len(y))])
        return total


def backbones_on(config: PretrainedConfig, compute: Compute) -> list[nn.Module]:
    """Return the networks of the settings, frozen, on the device.

    Raises:
        DataError: If weights are missing, or are not those of the run.
    """
    require_weights(config)
    return [freeze(compute.to_device(one), compute) for one in backbones(config.surrogate)]


def scrambled(x: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Return images with their tiles in random order, float like ``x`` (B, 3, S, S)."""
    side = x.shape[-1] // TILES * TILES
    tiles = F.unfold(x[..., :side, :side], side // TILES, stride=side // TILES)
    order = torch.randperm(TILES**2, generator=rng).to(x.device)
    mixed = F.fold(tiles[..., order], (side, side), side // TILES, stride=side // TILES)
    return F.interpolate(mixed, x.shape[-2:], mode="nearest")
