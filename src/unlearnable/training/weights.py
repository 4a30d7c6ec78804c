"""Starting weights, and the choice of the layers that train."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from unlearnable.errors import DataError, UsageError


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the weights in a safetensors file, by name.

    Raises:
        DataError: If the file is missing or damaged.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(
            f"{path} is not a readable file of weights ({error}).",
            "Give a safetensors file with the weights of a model.",
        ) from error


def load_weights(model: nn.Module, weights: dict[str, torch.Tensor], name: str) -> None:
    """Load weights into a model. If the number of classes differs, the last layer is left unchanged.

    Args:
        model: The model; changed in place.
        weights: Weights of a model of the same architecture, by name.
        name: Name of the model for messages.

    Raises:
        UsageError: If the weights are those of another architecture.
    """
    own = model.state_dict()
    head = {key for key in own if key.startswith(f"{_head_name(model)}.")}
    resized = {key for key in head & weights.keys() if weights[key].shape != own[key].shape}
    fits = all(weights[key].shape[1:] == own[key].shape[1:] for key in resized)
    others = all(weights[key].shape == own[key].shape for key in own.keys() & weights.keys() - resized)
    if weights.keys() != own.keys() or not fits or not others:
        raise UsageError(
            f"The starting weights are not those of a model {name!r}.",
            "Give the weights of the same model.",
        )
    unchanged = head if resized else set()
    model.load_state_dict({key: own[key] if key in unchanged else weights[key] for key in own})


def freeze_all_but_head(model: nn.Module) -> list[nn.Module]:
    """Freeze all layers of a model but the last, and return them.

    The caller leaves the returned layers in eval mode, so that their running statistics do not change either.
    """
    name = _head_name(model)
    layers = dict(model.named_modules())
    for key, parameter in model.named_parameters():
        parameter.requires_grad_(key.startswith(f"{name}."))
    return [layer for key, layer in layers.items() if not next(layer.children(), None) and key != name]


def _head_name(model: nn.Module) -> str:
    """Return the name of the last layer that has weights."""
    return list(model.state_dict())[-1].rpartition(".")[0]
