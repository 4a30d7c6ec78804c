"""The augmentation of contrastive learners: how often it does what, by its strength."""

from __future__ import annotations

import pytest
import torch

from unlearnable.training import simclr
from unlearnable.training.compute import Compute
from unlearnable.training.simclr import augmented

CPU = Compute("cpu", "float64")


def rng(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_strength_zero_changes_nothing_and_draws_nothing() -> None:
    x, generator = torch.rand(4, 3, 8, 8), rng()
    assert augmented(x, 0.0, generator, CPU) is x
    assert torch.equal(generator.get_state(), rng().get_state())


def test_a_draw_follows_the_generator_and_stays_in_range() -> None:
    x = torch.rand(50, 3, 8, 8, generator=rng()).double()
    one, same, other = (augmented(x, 1.0, rng(seed), CPU) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.shape == x.shape
    assert one.min() >= 0
    assert one.max() <= 1


@pytest.mark.parametrize("strength", [0.25, 0.6, 1.0])
def test_shares_of_images_with_other_colours_and_without_any(strength: float) -> None:
    """An image of one colour looks the same however it is cropped and flipped."""
    x = torch.tensor([0.3, 0.5, 0.4]).double().view(1, 3, 1, 1).expand(4000, 3, 16, 16)
    # crops at the edge of the frame mix with black
    found, x = (one[..., 6:10, 6:10] for one in (augmented(x, strength, rng(), CPU), x))
    grey = (found.amax(1) - found.amin(1) < 1e-9).flatten(1).all(1).double().mean()
    same = ((found - x).abs() < 1e-9).flatten(1).all(1).double().mean()
    # four standard deviations of a share of 4000
    assert float(grey) == pytest.approx(0.2 * strength, abs=0.03)
    assert float(same) == pytest.approx((1 - min(0.99, 0.8 * strength)) * (1 - 0.2 * strength), abs=0.03)


@pytest.mark.parametrize(("strength", "least"), [(0.25, 0.775), (0.6, 0.46), (1.0, 0.1)])
def test_crops_are_as_small_as_the_strength_says(
    strength: float, least: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slope of a ramp is the side of the crop across it, once colours stay as they are."""
    for name, value in (("JITTER", 1e-12), ("HUE", 1e-12), ("GREY", 0.0)):
        monkeypatch.setattr(simclr, name, value)
    ramp, sides = torch.linspace(0, 1, 16).double(), []
    for axis, image in ((3, ramp.expand(3, 16, 16)), (2, ramp[:, None].expand(3, 16, 16))):
        seen = augmented(image.expand(2000, 3, 16, 16), strength, rng(), CPU)
        # away from the edges, where crops end
        sides.append(seen.narrow(axis, 7, 2).diff(dim=axis).abs().mean((1, 2, 3)) * 15)
    area = sides[0] * sides[1]
    # a crop wider than the frame ends at its edges
    assert 0.98 * least < float(area.min()) < least + 0.02
    assert float(area.max()) > 0.97


def test_gradients_reach_the_image() -> None:
    x = (0.25 + 0.5 * torch.rand(3, 3, 6, 6, generator=rng())).double().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda one: augmented(one, 0.3, rng(3), CPU), (x,), eps=1e-6, atol=1e-5)
