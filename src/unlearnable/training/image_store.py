"""Training images on the device if they fit, else on the host, from where each batch is sent."""

from __future__ import annotations

import torch

from unlearnable.training.compute import Compute

# of the device's free memory that images, or noise, may take; models and activations need the rest
SHARE = 0.5


class ImageStore:
    """The training images: ``store[index]`` is a batch on the device, uint8 (B, 3, S, S).

    Args:
        pixels: uint8 (N, 3, S, S) on the host; may be mapped from a file.
        compute: The device on which batches are needed.
        mine: bool (N,), the images that are ever asked for; None for all. Only these are put on the device.
    """

    def __init__(self, pixels: torch.Tensor, compute: Compute, mine: torch.Tensor | None = None) -> None:
        self._compute, self.count = compute, len(pixels)
        share = 1.0 if mine is None else float(mine.double().mean())
        self.resident = home(int(share * pixels.nbytes), compute) == compute.device
        self._places: torch.Tensor | None = None
        if mine is not None and self.resident and compute.device != "cpu":
            self._places = mine.cumsum(0) - 1
            pixels = pixels[mine]
        self._pixels = pixels.to(compute.device) if self.resident else pixels

    def __getitem__(self, index: torch.Tensor) -> torch.Tensor:
        """Return the images at some positions, int64 (B,) on the host, without waiting for the device."""
        index = index if self._places is None else self._places[index]
        return (
            self._pixels[self._compute.send(index)]
            if self.resident
            else self._compute.send(self._pixels[index])
        )


def home(size: int, compute: Compute) -> str:
    """Return where to store ``size`` bytes: the device if enough memory is left to compute, else ``cpu``."""
    if not compute.device.startswith("cuda"):
        return compute.device
    return (
        compute.device if size < SHARE * torch.cuda.mem_get_info(torch.device(compute.device))[0] else "cpu"
    )
