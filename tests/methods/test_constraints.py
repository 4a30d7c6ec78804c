"""Constraints on the noise of a search, against loops from their definitions, and on files after encoding."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
import scipy.fft
import torch
from PIL import Image

import unlearnable as un
from conftest import pixels
from quick import QUICK, make
from unlearnable import methods
from unlearnable.data.arrays import arrays
from unlearnable.data.encoding import Encoding, encode
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo
from unlearnable.errors import UsageError
from unlearnable.methods import Context
from unlearnable.methods.constraints import Constraints
from unlearnable.methods.settings import SurrogateConfig
from unlearnable.methods.spectrum import Part, cosines, waves
from unlearnable.training.compute import Compute

FRAME = (48, 64)
EXACT = Compute("cpu", "float64")


def constraints(side: int = 8, frame: tuple[int, int] = FRAME, **settings: object) -> Constraints:
    config = SurrogateConfig(**{"form": "classwise", "grid": side, "resolution": side, **settings})
    return Constraints(config, frame, EXACT)


def strong(rows: int = 4, side: int = 8, seed: int = 0, tint: float = 0.0) -> torch.Tensor:
    """Noise beyond the budget, which a step may leave."""
    rng = torch.Generator().manual_seed(seed)
    return 6 * torch.randn(rows, 3, side, side, generator=rng).double() + tint


def same(found: torch.Tensor, wanted: np.ndarray) -> bool:
    return np.allclose(found.numpy(), wanted, atol=1e-9)


# Frequencies


@pytest.mark.parametrize("side", [1, 2, 5, 8])
def test_both_bases_are_orthonormal_and_their_cycles_are_counted(side: int) -> None:
    for basis in (cosines, waves):
        rows, cycles = basis(side)
        assert torch.allclose(rows @ rows.T, torch.eye(side).double(), atol=1e-12)
        for row, count in zip(rows.numpy(), cycles.tolist(), strict=True):
            position = np.arange(side) / side + (0.5 / side if basis is cosines else 0)
            waved = np.stack([np.cos(2 * np.pi * count * position), np.sin(2 * np.pi * count * position)])
            # it is in the span of one frequency
            left = row - np.linalg.lstsq(waved.T, row, rcond=None)[0] @ waved
            assert np.abs(left).max() < 1e-9


def test_cosines_are_the_dct_and_waves_are_the_fourier_transform() -> None:
    d = strong(2)
    mask = torch.rand(8, 8, generator=torch.Generator().manual_seed(1)) < 0.4
    rows = cosines(8)[0]
    wanted = scipy.fft.dctn(d.numpy(), axes=(-2, -1), norm="ortho") * mask.numpy()
    found = Part(mask, rows, rows, d)(d)
    assert same(found, scipy.fft.idctn(wanted, axes=(-2, -1), norm="ortho"))
    assert same(found, Part(mask, rows, rows, d)(found).numpy())
    # a band of whole frequencies, with both signs of each
    rows, cycles = waves(8)
    low = torch.hypot(cycles[:, None], cycles[None, :]) <= 2.5
    whole = np.hypot(np.fft.fftfreq(8, 1 / 8)[:, None], np.fft.fftfreq(8, 1 / 8)[None, :]) <= 2.5
    wanted = np.fft.ifft2(np.fft.fft2(d.numpy()) * whole).real
    assert same(Part(low, rows, rows, d)(d), wanted)


def in_band(d: np.ndarray, shortest: float, longest: float, cover: float = 1.0) -> np.ndarray:
    """The cosines of a pattern whose wavelength in a photo of FRAME, in pixels, is in the band."""
    found, (height, width) = np.zeros_like(d), d.shape[-2:]
    y, x = np.arange(height) + 0.5, np.arange(width) + 0.5
    for u in range(height):
        for v in range(width):
            down, across = u / 2 / (cover * FRAME[0]), v / 2 / (cover * FRAME[1])
            wavelength = 1 / math.hypot(down, across) if u or v else math.inf
            if shortest <= wavelength <= longest:
                one = np.outer(np.cos(np.pi * u * y / height), np.cos(np.pi * v * x / width))
                one /= np.sqrt(np.square(one).sum())
                found += (d * one).sum((-2, -1), keepdims=True) * one
    return found


# Each constraint


def test_without_constraints_only_the_budget_acts() -> None:
    none, d = constraints(), strong()
    assert not none.active
    assert torch.equal(none(d), d.clip(-8, 8))
    assert none.whole(d) is d
    assert none.started(d) is d
    assert none.direction(d) is d


def test_luminance_is_the_mean_of_the_channels_in_each_of_them() -> None:
    d, made = strong(), constraints(channels="luminance")
    wanted = np.repeat(d.numpy().mean(1, keepdims=True).clip(-8, 8), 3, axis=1)
    assert same(made(d), wanted)
    assert torch.equal(made(d)[:, 0], made(d)[:, 2])
    assert same(made.direction(d), d.numpy().mean(1, keepdims=True))


@pytest.mark.parametrize(("shortest", "longest"), [(20, 50), (20, 0), (0, 40)])
@pytest.mark.parametrize("tile", [0, 4])
def test_a_band_is_a_projection_then_the_budget(shortest: float, longest: float, tile: int) -> None:
    settings = {"min_wavelength": float(shortest), "max_wavelength": float(longest)}
    placed = {"tile": tile, "offset": "centre"} if tile else {}
    made, d = constraints(**settings, **placed), strong(side=tile or 8)
    wanted = in_band(d.numpy(), shortest, longest or math.inf, 0.5 if tile else 1.0)
    assert 0 < np.square(wanted).sum() < np.square(d.numpy()).sum()
    assert np.abs(wanted).max() > 8
    assert same(made(d), wanted.clip(-8, 8))
    assert same(made.direction(d), wanted)


def test_the_clip_leaves_a_tenth_of_the_energy_outside_of_the_band_at_most() -> None:
    """Noise of the band with a root mean square of the whole budget, which no step exceeds by much."""
    made = constraints(32, min_wavelength=10.0)
    d = in_band(strong(3, 32).numpy(), 10, math.inf)
    d *= 8 / np.sqrt(np.square(d).mean())
    found = made(torch.from_numpy(d)).numpy()
    outside = found - in_band(found, 10, math.inf)
    share = np.square(outside).sum() / np.square(found).sum()
    assert np.abs(d).max() > 20
    assert 0.01 < share < 0.1


def test_a_tile_that_is_repeated_has_the_frequencies_of_the_repeated_pattern() -> None:
    made = constraints(tile=4, min_wavelength=20.0, epsilon=127)
    repeated = made(strong(1, 4)).tile(1, 1, 2, 2).numpy()
    power = np.square(np.abs(np.fft.fft2(repeated))).sum(1)[0]
    down, across = np.abs(np.fft.fftfreq(8, 6)), np.abs(np.fft.fftfreq(8, 8))
    outside = np.hypot(down[:, None], across[None, :]) > 1 / 20
    assert power[outside].sum() < 1e-9 < power.sum()


def test_the_mean_of_each_channel_is_limited_and_nothing_else_changes() -> None:
    d = strong(tint=3.0)
    d[1] *= 0.01
    wanted = d.numpy().copy()
    for row in range(4):
        for channel in range(3):
            mean = wanted[row, channel].mean()
            wanted[row, channel] -= mean - min(max(mean, -0.5), 0.5)
    assert same(constraints(mean_shift=0.5, epsilon=127)(d), wanted)
    assert np.abs(wanted.mean((-2, -1))).max() == pytest.approx(0.5)
    assert abs(constraints(mean_shift=0.0, epsilon=127)(d).mean((-2, -1))).max() < 1e-9


def test_low_frequencies_of_each_channel_are_weakened_to_their_limit() -> None:
    d = strong(tint=2.0)
    d[2] *= 0.05
    wanted = d.numpy().copy()
    for row in range(4):
        for channel in range(3):
            spectrum = scipy.fft.dctn(wanted[row, channel], norm="ortho")
            cycles = np.hypot(np.arange(8)[:, None] / 2, np.arange(8)[None, :] / 2)
            spectrum[cycles > 1.5] = 0
            low = scipy.fft.idctn(spectrum, norm="ortho")
            size = np.sqrt(np.square(low).mean())
            wanted[row, channel] -= low * (1 - min(1.0, 0.7 / size))
    made = constraints(low_limit=0.7, low_cycles=1.5, epsilon=127)
    assert same(made(d), wanted)
    assert not same(made(d), d.numpy())
    assert torch.equal(made(d)[2], d[2])
    # nothing low is left at a limit of nothing
    gone = scipy.fft.dctn(constraints(low_limit=0.0, epsilon=127)(d).numpy(), axes=(-2, -1))
    assert np.abs(gone[..., 0, 0]).max() < 1e-9


def test_limits_hold_for_noise_that_fills_the_budget() -> None:
    """At first a mean of 2.4 levels, and a low part of 3."""
    rng = torch.Generator().manual_seed(0)
    full = torch.where(torch.rand(20, 3, 16, 16, generator=rng) < 0.65, 8.0, -8.0).double()
    found = constraints(16, mean_shift=0.2, low_limit=0.5, low_cycles=2.0)(full)
    low = scipy.fft.dctn(found.numpy(), axes=(-2, -1), norm="ortho")
    low = low * (np.hypot(np.arange(16)[:, None] / 2, np.arange(16)[None, :] / 2) <= 2.0)
    assert float(found.abs().max()) <= 8
    assert float(found.mean((-2, -1)).abs().max()) < 0.22
    assert np.sqrt(np.square(low).mean((-2, -1))).max() < 0.55
    # the noise that is left is strong
    assert float(found.square().mean().sqrt()) > 5


def test_paired_signs_are_half_of_the_difference_and_its_negative() -> None:
    bank, made = strong(), constraints(signs="paired")
    wanted = bank.clip(-8, 8).numpy().copy()
    for row in (0, 2):
        half = (wanted[row] - wanted[row + 1]) / 2
        wanted[row], wanted[row + 1] = half, -half
    found = made.whole(bank)
    assert same(found, wanted)
    assert torch.equal(found[0::2], -found[1::2])
    # a single pattern has no other one
    assert torch.equal(made(bank), bank.clip(-8, 8))


def test_two_parts_share_the_budget() -> None:
    d = strong()
    made = constraints(channels="luminance", min_wavelength=20.0, free_levels=3)
    part = in_band(d.numpy().mean(1, keepdims=True), 20, math.inf).clip(-5, 5)
    assert same(made(d), part + (d.numpy() - part).clip(-3, 3))
    assert float(made(d).abs().max()) <= 8
    assert np.ptp(made(d).numpy(), axis=1).max() > 1
    # a step may go anywhere, because the free part may
    assert torch.equal(made.direction(d), d)


def test_all_together_stay_inside_the_budget_and_hold() -> None:
    made = constraints(
        channels="luminance", signs="paired", min_wavelength=14.0, mean_shift=0.3, low_limit=0.8
    )
    found = made.whole(strong(tint=4.0))
    assert float(found.abs().max()) <= 8
    assert torch.equal(found[:, 0], found[:, 1])
    assert torch.equal(found[0::2], -found[1::2])
    assert float(found.mean((-2, -1)).abs().max()) < 0.35
    assert float(found.abs().max()) > 1


def test_initial_noise_is_shaped_in_its_own_type() -> None:
    made = Constraints(
        SurrogateConfig(form="classwise", signs="paired", grid=8, channels="luminance"), FRAME, Compute()
    )
    bank = strong(600).float()
    assert torch.allclose(made.started(bank), made.whole(bank), atol=1e-6)
    assert made.started(bank.half()).dtype == torch.float16


# Wrong settings


@pytest.mark.parametrize(
    ("settings", "problem", "remedy"),
    [
        ({"form": "samplewise", "signs": "paired"}, "for class-wise noise", "Set form = classwise"),
        ({"signs": "paired", "patterns_per_class": 3}, "patterns_per_class is 3", "out"),
        ({"min_wavelength": 9.0, "max_wavelength": 8.0}, "min_wavelength is 9, but", "at least"),
        ({"free_levels": 3}, "nothing to be free of", "luminance"),
        ({"free_levels": 8, "channels": "luminance"}, "below epsilon, 8", "3 of 8"),
        ({"mean_shift": -1.0}, "mean_shift is -1.0", ""),
        ({"low_limit": "none"}, "low_limit is 'none'", ""),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict, problem: str, remedy: str) -> None:
    with pytest.raises(UsageError) as raised:
        methods.create("error_minimizing", settings)
    assert problem in raised.value.problem
    assert remedy in raised.value.remedy


def test_a_band_without_any_frequency_is_refused_before_the_search(images: ImageSet) -> None:
    method = make("error_minimizing", "classwise", min_wavelength=100.0, max_wavelength=101.0)
    with pytest.raises(UsageError, match="16 x 16 pixels has a wavelength from 100 to 101 pixels") as raised:
        method.fit(images.view(16), Context(1))
    assert "Widen" in raised.value.remedy


def test_paired_signs_set_two_patterns_per_class(images: ImageSet) -> None:
    for given in ({}, {"patterns_per_class": 1}, {"patterns_per_class": 2}):
        method = un.ErrorMinimizing(signs="paired", **given)
        assert method.config.patterns_per_class == 2
        resolved = method.resolve((16, 16), 24)
        assert resolved.keys(images.view(16)) == (
            "ant\0" + "0",
            "ant\0" + "1",
            *resolved.keys(images.view(16))[2:],
        )
    assert un.ErrorMinimizing().config.patterns_per_class == 1


# Files


def on_grey(
    noise: un.Noise, ids: tuple[str, ...], class_of: dict[str, str], encoding: Encoding
) -> np.ndarray:
    """The noise in the decoded file of a grey square of FRAME, for each id: (N, H, W, 3) in levels."""
    found = []
    for id in ids:
        slot = noise.slot(id, class_of[id])
        assert slot is not None
        photo = Photo(noise.add(np.full((*FRAME, 3), 128, np.uint8), slot))
        back = Image.open(io.BytesIO(encode(photo, encoding))).convert("RGB")
        found.append(np.asarray(back).astype(int) - 128)
    return np.stack(found)


def searched(images: ImageSet, form: str, **more: object) -> un.Noise:
    settings = {**{k: v for k, v in QUICK.items() if k in SETTINGS}, "resolution": 16, "stop_error": 0.0}
    method = un.ErrorMinimizing(form=form, init="uniform", step_size=3.0, **settings, **more)
    method = method.resolve(FRAME, 24)
    return method.fit(images.view(16), Context(2)).noise


SETTINGS = methods.ErrorMinimizingConfig.model_fields


@pytest.fixture
def photos_of_a_frame() -> ImageSet:
    shapes = np.stack([pixels(1, 64, seed)[0][: FRAME[0], : FRAME[1]] for seed in range(24)])
    return arrays(shapes, ["ant", "bee", "cat"] * 8, ids=[f"img{i:02d}" for i in range(24)])


@pytest.mark.parametrize("encoding", [Encoding("png"), Encoding("webp")])
def test_files_keep_luminance_and_opposite_signs_exactly(photos_of_a_frame: ImageSet, encoding) -> None:
    images = photos_of_a_frame
    noise = searched(images, "classwise", channels="luminance", signs="paired")
    found = on_grey(noise, images.ids, dict(images.class_of), encoding)
    assert (np.ptp(found, axis=3) == 0).all()
    kinds = {(images.class_of[id], one.tobytes()) for id, one in zip(images.ids, found, strict=True)}
    assert len(kinds) == 6
    for name in images.classes:
        first, second = (np.frombuffer(one, int) for mine, one in kinds if mine == name)
        assert np.array_equal(first, -second)
        assert np.abs(first).max() > 1


@pytest.mark.parametrize("form", ["classwise", "samplewise"])
@pytest.mark.parametrize("encoding", [Encoding("png"), Encoding("jpeg", 75)], ids=lambda one: one.format)
def test_files_have_their_energy_in_the_band(photos_of_a_frame: ImageSet, form: str, encoding) -> None:
    """After the clip, 3% at most are outside, and lifting, rounding and JPEG add up to 3%."""
    images, shares = photos_of_a_frame, {}
    for name, more in {"band": {"min_wavelength": 16.0}, "free": {}}.items():
        noise = searched(images, form, **more)
        found = on_grey(noise, images.ids, dict(images.class_of), encoding)
        power = np.square(scipy.fft.dctn(found, axes=(1, 2), norm="ortho")).sum((0, 3))
        down, across = (np.arange(side) / 2 / side for side in FRAME)
        shares[name] = power[np.hypot(down[:, None], across[None, :]) > 1.001 / 16].sum() / power.sum()
        assert power.sum() / found.size > 1
    assert shares["band"] < 0.06
    assert shares["free"] > 3 * shares["band"]


@pytest.mark.parametrize("form", ["classwise", "samplewise"])
def test_files_keep_to_the_limits_of_visibility(photos_of_a_frame: ImageSet, form: str) -> None:
    images, found = photos_of_a_frame, {}
    for name, more in {
        "limited": {"mean_shift": 0.2, "low_limit": 0.5, "low_cycles": 1.0},
        "free": {},
    }.items():
        noise = searched(images, form, **more)
        added = on_grey(noise, images.ids, dict(images.class_of), Encoding("png"))
        spectrum = scipy.fft.dctn(added, axes=(1, 2), norm="ortho")
        low = np.hypot(np.arange(FRAME[0])[:, None] / 2, np.arange(FRAME[1])[None, :] / 2) <= 1.0
        sizes = np.sqrt(np.square(spectrum * low[None, :, :, None]).mean((1, 2)))
        found[name] = np.abs(added.mean((1, 2))).max(), sizes.max()
    # a tenth for the clip to the budget, and up to 0.2 levels for rounding, which follows the search
    assert found["limited"][0] < 0.22 + 0.2
    assert found["limited"][1] < 0.55 + 0.2
    assert found["free"][0] > 0.4
    assert found["free"][1] > 0.8
