"""The layers of ONNX files in PyTorch, by the names of the standard (https://onnx.ai/onnx/operators/).

Each function takes the attributes of a layer and its inputs. Attributes that a function does not name are
those of training, or hints, and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

Layer = Callable[..., torch.Tensor]
TRAINED_WITH_BATCHES = "BatchNormalization"


def _conv(a: dict[str, Any], x: torch.Tensor, w: torch.Tensor, b: torch.Tensor | None = None) -> torch.Tensor:
    x, padding = _padded(a, x)
    return F.conv2d(x, w, b, a.get("strides", 1), padding, a.get("dilations", 1), a.get("group", 1))


def _padded(a: dict[str, Any], x: torch.Tensor, value: float = 0.0) -> tuple[torch.Tensor, Any]:
    """Return the input and the padding of the layer; padding that differs between sides is done here."""
    if a.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise ValueError("padding that depends on the size of the input")
    top, left, bottom, right = a.get("pads", (0, 0, 0, 0))
    if (top, left) == (bottom, right):
        return x, (top, left)
    return F.pad(x, (left, right, top, bottom), value=value), 0


def _batch_norm(
    a: dict[str, Any],
    x: torch.Tensor,
    scale: torch.Tensor,
    shift: torch.Tensor,
    mean: torch.Tensor,
    variance: torch.Tensor,
    training: bool = False,
) -> torch.Tensor:
    return F.batch_norm(x, mean, variance, scale, shift, training, eps=a.get("epsilon", 1e-5))


def _prelu(a: dict[str, Any], x: torch.Tensor, slope: torch.Tensor) -> torch.Tensor:
    # a slope for each channel, or one for all
    return F.prelu(x, slope.reshape(-1))


def _gemm(a: dict[str, Any], x: torch.Tensor, w: torch.Tensor, b: torch.Tensor | None = None) -> torch.Tensor:
    x = x.T if a.get("transA", 0) else x
    w = w if a.get("transB", 0) else w.T
    product: torch.Tensor = F.linear(x, w) * a.get("alpha", 1.0)
    return product if b is None else product + b * a.get("beta", 1.0)


def _flatten(a: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
    axis = a.get("axis", 1)
    return x.reshape(*x.shape[:1], -1) if axis == 1 else x.flatten(axis)


def _reshape(a: dict[str, Any], x: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
    sizes = [x.shape[axis] if size == 0 else int(size) for axis, size in enumerate(shape.tolist())]
    # files exported for one picture say so in their shapes
    return x.reshape(len(x), *sizes[1:]) if sizes[0] == 1 else x.reshape(sizes)


def _max_pool(a: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
    x, padding = _padded(a, x, -torch.inf)
    return F.max_pool2d(
        x, a["kernel_shape"], a.get("strides", 1), padding, ceil_mode=bool(a.get("ceil_mode", 0))
    )


def _average_pool(a: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
    counted = bool(a.get("count_include_pad", 0))
    pads = a.get("pads", (0, 0, 0, 0))
    if tuple(pads[:2]) != tuple(pads[2:]) and not counted:
        raise ValueError("padding that differs between sides and is not counted in a mean")
    x, padding = _padded(a, x)
    return F.avg_pool2d(
        x, a["kernel_shape"], a.get("strides", 1), padding, bool(a.get("ceil_mode", 0)), counted
    )


def _axes(a: dict[str, Any], given: Sequence[torch.Tensor]) -> list[int] | None:
    """Return the axes of a layer: an attribute in older files, an input in newer ones."""
    return given[0].tolist() if given else a.get("axes")


def _reduce_mean(a: dict[str, Any], x: torch.Tensor, *axes: torch.Tensor) -> torch.Tensor:
    return x.mean(_axes(a, axes) or list(range(x.ndim)), keepdim=bool(a.get("keepdims", 1)))


def _squeeze(a: dict[str, Any], x: torch.Tensor, *axes: torch.Tensor) -> torch.Tensor:
    found = _axes(a, axes)
    return x.squeeze() if found is None else x.squeeze(found)


def _unsqueeze(a: dict[str, Any], x: torch.Tensor, *axes: torch.Tensor) -> torch.Tensor:
    for axis in sorted(_axes(a, axes) or ()):
        x = x.unsqueeze(axis)
    return x


def _clip(a: dict[str, Any], x: torch.Tensor, *ends: torch.Tensor | None) -> torch.Tensor:
    low, high = (*ends, None, None)[:2]
    return x.clamp(a.get("min", low), a.get("max", high))


def _lp_normalised(a: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
    return F.normalize(x, p=a.get("p", 2), dim=a.get("axis", -1))


LAYERS: dict[str, Layer] = {
    "Add": lambda a, x, y: x + y,
    "AveragePool": _average_pool,
    TRAINED_WITH_BATCHES: _batch_norm,
    "Clip": _clip,
    "Concat": lambda a, *x: torch.cat(x, a["axis"]),
    "Conv": _conv,
    "Div": lambda a, x, y: x / y,
    # of training
    "Dropout": lambda a, x, *_: x,
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda a, x: x.mean((2, 3), keepdim=True),
    "Identity": lambda a, x: x,
    "LeakyRelu": lambda a, x: F.leaky_relu(x, a.get("alpha", 0.01)),
    "LpNormalization": _lp_normalised,
    "MatMul": lambda a, x, y: x @ y,
    "MaxPool": _max_pool,
    "Mul": lambda a, x, y: x * y,
    "PRelu": _prelu,
    "ReduceMean": _reduce_mean,
    "Relu": lambda a, x: F.relu(x),
    "Reshape": _reshape,
    "Sigmoid": lambda a, x: torch.sigmoid(x),
    "Sqrt": lambda a, x: x.sqrt(),
    "Squeeze": _squeeze,
    "Sub": lambda a, x, y: x - y,
    "Tanh": lambda a, x: torch.tanh(x),
    "Transpose": lambda a, x: x.permute(a["perm"]),
    "Unsqueeze": _unsqueeze,
}
