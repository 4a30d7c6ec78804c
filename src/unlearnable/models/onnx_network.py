"""A recogniser in an ONNX file as a module: differentiable, and trainable.

The library for this conversion, onnx2torch, requires torchvision, which may replace an installed torch by
another build. Recognisers are convolutions and little else, so their layers are in `onnx_layers`.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from unlearnable.errors import UsageError
from unlearnable.models.onnx_layers import LAYERS, TRAINED_WITH_BATCHES

FORM = "Write FILE.onnx, or FILE.onnx,MEAN,SCALE for a network that takes (pixel - MEAN) / SCALE."
NEED = "Give a network with one input of shape (1, 3, side, side) and one output, the embedding."
# side in pixels of the crops that most recognisers take
CROP = 112


@dataclass(frozen=True)
class OnnxFile:
    """A network in a file that takes one aligned crop in RGB and returns its embedding.

    Args:
        file: The file.
        mean: Subtracted from the pixels, which are in [0, 255].
        scale: Divides them afterwards.
    """

    file: Path
    mean: float = 0.0
    scale: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the network of ``FILE.onnx`` or ``FILE.onnx,MEAN,SCALE``.

        Raises:
            UsageError: If the text is neither, or there is no such file.
        """
        # a path may have commas itself
        name, *numbers = [text] if Path(text).is_file() else text.rsplit(",", 2)
        try:
            mean, scale = map(float, numbers) if numbers else (0.0, 1.0)
            if not (np.isfinite([mean, scale]).all() and scale):
                raise ValueError
        except ValueError as error:
            raise UsageError(
                f"The recogniser {text!r} is not FILE.onnx or FILE.onnx,MEAN,SCALE with two usable numbers.",
                FORM,
            ) from error
        if not Path(name).is_file():
            raise UsageError(f"There is no file {name}.", FORM)
        return cls(Path(name), mean, scale)

    def network(self) -> OnnxNetwork:
        """Return the network as a module, in eval mode.

        Raises:
            UsageError: If the library is missing, or the file is not a recogniser or has layers that are not
                supported.
        """
        if importlib.util.find_spec("onnx") is None:
            raise UsageError(
                "onnx is not installed, which this needs.",
                'Install it with: pip install "unlearnable[faces]".',
            )
        import onnx

        try:
            graph = onnx.load(self.file).graph
        # protobuf's errors differ between its versions
        except Exception as error:
            raise UsageError(f"{self.file} is not an ONNX file ({error}).", NEED) from error
        try:
            return OnnxNetwork(graph, self).eval()
        except UsageError:
            raise
        # files have weights and attributes of many types, most of them none of a recogniser's
        except Exception as error:
            raise UsageError(f"{self.file} cannot be used as a recogniser ({error!r}).", NEED) from error


class OnnxNetwork(nn.Module):
    """Maps crops, float (N, 3, H, W) in [0, 1], to embeddings, float (N, D).

    Crops of another size than the file's are resized. Weights are parameters, so the network can be trained;
    batch normalisation follows the mode of the module.

    Args:
        graph: The graph of the file.
        about: The file, and how it takes pixels.

    Raises:
        UsageError: If it has a layer that is not supported, or is not a recogniser.
    """

    def __init__(self, graph: Any, about: OnnxFile) -> None:
        import onnx

        super().__init__()
        self._mean, self._scale = about.mean, about.scale
        weights = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
        steps = []
        for node in graph.node:
            given = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
            if node.op_type == "Constant":
                # the value has one of several names, by its type
                (value,) = given.values()
                is_tensor = isinstance(value, onnx.TensorProto)
                weights[node.output[0]] = onnx.numpy_helper.to_array(value) if is_tensor else _array(value)
            elif node.op_type not in LAYERS:
                raise UsageError(
                    f"{about.file} has a layer {node.op_type}, which is not supported here.",
                    f"Supported are {', '.join(LAYERS)}.",
                )
            else:
                steps.append((node.op_type, given, tuple(node.input), node.output[0]))
        inputs = [one for one in graph.input if one.name not in weights]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise UsageError(f"{about.file} has {len(inputs)} inputs and {len(graph.output)} outputs.", NEED)
        self._steps, self._input, self._output = steps, inputs[0].name, graph.output[0].name
        shape = inputs[0].type.tensor_type.shape.dim
        _, channels, height, width = (one.dim_value for one in shape) if len(shape) == 4 else (0, 3, 0, 0)
        if channels not in (0, 3) or height != width:
            raise UsageError(f"{about.file} takes pictures of shape ({channels}, {height}, {width}).", NEED)
        # 0 where the file leaves it open
        self._side = int(height)
        # statistics are the last two inputs of a batch normalisation
        statistics = {name for kind, _, used, _ in steps if kind == TRAINED_WITH_BATCHES for name in used[3:]}
        self._names: dict[str, str] = {}
        for number, (name, value) in enumerate(weights.items()):
            kind = np.float32 if value.dtype.kind not in "iub" else value.dtype
            tensor, key = torch.from_numpy(np.array(value, dtype=kind)), f"weight{number}"
            self._names[name] = key
            if tensor.is_floating_point() and name not in statistics:
                self.register_parameter(key, nn.Parameter(tensor))
            else:
                self.register_buffer(key, tensor)
        self._check(about)

    def _check(self, about: OnnxFile) -> None:
        side = self._side or CROP
        shown = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))
        try:
            with torch.no_grad():
                found = self.eval()(shown)
        # layers refuse shapes with errors of many types
        except Exception as error:
            raise UsageError(f"{about.file} cannot be used as a recogniser ({error}).", NEED) from error
        if found.ndim != 2 or len(found) != 2 or found.shape[1] < 2:
            raise UsageError(f"{about.file} returns values of shape {tuple(found.shape)}.", NEED)
        if not found.isfinite().all():
            raise UsageError(f"{about.file} returns values that are not finite.", NEED)
        if torch.equal(found[0], found[1]):
            raise UsageError(f"{about.file} returns the same values for different pictures.", NEED)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of a batch."""
        if self._side and x.shape[-2:] != (self._side, self._side):
            x = F.interpolate(x, (self._side, self._side), mode="bilinear", antialias=True)
        values: dict[str, torch.Tensor | None] = {
            name: getattr(self, key) for name, key in self._names.items()
        }
        # an input that is left out has an empty name
        values[""], values[self._input] = None, (x * 255 - self._mean) / self._scale
        for kind, attributes, used, result in self._steps:
            extra = {"training": self.training} if kind == TRAINED_WITH_BATCHES else {}
            values[result] = LAYERS[kind](attributes, *(values[name] for name in used), **extra)
        found = values[self._output]
        assert found is not None
        return found.flatten(1)


def _array(value: Any) -> np.ndarray[Any, np.dtype[Any]]:
    """Return a constant that is a number or a list of them, in the types of the standard."""
    found = np.asarray(value)
    return found.astype(np.float32 if found.dtype.kind == "f" else np.int64)
