"""Every search against a surrogate takes every constraint. New methods are tested without being listed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quick import forms, make
from unlearnable import methods
from unlearnable.data.image_set import ImageSet
from unlearnable.methods import Context
from unlearnable.methods.fitted import load_state, save_state

OPTIONS: dict[str, dict[str, Any]] = {
    "luminance": {"channels": "luminance"},
    "paired": {"signs": "paired"},
    "band": {"min_wavelength": 4.0, "max_wavelength": 12.0},
    "limits": {"mean_shift": 0.3, "low_limit": 0.8, "low_cycles": 2.0},
    "parts": {"channels": "luminance", "min_wavelength": 4.0, "free_levels": 3},
    "all": {"channels": "luminance", "signs": "paired", "min_wavelength": 4.0, "low_limit": 0.8},
}
EVERY = [
    (name, form, option)
    for name in methods.names()
    if issubclass(methods.get(name), methods.BySurrogate)
    for form in forms(name)
    for option in OPTIONS
    if form == "classwise" or "signs" not in OPTIONS[option]
]


def searched(name: str, form: str, option: str, images: ImageSet, **more: Any) -> methods.Fitted:
    method = make(name, form, init="uniform", **OPTIONS[option])
    return method.fit(images.view(16), Context(1), **more)


@pytest.mark.parametrize(("name", "form", "option"), EVERY)
def test_noise_is_within_its_constraints_and_its_budget(
    name: str, form: str, option: str, images: ImageSet
) -> None:
    noise = searched(name, form, option, images).noise
    bank, given = noise.bank.astype(float), OPTIONS[option]
    assert 0 < np.abs(bank).max() <= 8
    protected = images.with_noise(noise)
    change = [protected.photo(id).pixels.astype(int) - images.photo(id).pixels for id in images.ids]
    assert 0 < max(np.abs(one).max() for one in change) <= 8
    if given.get("channels") == "luminance" and "free_levels" not in given:
        assert (np.ptp(bank, axis=1) == 0).all()
    if "free_levels" in given:
        assert 0 < np.ptp(bank, axis=1).max() <= 2 * 3 + 1
    if "signs" in given:
        assert len(bank) == 6
        assert np.array_equal(bank[0::2], -bank[1::2])
    if option == "band":
        power = np.square(np.abs(np.fft.fft2(bank))).sum((0, 1))
        # the cosines of the band have less than a fifth of their energy in other waves
        cycles = np.hypot(np.fft.fftfreq(16)[:, None], np.fft.fftfreq(16)[None, :])
        assert power[(cycles > 1.25 / 4) | (cycles < 0.5 / 12)].sum() < 0.2 * power.sum()
    if "mean_shift" in given:
        assert np.abs(bank.mean((2, 3))).max() < given["mean_shift"] + 0.25


@pytest.mark.parametrize(("name", "form", "option"), [one for one in EVERY if one[2] in ("limits", "all")])
def test_a_search_that_is_killed_and_resumed_gives_equal_noise(
    name: str, form: str, option: str, images: ImageSet, tmp_path
) -> None:
    whole, path, left = searched(name, form, option, images), tmp_path / "checkpoint.safetensors", [7]

    class Killed(Exception):
        pass

    def save(state: methods.State) -> None:
        save_state(path, state, {})
        left[0] -= 1
        if not left[0]:
            raise Killed

    with pytest.raises(Killed):
        searched(name, form, option, images, save=save, every=-1.0)
    again = searched(name, form, option, images, state=load_state(path, {}))
    assert np.array_equal(again.noise.bank, whole.noise.bank)


@pytest.mark.parametrize(("name", "form", "option"), [one for one in EVERY if one[2] in ("band", "all")])
def test_images_that_come_later_get_noise_of_the_same_shape(
    name: str, form: str, option: str, images: ImageSet
) -> None:
    old, new = images.subset(images.ids[:18]), images.subset(images.ids[18:])
    method = make(name, form, init="uniform", **OPTIONS[option])
    fitted = method.fit(old.view(16), Context(3))
    more = method.extend(fitted, new.view(16), Context(3))
    noise = fitted.noise.joined(more)
    assert all(noise.slot(id, images.class_of[id]) is not None for id in images.ids)
    if form == "classwise":
        assert np.array_equal(noise.bank, fitted.noise.bank)
        return
    if np.abs(more.bank).mean() < 2:
        return  # rounding to whole levels has a share of the energy, and any frequency
    spectrum = np.square(np.abs(np.fft.fft2(more.bank.astype(float)))).sum((0, 1))
    cycles = np.hypot(np.fft.fftfreq(16)[:, None], np.fft.fftfreq(16)[None, :])
    assert spectrum[cycles > 1.25 / 4].sum() < 0.2 * spectrum.sum()
