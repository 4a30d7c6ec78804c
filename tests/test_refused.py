"""A command that is refused leaves nothing behind, and noise that changes nothing is never published."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import unlearnable as un
from publishing import RANDOM, call, draw_all, tree
from unlearnable import methods, search
from unlearnable.data.encoding import Encoding
from unlearnable.methods import Context
from unlearnable.noise import Noise
from unlearnable.publish import publish
from unlearnable.runs import RunFolder
from unlearnable.training.compute import Compute
from unlearnable.words import counted
from unlearnable.worker import ZERO

CPU = Compute("cpu", "float32")
QUICK = [
    *("--preset", "small", "--set", "surrogate=cnn:width=8,depth=2", "--set", "max_rounds=1"),
    *("--set", "resolution=16", "--workers", "1", "--seed", "1"),
]
FLAT = ["--set", "low_limit=0", "--set", "low_cycles=5000"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return draw_all(tmp_path / "in" / "photos")


@pytest.mark.parametrize(
    "refused",
    [
        ["--method", "textures", "--set", "cell=4000"],
        ["--method", "textures", "--set", "max_rounds=3"],
        ["--method", "linear_separable", "--set", "stop_error=0.5"],
        ["--set", "min_wavelength=100000"],
        ["--set", "steps=many"],
        ["--method", "nothing"],
        ["--quality", "50"],
        ["--quality", "50", "--format", "webp"],
        ["--quality", "50", "--for", "web", "--format", "png"],
        ["--max-side", "-5"],
    ],
    ids=" ".join,
)
def test_a_refused_command_leaves_no_folder(photos: Path, tmp_path: Path, refused: list[str]) -> None:
    before = tree(tmp_path)
    shown = call("protect", photos, tmp_path / "out", *refused, code=2).output
    assert tree(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["photos"]
    # the option or the setting to change is named
    assert refused[-1].partition("=")[0].strip("-") in shown or refused[-2] in shown


def test_a_folder_that_was_there_before_stays(photos: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    call("protect", photos, tmp_path / "out", "--run", run, "--method", "nothing", code=2)
    assert run.is_dir()
    (run / "mine.txt").write_text("mine")
    call("protect", photos, tmp_path / "out", "--run", run, "--method", "nothing", code=2)
    assert (run / "mine.txt").read_text() == "mine"


def test_a_quality_for_jpeg_is_used_and_recorded(photos: Path, tmp_path: Path) -> None:
    call("protect", photos, tmp_path / "out", *RANDOM, "--format", "jpeg", "--quality", "50")
    records = (tmp_path / "in" / "photos.unlearnable" / "out" / "run.json").read_text()
    assert json.loads(records)["encoding"]["quality"] == 50


def test_a_search_that_finds_no_noise_is_refused_and_forgotten(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shown = call("protect", photos, out, *QUICK, *FLAT, code=2).output
    assert "zero everywhere" in shown
    assert not out.exists() or not tree(out)
    # other settings need no --refit, because there is nothing to lose
    call("protect", photos, out, *QUICK)
    assert len(tree(out)) == 6


def test_images_whose_noise_is_zero_are_named_and_not_published(photos: Path, tmp_path: Path) -> None:
    images = un.open_photos(photos).readable()
    method = methods.create("random", {"form": "samplewise"}).resolve(images.frame, len(images))
    noise: Noise = method.fit(images.view(24), Context(0, CPU)).noise
    bank = noise.bank.copy()
    bank[2] = 0
    empty = noise.keys[2]
    noise = replace(noise, bank=bank)
    with RunFolder(tmp_path / "run").open() as run:
        done = publish(images, noise, tmp_path / "out", run, encoding=Encoding(), workers=1)
    assert done.skipped == {empty: ZERO}
    assert done.written == len(images.own) - 1
    assert not (tmp_path / "out" / empty).exists()
    assert [noise.is_zero(noise.slot(id, images.class_of[id])) for id in images.own] == [
        id == empty for id in images.own
    ]


def test_the_run_is_named_by_its_whole_path(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call("fit", photos, "run", "--method", "random", "--seed", "1")
    shown = json.loads(call("apply", "run", photos, "out", "--json").stdout)
    assert (shown["run"], shown["protected"]) == (str(tmp_path / "run"), str(tmp_path / "out"))


@pytest.mark.parametrize("name", ["self_ensemble", "error_maximizing", "perturbation_induced_linearization"])
def test_the_estimate_of_a_long_first_training_takes_a_part_of_it(
    name: str, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, taken = [0.0], list[str]()
    settings = {"surrogate": "cnn:width=8,depth=2", "resolution": 16, "pretrain_epochs": 200.0, "steps": 1}
    method = methods.create(name, settings)
    images = un.open_photos(photos).readable()
    kind = type(method)
    advance = kind.advance

    def timed(self: object, *rest: object) -> object:
        progress = advance(self, *rest)  # type: ignore[arg-type]
        clock[0] += 0.1
        taken.append(progress.kind)
        return progress

    monkeypatch.setattr(search.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(kind, "advance", timed)
    seconds = search.estimate(images, method, CPU)
    assert taken.count("train") <= 10
    if name == "self_ensemble":
        assert taken.count("train") >= method.config.checkpoints
    # but all of its 200 epochs are in the estimate
    resolved = method.resolve(images.frame, len(images))
    first, later = (sum(part.count for part in resolved.round_steps(one, len(images))) for one in (0, 1))
    assert first > 200
    assert seconds == pytest.approx(0.1 * (first + (int(resolved.config.max_rounds) - 1) * later))


@pytest.mark.parametrize(
    ("number", "noun", "verb", "said"),
    [
        (1, "class", "", "1 class"),
        (3, "person", "", "3 people"),
        (2, "class", "", "2 classes"),
        (0, "photo", "is", "0 photos are"),
        (1, "search", "has", "1 search has"),
        (3, "copy", "was", "3 copies were"),
    ],
)
def test_words_agree_with_their_number(number: int, noun: str, verb: str, said: str) -> None:
    assert counted(number, noun, verb) == said


def test_one_class_is_announced_as_one(tmp_path: Path) -> None:
    photos = draw_all(tmp_path / "photos" / "all", 1)
    out = call("protect", photos, tmp_path / "out", "--class", "mine", "--method", "random", "--seed", "1")
    assert "in 1 class;" in out.output or "in 1 class," in out.output
    assert "1 classes" not in out.output
