"""LSP: the noise by itself tells the classes apart, for a linear classifier."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from conftest import pixels
from unlearnable import methods
from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.methods import Context


def named(count: int, side: int = 32) -> ImageSet:
    names = [f"c{i % 10}" for i in range(count)]
    return arrays(pixels(count, side), names, ids=[f"i{i:04d}" for i in range(count)])


def bank(images: ImageSet, **settings: object) -> np.ndarray:
    method = methods.create("linear_separable", settings).resolve(images.frame, len(images))
    noise = method.fit(images.view(int(method.config.resolution)), Context(1)).noise
    assert noise.keys == images.ids
    return noise.bank.astype(int)


def test_a_linear_classifier_on_noise_alone_knows_the_class_of_unseen_images() -> None:
    images = named(300)
    flat = bank(images).reshape(300, -1)
    labels = np.array([images.class_of[id] for id in images.ids])
    model = LogisticRegression(max_iter=500).fit(flat[:200], labels[:200])
    assert model.score(flat[200:], labels[200:]) == 1.0
    # without corners of their own, classes could not be told apart
    wrong = LogisticRegression(max_iter=500).fit(flat[:200], np.roll(labels, 1)[:200][::-1])
    assert wrong.score(flat[200:], labels[200:]) < 0.5


def test_noise_is_the_papers_patches_at_the_papers_strength() -> None:
    images = named(40)
    rows = bank(images)
    assert rows.shape == (40, 3, 4, 4)
    # 6 of 255 before values beyond epsilon are clipped
    assert 5.0 <= np.sqrt((rows**2).mean()) <= 6.0
    noise = methods.create("linear_separable").resolve((32, 32), 40).fit(images.view(32), Context(1)).noise
    middle = np.full((32, 32, 3), 128, np.uint8)
    change = noise.add(middle, noise.slot(images.ids[0], "c0")).astype(int) - 128
    patches = change.reshape(4, 8, 4, 8, 3)
    assert (patches == patches[:, :1, :, :1]).all()
    assert np.array_equal(patches[:, 0, :, 0].transpose(2, 0, 1), rows[0])


def test_images_of_a_class_are_spread_around_its_corner() -> None:
    images = named(200)
    rows = bank(images)
    mine = rows[[i for i, id in enumerate(images.ids) if images.class_of[id] == "c3"]]
    assert len({row.tobytes() for row in mine}) == len(mine)
    centre = mine.mean(axis=0)
    corners = np.sign(centre)
    assert (np.abs(centre) > 2).all()
    # a spread of .4 turns a value of 1 negative in 0.6% of cases
    assert 0.98 <= (np.sign(mine) == corners).mean() < 1
    assert len({row.tobytes() for row in bank(images, spread=0.0)}) == 10


@pytest.mark.parametrize(("grid", "epsilon"), [(2, 8), (7, 16)])
def test_grid_and_epsilon_set_the_number_of_patches_and_their_strength(grid: int, epsilon: int) -> None:
    rows = bank(named(40), grid=grid, epsilon=epsilon)
    assert rows.shape == (40, 3, grid, grid)
    assert np.abs(rows).max() == epsilon
    assert np.sqrt((rows**2).mean()) == pytest.approx(0.7 * epsilon, abs=0.06 * epsilon)
