"""The transformer that is trained from scratch: it attends, takes every size of image, and learns."""

from __future__ import annotations

import pytest
import torch

import unlearnable as un
from unlearnable import models
from unlearnable.errors import UsageError
from unlearnable.training.compute import Compute
from unlearnable.training.victim import Labelled, Victim, learn

SPEC = "cct:width=32,depth=2"


def test_every_size_of_image_from_28_pixels_up() -> None:
    model = models.create(SPEC, 7).eval()
    with torch.inference_mode():
        for height, width in ((28, 28), (33, 47), (64, 64), (112, 112)):
            logits = model(torch.rand(2, 3, height, width))
            assert logits.shape == (2, 7)
            assert logits.isfinite().all()


def test_every_part_of_an_image_reaches_every_token() -> None:
    """A convolution of 3 x 3 sees a few pixels; only attention carries a change to the opposite corner."""
    torch.manual_seed(0)
    model = models.create(SPEC, 3).eval().double()
    x = torch.rand(1, 3, 64, 64, dtype=torch.double)
    changed = x.clone()
    changed[:, :, :4, :4] = 1 - x[:, :, :4, :4]
    with torch.inference_mode():
        one, other = (model[:-3](images)[:, -1] for images in (x, changed))  # type: ignore[index]
    assert (one - other).abs().max() > 1e-6


def test_positions_tell_a_picture_from_its_mirror_image() -> None:
    """Attention and its average alone do not know where a token is."""
    torch.manual_seed(0)
    model = models.create("cct:width=32,depth=1,stages=1", 3).eval().double()
    # mirrored in blocks whose pixels are alike, so that convolutions see the same patches but at the seams
    left = torch.zeros(1, 3, 64, 64, dtype=torch.double)
    left[:, :, :, :16] = 1.0
    with torch.inference_mode():
        assert (model(left) - model(left.flip(3))).abs().max() > 1e-4


def test_it_learns_digits_from_scratch_with_the_usual_recipe() -> None:
    view = un.load("digits").view(28)
    pixels, labels = torch.from_numpy(view.pixels.copy()), torch.from_numpy(view.labels.copy()).long()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    train, test = (Labelled(pixels[rows], labels[rows], 10) for rows in (order[:500], order[500:800]))
    victim = Victim(model=SPEC, size=28, epochs=6, batch=25, schedule="onecycle", transform="none")
    assert learn(victim, train, test, 0, Compute()).epochs[-1].test_accuracy > 0.6


def test_a_width_that_positions_cannot_have_is_refused() -> None:
    with pytest.raises(UsageError, match="multiple of"):
        models.create("cct:width=30", 3)
