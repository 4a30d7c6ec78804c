"""The demo: the photos it is made of, what it writes, and that it calls itself an illustration."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from unlearnable import demo
from unlearnable.cli.app import app
from unlearnable.data import demo_photos as source
from unlearnable.data.digits import digits
from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError

runner = CliRunner()


@pytest.fixture(scope="module")
def photos() -> ImageSet:
    return source.demo_photos()


def test_photos_are_written_as_a_class_folder(photos: ImageSet, tmp_path: Path) -> None:
    root = tmp_path / "photos"
    result = runner.invoke(app, ["demo", "--photos", str(root), "--json"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["written"] == len(photos) == 1000
    assert sorted(path.name for path in root.iterdir()) == sorted(source.PHOTOGRAPHS)
    for id in photos.ids[::93]:
        with Image.open(root / photos.class_of[id] / f"{id}.png") as image:
            assert np.array_equal(np.asarray(image), photos.photo(id).pixels)
    again = runner.invoke(app, ["demo", "--photos", str(root)])
    assert again.exit_code == 3
    assert "not empty" in again.stderr


def test_every_class_has_as_many_squares_and_no_two_are_equal(photos: ImageSet) -> None:
    counts = {name: sum(photos.class_of[id] == name for id in photos.ids) for name in photos.classes}
    assert counts == dict.fromkeys(source.PHOTOGRAPHS, source.EACH)
    assert len({photos.photo(id).pixels.tobytes() for id in photos.ids}) == len(photos)


def test_squares_of_a_photograph_do_not_overlap() -> None:
    """Each pixel of a picture that counts its pixels is in one square."""
    numbers = np.arange(96 * 130, dtype=np.int32).reshape(96, 130)

    class Counted:
        height, width = 96, 130

        def convert(self, mode: str) -> np.ndarray:
            return numbers

    tiles = source._tiles(Counted())  # type: ignore[arg-type]
    assert tiles.shape == (3 * 4, 32, 32)
    assert len(np.unique(tiles)) == tiles.size
    assert np.array_equal(tiles[5], numbers[32:64, 32:64])


@pytest.mark.parametrize("name", source.PHOTOGRAPHS)
def test_neither_colour_nor_contrast_gives_a_class_away(photos: ImageSet, name: str) -> None:
    squares = np.stack([photos.photo(id).pixels for id in photos.ids if photos.class_of[id] == name])
    # clipping at black and white moves a few of them a little
    assert np.abs(squares.mean(axis=(1, 2)) - source.SEPIA).max() < 3
    deviation = squares.std(axis=(1, 2))
    assert deviation.max() < source.CONTRAST + 1
    assert np.median(deviation) > source.CONTRAST - 1


def test_no_square_is_grey(tmp_path: Path, photos: ImageSet) -> None:
    """The noise of a grey file is grey, whatever the number of its channels."""
    source.write_demo_photos(tmp_path / "photos")
    read = folder(tmp_path / "photos")
    assert not any(read.photo(id).grey for id in read.ids[::60])


@pytest.mark.parametrize("name", ["brick", "flower", "ihc"])
def test_a_dependency_without_its_photograph_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    package, _ = source.PHOTOGRAPHS[name]
    monkeypatch.setitem(source.PHOTOGRAPHS, name, (package, "moved.png"))
    with pytest.raises(DataError, match=rf"{package} is installed without .*moved\.png"):
        source.demo_photos()


def test_digits_are_drawn_as_they_say() -> None:
    for ink in (32, 255):
        images = digits(8, ink)
        values = np.stack([images.photo(id).pixels for id in images.ids[:200]])
        assert int(values.max()) - int(values.min()) == ink


@pytest.fixture
def quick(photos: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search too short to protect and a training too short to learn, on a tenth of the photos."""
    prepare = demo.prepare
    few = photos.subset(photos.ids[::10])
    usual = demo.schedule.trials(demo.schedule.SMALL, len(few))[0]
    small = {"model": "cnn:width=16,depth=2", "epochs": 1}
    trial = replace(usual, victim=usual.victim.model_copy(update=small))
    settings = {"surrogate": "cnn:width=16,depth=2", "min_rounds": 1, "max_rounds": 1}
    monkeypatch.setattr(demo, "prepare", partial(prepare, images=few, settings=settings, trial=trial))


@pytest.mark.usefixtures("quick")
def test_the_demo_tells_its_story(tmp_path: Path) -> None:
    """The whole path: three arms, the table, the page."""
    result = runner.invoke(app, ["demo", "--out", str(tmp_path / "out"), "--seed", "1"])
    assert result.exit_code == 0, (result.stderr, result.exception)
    assert "not a benchmark" in result.stdout
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "illustration" in page.lower()
    record = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert [arm["name"] for arm in record["trials"][0]["arms"]] == ["clean", "sample-wise", "class-wise"]


@pytest.mark.usefixtures("quick")
def test_the_time_that_is_announced_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prepared = demo.prepare(0)
    monkeypatch.setattr(demo, "estimate", lambda images, method, compute: 1000.0)
    monkeypatch.setattr(demo.timing, "estimate", lambda tried, *rest: [200.0])
    # two searches and three trainings
    assert prepared.estimate() == 2600
    result = runner.invoke(app, ["demo", "--out", str(tmp_path / "out")])
    assert "about 43 min" in result.stderr


def test_the_demo_uses_the_settings_of_small_images(photos: ImageSet) -> None:
    """What it shows is what ``protect`` and ``verify`` do."""
    prepared = demo.prepare(0)
    assert len(prepared.train) + len(prepared.test) == len(photos)
    assert not set(prepared.train.ids) & set(prepared.test.ids)
    small = demo.presets.read("small")
    for form, method in prepared.searches.items():
        assert method.form == form
        assert method.config.surrogate == small["surrogate"]
        assert method.config.step_size == small[form]["step_size"]
    assert prepared.trial == demo.schedule.trials(demo.schedule.SMALL, len(prepared.train))[0]
