"""Starting weights, and the choice of the layers that train."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from unlearnable.errors import DataError, UsageError
from unlearnable.models.from_timm import Timm
from unlearnable.models.key_names import translated
from unlearnable.models.parts import Normalise

PICKLED = (".pth", ".pt", ".bin")
REMEDY = "Give a safetensors file, or a state dict of torch as .pth, with the weights of a model."


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the weights in a file, by name.

    Args:
        path: A safetensors file, or a state dict of torch (``.pth``, ``.pt``, ``.bin``), of which only
            tensors are read: nothing in it is executed.

    Raises:
        DataError: If the file is missing or damaged, or has more than tensors.
    """
    try:
        found = _read(path)
    # libraries refuse what they cannot read with errors of many types, some with advice to read it unsafely
    except Exception as error:
        raise DataError(f"{path}: {_reason(path, error)}.", REMEDY) from error
    # checkpoints of training loops hold the state dict beside other things
    if isinstance(found, dict):
        found = next((found[key] for key in ("state_dict", "model") if key in found), found)
    if not isinstance(found, dict) or not found:
        raise DataError(f"{path} holds no weights by name.", REMEDY)
    others = [str(key) for key, value in found.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise DataError(f"{path} holds {others[0]!r}, which is not a tensor.", REMEDY)
    return {str(key).removeprefix("module."): value for key, value in found.items()}


def _read(path: Path) -> Any:
    if path.suffix.lower() not in PICKLED:
        return load_file(path)
    with warnings.catch_warnings():
        # torch warns about the age of a file that it refuses anyway
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True)


def _reason(path: Path, error: Exception) -> str:
    """Return in our words why a file cannot be read."""
    if path.is_dir():
        return "is a folder, not a file of weights"
    if not path.exists():
        return "there is no such file"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot be read ({error.strerror})"
    if isinstance(error, UnpicklingError) and path.stat().st_size:
        return (
            "is not a state dict, or holds more than tensors, which is never read because it could run code"
        )
    return "is empty, damaged or of another kind"


def load_weights(model: nn.Module, weights: dict[str, torch.Tensor], name: str) -> None:
    """Load weights into a model. If the number of classes differs, the last layer is left unchanged.

    Args:
        model: The model; changed in place, its normalisation included.
        weights: Weights of a model of the same architecture, under our names or under published ones.
        name: Name of the model for messages.

    Raises:
        UsageError: If the weights are those of another architecture.
    """
    weights = model.ours(weights) if isinstance(model, Timm) else translated(weights)
    for layer, module in model.named_modules():
        if isinstance(module, Normalise) and f"{layer}.mean" in weights and f"{layer}.std" in weights:
            module.adopt(weights[f"{layer}.mean"], weights[f"{layer}.std"])
    own = model.state_dict()
    head = {key for key in own if key.startswith(f"{head_name(model)}.")}
    resized = {key for key in head & weights.keys() if weights[key].shape != own[key].shape}
    fits = all(weights[key].shape[1:] == own[key].shape[1:] for key in resized)
    others = all(weights[key].shape == own[key].shape for key in own.keys() & weights.keys() - resized)
    if weights.keys() != own.keys() or not fits or not others:
        raise UsageError(
            f"The starting weights are not those of a model {name!r} ({_difference(own, weights)}).",
            "Give the weights of the same model.",
        )
    unchanged = head if resized else set()
    model.load_state_dict({key: own[key] if key in unchanged else weights[key] for key in own})


def _difference(own: Mapping[str, torch.Tensor], weights: Mapping[str, torch.Tensor]) -> str:
    """Return the first weight that differs, in words."""
    for key, value in own.items():
        if key not in weights:
            return f"they lack {key}"
        if weights[key].shape != value.shape:
            return f"{key} has shape {tuple(weights[key].shape)}, not {tuple(value.shape)}"
    return f"the model has no {min(weights.keys() - own.keys())}"


def freeze_all_but_head(model: nn.Module) -> list[nn.Module]:
    """Freeze all layers of a model but the last, and return them.

    The caller leaves the returned layers in eval mode, so that their running statistics do not change either.
    """
    name = head_name(model)
    layers = dict(model.named_modules())
    for key, parameter in model.named_parameters():
        parameter.requires_grad_(key.startswith(f"{name}."))
    return [layer for key, layer in layers.items() if not next(layer.children(), None) and key != name]


def split(model: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Return a copy of a model without its last layer, in eval mode, and the last layer itself.

    The copy returns the input of that layer: the features, float (N, D).
    """
    name = head_name(model)
    backbone = copy.deepcopy(model).eval().requires_grad_(False)
    parent, _, last = name.rpartition(".")
    setattr(backbone.get_submodule(parent), last, nn.Identity())
    return backbone, model.get_submodule(name)


def head_name(model: nn.Module) -> str:
    """Return the name of the last layer that has weights."""
    return model.head_name if isinstance(model, Timm) else list(model.state_dict())[-1].rpartition(".")[0]
