"""The device and the precision of computations."""

from __future__ import annotations

import contextlib
import platform
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn

from unlearnable.arguments import instance, shown
from unlearnable.errors import UsageError
from unlearnable.training import precision_probe, side_by_side

Precision = Literal["auto", "float32", "bfloat16", "float64"]
DEVICES = ("cpu", "cuda", "mps")
PRECISIONS = ("float32", "bfloat16", "float64")


_AUTO = "or auto for the one that fits this machine (Compute.choose() in Python)."


@dataclass(frozen=True)
class Compute:
    """A device and a precision, both resolved.

    Args:
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``float64`` is for reference computations; ``bfloat16`` is automatic mixed precision.
        found: Whether a probe chose the precision: a search that resumes then retains it.

    Raises:
        UsageError: If the device or the precision is unknown, or still ``auto``.
    """

    device: str = "cpu"
    precision: str = "float32"
    found: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        kind, _, number = self.device.partition(":") if isinstance(self.device, str) else ("", "", "")
        if kind not in DEVICES or (number and not number.isdecimal()):
            raise UsageError(
                f"There is no device {shown(self.device)}.", f"Choose {', '.join(DEVICES)}; {_AUTO}"
            )
        if self.precision not in PRECISIONS:
            raise UsageError(
                f"There is no precision {shown(self.precision)}.", f"Choose {', '.join(PRECISIONS)}; {_AUTO}"
            )

    @classmethod
    def of(cls, value: Compute | str | None) -> Compute:
        """Return what a caller passes as ``compute``: a device by name is chosen, None is ``auto``.

        Raises:
            UsageError: If it is anything else, or the device is unknown or missing.
        """
        if value is None or isinstance(value, str | torch.device):
            return cls.choose("auto" if value is None else str(value))
        return instance("compute", value, cls, "a Compute or the name of a device", 'Give compute="cpu".')

    @classmethod
    def choose(cls, device: str = "auto", precision: str = "auto") -> Compute:
        """Return the device and precision, with ``auto`` resolved.

        The device is the first accelerator, the precision bfloat16 where a probe of under a second finds it
        faster.

        Args:
            device: ``auto``, ``cpu``, ``cuda`` (also ``cuda:1``) or ``mps``.
            precision: ``auto``, ``float32``, ``bfloat16`` or ``float64``.

        Raises:
            UsageError: If the device is unknown or missing, or the precision is unknown.
        """
        if device == "auto":
            device = (
                "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
            )
        resolved = cls(device, "float32" if precision == "auto" else precision)
        kind, _, number = device.partition(":")
        remedy = "Use the device cpu"
        if kind == "cuda" and not torch.cuda.is_available():
            raise UsageError(
                "No CUDA device is available here.", f"{remedy}, or install a CUDA build of torch."
            )
        if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
            raise UsageError(
                f"There is no CUDA device {number}.", f"The last one is cuda:{torch.cuda.device_count() - 1}."
            )
        if kind == "mps" and not torch.backends.mps.is_available():
            raise UsageError("No MPS device is available here.", f"{remedy}.")
        if precision == "auto":
            return cls(device, precision_probe.precision(device), found=True)
        return resolved

    @property
    def dtype(self) -> torch.dtype:
        """The type of images, noise and weights; mixed precision stores them in float32."""
        return torch.float64 if self.precision == "float64" else torch.float32

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which a model is called."""
        if self.precision == "bfloat16":
            return torch.autocast(self.device.split(":")[0], torch.bfloat16)
        return contextlib.nullcontext()

    def to_device(self, model: nn.Module) -> nn.Module:
        """Move a model to the device, in place, in the layout in which convolutions are fastest."""
        if self.device == "cpu" and self.precision == "bfloat16" and side_by_side.pays():
            side_by_side.lay_out(model)
        model = model.to(self.device, self.dtype)
        return model.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def send(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return a tensor on the device, floats in ``dtype``, without waiting for work that runs there.

        A tensor that is on the device already stays there.
        """
        tensor = tensor.to(self.dtype) if tensor.is_floating_point() else tensor
        # only copies from pinned memory run without waiting
        pinned = self.device.startswith("cuda") and tensor.device.type == "cpu"
        return tensor.pin_memory().to(self.device, non_blocking=True) if pinned else tensor.to(self.device)

    def describe(self) -> dict[str, Any]:
        """Return everything the bytes of a result may depend on: device, precision, threads, versions."""
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
