"""Images where batches are taken from: on the device if they fit there, else on the host, from where each batch is sent."""

from __future__ import annotations

import torch

from unlearnable.training.compute import Compute

SHARE = 0.5  # of the device's free memory that images may take; models and what they compute need the rest


class Held:
    """``held[index]``: some of the images, on the device, uint8 (B, 3, S, S).

    Args:
        pixels: uint8 (N, 3, S, S) on the host; may be mapped from a file.
        compute: Where they are needed.
    """

    def __init__(self, pixels: torch.Tensor, compute: Compute) -> None:
        self._compute, self.count = compute, len(pixels)
        self.resident = compute.device == "cpu" or _fits(pixels, compute.device)
        self._pixels = pixels.to(compute.device) if self.resident else pixels

    def __getitem__(self, index: torch.Tensor) -> torch.Tensor:
        """Return the images at some positions, an int64 (B,) on the host, without waiting for the device."""
        return self._pixels[self._compute.send(index)] if self.resident else self._compute.send(self._pixels[index])


def _fits(pixels: torch.Tensor, device: str) -> bool:
    if not device.startswith("cuda"):
        return True
    return pixels.nbytes < SHARE * torch.cuda.mem_get_info(torch.device(device))[0]
