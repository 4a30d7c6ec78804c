"""UEraser: the copies are those of its operations, and each image gets the copy with the largest loss."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from batches import CPU, a_batch, lived_in
from unlearnable.countermeasures import create, ueraser
from unlearnable.training.frozen import freeze
from unlearnable.training.randomness import generator


def losses(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return F.cross_entropy(freeze(model, CPU)(x), y, reduction="none")


@pytest.mark.parametrize("copies", [2, 5])
def test_each_image_gets_the_copy_with_the_largest_loss(copies: int) -> None:
    model, (x, y) = lived_in(), a_batch(12)
    taken = create(f"ueraser:{copies}").step(model, x, y, generator(3), CPU)
    candidates = ueraser.augmented(x.repeat(copies, 1, 1, 1), generator(3), CPU)
    all_losses = losses(model, candidates, y.repeat(copies, 1)).view(copies, -1)
    assert torch.allclose(losses(model, taken, y), all_losses.amax(0))
    # each image has copies of itself to choose from, and they differ
    assert bool((all_losses.amax(0) > all_losses.amin(0)).all())
    for index, image in enumerate(taken):
        own = candidates.view(copies, *x.shape)[:, index]
        assert any(torch.equal(image, copy) for copy in own)


def test_more_copies_are_harder_than_one() -> None:
    model, (x, y) = lived_in(), a_batch(64)
    mean = [
        float(losses(model, create(f"ueraser:{k}").step(model, x, y, generator(0), CPU), y).mean())
        for k in (1, 5)
    ]
    assert mean[1] > mean[0] + 0.05


def test_plasma_is_smooth_within_bounds_and_different_for_every_image() -> None:
    fields = ueraser.plasma(64, 40, generator(0), CPU)
    assert fields.shape == (64, 1, 40, 40)
    assert 0 <= float(fields.min()) < float(fields.max()) <= 1
    neighbours = float((fields[..., 1:] - fields[..., :-1]).abs().mean())
    far = float((fields[..., 20:] - fields[..., :-20]).abs().mean())
    assert 0 < neighbours < far / 2
    assert not torch.equal(fields[0], fields[1])
    # two independent uniform corners are a third apart on average
    assert float((fields[:, 0, 0, 0] - fields[:, 0, 0, -1]).abs().mean()) > 0.1


def test_plasma_without_roughness_interpolates_between_the_corners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ueraser, "ROUGHNESS", (0.0, 0.0))
    (field,) = ueraser.plasma(1, 5, generator(1), CPU)[:, 0]
    corners = torch.stack([field[0, 0], field[0, 4], field[4, 0], field[4, 4]])
    assert float(field[2, 2]) == pytest.approx(float(corners.mean()), abs=1e-6)
    # a node at the border has three neighbours
    border = (field[0, 0] + field[0, 4] + field[2, 2]) / 3
    assert float(field[0, 2]) == pytest.approx(float(border), abs=1e-6)


def test_each_of_the_first_operations_changes_half_of_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nothing:
        def batch(self, x: torch.Tensor, y: torch.Tensor, *_: object) -> tuple[torch.Tensor, torch.Tensor]:
            return x, y

    monkeypatch.setattr(ueraser, "TrivialAugment", Nothing)
    x = torch.rand(600, 3, 8, 8, generator=generator(0)) * torch.tensor([1.0, 0.5, 0.1]).view(1, 3, 1, 1)
    out = ueraser.augmented(x, generator(2), CPU)
    unchanged = float((out == x).flatten(1).all(1).double().mean())
    # 1/8 by the three probabilities, and a sixth of the shuffles changes nothing: 1/4 (1/2 + 1/12)
    assert unchanged == pytest.approx(7 / 48, abs=0.05)
