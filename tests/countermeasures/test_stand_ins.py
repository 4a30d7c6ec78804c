"""A stand-in does to images in a search what its countermeasure does to files, and its gradient says so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from batches import CPU, before_training
from unlearnable.countermeasures import create, names
from unlearnable.countermeasures.operations import OPERATIONS, Magnitude, apply
from unlearnable.data.demo_photos import photograph
from unlearnable.errors import UsageError
from unlearnable.training import jpeg
from unlearnable.training.compute import Compute
from unlearnable.training.randomness import generator

EXACT = Compute("cpu", "float64")
ABLE = [name for name in names() if create(name).members[0].has_stand_in]
# the largest mean distance between a stand-in and its countermeasure, in levels; files have whole levels
DISTANCE = {"jpeg": 1.6}
ROUNDING = 0.6
SPECS = [*ABLE, "jpeg:30", "jpeg:75", "jpeg:95", "blur:0.5", "shrink:3", "bitdepth:5", "cutout:5", "noise:20"]


def crops(side: int, each: int = 4, low: int = 0, high: int = 255) -> torch.Tensor:
    """Squares of photographs, uint8 (N, 3, side, side), with values between two levels."""
    rng, found = np.random.default_rng(side), []
    for name in ("astronaut", "china", "flower", "rocket", "ihc"):
        photo = photograph(name)
        pixels = np.asarray(photo.resize((photo.width * 160 // photo.height, 160)))
        for _ in range(each):
            top, left = rng.integers(0, 160 - side), rng.integers(0, pixels.shape[1] - side)
            found.append(pixels[top : top + side, left : left + side])
    return torch.from_numpy(np.stack(found).transpose(0, 3, 1, 2).copy()).clamp(low, high)


def by_countermeasure(spec: str, images: torch.Tensor) -> torch.Tensor:
    """Training images after a countermeasure, in levels, float64."""
    chain, labels = create(spec), torch.arange(len(images)) % 3
    prepared = before_training(chain, images, labels)
    return 255 * chain.batch(prepared.double() / 255, torch.eye(3), generator(5), EXACT)[0]


def by_stand_in(spec: str, levels: torch.Tensor) -> torch.Tensor:
    """The same by the stand-in, for float64 images in levels; differentiable."""
    return 255 * create(spec).stand_in(levels / 255, generator(5), EXACT)


def test_some_countermeasures_have_a_stand_in_and_those_that_need_more_than_an_image_have_none() -> None:
    assert set(ABLE) >= {"bitdepth", "blur", "grey", "jpeg", "shrink"}
    assert not {"adversarial", "cutmix", "mixup", "project", "ueraser"} & set(ABLE)
    with pytest.raises(NotImplementedError, match="mixup has no stand-in"):
        create("mixup").stand_in(torch.zeros(1, 3, 4, 4), generator(0), CPU)


@pytest.mark.parametrize("side", [32, 41])
@pytest.mark.parametrize("spec", SPECS)
def test_a_stand_in_is_close_to_its_countermeasure(spec: str, side: int) -> None:
    images = crops(side)
    before, expected = images.double(), by_countermeasure(spec, images)
    found = by_stand_in(spec, before)
    assert found.shape == images.shape
    distance = float((found - expected).abs().mean())
    assert distance < DISTANCE.get(spec.partition(":")[0], ROUNDING)
    # and far closer to it than to the image that was there before
    assert distance < 0.4 * float((expected - before).abs().mean())
    assert 0 <= float(found.min()) <= float(found.max()) <= 255.0001
    assert torch.equal(before, images.double())
    single = create(spec).stand_in(images / 255, generator(5), CPU)
    assert single.dtype == torch.float32
    if spec in SMOOTH:  # others may round the other way
        assert torch.allclose(255 * single.double(), found, atol=0.01)


STEPS = ("jpeg", "bitdepth", "posterize", "equalize")
DRAWN = ("autoaugment", "fastautoaugment", "randaugment", "trivialaugment")  # from operations with steps
SMOOTH = [spec for spec in SPECS if spec.partition(":")[0] not in (*STEPS, *DRAWN)]


@pytest.mark.parametrize("spec", [*SMOOTH, "grey+blur", "shrink+blur+cutout"])
def test_the_gradient_of_a_smooth_stand_in_is_that_of_finite_differences(spec: str) -> None:
    x = crops(24, each=1, low=40, high=215).double()  # far enough from the ends of the range
    weights, change = (torch.randn(x.shape, generator=generator(seed)).double() for seed in (0, 1))
    x.requires_grad_(True)
    (gradient,) = torch.autograd.grad((weights * by_stand_in(spec, x)).sum(), x)
    with torch.no_grad():
        after, before = (by_stand_in(spec, x + sign * 0.01 * change) for sign in (1, -1))
    expected = float((weights * (after - before)).sum() / 0.02)
    assert abs(expected) > 1
    assert float((gradient * change).sum()) == pytest.approx(expected, rel=1e-6)


VALUES = {
    "posterize": 3.0,
    "solarize": 128.0,
    "rotate": 20.0,
    **dict.fromkeys(("shear_x", "shear_y", "translate_x", "translate_y"), 0.2),
}


def operated(name: str, levels: torch.Tensor) -> torch.Tensor:
    """Images in levels after an operation at a fixed value."""
    kinds, strengths = torch.zeros(len(levels), dtype=torch.long), torch.ones(len(levels))
    space = {name: Magnitude(VALUES.get(name, 1.4))}
    return 255 * apply(levels / 255, kinds, strengths, space, generator(0), EXACT)


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - set(STEPS)))
def test_the_gradient_of_an_operation_is_that_of_finite_differences(name: str) -> None:
    x = 40 + crops(24, each=1).double() * 0.65
    x += torch.rand(x.shape, generator=generator(2))  # no pixel equals another one
    weights, change = (torch.randn(x.shape, generator=generator(seed)).double() for seed in (0, 1))
    x.requires_grad_(True)
    (gradient,) = torch.autograd.grad((weights * operated(name, x)).sum(), x)
    with torch.no_grad():
        after, before = (operated(name, x + sign * 1e-4 * change) for sign in (1, -1))
    expected = float((weights * (after - before)).sum() / 2e-4)
    assert abs(expected) > 1
    assert float((gradient * change).sum()) == pytest.approx(expected, rel=1e-5)


def test_the_gradient_of_an_operation_in_steps_is_its_mean_effect_or_points_its_way() -> None:
    x = 32 + 192 * torch.rand(40, 3, 24, 24, generator=generator(0)).double()  # six whole steps of 32
    change = 8 * torch.sign(torch.randn(3, 24, 24, generator=generator(1))).double()
    effects = {}
    for name, images in (("posterize", x), ("equalize", crops(24, each=8, low=8, high=247).double())):
        effect = operated(name, images + change) - operated(name, images - change)
        effects[name] = float((effect * change).mean()) / 2
        levels = images.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad((operated(name, levels) * change).sum(), levels)
        assert float((gradient * change).mean()) == pytest.approx(64)
    assert effects["posterize"] == pytest.approx(64, rel=0.05)
    # equalisation stretches the levels of a photograph
    assert effects["equalize"] > 64


@pytest.mark.parametrize("bits", [2, 3, 5])
def test_the_gradient_of_bit_depth_is_its_mean_effect_on_many_images(bits: int) -> None:
    """A file's pixel moves by a whole step or not at all; over many images, by as much as it was moved."""
    step = 255 / (2**bits - 1)
    whole = [round(step * number) for number in (-(-8 // step), 247 // step)]  # from one level to another
    x = torch.randint(*whole, (40, 3, 32, 32), generator=generator(0)).byte()
    change = 8 * torch.sign(torch.randn(3, 32, 32, generator=generator(1))).double()
    moved = (x + change).byte()
    effect = by_countermeasure(f"bitdepth:{bits}", moved) - by_countermeasure(f"bitdepth:{bits}", x)
    expected = float((effect * change).mean())
    levels = x.double().requires_grad_(True)
    (gradient,) = torch.autograd.grad((by_stand_in(f"bitdepth:{bits}", levels) * change).sum(), levels)
    assert float((gradient * change).mean()) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("quality", [10, 30])
def test_the_gradient_of_jpeg_knows_which_patterns_survive(quality: int) -> None:
    """Patterns of one DCT function each: how much of them is left in files, and what the gradient promises.

    A straight-through gradient promises that all of each is left.
    """
    x = crops(32, each=2, low=8, high=247)
    survived, promised = [], []
    for u in range(0, 8, 2):
        for v in range(8):
            one = 8 * torch.sign(torch.outer(jpeg.dct()[u], jpeg.dct()[v]))
            pattern = one.repeat(4, 4).expand(3, 32, 32)
            up, down = ((x + sign * pattern).byte() for sign in (1, -1))
            spec, energy = f"jpeg:{quality}", float((pattern * pattern).sum())
            left = pattern * (by_countermeasure(spec, up) - by_countermeasure(spec, down))
            survived.append(float(left.sum((1, 2, 3)).mean()) / (2 * energy))
            slopes = []
            for images in (up, down):
                levels = images.double().requires_grad_(True)
                (gradient,) = torch.autograd.grad((by_stand_in(spec, levels) * pattern).sum(), levels)
                slopes.append(float((gradient * pattern).sum((1, 2, 3)).mean()) / energy)
            promised.append(sum(slopes) / 2)
    found, expected = np.array(promised), np.array(survived)
    assert expected.min() < 0.1  # some die
    assert expected.max() > 0.9  # others do not
    straight_through = np.abs(1 - expected).mean()
    assert np.abs(found - expected).mean() < 0.75 * straight_through
    assert np.corrcoef(found, expected)[0, 1] > 0.7
    assert found[expected < 0.05].mean() < 0.5 * found[expected > 0.8].mean()


def test_a_coefficient_below_half_a_step_vanishes_and_passes_no_gradient() -> None:
    flat = torch.full((1, 3, 16, 16), 128.0, dtype=torch.float64)
    one = torch.sign(torch.outer(jpeg.dct()[7], jpeg.dct()[7])).repeat(2, 2)  # survives at no low quality
    low = torch.sign(torch.outer(jpeg.dct()[0], jpeg.dct()[2])).repeat(2, 2)  # survives
    for pattern, share in ((one, 0.0), (low, 1.0)):
        levels = (flat + 8 * pattern).requires_grad_(True)
        left = by_stand_in("jpeg:20", levels)
        assert float(((left.detach() - flat) * 8 * pattern).mean()) / 64 == pytest.approx(share, abs=0.35)
        (gradient,) = torch.autograd.grad((left * pattern).sum(), levels)
        assert float((gradient * pattern).mean()) == pytest.approx(share, abs=0.35)


def test_alternatives_are_chains_with_a_bar_between_them() -> None:
    from unlearnable.countermeasures import alternatives

    chains = alternatives("none | grey+jpeg:30|jpeg")
    assert [chain.spec for chain in chains] == ["none", "grey+jpeg:30", "jpeg:10"]
    for wrong, message in (
        ("none|project", "project is not differentiable.*\n.*bitdepth, blur"),
        ("grey|", "no chain beside"),
        ("grey|jpg", "Did you mean 'jpeg'"),
        ("grey|jpeg:0", "quality is 0"),
        (3, "given as a string"),
    ):
        with pytest.raises(UsageError, match=message):
            alternatives(wrong)  # type: ignore[arg-type]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
@pytest.mark.parametrize("name", ABLE)
def test_stand_ins_never_wait_for_the_gpu(name: str) -> None:
    compute, x = Compute("cuda"), (crops(41) / 255).cuda().requires_grad_(True)
    torch.cuda.set_sync_debug_mode("error")
    try:
        create(name).stand_in(x, generator(0), compute).sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert x.grad is not None
