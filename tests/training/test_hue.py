"""Turns of the hue, against the standard library's HSV."""

from __future__ import annotations

import colorsys

import pytest
import torch

from batches import CPU
from unlearnable.errors import UsageError
from unlearnable.training.randomness import generator
from unlearnable.training.transforms import Draw, Transform
from unlearnable.training.victim import Victim

STILL = torch.eye(2, 3).expand(4, 2, 3)


@pytest.mark.parametrize("turn", [-0.5, -0.2, 0.0, 0.07, 0.3])
def test_hues_turn_and_values_and_saturations_stay(turn: float) -> None:
    x = torch.rand(4, 3, 5, 5, generator=generator(0))
    x[0, :, 0, 0] = 0.4  # grey has no hue
    x[0, :, 0, 1] = 0.0
    seen = Transform()(x, 5, Draw(STILL, None, torch.full((4, 1, 1, 1), turn)))
    for before, after in zip(
        x.movedim(1, -1).reshape(-1, 3), seen.movedim(1, -1).reshape(-1, 3), strict=True
    ):
        hue, saturation, value = colorsys.rgb_to_hsv(*before.tolist())
        assert after.tolist() == pytest.approx(
            colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value), abs=1e-4
        )


def test_turns_are_uniform_and_without_hue_every_draw_is_as_it_was() -> None:
    plain, more = (
        Transform("photo", jitter=0.4, hue=hue).draw(2000, generator(3), CPU) for hue in (0.0, 0.2)
    )
    assert plain is not None
    assert more is not None
    assert plain.hues is None
    assert torch.equal(plain.maps, more.maps)
    assert torch.equal(plain.colours, more.colours)
    assert -0.2 <= float(more.hues.min()) < -0.19
    assert 0.19 < float(more.hues.max()) <= 0.2
    alone = Transform(hue=0.1).draw(3, generator(0), CPU)
    assert alone is not None
    assert alone.colours is None


def test_a_victim_with_hue_trains_under_it_and_says_so() -> None:
    victim = Victim(model="cnn:width=8", transform="photo", jitter=0.4, hue=0.2)
    assert victim.recipe.transform.hue == 0.2
    assert "hue 0.2" in victim.words
    assert Victim(model="cnn:width=8", hue=0.0).text == Victim(model="cnn:width=8").text
    with pytest.raises(UsageError, match=r"hue is 0\.7"):
        Transform(hue=0.7)
