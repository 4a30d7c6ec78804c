"""Mutual-information noise: the loss equals a slow reference, and steps lower it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from unlearnable import methods
from unlearnable.data.image_set import ImageSet
from unlearnable.methods import Context
from unlearnable.methods.mutual_information import contrastive
from unlearnable.training.compute import Compute
from unlearnable.training.weights import split

SETTINGS = {
    "surrogate": "cnn:width=8,depth=2",
    "batch": 12,
    "train_batches": 3,
    "steps": 1,
    "init": "uniform",
    "max_rounds": 2,
    "stop_error": 0.0,
}


def reference(z: torch.Tensor, y: list[int], temperature: float) -> torch.Tensor:
    """The loss from its formula, image by image."""
    total = z.new_zeros(())
    for i in range(len(y)):
        same, every = z.new_zeros(()), z.new_zeros(())
        for j in range(len(y)):
            if i != j:
                term = torch.exp(F.cosine_similarity(z[i], z[j], dim=0) / temperature)
                every = every + term
                same = same + (term if y[i] == y[j] else 0)
        if same > 0:
            total = total - torch.log(same / every)
    return total


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_the_loss_equals_a_slow_reference(temperature: float) -> None:
    z = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)).double().requires_grad_(True)
    y = [0, 1, 0, 2, 1, 1, 3]
    fast, slow = contrastive(z, torch.tensor(y), temperature).sum(), reference(z, y, temperature)
    assert float(fast.detach()) == pytest.approx(float(slow.detach()), rel=1e-12)
    assert torch.allclose(*(torch.autograd.grad(one, z)[0] for one in (fast, slow)), atol=1e-12)


def test_features_alike_within_classes_only_have_hardly_any_loss_and_the_reverse_a_large_one() -> None:
    z = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 3.0]]).double()
    assert float(contrastive(z, torch.tensor([0, 0, 1, 1]), 0.1).sum()) == pytest.approx(
        4 * math.log1p(2 * math.exp(-10)), rel=1e-6
    )
    assert float(contrastive(z, torch.tensor([0, 1, 0, 1]), 0.1).sum()) > 30


@pytest.mark.parametrize("count", [1, 4])
def test_images_alone_in_their_class_have_no_contrastive_loss(count: int) -> None:
    z = torch.randn(count, 5, generator=torch.Generator().manual_seed(1)).double().requires_grad_(True)
    losses = contrastive(z, torch.arange(count), 0.1)
    assert losses.tolist() == [0.0] * count
    assert torch.equal(torch.autograd.grad(losses.sum(), z)[0], torch.zeros_like(z))


def test_a_photo_that_comes_later_alone_gets_the_noise_of_its_cross_entropy(images: ImageSet) -> None:
    settings = {**SETTINGS, "form": "samplewise", "resolution": 16, "steps": 4, "min_rounds": 1}
    method = methods.create("mutual_information", settings).resolve((16, 16), 24)
    fitted = method.fit(images.subset(images.ids[:21]).view(16), Context(4))
    new = images.subset(images.ids[21:22]).view(16)
    found = method.extend(fitted, new, Context(4)).bank
    expected = (
        methods.create("error_minimizing", settings).resolve((16, 16), 24).extend(fitted, new, Context(4))
    )
    assert np.array_equal(found, expected.bank)
    assert np.abs(found.astype(int)).mean() > 1


def features(model: torch.nn.Module, view, noise: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    x = (torch.from_numpy(view.pixels)[index].double() + noise[index]).clamp(0, 255) / 255
    return split(model)[0](x)


def test_a_noise_step_follows_the_gradient_of_the_loss_on_the_batch(images: ImageSet) -> None:
    method = methods.create("mutual_information", {**SETTINGS, "form": "samplewise"}).resolve((16, 16), 24)
    view, ctx = images.view(16), Context(4, Compute("cpu", "float64"))
    state, plan = method.start(view, ctx), method.plan(view, ctx)
    for number in range(3):
        method.train(plan, state, number)
    before = state["noise"].clone()
    method.move(plan, state, 0)
    index = torch.randperm(24, generator=ctx.rng("noise order", 0, 0))[:12]
    model, y = plan.surrogate(state).model, torch.from_numpy(view.labels)[index].tolist()
    x = torch.from_numpy(view.pixels)[index].double()
    at = ((x + before[index]).clamp(0, 255) / 255).requires_grad_(True)
    gradient = torch.autograd.grad(reference(split(model)[0](at), y, 0.1), at)[0]
    expected = (at.detach() * 255 - x - 0.8 * gradient.sign()).clamp(-8, 8)
    assert torch.allclose(state["noise"][index], expected, atol=1e-9)
    losses = [float(reference(features(model, view, d, index), y, 0.1)) for d in (before, state["noise"])]
    assert losses[1] < 0.97 * losses[0]
