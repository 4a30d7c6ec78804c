"""The policies have the values of their authors' code, and noise that is added once that of Huang et al."""

from __future__ import annotations

import pytest
import torch

from batches import CPU, prepared, some
from unlearnable.countermeasures import autoaugment, create
from unlearnable.countermeasures import fast_autoaugment as fast
from unlearnable.countermeasures.operations import MEAN_COLOUR, OPERATIONS, Magnitude, apply
from unlearnable.countermeasures.policies import apply_pairs, read_policy
from unlearnable.training.randomness import generator

BOTH = torch.tensor([1.0, -1.0])


def values(magnitude: Magnitude, strength: float) -> list[float]:
    """The values with either sign."""
    return sorted(magnitude(torch.full((2,), strength), BOTH).tolist())


@pytest.mark.parametrize(
    ("name", "magnitude", "expected"),
    [
        ("sharpness", 1, [0.28, 0.28]),  # torchvision: 0.9 or 1.1
        ("sharpness", 9, [1.72, 1.72]),
        ("brightness", 7, [1.36, 1.36]),
        ("contrast", 6, [1.18, 1.18]),
        ("color", 0, [0.1, 0.1]),
        ("rotate", 2, [-6, 6]),
        ("shear_y", 8, [-0.24, 0.24]),
        ("translate_y", 9, [-9 / 32, 9 / 32]),
        ("posterize", 7, [2, 2]),  # bits that are left: 4 - int(2.8)
        ("solarize", 5, [128, 128]),
        ("solarize", 3, [180, 180]),  # 256 - int(76.8)
        ("solarize", 8, [52, 52]),
    ],
)
def test_magnitudes_of_autoaugment(name: str, magnitude: int, expected: list[float]) -> None:
    strength = magnitude / autoaugment.STRONGEST
    assert values(autoaugment.SPACE[name], strength) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "level", "expected"),
    [
        ("sharpness", 0.5, [1.0, 1.0]),
        ("contrast", 0.0, [0.1, 0.1]),
        ("rotate", 0.75, [-15, 15]),
        ("rotate", 0.25, [-15, 15]),
        ("rotate", 0.5, [0, 0]),
        ("shear_x", 1.0, [-0.3, 0.3]),
        ("translate_x", 0.0, [-0.45, 0.45]),
        ("posterize", 0.7, [6, 6]),  # int(4 + 2.8)
        ("posterize", 0.1, [4, 4]),
        ("solarize", 0.25, [64, 64]),  # rises with the level, unlike that of AutoAugment
        ("cutout", 0.5, [0.1, 0.1]),
    ],
)
def test_levels_of_fast_autoaugment(name: str, level: float, expected: list[float]) -> None:
    magnitude = fast.SPACE[name]
    strength = abs(2 * level - 1) if magnitude.signed else level
    assert values(magnitude, strength) == pytest.approx(expected, abs=1e-6)


def test_the_policy_of_fast_autoaugment_is_the_published_list() -> None:
    kinds, numbers = fast.policy()
    assert kinds.shape == (493, 2)
    assert numbers.shape == (493, 2, 2)
    assert ((numbers >= 0) & (numbers <= 1)).all()
    names = list(fast.SPACE)
    assert [names[kind] for kind in kinds[0]] == ["contrast", "translate_x"]
    # [["Contrast", 0.83206..., 0.49884...], ["TranslateX", 0.41849..., 0.39402...]], the latter as |2 l - 1|
    expected = [[0.832066, 0.498843], [0.418499, 1 - 2 * 0.394023]]
    assert torch.allclose(numbers[0], torch.tensor(expected), atol=1e-5)
    assert set(kinds.flatten().tolist()) == set(range(len(names)))


def test_a_policy_applies_both_operations_of_a_pair_with_their_probabilities() -> None:
    space = {"invert": Magnitude(), "solarize": Magnitude(256, -256)}
    x = torch.rand(4000, 3, 2, 2, generator=generator(0)) * 0.4  # below the threshold of 128
    seen = apply_pairs(
        x, *read_policy("invert 0.25 0 solarize 1.0 5\n# a note", list(space), 10), space, *draws()
    )
    # an inverted image is bright, so solarize inverts it again; a dark one stays
    assert torch.allclose(seen, x, atol=1e-6)
    seen = apply_pairs(x, *read_policy("solarize 1.0 5 invert 0.25 0", list(space), 10), space, *draws())
    inverted = (seen - (1 - x)).abs().amax((1, 2, 3)) < 1e-6
    assert torch.equal(seen[~inverted], x[~inverted])
    assert 0.22 < float(inverted.double().mean()) < 0.28


def draws() -> tuple[torch.Generator, object]:
    return generator(1), CPU


def test_cutout_hides_a_square_of_its_side_in_the_mean_colour() -> None:
    assert "cutout" not in OPERATIONS, "it draws a place, so `apply` does it"
    x, strengths = torch.ones(300, 3, 32, 32), torch.full((300,), 1.0)
    kinds = torch.full((300,), list(fast.SPACE).index("cutout"))
    seen = apply(x, kinds, strengths, fast.SPACE, generator(0), CPU)
    hidden = (seen != x).all(1)
    colour = torch.tensor(MEAN_COLOUR)
    assert torch.allclose(seen.movedim(1, -1)[hidden], colour.expand(int(hidden.sum()), 3))
    heights, widths = hidden.any(2).sum(1), hidden.any(1).sum(1)
    assert torch.equal(hidden.sum((1, 2)), heights * widths)
    assert int(heights.max()) == int(widths.max()) == 7  # 6.4 pixels from the first one on
    assert int(heights.min()) < 7
    assert torch.equal(apply(x, kinds, torch.zeros(300), fast.SPACE, generator(0), CPU), x)


def test_noise_that_is_added_once_is_positive_uniform_and_rounded() -> None:
    images, labels = some(40)
    images = images // 2  # nothing is clipped
    seen = prepared("fixednoise:8", images, labels).int() - images
    assert int(seen.min()) == 0
    assert int(seen.max()) == 8
    assert float(seen.double().mean()) == pytest.approx(4.0, abs=0.05)
    assert float((seen == 4).double().mean()) == pytest.approx(1 / 8, abs=0.01)
    assert float((seen == 8).double().mean()) == pytest.approx(1 / 16, abs=0.01)
    bright = torch.full_like(images, 252)
    assert int(prepared("fixednoise:8", bright, labels).min()) >= 252
    chain = create("fixednoise:8")
    assert chain.members[0].stages == ("prepare",)
    assert not chain.test_time
