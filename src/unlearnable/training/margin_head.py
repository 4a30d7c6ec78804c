"""The head of face recognisers: logits are cosines, and the true class must win by a margin.

Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face Recognition", CVPR 2018, eq. 4. With the cosine
c_j between the features of an image and the weights of class j, scale s and margin m, the loss of an image of
class y is the cross-entropy of the logits s * (c_y - m) and s * c_j for all other j. This module has the
cosines; ``loop.train_step`` subtracts s * m from the logit of the true class.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from unlearnable.errors import UsageError
from unlearnable.training.weights import head_name


class CosineHead(nn.Linear):
    """A last layer whose logits are ``scale`` times the cosine of features and class weights.

    Args:
        features: Number of features.
        classes: Number of classes.
        scale: Largest logit. Eq. 6 of the paper gives the smallest useful one: about 9 for 60 classes.
    """

    def __init__(self, features: int, classes: int, scale: float) -> None:
        super().__init__(features, classes, bias=False)
        nn.init.normal_(self.weight, std=0.01)
        self.scale = scale

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the logits of features: float (N, D) to (N, classes)."""
        # in bfloat16, cosines of similar people would be equal
        with torch.autocast(input.device.type, enabled=False):
            features = F.normalize(input.to(self.weight.dtype), dim=1)
            return self.scale * F.linear(features, F.normalize(self.weight, dim=1))


def replace_head(model: nn.Module, scale: float) -> None:
    """Replace the last layer of a model by a ``CosineHead`` of the same size, initialised at random.

    Args:
        model: The model; changed in place.
        scale: Scale of the logits.

    Raises:
        UsageError: If the last layer is not linear.
    """
    name = head_name(model)
    last = model.get_submodule(name)
    if not isinstance(last, nn.Linear):
        raise UsageError(
            "The last layer of this network is not linear, so it cannot be trained with a margin.",
            "Choose another network, such as resnet18 or cnn.",
        )
    parent, _, own = name.rpartition(".")
    setattr(model.get_submodule(parent), own, CosineHead(last.in_features, last.out_features, scale))
