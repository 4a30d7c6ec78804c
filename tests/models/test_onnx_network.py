"""Recognisers in ONNX files: the same embeddings as the runtime's, with gradients, and clear refusals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from onnx_files import SIDE, drawn, helper, node, numpy_helper, onnx, save
from unlearnable.errors import UsageError
from unlearnable.models.onnx_layers import LAYERS
from unlearnable.models.onnx_network import OnnxFile

runtime = pytest.importorskip("onnxruntime")


def by_runtime(path: Path, pixels: torch.Tensor) -> torch.Tensor:
    """Return the flat output of the runtime for each picture, pixels in the file's own range."""
    session = runtime.InferenceSession(str(path))
    rows = [session.run(None, {"in": one[None].numpy()})[0].reshape(-1) for one in pixels]
    return torch.from_numpy(np.stack(rows))


def convolution(**attributes: Any) -> list[Any]:
    return [node("Conv", ["in", "w", "b"], "c", **attributes), node("Flatten", ["c"], "out")]


W = {"w": drawn(4, 3, 3, 3), "b": drawn(4, seed=1)}
BATCH = {name: np.abs(drawn(3, seed=number)) + 0.5 for number, name in enumerate(("s", "t", "m", "v"))}
AXES = np.array([2, 3])

# the kind of layer that a graph shows -> its nodes and weights
GRAPHS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "Conv": (convolution(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), W),
    "Conv, uneven padding": (convolution(kernel_shape=[3, 3], pads=[0, 1, 2, 0]), W),
    "Conv, dilated": (convolution(kernel_shape=[3, 3], dilations=[2, 2]), W),
    "BatchNormalization": (
        [
            node("BatchNormalization", ["in", "s", "t", "m", "v"], "n", epsilon=0.01),
            node("Flatten", ["n"], "out"),
        ],
        BATCH,
    ),
    "PRelu": ([node("PRelu", ["in", "p"], "q"), node("Flatten", ["q"], "out")], {"p": drawn(3, 1, 1)}),
    "Gemm": (
        [node("Flatten", ["in"], "f"), node("Gemm", ["f", "w", "b"], "out", transB=1, alpha=0.5, beta=2.0)],
        {"w": drawn(5, 3 * SIDE**2), "b": drawn(5)},
    ),
    "Gemm, other way round": (
        [node("Flatten", ["in"], "f"), node("Gemm", ["f", "w"], "out")],
        {"w": drawn(3 * SIDE**2, 5)},
    ),
    "MatMul": (
        [node("Flatten", ["in"], "f"), node("MatMul", ["f", "w"], "out")],
        {"w": drawn(3 * SIDE**2, 5)},
    ),
    "Reshape": (
        [node("Reshape", ["in", "r"], "out")],
        {"r": np.array([1, -1])},
    ),
    "Reshape, sizes copied": ([node("Reshape", ["in", "r"], "out")], {"r": np.array([0, -1])}),
    "Transpose": (
        [node("Transpose", ["in"], "q", perm=[0, 2, 3, 1]), node("Flatten", ["q"], "out")],
        {},
    ),
    "GlobalAveragePool": ([node("GlobalAveragePool", ["in"], "q"), node("Flatten", ["q"], "out")], {}),
    "AveragePool": (
        [
            node("AveragePool", ["in"], "q", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
            node("Flatten", ["q"], "out"),
        ],
        {},
    ),
    "MaxPool": (
        [
            node("MaxPool", ["in"], "q", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
            node("Flatten", ["q"], "out"),
        ],
        {},
    ),
    "Concat": ([node("Concat", ["in", "in"], "q", axis=1), node("Flatten", ["q"], "out")], {}),
    "Clip": (
        [node("Clip", ["in", "low", "high"], "q"), node("Flatten", ["q"], "out")],
        {"low": np.float32(-0.2), "high": np.float32(0.3)},
    ),
    "ReduceMean": ([node("ReduceMean", ["in"], "out", axes=[2, 3], keepdims=0)], {}),
    "Squeeze": (
        [node("GlobalAveragePool", ["in"], "q"), node("Squeeze", ["q", "axes"], "out")],
        {"axes": AXES},
    ),
    "Unsqueeze": (
        [node("Unsqueeze", ["in", "axes"], "q"), node("Flatten", ["q"], "out")],
        {"axes": np.array([1, 3])},
    ),
    "LpNormalization": ([node("Flatten", ["in"], "f"), node("LpNormalization", ["f"], "out", axis=1)], {}),
    "LeakyRelu": ([node("LeakyRelu", ["in"], "q", alpha=0.3), node("Flatten", ["q"], "out")], {}),
    "Dropout": ([node("Dropout", ["in"], "q"), node("Flatten", ["q"], "out")], {}),
    "Sqrt": ([node("Mul", ["in", "in"], "s"), node("Sqrt", ["s"], "q"), node("Flatten", ["q"], "out")], {}),
    **{
        name: ([node(name, ["in"], "q"), node("Flatten", ["q"], "out")], {})
        for name in ("Identity", "Relu", "Sigmoid", "Tanh")
    },
    **{
        name: ([node(name, ["in", "k"], "q"), node("Flatten", ["q"], "out")], {"k": np.float32(1.7)})
        for name in ("Add", "Sub", "Mul", "Div")
    },
}


def test_every_supported_layer_is_shown_below() -> None:
    kinds = {one.op_type for nodes, _ in GRAPHS.values() for one in nodes}
    assert kinds == set(LAYERS)


@pytest.mark.parametrize("name", GRAPHS)
def test_a_layer_does_what_the_runtime_does(name: str, tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", *GRAPHS[name])
    x = torch.rand(3, 3, SIDE, SIDE)
    # centred, so that layers that tell signs apart have both
    found = OnnxFile(path, 127.5, 127.5).network()(x)
    assert torch.allclose(found, by_runtime(path, (x * 255 - 127.5) / 127.5), atol=1e-4)


def test_pixels_are_scaled_as_the_file_says(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [node("Flatten", ["in"], "out")], {})
    x = torch.rand(1, 3, SIDE, SIDE)
    assert torch.allclose(OnnxFile(path).network()(x), 255 * x.flatten(1))
    assert torch.allclose(OnnxFile(path, 100, 50).network()(x), (255 * x.flatten(1) - 100) / 50, atol=1e-5)


def test_crops_of_another_size_are_resized(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", *GRAPHS["Gemm"])
    assert OnnxFile(path).network()(torch.rand(2, 3, 30, 30)).shape == (2, 5)


def test_gradients_reach_the_input_and_every_weight_but_the_statistics(tmp_path: Path) -> None:
    nodes = [node("BatchNormalization", ["in", "s", "t", "m", "v"], "n"), *GRAPHS["Gemm"][0]]
    nodes[1].input[0] = "n"
    network = OnnxFile(save(tmp_path / "net.onnx", nodes, BATCH | GRAPHS["Gemm"][1])).network()
    x = torch.rand(2, 3, SIDE, SIDE, requires_grad=True)
    network(x).square().sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert len(list(network.parameters())) == 4
    assert len(list(network.buffers())) == 2
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in network.parameters())


def test_statistics_follow_the_batches_in_training_only(tmp_path: Path) -> None:
    network = OnnxFile(save(tmp_path / "net.onnx", *GRAPHS["BatchNormalization"])).network()
    x, before = torch.rand(4, 3, SIDE, SIDE), [one.clone() for one in network.buffers()]
    network(x)
    assert all(torch.equal(*pair) for pair in zip(before, network.buffers(), strict=True))
    network.train()(x)
    assert not any(torch.equal(*pair) for pair in zip(before, network.buffers(), strict=True))


@pytest.mark.parametrize(
    ("nodes", "outputs", "words"),
    [
        ([node("Softsign", ["in"], "q"), node("Flatten", ["q"], "out")], ("out",), "layer Softsign"),
        ([node("Flatten", ["in"], "out"), node("Relu", ["out"], "more")], ("out", "more"), "2 outputs"),
        ([node("ReduceMean", ["in"], "out", axes=[0])], ("out",), "shape (1, 432)"),
        ([node("Conv", ["in", "w"], "out", kernel_shape=[3, 3], auto_pad="SAME_UPPER")], ("out",), "padding"),
    ],
)
def test_a_file_that_is_no_recogniser_is_refused(
    nodes: list[Any], outputs: Sequence[str], words: str, tmp_path: Path
) -> None:
    path = save(tmp_path / "net.onnx", nodes, {"w": drawn(4, 3, 3, 3)}, outputs)
    with pytest.raises(UsageError, match=words.replace("(", r"\(").replace(")", r"\)")):
        OnnxFile(path).network()


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"not a network")
    with pytest.raises(UsageError, match=r"net\.onnx is not an ONNX file"):
        OnnxFile(tmp_path / "net.onnx").network()


def test_a_path_with_commas_is_a_path(tmp_path: Path) -> None:
    path = save(tmp_path / "a,1,2", *GRAPHS["Gemm"])
    assert OnnxFile.parse(str(path)) == OnnxFile(path)
    assert OnnxFile.parse(f"{path},3,4") == OnnxFile(path, 3, 4)


@pytest.mark.parametrize("numbers", ["1", "1,0", "1,nan", "a,b", "1,2,3"])
def test_numbers_that_are_none_are_refused(numbers: str, tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", *GRAPHS["Gemm"])
    with pytest.raises(UsageError):
        OnnxFile.parse(f"{path},{numbers}")


@pytest.mark.parametrize("size", [(1, 12, 12, 3), (1, 3, 12, 16), (1, 1, 12, 12)])
def test_pictures_that_are_no_crops_in_colour_are_refused(size: tuple[int, ...], tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [node("Flatten", ["in"], "out")], {}, size=size)
    with pytest.raises(UsageError, match="takes pictures of shape"):
        OnnxFile(path).network()


@pytest.mark.parametrize("size", [("N", 3, "H", "W"), None])
def test_an_open_size_is_that_of_most_recognisers(size: tuple[str, ...] | None, tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [node("Flatten", ["in"], "out")], {}, size=size)
    assert OnnxFile(path).network()(torch.rand(1, 3, 9, 9)).shape == (1, 3 * 9 * 9)


@pytest.mark.parametrize(
    ("factor", "words"), [(0.0, "same values for different pictures"), (np.nan, "not finite")]
)
def test_values_that_tell_nobody_apart_are_refused(factor: float, words: str, tmp_path: Path) -> None:
    nodes = [node("Mul", ["in", "k"], "q"), node("Flatten", ["q"], "out")]
    path = save(tmp_path / "net.onnx", nodes, {"k": np.float32(factor)})
    with pytest.raises(UsageError, match=words):
        OnnxFile(path).network()


@pytest.mark.parametrize("name", ["value", "value_float", "value_floats"])
def test_constants_have_one_of_several_names(name: str, tmp_path: Path) -> None:
    value = {"value": numpy_helper.from_array(np.float32(2.5)), "value_float": 2.5, "value_floats": [2.5]}[
        name
    ]
    constant = helper.make_node("Constant", [], ["k"], **{name: value})
    nodes = [constant, node("Mul", ["in", "k"], "q"), node("Flatten", ["q"], "out")]
    path = save(tmp_path / "net.onnx", nodes, {})
    x = torch.rand(1, 3, SIDE, SIDE)
    assert torch.allclose(OnnxFile(path).network()(x), 2.5 * 255 * x.flatten(1))


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [node("Flatten", ["in"], "out")], {})
    model = onnx.load(path)
    model.graph.initializer.append(helper.make_tensor("words", onnx.TensorProto.STRING, [1], [b"a"]))
    onnx.save(model, path)
    with pytest.raises(UsageError, match="cannot be used as a recogniser"):
        OnnxFile(path).network()
