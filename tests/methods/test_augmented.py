"""Methods under contrastive augmentation (AUE, AAP): both steps see it; without it they are as before."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from unlearnable import methods
from unlearnable.data.image_set import ImageSet
from unlearnable.methods import Context
from unlearnable.training.compute import Compute
from unlearnable.training.simclr import augmented

COMMON = {
    "surrogate": "cnn:width=8,depth=2",
    "form": "samplewise",
    "batch": 8,
    "steps": 2,
    "step_size": 0.8,
    "init": "uniform",
    "weight_decay": 1e-4,
}
MINIMIZING = {**COMMON, "train_batches": 3, "max_rounds": 2, "stop_error": 0.0}
MAXIMIZING = {**COMMON, "pretrain_epochs": 1.0, "max_rounds": 2, "stop_error": 1.0, "target": "next"}
PAIRS = {
    "augmented_error_minimizing": ("error_minimizing", MINIMIZING),
    "augmented_error_maximizing": ("error_maximizing", MAXIMIZING),
}


def started(name: str, images: ImageSet, **more: object):
    """A search before its first step, in float64: (method, plan, state)."""
    method = methods.create(name, {**PAIRS[name][1], **more}).resolve((16, 16), 24)
    view, ctx = images.view(16), Context(4, Compute("cpu", "float64"))
    state = method.start(view, ctx)
    return method, method.plan(view, ctx), state


@pytest.mark.parametrize("transforms", ["none", "flip-crop"])
@pytest.mark.parametrize("name", PAIRS)
def test_at_strength_zero_it_is_the_method_that_it_derives_from(
    name: str, transforms: str, images: ImageSet
) -> None:
    plain, settings = PAIRS[name]
    found = [
        methods.create(kind, {**settings, **more, "transforms": transforms, "samples": 2})
        .resolve((16, 16), 24)
        .fit(images.view(16), Context(3))
        for kind, more in ((name, {"strength": 0.0}), (plain, {}), (name, {"strength": 0.5}))
    ]
    assert np.array_equal(found[0].noise.bank, found[1].noise.bank)
    assert found[0].log == found[1].log
    assert not np.array_equal(found[0].noise.bank, found[2].noise.bank)


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("name", PAIRS)
def test_a_noise_step_averages_the_gradient_over_augmented_images(
    name: str, samples: int, images: ImageSet
) -> None:
    method, plan, state = started(name, images, strength=0.6, samples=samples, steps=1)
    before = state["noise"].clone()
    method.move(plan, state, 0)
    index = torch.randperm(24, generator=plan.ctx.rng("noise order", 0, 0))[:8]
    x = torch.from_numpy(plan.view.pixels)[index].double() / 255
    y = method.target(torch.from_numpy(plan.view.labels)[index], 3)
    rng, model = plan.ctx.rng("noise", 0, 0), plan.surrogate(state).model.eval()
    at = (x + before[index] / 255).clamp(0, 1).requires_grad_(True)
    losses = [
        F.cross_entropy(model(augmented(at, 0.6, rng, plan.ctx.compute)), y, reduction="sum")
        for _ in range(samples)
    ]
    gradient = torch.autograd.grad(torch.stack(losses).sum(), at)[0]
    expected = (at.detach() * 255 - x * 255 - 0.8 * gradient.sign()).clamp(-8, 8)
    assert torch.allclose(state["noise"][index], expected, atol=1e-9)


@pytest.mark.parametrize("name", PAIRS)
def test_the_surrogate_trains_on_augmented_images(name: str, images: ImageSet) -> None:
    """Protected ones of error-minimizing noise, clean ones of error-maximizing noise."""
    method, plan, state = started(name, images, strength=0.6)
    batch = plan.batch_of(torch.arange(8))
    d = plan.noise_of(batch.rows, state["noise"])
    model = plan.surrogate(state).model
    seen = method.train_batch(plan, model, batch, d, plan.ctx.rng("train", 0))
    shown = plan.show(batch, d if "minimizing" in name else torch.zeros_like(d), None)
    assert torch.equal(seen, augmented(shown, 0.6, plan.ctx.rng("train", 0), plan.ctx.compute))
    assert not torch.allclose(seen, shown, atol=0.05)
