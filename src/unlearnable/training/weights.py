"""Weights to start from, and which layers of a model train."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from unlearnable.errors import DataError, UsageError


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file of weights by name.

    Raises:
        DataError: If it is missing or damaged.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise DataError(
            f"{path} is no file of weights ({error}).", "Give a safetensors file with the weights of a model."
        ) from error


def load_weights(model: nn.Module, weights: dict[str, torch.Tensor], name: str) -> None:
    """Put weights into a model. Its head keeps its own where the number of classes is another one.

    Args:
        model: The model; changed in place.
        weights: Weights of a model of the same architecture, by name.
        name: What to call the model in messages.

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
            f"The weights to start from are not those of a model {name!r}.",
            "Start from weights of the same model.",
        )
    kept = head if resized else set()
    model.load_state_dict({key: own[key] if key in kept else weights[key] for key in own})


def freeze_all_but_head(model: nn.Module) -> list[nn.Module]:
    """Let only the last layer of a model train.

    Returns:
        The other layers, which stay in eval mode, so that their running statistics stay as they are.
    """
    name = _head_name(model)
    layers = dict(model.named_modules())
    for key, parameter in model.named_parameters():
        parameter.requires_grad_(key.startswith(f"{name}."))
    return [layer for key, layer in layers.items() if not next(layer.children(), None) and key != name]


def _head_name(model: nn.Module) -> str:
    """Return the name of the last layer that has weights."""
    return list(model.state_dict())[-1].rpartition(".")[0]
