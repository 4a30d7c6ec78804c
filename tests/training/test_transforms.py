"""The transformation ``aligned``: the small differences between two alignments of the same face."""

from __future__ import annotations

import math

import pytest
import torch

from unlearnable.errors import UsageError
from unlearnable.training.compute import Compute
from unlearnable.training.randomness import generator
from unlearnable.training.transforms import SCALED, SHIFTED, TURNED, Draw, Transform
from unlearnable.training.victim import Victim

CPU = Compute()


def drawn(count: int = 2000) -> torch.Tensor:
    """Return the maps of many draws, flips undone."""
    draw = Transform("aligned").draw(count, generator(0), CPU)
    assert isinstance(draw, Draw)
    assert draw.maps is not None
    maps = draw.maps.clone()
    maps[:, 0] *= maps[:, :1, 0].sign()
    return maps


def test_no_point_of_a_face_moves_further_than_two_alignments_differ() -> None:
    corners = torch.tensor([[-1.0, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1]]).T
    moved = (drawn() @ corners - corners[:2]).abs().amax((0, 2)) / 2
    # shares of the frame: a shift, a scale about the middle, and a turn of a corner
    furthest = SHIFTED + SCALED / 2 + math.radians(TURNED) / 2 * (1 + SCALED)
    assert (moved < furthest).all()
    assert (moved > furthest / 2).all()


def test_every_part_of_the_change_is_drawn_in_both_directions() -> None:
    maps = drawn()
    scale = maps[:, 0, 0].hypot(maps[:, 0, 1])
    turn = math.radians(TURNED)
    for part, largest in ((scale - 1, SCALED), (maps[:, 0, 1], turn), (maps[:, 0, 2], 2 * SHIFTED)):
        assert abs(float(part.min()) + largest) < 0.1 * largest
        assert abs(float(part.max()) - largest) < 0.1 * largest


def test_half_of_the_faces_are_flipped() -> None:
    draw = Transform("aligned").draw(2000, generator(0), CPU)
    assert isinstance(draw, Draw)
    assert draw.maps is not None
    assert 0.45 < float((draw.maps[:, 0, 0] < 0).float().mean()) < 0.55


def test_a_trainer_may_use_it_and_says_so() -> None:
    assert "turns" in Victim(model="cnn", transform="aligned").words


def test_an_unknown_transformation_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as refused:
        Transform("turned")  # type: ignore[arg-type]
    assert "aligned" in refused.value.remedy
