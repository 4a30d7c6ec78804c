"""AR: the process of a class predicts the noise of its images, and that of no other class."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from conftest import pixels
from unlearnable import methods
from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError
from unlearnable.methods import Context
from unlearnable.methods.autoregressive import Autoregressive

NAMES = ("ant", "bee", "cat", "dog")


def named(per_class: int, side: int = 32) -> ImageSet:
    count = per_class * len(NAMES)
    return arrays(pixels(count, side), [*NAMES] * per_class, ids=[f"i{i:04d}" for i in range(count)])


def method(images: ImageSet) -> Autoregressive:
    made = methods.create("autoregressive").resolve(images.frame, len(images))
    assert isinstance(made, Autoregressive)
    return made


def unexplained(noise: np.ndarray, windows: np.ndarray) -> float:
    """The part of noise, (3, h, w), that windows, (3, 3, 3), do not predict, as a share of its size."""
    rest, size = 0.0, 0.0
    for channel, window in zip(noise, windows, strict=True):
        predicted = correlate2d(channel, window, mode="valid")
        actual = channel[2:, 2:]
        rest, size = rest + ((actual - predicted) ** 2).sum(), size + (actual**2).sum()
    return float(np.sqrt(rest / size))


def test_a_process_gives_its_own_noise_exactly_before_clipping_and_rounding() -> None:
    images = named(2)
    made = method(images)
    for windows in made.motifs(NAMES, Context(3)).values():
        assert windows.shape == (3, 3, 3)
        assert (windows[:, 2, 2] == 0).all()
        assert torch.allclose(windows.sum((1, 2)), torch.ones(3), atol=1e-4)
        for noise in made.patterns(windows, ("x", "y"), Context(3)).numpy():
            assert unexplained(noise, windows.numpy()) < 1e-4


def test_the_processes_tell_whose_the_published_noise_is() -> None:
    images = named(8)
    made = method(images)
    noise = made.fit(images.view(32), Context(3)).noise
    motifs = made.motifs(NAMES, Context(3))
    for id in images.ids:
        row = noise.bank[noise.row(id, images.class_of[id])].astype(float)
        rests = {name: unexplained(row, windows.numpy()) for name, windows in motifs.items()}
        assert min(rests, key=rests.__getitem__) == images.class_of[id]


def test_every_image_has_its_own_start_and_the_papers_strength() -> None:
    images = named(8)
    noise = method(images).fit(images.view(32), Context(3)).noise
    assert noise.keys == images.ids
    assert len({row.tobytes() for row in noise.bank}) == len(images)
    # an L2 norm of 1 on 32 px is 4.6 levels; values beyond 8 are clipped
    assert 3.0 <= np.sqrt((noise.bank.astype(float) ** 2).mean()) <= 4.7
    clipped = (np.abs(noise.bank) == 8).mean()
    assert clipped < 0.2


def test_the_noise_is_as_strong_at_the_end_as_at_the_beginning() -> None:
    images = named(8, 40)
    made = method(images)
    for windows in made.motifs(NAMES, Context(3)).values():
        noise = made.patterns(windows, tuple("abcdefgh"), Context(3))
        first, last = noise[..., :20, :20].std(), noise[..., 20:, 20:].std()
        assert 0.2 < float(last / first) < 5


def test_processes_of_ten_classes_explain_little_of_the_noise_of_each_other() -> None:
    made = method(named(1))
    processes = [windows.numpy() for windows in made.listed(10, Context(0))]
    for number, windows in enumerate(processes):
        noise = made.patterns(torch.from_numpy(windows), ("x",), Context(0))[0].numpy()
        published = noise.clip(-8, 8).round()
        rests = [unexplained(published, other) for other in processes]
        assert rests.pop(number) < 0.35
        assert min(rests) > 0.45


def test_a_longer_list_begins_with_the_same_processes() -> None:
    made = method(named(1))
    short, long = made.listed(2, Context(3)), made.listed(4, Context(3))
    assert all(torch.equal(one, other) for one, other in zip(short, long[:2], strict=True))
    assert len({windows.numpy().tobytes() for windows in long}) == 4
    assert not torch.equal(short[0], made.listed(1, Context(4))[0])


def test_random_noise_is_no_process_and_is_not_extended() -> None:
    images = named(2)
    random = methods.create("random", {"form": "samplewise"}).resolve(images.frame, len(images))
    fitted = random.fit(images.view(32), Context(3))
    with pytest.raises(DataError, match="not what this version of autoregressive computes"):
        method(images).extend(fitted, images.view(32), Context(3))
