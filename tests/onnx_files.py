"""Small recognisers in ONNX files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
helper, numpy_helper = onnx.helper, onnx.numpy_helper
SIDE = 12


def save(
    path: Path,
    nodes: Sequence[Any],
    weights: dict[str, Any],
    outputs: Sequence[str] = ("out",),
    size: Sequence[int | str] | None = (1, 3, SIDE, SIDE),
) -> Path:
    """Write a graph of one picture ``in``, by default of 12 px, drawn weights included."""
    shape = helper.make_tensor_value_info("in", onnx.TensorProto.FLOAT, size)
    found = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "test", [shape], found, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


def drawn(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    return helper.make_node(kind, list(inputs), [output], **attributes)


def recogniser(path: Path, seed: int = 0) -> Path:
    """Write a network of one convolution and a linear layer: pictures of 12 px to embeddings of 8."""
    nodes = [
        node("Conv", ["in", "w"], "c", kernel_shape=[3, 3], strides=[2, 2]),
        node("Relu", ["c"], "r"),
        node("Flatten", ["r"], "f"),
        node("Gemm", ["f", "g"], "out", transB=1),
    ]
    # pixels are in [0, 255]
    weights = {"w": drawn(6, 3, 3, 3, seed=seed) / 255, "g": drawn(8, 6 * 5 * 5, seed=seed + 1)}
    return save(path, nodes, weights)
