"""Files for sites that shrink and compress uploads: resized first, then protected, within the budget."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from unlearnable.cli.app import app
from unlearnable.data.encoding import Encoding
from unlearnable.data.photo import Photo
from unlearnable.errors import UsageError

QUICK = ["--method", "random", "--seed", "1", "--workers", "1", "--json"]


def picture(*shape: int, seed: int = 0) -> np.ndarray:
    """Smooth random pixels away from both ends of the range, uint8 of a shape (H, W) or (H, W, C)."""
    rng = np.random.default_rng(seed)
    size, channels = shape[:2], shape[2] if len(shape) == 3 else 1
    coarse = rng.integers(20, 236, (channels, 5, 5), dtype=np.uint8)
    large = [np.asarray(Image.fromarray(one).resize(size[::-1], Image.Resampling.BILINEAR)) for one in coarse]
    return np.stack(large, -1).reshape(shape)


def call(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for label, name in enumerate(("cats", "dogs")):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for index in range(2):
            Image.fromarray(picture(120, 180, 3, seed=10 * label + index)).save(folder / f"{index}.png")
        Image.fromarray(picture(30, 40, 3, seed=label)).save(folder / "small.png")
    return tmp_path / "photos"


def test_larger_photos_are_resized_before_the_noise_is_added(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call("protect", photos, out, *QUICK, "--max-side", 90)
    for before in photos.rglob("*.png"):
        clean, after = Image.open(before), Image.open(out / before.relative_to(photos))
        expected = clean if clean.width <= 90 else clean.resize((90, 60), Image.Resampling.LANCZOS)
        assert after.size == expected.size
        change = np.asarray(after).astype(int) - np.asarray(expected).astype(int)
        # all of the budget is used, and counted from the resized photo
        assert np.abs(change).max() == 8
        assert np.abs(change).mean() > 2


def test_a_second_run_writes_nothing_and_another_size_is_refused(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    call("protect", photos, out, *QUICK, "--max-side", 90)
    before = {path: path.read_bytes() for path in out.rglob("*.png")}
    again = json.loads(call("protect", photos, out, *QUICK, "--quiet", "--max-side", 90))
    assert again["written"] == 0
    assert {path: path.read_bytes() for path in out.rglob("*.png")} == before
    assert "max_side 90, not 0" in " ".join(call("protect", photos, out, *QUICK, code=2).split())


def test_files_of_earlier_versions_keep_the_hash_that_names_them() -> None:
    assert Encoding().record == {"format": "png", "quality": 95, "metadata": False}
    assert Encoding(max_side=7).record["max_side"] == 7


def test_a_purpose_gives_way_to_what_is_said() -> None:
    assert Encoding.chosen("web") == Encoding("jpeg", 90, False, 2048)
    assert Encoding.chosen("web", quality=80, max_side=0, metadata=True) == Encoding("jpeg", 80, True)
    assert Encoding.chosen(None, "webp") == Encoding("webp")
    with pytest.raises(UsageError, match="--for print is unknown"):
        Encoding.chosen("print")
    with pytest.raises(UsageError, match="max_side is -1"):
        Encoding(max_side=-1)


def test_no_side_becomes_zero_and_none_grows() -> None:
    chosen = Encoding(max_side=100)
    assert chosen.size_of((4000, 3)) == (100, 1)
    assert chosen.size_of((100, 50)) == (100, 50)
    assert chosen.size_of((50, 200)) == (25, 100)


@pytest.mark.parametrize("shape", [(40, 60), (40, 60, 2), (40, 60, 3), (40, 60, 4)])
def test_every_kind_of_pixels_is_resized(shape: tuple[int, ...]) -> None:
    photo = Photo(picture(*shape, seed=3))
    small = photo.resized((20, 30))
    assert small.pixels.shape == (20, 30, *shape[2:])
    assert small.notes == ("resized from 60 x 40 to 30 x 20 pixels",)
    assert photo.resized((40, 60)) is photo


def test_transparent_pixels_lend_no_colour_to_their_neighbours() -> None:
    image = np.zeros((8, 8, 4), np.uint8)
    image[:, :4] = (200, 10, 10, 255)
    image[:, 4:] = (0, 255, 0, 0)
    small = Photo(image).resized((4, 4)).pixels
    assert small[:, :2, 1].max() <= 11
