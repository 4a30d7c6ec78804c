"""Perturbation-induced linearization: a linear surrogate reads the noise, and no longer the image."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from unlearnable import methods, models
from unlearnable.data.digits import digits
from unlearnable.data.image_set import ImageSet
from unlearnable.methods import Context
from unlearnable.training.compute import Compute


def test_the_linear_network_is_linear_and_takes_images_of_any_size() -> None:
    torch.manual_seed(0)
    model = models.create("linear:side=8", 5)
    a, b = torch.rand(2, 3, 3, 8, 8)
    assert torch.allclose(model(a - 2 * b), model(a) - 2 * model(b), atol=1e-5)
    assert not model(torch.zeros(1, 3, 8, 8)).any()
    # an image is averaged to the side, or repeated
    for factor in (2, 4):
        large = a.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
        assert torch.allclose(model(large), model(a), atol=1e-5)
    assert model(a[..., ::2, ::2]).shape == (3, 5)


@pytest.mark.parametrize("balance", [0.9, 0.2])
def test_a_noise_step_equals_a_slow_reference_on_the_noise_alone(balance: float, images: ImageSet) -> None:
    """Image by image, from the formula, with p = -d; pixels are far enough from the ends of the range."""
    method = methods.create(
        "perturbation_induced_linearization",
        {"form": "samplewise", "surrogate": "linear:side=16", "batch": 8, "steps": 2, "balance": balance},
    ).resolve((16, 16), 24)
    view, ctx = images.view(16), Context(4, Compute("cpu", "float64"))
    view.pixels[:] = view.pixels // 2 + 64
    state, plan = method.start(view, ctx), method.plan(view, ctx)
    for number in range(6):
        method.train(plan, state, number)
    before = state["noise"].clone()
    assert before.abs().max() > 7
    method.move(plan, state, 0)
    f = plan.surrogate(state).model
    for i in torch.randperm(24, generator=ctx.rng("noise order", 0, 0))[:8].tolist():
        x = torch.from_numpy(view.pixels[i : i + 1]).double() / 255
        y, p = torch.tensor([int(view.labels[i])]), -before[i][None] / 255
        for _ in range(2):
            p = p.detach().requires_grad_(True)
            answer = f(x - p).softmax(1)
            hides = (1 / 3 * (1 / 3 / answer).log()).sum()
            loss = balance * F.cross_entropy(f(p), y) + (1 - balance) * hides
            p = (p - 0.8 / 255 * torch.autograd.grad(loss, p)[0].sign()).clamp(-8 / 255, 8 / 255)
        assert torch.allclose(state["noise"][i], -p[0].detach() * 255, atol=1e-9), i


@pytest.mark.parametrize("form", ["samplewise", "classwise"])
def test_the_surrogate_reads_the_class_from_the_noise_and_no_longer_from_the_image(form: str) -> None:
    whole = digits(16, 64)
    scans = whole.subset(whole.ids[::8])
    settings = {"form": form, "surrogate": "linear:side=16", "batch": 32, "pretrain_epochs": 150.0}
    method = methods.create("perturbation_induced_linearization", settings).resolve((16, 16), len(scans))
    view = scans.view(16)
    fitted = method.fit(view, Context(1))
    model = Context(1).model("linear:side=16", 10)
    model.load_state_dict(fitted.surrogate)
    labels = torch.from_numpy(view.labels)
    clean = torch.from_numpy(view.pixels).float()
    protected = torch.from_numpy(scans.with_noise(fitted.noise).view(16).pixels).float()
    with torch.no_grad():
        right = [
            float((model(x / 255).argmax(1) == labels).double().mean())
            for x in (clean, protected, clean - protected)
        ]
    assert right[0] > 0.7
    assert right[1] < 0.7 * right[0]
    # half of the noise is lost where scans are black
    assert right[2] > 0.85
