"""An ensemble of small networks. As a surrogate, it finds noise that misleads several families at once."""

from __future__ import annotations

import torch
from torch import nn

from unlearnable.errors import UsageError
from unlearnable.models.cnn import cnn
from unlearnable.models.registry import create, register
from unlearnable.models.resnet import resnet18
from unlearnable.models.vgg import vgg11

# the families, in the order in which they join, with the settings that make each of them cheap
MEMBERS = ("cnn:width={}", "resnet18:width={},stem=half", "vgg11:width={},stem=half")


class Beside(nn.Module):
    """The features of several networks, concatenated.

    Args:
        members: Networks that map float (N, 3, H, W) to features (N, F).
    """

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a batch to the features of all members."""
        return torch.cat([member(x) for member in self.members], 1)


@register
def ensemble(classes: int, width: int = 16, members: int = 2) -> nn.Module:
    """Two or three small networks of different families whose logits are added.

    One linear layer on the features of all of them is the sum of a linear layer on those of each.

    Args:
        classes: Number of outputs.
        width: Width of each member.
        members: Number of networks: 2 for cnn and resnet18, 3 with vgg11. The last two have stem=half.

    Raises:
        UsageError: If members is not 2 or 3.
    """
    if not 2 <= members <= len(MEMBERS):
        raise UsageError(
            f"An ensemble has 2 or {len(MEMBERS)} members, not {members}.", "Write ensemble:members=2."
        )
    networks = [create(spec.format(width), classes) for spec in MEMBERS[:members]]
    features = 0
    bodies: list[nn.Module] = []
    for network in networks:
        assert isinstance(network, nn.Sequential)
        *body, head = network
        assert isinstance(head, nn.Linear)
        bodies.append(nn.Sequential(*body))
        features += head.in_features
    return nn.Sequential(Beside(bodies), nn.Linear(features, classes))


# the results of an ensemble change with those of any member
REVISIONS = [getattr(member, "revision", 1) for member in (cnn, resnet18, vgg11)]
ensemble.revision = 1 + sum(one - 1 for one in REVISIONS)  # type: ignore[attr-defined]
