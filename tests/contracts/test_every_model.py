"""The contract of every architecture. New ones are tested without being listed here."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from unlearnable import models
from unlearnable.training.compute import Compute


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", models.names())
def test_one_step_moves_every_parameter(name: str, precision: str) -> None:
    torch.manual_seed(0)
    compute = Compute("cpu", precision)
    model = compute.to_device(models.create(f"{name}:width=16", 5)).train()
    before = {key: parameter.detach().clone() for key, parameter in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = torch.rand(8, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    with compute.autocast():
        logits = model(x)
    torch.autograd.backward(F.cross_entropy(logits.float(), torch.arange(8) % 5))
    optimizer.step()
    still = [key for key, parameter in model.named_parameters() if torch.equal(parameter, before[key])]
    assert not still
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("name", models.names())
def test_activations_stay_channels_last(name: str) -> None:
    model = Compute("cpu", "float32").to_device(models.create(f"{name}:width=16", 5)).eval()
    x = torch.rand(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    for layer in list(model.children())[:-3]:
        x = layer(x)
        # a transformer has tokens and an embedding has features, not a grid
        assert x.ndim < 4 or x.is_contiguous(memory_format=torch.channels_last)
