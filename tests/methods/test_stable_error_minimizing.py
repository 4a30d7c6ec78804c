"""Stable error-minimizing noise: adversarial training, and random changes in the noise step."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from unlearnable import methods
from unlearnable.data.image_set import ImageSet
from unlearnable.methods import Context
from unlearnable.training.compute import Compute

SETTINGS = {
    "surrogate": "cnn:width=8,depth=2",
    "form": "samplewise",
    "batch": 8,
    "transforms": "none",
    "steps": 3,
    "adversarial_steps": 2,
    "init": "uniform",
    "max_rounds": 2,
}


def started(name: str, images: ImageSet, **more: object):
    """A search before its first step, in float64: (method, plan, state)."""
    method = methods.create(name, {**SETTINGS, **more}).resolve((16, 16), 24)
    view, ctx = images.view(16), Context(4, Compute("cpu", "float64"))
    state = method.start(view, ctx)
    return method, method.plan(view, ctx), state


def test_a_noise_step_equals_a_slow_reference_with_the_random_changes_inside(images: ImageSet) -> None:
    method, plan, state = started("stable_error_minimizing", images, random_epsilon=6.0)
    before = state["noise"].clone()
    assert before.abs().max() > 7
    method.move(plan, state, 0)
    order = torch.randperm(24, generator=plan.ctx.rng("noise order", 0, 0))[:8].tolist()
    rng = plan.ctx.rng("noise", 0, 0)
    changes = [6 / 255 * (2 * torch.rand(8, 3, 16, 16, generator=rng).double() - 1) for _ in range(3)]
    model, without = plan.surrogate(state).model.eval(), 0.0
    for position, i in enumerate(order):
        x = torch.from_numpy(plan.view.pixels[i : i + 1]).double() / 255
        y = torch.tensor([int(plan.view.labels[i])])
        found = []
        for share in (1, 0):
            d = before[i][None] / 255
            for change in changes:
                seen = (x + d).clamp(0, 1)
                at = (seen + share * change[position]).clamp(0, 1).requires_grad_(True)
                gradient = torch.autograd.grad(F.cross_entropy(model(at), y), at)[0]
                d = (seen - 1.6 / 255 * gradient.sign() - x).clamp(-8 / 255, 8 / 255)
            found.append(d[0] * 255)
        assert torch.allclose(state["noise"][i], found[0], atol=1e-9), i
        without += float((found[0] - found[1]).abs().gt(0.5).double().mean())
    # the changes decide some of the signs
    assert without / 8 > 0.01


@pytest.mark.parametrize("form", ["samplewise", "classwise"])
def test_without_changes_its_noise_step_is_that_of_rem_without_an_adversary(
    form: str, images: ImageSet
) -> None:
    noise = []
    for name, more in (
        ("stable_error_minimizing", {"random_epsilon": 0.0}),
        ("robust_error_minimizing", {"adversarial_epsilon": 0.0}),
        ("stable_error_minimizing", {}),
    ):
        method, plan, state = started(name, images, form=form, **more)
        method.move(plan, state, 0)
        noise.append(state["noise"])
    assert torch.equal(noise[0], noise[1])
    assert not torch.equal(noise[0], noise[2])


def test_its_surrogate_is_trained_at_the_adversarys_images_as_that_of_rem(images: ImageSet) -> None:
    inputs = []
    for name in ("stable_error_minimizing", "robust_error_minimizing"):
        method, plan, state = started(name, images)
        batch = plan.batch_of(torch.arange(8))
        d = plan.noise_of(batch.rows, state["noise"])
        model = plan.surrogate(state).model
        inputs.append(method.train_batch(plan, model, batch, d, plan.ctx.rng("train", 0)))
        moved = (inputs[-1] - plan.show(batch, d, None)).abs() * 255
        assert 3.9 < float(moved.max()) <= 4.001
    assert torch.equal(*inputs)
