"""Networks of timm by name, ``timm/resnet18.a1_in1k``, with its extra; imported where they are used.

Wightman, "PyTorch Image Models". Weights are on Hugging Face, in safetensors, under the licence of each.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from unlearnable.errors import DataError, UsageError
from unlearnable.models.parts import Normalise

PREFIX = "timm/"


class Timm(nn.Module):
    """A network of timm with its normalisation: float (N, 3, H, W) in [0, 1] to logits.

    Args:
        network: The network.
        mean: Mean of each channel that its weights were trained with, in [0, 1].
        std: Standard deviation of each channel.
        head: Name of its last layer.
    """

    def __init__(
        self, network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...], head: str
    ) -> None:
        super().__init__()
        self.normalise, self.network, self.head_name = Normalise(mean, std), network, f"network.{head}"

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map a batch."""
        logits: torch.Tensor = self.network(self.normalise(x))
        return logits

    def ours(self, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return weights of timm under the names of this module; its own are returned as they are."""
        if "normalise.mean" in weights:
            return weights
        own = {f"normalise.{name}": value for name, value in self.normalise.state_dict().items()}
        return own | {f"network.{name}": value for name, value in weights.items()}


def builder(name: str) -> Callable[..., nn.Module]:
    """Return the function that builds a network.

    Args:
        name: ``timm/NAME``.

    Raises:
        DataError: If timm is not installed.
        UsageError: If it has no such network, or the network has several heads.
    """
    timm, config = _timm(), _config(name)
    if not isinstance(config.classifier, str):
        raise UsageError(f"{name} has several last layers.", "Choose a network with one.")
    plain = name.removeprefix(PREFIX)

    def build(classes: int) -> nn.Module:
        try:
            # a transformer then takes every size of image that its patches divide
            network = timm.create_model(plain, num_classes=classes, dynamic_img_size=True)
        except TypeError:
            network = timm.create_model(plain, num_classes=classes)
        return Timm(network, config.mean, config.std, config.classifier)

    return build


def path(name: str) -> Path:
    """Return the file with the weights of a network.

    Raises:
        DataError: If timm is not installed, or the weights are not on this machine.
        UsageError: If there is no such network, or it has no weights.
    """
    # first, because timm brings the client
    repository, file = _file(name)
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, file)
    if not isinstance(found, str):
        raise DataError(
            f"The published weights of {name} are not on this machine.",
            f"Download them with `unlearnable models --download {name}`, or give the file of your weights.",
        )
    return Path(found)


def describe(name: str) -> str:
    """Return file, size, licence, checksum and source of the weights, asking Hugging Face for them.

    Raises:
        DataError: If timm is not installed, or Hugging Face cannot be reached.
        UsageError: If there is no such network, or it has no weights.
    """
    repository, file = _file(name)
    from huggingface_hub import HfApi

    try:
        listed = HfApi().model_info(repository, files_metadata=True).siblings or []
        size, digest = next(
            (one.lfs.size, one.lfs.sha256) for one in listed if one.rfilename == file and one.lfs
        )
    # the client lets every exception of its transport through
    except Exception as error:
        raise _unreachable(name, error) from error
    licence = _config(name).license or "no licence stated"
    source = f"https://huggingface.co/{repository}"
    return f"{file}, {size / 2**20:.1f} MiB, {licence}, SHA-256 {digest}, from {source}"


def download(name: str) -> Path:
    """Download the weights of a network unless they are at hand; return their file.

    Raises:
        DataError: If timm is not installed, or Hugging Face cannot be reached.
        UsageError: If there is no such network, or it has no weights.
    """
    repository, file = _file(name)
    from huggingface_hub import hf_hub_download

    try:
        # it checks length and checksum
        return Path(hf_hub_download(repository, file))
    except Exception as error:
        raise _unreachable(name, error) from error


def _unreachable(name: str, error: Exception) -> DataError:
    return DataError(
        f"The weights of {name} cannot be downloaded ({type(error).__name__}: {error}).",
        "Give the file of your weights instead.",
    )


def _file(name: str) -> tuple[str, str]:
    """Return the repository on Hugging Face and the name of the file in it."""
    config = _config(name)
    if not config.hf_hub_id:
        raise UsageError(f"timm has no published weights of {name}.", "Choose another network of timm.")
    return config.hf_hub_id, config.hf_hub_filename or "model.safetensors"


def _config(name: str) -> Any:
    """Return what timm knows about a network's weights."""
    timm, plain = _timm(), name.removeprefix(PREFIX)
    try:
        config = timm.get_pretrained_cfg(plain) if timm.is_model(plain) else None
    except RuntimeError:
        # a known architecture with unknown weights
        config = None
    if config is None:
        raise UsageError(
            f"timm has no network {plain!r}.", "timm.list_models(pretrained=True) lists their names."
        )
    return config


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise DataError(
            f"Networks whose names begin with {PREFIX} need timm, which is not installed.",
            'Install it with `pip install "unlearnable[timm]"`.',
        ) from error
    return timm
