"""Very few photos, and requests that cannot be met: said in words, before the first training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from unlearnable.cli.verify import verify as verb
from unlearnable.countermeasures import create
from unlearnable.data.arrays import arrays
from unlearnable.errors import DataError, UsageError
from unlearnable.evaluation.schedule import SMALL, Trial, schedule, trials
from unlearnable.evaluation.timing import estimate
from unlearnable.evaluation.verification import prepare, verify
from unlearnable.training.compute import Compute
from unlearnable.training.victim import Victim

CPU = Compute("cpu", "float32")
TINY = "cnn:width=8,depth=2"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """One epoch of a tiny network."""
    victim = Victim(model=TINY, size=16, batch=16, lr=0.05, transform="none")
    settings = replace(SMALL, victim=victim, other=TINY, side=16, unseen={"size": 12}, epochs=(1, 1))
    monkeypatch.setattr("unlearnable.evaluation.gathering.defaults", lambda frame: settings)


def written(root: Path, counts: dict[str, int], noise: int = 0, side: int = 16) -> Path:
    """Write photos of some classes; ``noise`` levels are added to each."""
    for label, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = np.random.default_rng([label, number]).integers(0, 200, (side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels + np.uint8(noise)).save(root / name / f"{number}.png")
    return root


def pair(tmp_path: Path, counts: dict[str, int]) -> tuple[Path, Path]:
    return written(tmp_path / "photos", counts), written(tmp_path / "public", counts, noise=8)


@pytest.mark.parametrize("counts", [{"a": 2, "b": 2}, {"a": 1, "b": 5}, {"a": 3, "b": 2, "c": 4}])
def test_a_handful_of_photos_is_measured_and_cannot_tell(tmp_path: Path, counts: dict[str, int]) -> None:
    found = verify(*pair(tmp_path, counts), seeds=(0, 1), targets=(TINY,), compute=CPU)
    assert found.verdict == "cannot tell"
    assert len(found.comparisons) + len(found.unmeasured) == 6


@pytest.mark.parametrize("counts", [{"a": 1, "b": 1}, {"a": 1, "b": 1, "c": 1}])
def test_one_photo_a_class_is_refused_with_the_number_that_it_takes(
    tmp_path: Path, counts: dict[str, int]
) -> None:
    with pytest.raises(DataError, match=r"more photos, at least \d+ of each class"):
        prepare(*pair(tmp_path, counts), compute=CPU)


@pytest.mark.parametrize(
    "chain",
    ["none", "jpeg:75", "blur", "project", "mixup", "cutmix", "cutout", "adversarial:8,1", "bitdepth"],
)
@pytest.mark.parametrize(("train", "tested"), [(2, 1), (3, 0), (17, 5)])
def test_the_time_of_very_small_sets_is_estimated(chain: str, train: int, tested: int) -> None:
    images = arrays(np.zeros((2, 16, 16, 3), np.uint8), ["a", "b"])
    trial = Trial("tiny", Victim(model=TINY, size=16, batch=16, transform="none"), create(chain))
    (seconds,) = estimate([trial], [1], images, 16, train, tested, 2, CPU)
    assert seconds > 0


def test_a_network_that_no_image_passes_is_named() -> None:
    images = arrays(np.zeros((2, 16, 16, 3), np.uint8), ["a", "b"])
    trial = Trial("deep", Victim(model="cnn:width=8,depth=6", size=16, transform="none"))
    with pytest.raises(UsageError, match="cannot train on images of 16 px"):
        estimate([trial], [1], images, 16, 8, 2, 2, CPU)


@pytest.mark.parametrize(
    ("limit", "said", "left"),
    [
        (120, "the first trial needs about 6 min; it runs anyway", 5),
        (800, "take about 12 min", 4),
        (1e6, "36 min", 0),
    ],
)
def test_the_schedule_says_what_does_not_fit_before_it_runs(limit: float, said: str, left: int) -> None:
    tried = trials(SMALL, 100, (TINY,))
    words = schedule(tried, [360.0] * len(tried), limit).words
    assert said in words
    assert ("Not measured within" in words) == (left > 0)
    assert words.count("jpeg:30") == (left > 0)
    assert ("All 6 trials need about 36 min" in words) == (left > 0)


@pytest.mark.parametrize(
    ("answer", "seconds", "limit", "said"),
    [
        (120.0, 360.0, 1e6, "36 min; the first answer comes after about 2 min."),
        # measured already
        (0.0, 360.0, 1e6, "36 min."),
        (120.0, 360.0, 60, "needs about 6 min; the first answer comes after about 2 min; it runs anyway."),
        # nothing else is to be measured
        (360.0, 360.0, 60, "needs about 6 min; it runs anyway."),
    ],
)
def test_the_schedule_says_when_the_first_answer_comes(
    answer: float, seconds: float, limit: float, said: str
) -> None:
    tried = trials(SMALL, 100, (TINY,))
    needed = [seconds, *[360.0] * (len(tried) - 1)]
    assert said in schedule(tried, needed, limit, answer).words


def command(*arguments: object) -> Any:
    app = typer.Typer()
    app.command()(verb)
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--target", "resnet9000"), 2, "no model 'resnet9000'"),
        (("--target", "cnn:width=-1"), 2, "whole number from 1"),
        (("--countermeasure", "sharpen"), 2, "no countermeasure 'sharpen'"),
        (("--countermeasure", "jpeg:3000"), 2, "quality is 3000"),
        (("--require", "lots"), 2, "not a goal"),
        (("--time-limit", "soon"), 2, "not a length of time"),
        (("--time-limit", "0s"), 2, "greater than zero"),
        (("--test", "nowhere"), 3, "nowhere is not a folder"),
        (("--context", "nowhere"), 3, "nowhere is not a folder"),
    ],
)
def test_a_request_is_refused_before_a_photo_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, str], code: int, said: str
) -> None:
    def read(*_: object) -> None:
        raise AssertionError("a photo was read")

    monkeypatch.setattr("unlearnable.data.folder.FolderSource.load", read)
    done = command(*pair(tmp_path, {"a": 2, "b": 2}), *options)
    assert done.exit_code == code, done.output
    assert said in done.stderr


def test_folders_that_are_the_same_exchanged_empty_or_missing(tmp_path: Path) -> None:
    photos, public = pair(tmp_path, {"a": 2, "b": 2})
    run = tmp_path / "photos.unlearnable" / "public"
    run.mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"photos": str(photos), "protected": str(public)}))
    (tmp_path / "empty").mkdir()
    for one, other, options, said in (
        (photos, photos, (), "are the same folder"),
        (photos, photos / ".." / "photos", (), "are the same folder"),
        (public, photos, (), f"verify {photos} {public}"),
        (public, photos, ("--run", run), "wrong order"),
        (photos, tmp_path / "empty", (), "unlearnable protect"),
        (photos, tmp_path / "missing", (), "missing is not a folder"),
        (tmp_path / "empty", public, (), "contains no class"),
    ):
        done = command(one, other, *options)
        assert done.exit_code in (2, 3), done.output
        assert said in done.stderr


def test_the_command_says_whether_a_verdict_is_possible_and_how_long_it_takes(tmp_path: Path) -> None:
    photos, public = pair(tmp_path, {"a": 4, "b": 4})
    for path in public.rglob("*.png"):
        path.rename(path.with_name(f"{path.parent.name}{path.stem}-copy.png"))
    options = ("--seeds", 1, "--target", TINY, "--device", "cpu", "--time-limit", "1s")
    done = command(photos, public, *options, "--json")
    assert done.exit_code == 0, done.output
    assert "8 pairs were found by their pictures" in done.stderr
    assert "Too few photos for a verdict: 2 would be held out" in done.stderr
    record = json.loads(done.stdout)
    assert record["outlook"]["possible"] is False
    assert record["outlook"]["photos_per_class_needed"] == 38
    assert record["pictured"] == 8
    assert record["verdict"] == "cannot tell"


def test_copies_without_noise_are_named_before_the_training(tmp_path: Path) -> None:
    photos = written(tmp_path / "photos", {"a": 4, "b": 4})
    copy = written(tmp_path / "copy", {"a": 4, "b": 4})
    done = command(photos, copy, "--seeds", 1, "--target", TINY, "--device", "cpu", "--time-limit", "1s")
    assert done.exit_code == 0, done.output
    assert "All published images (8) equal their photos, so they carry no noise." in done.stderr


def test_a_report_that_cannot_be_saved_costs_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "report.html")

    monkeypatch.setattr("unlearnable.report.save", full)
    options = ("--seeds", 1, "--target", TINY, "--device", "cpu", "--time-limit", "1s", "--json")
    done = command(*pair(tmp_path, {"a": 4, "b": 4}), *options)
    assert done.exit_code == 1
    assert json.loads(done.stdout)["verdict"] == "cannot tell"
    assert "No space left" in done.stderr
