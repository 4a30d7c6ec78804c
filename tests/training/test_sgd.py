"""The optimiser is torch's, without the import of torch's compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from unlearnable.training.sgd import SGD

TRAIN = """
import sys
import torch
from torch import nn
from unlearnable.training.compute import Compute
from unlearnable.training.loop import train_step
from unlearnable.training.recipe import Recipe

model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
x, y = torch.rand(4, 3, 2, 2), torch.tensor([0, 1, 0, 1])
train_step(model, Recipe().optimizer(model), x, y, Compute("cpu", "float32"), clip=1.0)
print([name for name in sys.modules if name.startswith(("torch._dynamo", "sympy"))])
"""


@pytest.mark.parametrize("settings", [{}, {"momentum": 0.9, "weight_decay": 5e-4}])
def test_it_steps_as_torch_does(settings: dict[str, float]) -> None:
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.full((3, 4), 0.5)) for _ in range(2))
    optimisers = SGD([ours], lr=0.1, **settings), torch.optim.SGD([theirs], lr=0.1, **settings)
    for _ in range(5):
        target = torch.rand(3, 4)
        for parameter, optimiser in zip((ours, theirs), optimisers, strict=True):
            optimiser.zero_grad(set_to_none=True)
            assert parameter.grad is None
            ((parameter - target) ** 2).sum().backward()
            optimiser.step()
            for group in optimiser.param_groups:
                group["lr"] *= 0.9
    assert torch.equal(ours, theirs)
    assert not torch.equal(ours, torch.full((3, 4), 0.5))
    assert isinstance(optimisers[0], torch.optim.Optimizer)


def test_a_training_does_not_load_the_compiler() -> None:
    """It takes a second, at the start of every command that trains."""
    done = subprocess.run([sys.executable, "-c", TRAIN], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
