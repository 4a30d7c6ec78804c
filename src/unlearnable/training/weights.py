"""Starting weights, and the choice of the layers that train."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from unlearnable.errors import DataError, UsageError
from unlearnable.models.from_timm import Timm
from unlearnable.models.key_names import translated
from unlearnable.models.parts import Normalise

PICKLED = (".pth", ".pt", ".bin")


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Return the weights in a file, by name.

    Args:
        path: A safetensors file, or a state dict of torch (``.pth``, ``.pt``, ``.bin``), of which only
            tensors are read: nothing in it is executed.

    Raises:
        DataError: If the file is missing or damaged, or has more than tensors.
    """
    try:
        if path.suffix.lower() not in PICKLED:
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
        # checkpoints of training loops hold the state dict beside other things
        inside = next((found[key] for key in ("state_dict", "model") if key in found), found)
        return {key.removeprefix("module."): value for key, value in inside.items()}
    # torch refuses damaged files, and files with more than tensors, with errors of many types
    except Exception as error:
        raise DataError(
            f"{path} is not a readable file of weights ({error}).",
            "Give a safetensors file, or a state dict of torch as .pth, with the weights of a model.",
        ) from error


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


def split(model: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Return a copy of a model without its last layer, in eval mode, and the last layer itself.

    The copy returns the input of that layer: the features, float (N, D).
    """
    name = _head_name(model)
    backbone = copy.deepcopy(model).eval().requires_grad_(False)
    parent, _, last = name.rpartition(".")
    setattr(backbone.get_submodule(parent), last, nn.Identity())
    return backbone, model.get_submodule(name)


def _head_name(model: nn.Module) -> str:
    """Return the name of the last layer that has weights."""
    return model.head_name if isinstance(model, Timm) else list(model.state_dict())[-1].rpartition(".")[0]
