"""The inner loop against a slow reference that knows one image at a time, written from the formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from quick import after_training
from unlearnable.data.image_set import ImageSet
from unlearnable.training.compute import Compute


def reference(model: torch.nn.Module, x: torch.Tensor, d: torch.Tensor, y: int, steps: int) -> torch.Tensor:
    """T steps on one image: x' <- clip01(x + clip_eps(x' - alpha sign(grad) - x)), everything in [0, 1]."""
    epsilon, alpha = 8 / 255, 0.8 / 255
    noise = d
    for _ in range(steps):
        seen = (x + noise).clamp(0, 1).clone().requires_grad_(True)
        gradient = torch.autograd.grad(F.cross_entropy(model(seen[None]), torch.tensor([y])), seen)[0]
        noise = (seen.detach() - alpha * gradient.sign() - x).clamp(-epsilon, epsilon)
    return noise


@pytest.mark.parametrize(
    ("precision", "other_pixels", "other_loss"),
    [("float64", 0, 0), ("float32", 0.01, 0.01), ("bfloat16", 0.25, 0.01)],
)
def test_samplewise_steps_equal_the_reference(
    images: ImageSet, precision: str, other_pixels: float, other_loss: float
) -> None:
    """In float64 in every level. Elsewhere rounding may turn a sign; the loss falls by the same within 1%."""
    method, view, ctx, state = after_training(images, "samplewise", precision)
    plan = method.plan(view, ctx)
    model = plan.surrogate(state).model.eval()
    x = torch.from_numpy(view.pixels).to(ctx.compute.dtype) / 255
    assert state["noise"].dtype == (torch.float64 if precision == "float64" else torch.float16)
    zero = torch.zeros_like(x[0])
    slow = torch.stack([reference(model, x[i], zero, int(view.labels[i]), 5) for i in range(len(x))]) * 255
    for batch in range(plan.noise_batches(state)):
        method.move(plan, state, batch)
    fast, labels = state["noise"], torch.from_numpy(view.labels)
    if precision == "float64":
        assert np.array_equal(np.rint(fast.numpy()), np.rint(slow.numpy()))
    assert float((fast - slow).abs().gt(0.01).float().mean()) <= other_pixels
    before, reached, wanted = [
        F.cross_entropy(model((x + d / 255).clamp(0, 1)), labels).item() for d in (zero, fast, slow)
    ]
    assert wanted < before
    assert before - reached == pytest.approx(before - wanted, rel=other_loss, abs=1e-9)


def test_classwise_step_is_the_mean_over_the_batch_of_each_images_updated_copy(images: ImageSet) -> None:
    method, view, ctx, state = after_training(images, "classwise", "float64")
    method = method.resolve((16, 16), 24)
    plan = method.plan(view, ctx)
    model = plan.surrogate(state).model.eval()
    x = torch.from_numpy(view.pixels).double() / 255
    order = torch.randperm(24, generator=ctx.rng("noise order", 0, 0))[:8]
    before = state["noise"].clone()
    method.move(plan, state, 0)
    for row in range(3):
        mine = [int(i) for i in order if view.labels[i] == row]
        copies = [reference(model, x[i], before[row] / 255, row, 5) * 255 for i in mine]
        expected = torch.stack(copies).mean(0) if copies else before[row]
        assert torch.allclose(state["noise"][row], expected, atol=1e-9)


def test_gradient_reaches_the_noise_through_lift_crop_and_clip(images: ImageSet) -> None:
    """Finite differences on the whole look, in float64."""
    from unlearnable.training.trainer_view import TrainerView
    from unlearnable.training.transforms import Transform

    look = TrainerView(12, 18, 8, (25, 31), Transform("photo"), "bilinear", Compute("cpu", "float64"))
    x = images.view(18).pixels[:3] // 2 + 64  # away from the clip, where it is exact
    d = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0)).double().requires_grad_(True)
    grey = torch.tensor([False, True, False])

    def value(noise: torch.Tensor) -> torch.Tensor:
        return look(torch.from_numpy(x), noise, grey, draw)

    draw = look.draw(3, torch.Generator().manual_seed(5))

    assert torch.autograd.gradcheck(value, (d,), eps=1e-3, atol=1e-6)


def test_plain_look_is_the_identity_and_keeps_to_the_papers_case() -> None:
    from unlearnable.training.trainer_view import TrainerView
    from unlearnable.training.transforms import Transform

    look = TrainerView(32, 32, 32, (32, 32), Transform("none"), "bilinear", Compute())
    assert look.plain
    x, d = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8), torch.randn(2, 3, 32, 32) * 8
    assert torch.equal(look(x, d, None, None), (x + d).clamp(0, 255) / 255)
