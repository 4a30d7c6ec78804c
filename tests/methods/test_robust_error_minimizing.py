"""Robust error-minimizing noise: the adversary is inside both steps, and the noise holds against it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from unlearnable import methods
from unlearnable.data.digits import digits
from unlearnable.data.image_set import ImageSet
from unlearnable.methods import Context, Method
from unlearnable.methods.robust_error_minimizing import RobustErrorMinimizing
from unlearnable.training.compute import Compute
from unlearnable.training.pgd import attack

SETTINGS = {
    "surrogate": "cnn:width=8,depth=2",
    "batch": 8,
    "transforms": "none",
    "steps": 3,
    "adversarial_steps": 4,
    "init": "uniform",
    "resolution": 16,
    "max_rounds": 2,
}


def make(form: str = "samplewise", **more: object) -> RobustErrorMinimizing:
    made = methods.create("robust_error_minimizing", {**SETTINGS, "form": form, **more}).resolve((16, 16), 24)
    assert isinstance(made, RobustErrorMinimizing)
    return made


def ascend(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """The adversary on one image, (1, 3, S, S): 4 steps of 0.8 levels within 4, from a start in +-1."""
    radius, length = 4 / 255, 0.8 / 255
    low, high = (x - radius).clamp(0, 1), (x + radius).clamp(0, 1)
    a = (x + radius * start).clamp(low, high)
    for _ in range(4):
        a = a.detach().requires_grad_(True)
        gradient = torch.autograd.grad(F.cross_entropy(model(a), y), a)[0]
        a = (a.detach() + length * gradient.sign()).clamp(low, high)
    return a


def reference(
    model: torch.nn.Module,
    x: torch.Tensor,
    d: torch.Tensor,
    y: torch.Tensor,
    starts: list[torch.Tensor],
    adversary: bool = True,
) -> torch.Tensor:
    """Noise steps on one image, in [0, 1], from the formulas: one for each start of the adversary."""
    epsilon, length, noise = 8 / 255, 1.6 / 255, d
    for start in starts:
        seen = (x + noise).clamp(0, 1).detach()
        at = (ascend(model, seen, y, start) if adversary else seen).detach().requires_grad_(True)
        gradient = torch.autograd.grad(F.cross_entropy(model(at), y), at)[0]
        noise = (seen - length * gradient.sign() - x).clamp(-epsilon, epsilon)
    return noise


def test_noise_steps_equal_a_slow_reference_with_the_adversary_inside(images: ImageSet) -> None:
    """From noise that is not zero, in float64, image by image."""
    method, view, ctx = make(), images.view(16), Context(4, Compute("cpu", "float64"))
    state = method.start(view, ctx)
    for _ in range(3):
        assert method.advance(state, view, ctx).kind == "train"
    plan, before = method.plan(view, ctx), state["noise"].clone()
    assert before.abs().max() > 7
    method.move(plan, state, 0)
    order = torch.randperm(24, generator=ctx.rng("noise order", 0, 0))[:8]
    rng = ctx.rng("noise", 0, 0)
    starts = [2 * torch.rand(8, 3, 16, 16, generator=rng).double() - 1 for _ in range(3)]
    model = plan.surrogate(state).model.eval()
    without = 0.0
    for position, i in enumerate(order.tolist()):
        x = torch.from_numpy(view.pixels[i : i + 1]).double() / 255
        y = torch.tensor([int(view.labels[i])])
        given = (model, x, before[i][None] / 255, y, [start[position][None] for start in starts])
        expected = reference(*given)[0] * 255
        assert torch.allclose(state["noise"][i], expected, atol=1e-9), i
        without += float(
            (reference(*given, adversary=False)[0] * 255 - expected).abs().gt(0.5).double().mean()
        )
    # the adversary decides some of the signs, so a noise loss without it would not pass
    assert without / 8 > 0.01


def test_the_surrogate_is_trained_at_the_adversarys_images(images: ImageSet) -> None:
    method, view, ctx = make(), images.view(16), Context(4)
    state = method.start(view, ctx)
    plan = method.plan(view, ctx)
    batch = plan.batch_of(torch.arange(8))
    d = plan.noise_of(batch.rows, state["noise"])
    model = plan.surrogate(state).model
    x = plan.show(batch, d, None)
    trained = method.train_batch(plan, model, batch, d, ctx.rng("train", 0))
    apart = (trained - x).abs() * 255
    assert 3.9 < float(apart.max()) <= 4.001
    model.eval()
    with torch.no_grad():
        before, after = (float(F.cross_entropy(model(one), batch.y)) for one in (x, trained))
    assert after > before
    start = ctx.rng("train", 0)
    assert torch.equal(trained, attack(model, x, batch.y, 4.0, 0.8, 4, start, ctx.compute))


def test_without_an_adversary_its_noise_loss_is_that_of_error_minimizing_noise(images: ImageSet) -> None:
    view = images.view(16)
    method = make(adversarial_epsilon=0.0, step_size=0.8)
    plain = methods.create(
        "error_minimizing",
        {**{k: v for k, v in SETTINGS.items() if k != "adversarial_steps"}, "form": "samplewise"},
    ).resolve((16, 16), 24)
    states = []
    for one in (method, plain):
        context = Context(4, Compute("cpu", "float64"))
        state = one.start(view, context)
        one.move(one.plan(view, context), state, 0)
        states.append(state["noise"])
    assert torch.equal(*states)


@pytest.mark.parametrize("form", ["samplewise", "classwise"])
def test_the_error_of_a_round_is_that_of_its_adversarial_batches(form: str, images: ImageSet) -> None:
    fitted = make(form, samples=1).fit(images.view(16), Context(2))
    assert len(fitted.log) == 2
    assert all(error is not None and round(error * 24) == pytest.approx(error * 24) for error in fitted.log)


def adversarial_loss(fitted: methods.Fitted, images: ImageSet, view_size: int, method: Method) -> float:
    """Mean loss of a search's surrogate at an adversary's images, with draws of its own."""
    ctx = Context(99)
    model = ctx.model(method.config.surrogate, len(images.classes))
    model.load_state_dict(fitted.surrogate)
    view = images.view(view_size)
    x, y = torch.from_numpy(view.pixels).float() / 255, torch.from_numpy(view.labels)
    model.eval()
    moved = attack(model, x, y, 4.0, 0.8, 10, ctx.rng("attack"), ctx.compute)
    with torch.inference_mode():
        return float(F.cross_entropy(model(moved), y))


@pytest.mark.slow
def test_it_lowers_the_adversarial_loss_where_random_noise_does_not() -> None:
    whole = digits(16, 32)
    scans = whole.subset(whole.ids[::4])
    settings = {
        "form": "samplewise",
        "surrogate": "cnn:width=16,depth=2",
        "batch": 32,
        "samples": 2,
        "steps": 2,
        "adversarial_steps": 4,
        "max_rounds": 12,
    }
    method = methods.create("robust_error_minimizing", settings).resolve((16, 16), len(scans))
    fitted = method.fit(scans.view(16), Context(1))
    random = methods.create("random", {"form": "samplewise"}).resolve((16, 16), len(scans))
    drawn = random.fit(scans.view(16), Context(1))
    clean, noisy, robust = (
        adversarial_loss(fitted, one, 16, method)
        for one in (scans, scans.with_noise(drawn.noise), scans.with_noise(fitted.noise))
    )
    assert robust < 0.5 * noisy, (clean, noisy, robust)
    assert robust < 0.5 * clean, (clean, noisy, robust)
    assert fitted.log[-1] < 0.5 * fitted.log[0]
    assert np.abs(fitted.noise.bank).max() == 8
