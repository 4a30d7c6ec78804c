"""A training step on a batch that several processes share: it equals the step of one process, up to rounding.

Batch normalisation takes mean and variance over the whole batch, and gradients are added up over the
processes and divided by the size of the whole batch. ``torch.nn.SyncBatchNorm`` does not run on CPUs.
``DistributedDataParallel`` divides by the number of processes, which is wrong for shares of unequal size, so
one sum of all gradients after the backward pass is simpler here, and its order is fixed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from unlearnable.training.ranks import ALONE, Ranks


@dataclass(frozen=True)
class WholeBatch:
    """A batch of which this process has a share, which may be empty.

    Args:
        ranks: The processes.
        images: B, the images of the whole batch.
    """

    ranks: Ranks
    images: int

    def loss(self, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Return this share's part of the mean cross-entropy over the whole batch."""
        return F.cross_entropy(logits, y, reduction="sum") / self.images

    def add_up(self, model: nn.Module, right: torch.Tensor) -> torch.Tensor:
        """Add up the gradients of all shares, in place, and return the sum of ``right``, one number."""
        gradients = [one.grad for one in model.parameters() if one.grad is not None]
        flat = torch.cat([*(one.reshape(-1) for one in gradients), right.to(gradients[0].dtype).view(1)])
        self.ranks.sum(flat)
        parts = torch.split(flat, [*(one.numel() for one in gradients), 1])
        for gradient, part in zip(gradients, parts[:-1], strict=True):
            gradient.copy_(part.view_as(gradient))
        total: torch.Tensor = parts[-1][0].round().to(right.dtype)
        return total


class _WholeBatchNorm(_BatchNorm):
    """Batch normalisation over the images of all processes in training, and the usual one in eval mode.

    Ioffe and Szegedy, "Batch Normalization", ICML 2015, Algorithm 1. Means and sums of squares of the shares
    are combined as in Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing
    Sample Variances", 1979, Eq. 2.1, which loses no digits.
    """

    ranks: Ranks = ALONE

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Normalise a share of a batch, float (n, C, ...)."""
        if not self.training:
            return super().forward(input)
        with torch.no_grad():
            mean, variance, count = moments(input, self.ranks)
            if self.running_mean is not None and self.running_var is not None:
                assert self.num_batches_tracked is not None
                self.num_batches_tracked.add_(1)
                rate = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
                self.running_mean.lerp_(mean.to(self.running_mean), rate)
                self.running_var.lerp_((variance * (count / (count - 1))).to(self.running_var), rate)
        normalised: torch.Tensor = _Normalised.apply(  # type: ignore[no-untyped-call]
            input, self.weight, self.bias, mean, variance, count, self.eps, self.ranks
        )
        return normalised


class _WholeBatchNorm1d(_WholeBatchNorm, nn.BatchNorm1d): ...


class _WholeBatchNorm2d(_WholeBatchNorm, nn.BatchNorm2d): ...


SHARED: dict[type[nn.Module], type[_WholeBatchNorm]] = {
    nn.BatchNorm1d: _WholeBatchNorm1d,
    nn.BatchNorm2d: _WholeBatchNorm2d,
}


def share(model: nn.Module, ranks: Ranks) -> nn.Module:
    """Change a model in place: its batch normalisation is over the images of all processes."""
    for module in model.modules():
        if type(module) in SHARED:
            # the weights and their names stay as they are
            module.__class__ = SHARED[type(module)]
        if isinstance(module, _WholeBatchNorm):
            module.ranks = ranks
    return model


def unshareable(model: nn.Module) -> str:
    """Return the name of a layer whose training several processes cannot share; empty if they can.

    Dropout draws for the images of one process, and other layers over a batch know these only.
    """
    for module in model.modules():
        kind = type(module)
        if isinstance(module, _DropoutNd) or (isinstance(module, _BatchNorm) and kind not in SHARED):
            return kind.__name__
    return ""


def moments(x: torch.Tensor, ranks: Ranks) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return mean and variance (C,) of each channel, and the number of values of one, of all shares together.

    Args:
        x: float (n, C, ...), the share of this process.
        ranks: The processes.
    """
    channels, count = x.shape[1], x.numel() // x.shape[1]
    kind = torch.promote_types(x.dtype, torch.float32)
    if count:
        # only the type of these running statistics counts; ``torch.var_mean`` takes ten times as long
        unused = x.new_zeros(2, channels, dtype=kind)
        mean, variance = torch.batch_norm_update_stats(x, unused[0], unused[1], 0.0)
        own = torch.cat([mean, variance * count, mean.new_full((1,), count)])
    else:
        own = x.new_zeros(2 * channels + 1, dtype=kind)
    every = ranks.gather(own)
    means, squares, counts = every[:, :channels], every[:, channels:-1], every[:, -1:]
    total = counts.sum()
    mean = (means * counts).sum(0) / total
    return mean, (squares + counts * (means - mean).square()).sum(0) / total, total


class _Normalised(torch.autograd.Function):
    """y = w (x - m) / sqrt(v + e) + b, where m and v depend on the images of all processes.

    With x^ = (x - m) / sqrt(v + e) and means over all of these images, the gradient is

        dx = w / sqrt(v + e) (dy - mean(dy) - x^ mean(dy x^))
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor | None,
        bias: torch.Tensor | None,
        mean: torch.Tensor,
        variance: torch.Tensor,
        count: torch.Tensor,
        eps: float,
        ranks: Ranks,
    ) -> torch.Tensor:
        ctx.save_for_backward(x, weight, mean, (variance + eps).rsqrt(), count)
        ctx.ranks, ctx.eps = ranks, eps
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, eps)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, weight, mean, inverse, count = ctx.saved_tensors
        given = gradients[0]
        if x.numel():
            _, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
                given, x, weight, None, None, mean, inverse, True, ctx.eps, [False, True, True]
            )
        else:
            of_weight, of_bias = torch.zeros_like(mean), torch.zeros_like(mean)
        plain, along = (ctx.ranks.sum(torch.cat([of_bias, of_weight])) / count).chunk(2)
        # the formula as a dy + b x + c, in two passes over the images
        a = inverse if weight is None else inverse * weight
        b = -a * along * inverse
        c = -a * plain - b * mean
        a, b, c = (one.view(1, -1, *[1] * (x.ndim - 2)) for one in (a, b, c))
        moved = torch.addcmul(torch.addcmul(c, x.to(c), b), given.to(c), a).to(x)
        learns = weight is not None
        return (moved, of_weight if learns else None, of_bias if learns else None, *[None] * 5)
