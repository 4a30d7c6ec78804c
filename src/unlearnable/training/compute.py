"""Where and how precisely to compute."""

from __future__ import annotations

import contextlib
import platform
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn

from unlearnable.errors import UsageError
from unlearnable.training import precision_probe, side_by_side

Precision = Literal["auto", "float32", "bfloat16", "float64"]


@dataclass(frozen=True)
class Compute:
    """A device and a precision, both resolved.

    Args:
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``float64`` is for reference computations; ``bfloat16`` is automatic mixed precision.
        found: Whether the precision was found by a probe rather than asked for: a search that goes on then
            keeps that of its beginning.
    """

    device: str = "cpu"
    precision: str = "float32"
    found: bool = field(default=False, compare=False)

    @classmethod
    def choose(cls, device: str = "auto", precision: str = "auto") -> Compute:
        """Resolve ``auto``: the first accelerator there is; bfloat16 where a probe of under a second finds it faster.

        Raises:
            UsageError: If the device is unknown or not there, or the precision is unknown.
        """
        if device == "auto":
            device = (
                "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
            )
        if device.split(":")[0] not in ("cpu", "cuda", "mps"):
            raise UsageError(f"There is no device {device!r}.", "Choose auto, cpu, cuda or mps.")
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise UsageError(
                "No CUDA device can be used here.", "Use --device cpu, or install a CUDA build of torch."
            )
        if device == "mps" and not torch.backends.mps.is_available():
            raise UsageError("No MPS device can be used here.", "Use --device cpu.")
        if precision == "auto":
            return cls(device, precision_probe.precision(device), found=True)
        if precision not in ("float32", "bfloat16", "float64"):
            raise UsageError(f"There is no precision {precision!r}.", "Choose auto, float32 or bfloat16.")
        return cls(device, precision)

    @property
    def dtype(self) -> torch.dtype:
        """The type of images, noise and weights (mixed precision keeps them in float32)."""
        return torch.float64 if self.precision == "float64" else torch.float32

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """The context in which a model is called."""
        if self.precision == "bfloat16":
            return torch.autocast(self.device.split(":")[0], torch.bfloat16)
        return contextlib.nullcontext()

    def place(self, model: nn.Module) -> nn.Module:
        """Move a model to the device, in the layout in which convolutions are fastest. The model itself is changed."""
        if self.device == "cpu" and self.precision == "bfloat16" and side_by_side.pays():
            side_by_side.lay_out(model)
        return model.to(self.device, self.dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def send(self, tensor: torch.Tensor) -> torch.Tensor:
        """Move a tensor from the host to the device, floats in ``dtype``, without waiting for what runs there; one there stays there."""
        tensor = tensor.to(self.dtype) if tensor.is_floating_point() else tensor
        pinned = self.device.startswith("cuda") and tensor.device.type == "cpu"
        return tensor.pin_memory().to(self.device, non_blocking=True) if pinned else tensor.to(self.device)

    def describe(self) -> dict[str, Any]:
        """Return what the bytes of a result may depend on: device, precision, threads, versions."""
        name = (
            torch.cuda.get_device_name()
            if self.device.startswith("cuda")
            else platform.processor() or platform.machine()
        )
        return {
            "device": self.device,
            "device_name": name,
            "precision": self.precision,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "python": platform.python_version(),
        }
