"""Sample-wise noise as the published research code makes it: the baseline of `speed.py`.

Written from its description: float32, NCHW, eager; noise lives on the host and is added, and taken back, one
image at a time in Python; the surrogate's loss and accuracy are read at every batch; the error is measured in
a pass of its own. Its mistakes are left out.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

EPSILON, ALPHA = 8 / 255, 0.8 / 255


class Published:
    """One search.

    Args:
        model: The surrogate, on its device.
        images: float (N, 3, H, W) in [0, 1] on the host.
        labels: int64 (N,) on the host.
        batch: Images per batch.
    """

    def __init__(self, model: nn.Module, images: torch.Tensor, labels: torch.Tensor, batch: int) -> None:
        self.model, self.images, self.labels, self.batch = model, images, labels, batch
        self.device = next(model.parameters()).device
        self.noise = torch.zeros_like(images)
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)

    def train(self, index: torch.Tensor) -> None:
        """Train the surrogate on a batch of protected images."""
        x, noise, y = self._gather(index)
        self.model.train()
        for parameter in self.model.parameters():
            parameter.requires_grad = True
        self.model.zero_grad()
        logits = self.model(torch.stack([(x[i] + noise[i]).clamp(0, 1) for i in range(len(x))]))
        loss = F.cross_entropy(logits, y)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        loss.item(), (logits.argmax(1) == y).float().mean().item()  # what its progress bar shows

    def move(self, index: torch.Tensor, steps: int) -> None:
        """Move the noise of a batch by T sign steps."""
        x, noise, y = self._gather(index)
        self.model.eval()
        for parameter in self.model.parameters():
            parameter.requires_grad = False
        seen = (x + noise).clamp(0, 1)
        for _ in range(steps):
            seen = seen.detach().requires_grad_(True)
            loss = F.cross_entropy(self.model(seen), y)
            torch.autograd.backward(loss)
            assert seen.grad is not None
            noise = (seen.detach() - ALPHA * seen.grad.sign() - x).clamp(-EPSILON, EPSILON)
            seen = (x + noise).clamp(0, 1)
        for place, i in enumerate(index.tolist()):
            self.noise[i] = noise[place].clone().detach().cpu()

    def error(self) -> float:
        """Measure the share of protected images that the surrogate gets wrong."""
        self.model.eval()
        wrong = 0
        with torch.no_grad():
            for index in torch.arange(len(self.images)).split(self.batch):
                x, noise, y = self._gather(index)
                seen = torch.stack([(x[i] + noise[i]).clamp(0, 1) for i in range(len(x))])
                wrong += int((self.model(seen).argmax(1) != y).sum())
        return wrong / len(self.images)

    def round(self, train_batches: int, steps: int) -> None:
        """M training batches, T steps on every image, the error."""
        order = torch.randperm(len(self.images), generator=torch.Generator().manual_seed(0)).split(self.batch)
        full = max(1, len(self.images) // self.batch)  # ours trains on whole batches only
        for number in range(train_batches):
            self.train(order[number % full])
        for index in torch.arange(len(self.images)).split(self.batch):
            self.move(index, steps)
        self.error()

    def _gather(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        noise = torch.stack([self.noise[i] for i in index.tolist()])
        return self.images[index].to(self.device), noise.to(self.device), self.labels[index].to(self.device)
