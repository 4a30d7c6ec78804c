"""verify on small folders made here: stripes at two angles, and copies of them with an obvious pattern for
each class.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from unlearnable.cli.verify import verify as verb
from unlearnable.countermeasures import Chain, Countermeasure
from unlearnable.countermeasures.jpeg import Jpeg
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError
from unlearnable.evaluation import Goal, Verification, verify
from unlearnable.evaluation.gathering import gather
from unlearnable.evaluation.schedule import SMALL, schedule, trials
from unlearnable.evaluation.timing import estimate
from unlearnable.evaluation.verification import prepare
from unlearnable.training.compute import Compute
from unlearnable.training.victim import Victim

CPU = Compute("cpu", "float32")
TINY = "cnn:width=8,depth=2"


def stripes(rng: np.random.Generator, label: int, side: int = 24) -> np.ndarray:
    """A noisy image, uint8 (side, side, 3), whose stripes are horizontal or vertical."""
    wave = 25 * np.sin(np.arange(side) * 1.2 + rng.uniform(0, 6))[:, None]
    image = 128 + (wave if label == 0 else wave.T) + rng.normal(0, 12, (side, side))
    return np.repeat(np.clip(image, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def shortcut(image: np.ndarray, label: int) -> np.ndarray:
    """Give every image of a class the same strong pattern, which is easier to learn than stripes."""
    pattern = np.zeros(image.shape[:2])
    pattern[::2, label::2] = 45
    return np.clip(
        image.astype(int) + pattern[..., None].astype(int) * [1, 1, -1 if label else 1], 0, 255
    ).astype(np.uint8)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """60 photos of two classes, and their protected images."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(("across", "down")):
        for number in range(60):
            image = stripes(rng, label)
            for root, pixels, ending in (
                ("photos", image, "png"),
                ("public", shortcut(image, label), "webp"),
            ):
                path = tmp_path / root / name / f"{number:03d}.{ending}"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path, lossless=True)
    return tmp_path / "photos", tmp_path / "public"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few epochs, without flips, on one thread: for images so small a second one only waits."""
    small = Victim(model=TINY, size=24, batch=16, lr=0.05, schedule="onecycle", transform="none")
    settings = replace(SMALL, victim=small, other=TINY, side=24, unseen={"size": 20}, epochs=(8, 8), steps=6)
    monkeypatch.setattr("unlearnable.evaluation.gathering.defaults", lambda frame: settings)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def once(photos: object, public: object, **options: object) -> Verification:
    return verify(photos, public, **{"seeds": (0,), "targets": (TINY,), "compute": CPU, **options})  # type: ignore[arg-type]


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_a_shortcut_keeps_a_network_from_learning(folders: tuple[Path, Path]) -> None:
    found = once(*folders)
    first = found.comparisons[0]
    assert first.arm("clean").peak.value > 0.9
    assert first.arm("protected").peak.value < first.arm("clean").peak.value - 0.2
    assert [one.trial.chain.spec for one in found.comparisons] == [
        "none",
        "grey",
        "jpeg:30",
        "project:20",
        "shrink:2",
        "none",
    ]
    assert all([arm.name for arm in one.arms] == ["clean", "protected"] for one in found.comparisons)
    assert not found.headline[0].trial.chain
    assert found.pairs == 120
    assert found.unchanged == 0
    assert len({sample.class_name for sample in found.samples}) == 2


def test_unprotected_copies_are_not_called_protected(folders: tuple[Path, Path]) -> None:
    copies = shutil.copytree(folders[0], folders[0].with_name("copies"))
    found = once(folders[0], copies, time_limit=0.001)
    assert found.verdict == "not protected"
    assert found.unchanged == found.pairs
    retained = found.headline[1].retained
    assert retained is not None
    assert retained.value == pytest.approx(1.0)
    assert len(found.unmeasured) == 5
    assert not found.meets(Goal.parse("25%"))


def test_the_command_prints_both_numbers_and_writes_only_into_the_run_folder(
    folders: tuple[Path, Path],
) -> None:
    photos, public = folders
    before = contents(photos), contents(public)
    result = command(
        [str(photos), str(public), "--seeds", "1", "--target", TINY, "--time-limit", "1s", "--device", "cpu"]
    )
    assert result.exit_code == 0, result.output
    run = photos.with_name("photos.unlearnable") / "public"
    assert (contents(photos), contents(public)) == before
    assert {path.name for path in run.iterdir()} == {"report.html", "report.json", "lock"}
    assert run.stat().st_mode & 0o777 == 0o700
    record = json.loads((run / "report.json").read_text())
    verdict = result.stdout.strip().splitlines()[-2]
    for arm in record["trials"][record["headline"][0]]["arms"][:2]:
        assert f"{arm['peak']['value'] * 100:.1f}%" in verdict
    assert result.stdout.strip().endswith(str(run / "report.html"))
    assert "2 classes" in result.stderr


def test_a_missed_goal_is_exit_5_after_the_table(folders: tuple[Path, Path]) -> None:
    photos, _ = folders
    copy = photos.with_name("copy")
    photos.rename(copy)
    for path in sorted(copy.rglob("*.png")):
        target = photos / path.relative_to(copy)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    arguments = [
        str(photos),
        str(copy),
        "--seeds",
        "1",
        "--target",
        TINY,
        "--time-limit",
        # the first trial only, on a machine of any speed
        "0.001s",
        "--device",
        "cpu",
        "--quiet",
        "--json",
    ]
    result = command([*arguments, "--require", "chance+5"])
    assert result.exit_code == 5
    found = json.loads(result.stdout)
    assert found["goal"]["text"] == "accuracy at most chance + 5 points"
    assert found["goal"]["met"] is False
    assert found["goal"]["reason"] == "It was missed by cnn."
    assert "pictures" not in found
    assert result.stderr.startswith("error: The goal was not met")
    assert command([*arguments, "--require", "a lot"]).exit_code == 2


def test_a_goal_needs_every_trial_that_it_looks_at(folders: tuple[Path, Path]) -> None:
    """A trial that was not run for want of time might have missed the goal."""
    options = (
        "--seeds",
        "1",
        "--target",
        TINY,
        "--device",
        "cpu",
        "--quiet",
        "--json",
        "--require",
        "chance+99",
    )
    arguments = [*map(str, folders), *options]
    short = command([*arguments, "--time-limit", "0.01s"])
    assert short.exit_code == 5, short.output
    goal = json.loads(short.stdout)["goal"]
    assert goal["met"] is False
    assert goal["reason"] == "Not run for want of time: unseen recipe. Give a longer --time-limit."
    assert "Not run for want of time: unseen recipe" in short.stderr
    # countermeasures are no part of the goal
    done = command([*arguments, "--countermeasure", "grey"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["goal"] == {
        "text": "accuracy at most chance + 99 points",
        "met": True,
        "reason": "",
    }


def test_one_seed_says_that_there_is_no_spread_over_seeds(folders: tuple[Path, Path]) -> None:
    arguments = [*map(str, folders), "--target", TINY, "--device", "cpu", "--time-limit", "1s"]
    once_only = command([*arguments, "--seeds", "1"])
    assert "one seed, so no spread over seeds" in once_only.stdout
    twice = command([*arguments, "--seeds", "2", "--json"])
    assert json.loads(twice.stdout)["trials"][0]["intervals"] == "95% intervals over test images and 2 seeds"
    # the first seed has an answer before the second one is trained
    said = [line for line in twice.stderr.splitlines() if line.startswith("cnn: ")]
    assert [line.endswith(" after 1 of 2 seeds") for line in said] == [True, False]
    assert all(line.endswith("guessing 50%)") for line in (said[0].partition(" after")[0], said[1]))


def test_test_images_are_held_out_of_both_arms(folders: tuple[Path, Path]) -> None:
    pairs = gather(*folders)
    clean, protected = pairs.arm("clean", 3), pairs.arm("protected", 3)
    assert torch.equal(clean.test[0], protected.test[0])
    assert torch.equal(clean.train[1], protected.train[1])
    seen = {row.numpy().tobytes() for row in clean.train[0]}
    assert not seen & {row.numpy().tobytes() for row in clean.test[0]}
    assert len(clean.train[1]) == 90
    assert torch.bincount(clean.test[1]).tolist() == [15, 15]
    assert not torch.equal(pairs.arm("clean", 4).test[0], clean.test[0])


def test_a_folder_of_test_images_gives_up_twins_and_unknown_classes(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    photos, public = folders
    rng = np.random.default_rng(1)
    for name, label in (("across", 0), ("down", 1), ("else", 1)):
        (tmp_path / "test" / name).mkdir(parents=True)
        Image.fromarray(stripes(rng, label)).save(tmp_path / "test" / name / "new.png")
    (tmp_path / "test" / "down" / "twin.png").write_bytes((photos / "down" / "003.png").read_bytes())
    pairs = gather(photos, public, tmp_path / "test")
    assert pairs.test is not None
    assert pairs.test.ids == ("across/new.png", "down/new.png")
    assert {id: reason for id, reason in pairs.left_out.items() if id.startswith("test")} == {
        "test: down/twin.png": "is also a training image",
        "test: else/new.png": "class 'else' is not among the photos",
    }
    assert len(pairs.arm("protected", 0).train[1]) == 120


def test_one_class_needs_a_context_that_is_held_out_too(folders: tuple[Path, Path], tmp_path: Path) -> None:
    photos, public = folders
    (tmp_path / "others").mkdir()
    (photos / "down").rename(tmp_path / "others" / "down")
    with pytest.raises(DataError, match="--context"):
        gather(photos, public)
    pairs = gather(photos, public, context=tmp_path / "others")
    assert pairs.classes == ("across", "down")
    assert pairs.judged == (0,)
    arms = pairs.arm("clean", 0), pairs.arm("protected", 0)
    context = [arm.train[0][arm.train[1] == 1] for arm in arms]
    assert torch.equal(*context)
    assert torch.equal(arms[0].test[0], arms[1].test[0])
    assert torch.bincount(arms[0].test[1]).tolist() == [15, 15]
    assert len(pairs.left_out) == 60
    (tmp_path / "one" / "else").mkdir(parents=True)
    shutil.copy(next((tmp_path / "others").rglob("*.png")), tmp_path / "one" / "else")
    with pytest.raises(DataError, match="No context image can be held out"):
        prepare(photos, public, context=tmp_path / "one", compute=CPU)


def test_damaged_and_changed_files_are_left_out(folders: tuple[Path, Path], tmp_path: Path) -> None:
    photos, public = folders
    (public / "down" / "004.webp").write_bytes(b"no image")
    run = tmp_path / "run"
    run.mkdir()
    entries = [
        {"id": f"{c}/{n:03d}.png", "output": f"{c}/{n:03d}.webp", "digest": "other" if n == 7 else ""}
        for c in ("across", "down")
        for n in range(60)
    ]
    (run / "files.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    pairs = gather(photos, public, run=run)
    assert set(pairs.left_out) == {"down/004.png", "across/007.png", "down/007.png"}
    assert pairs.left_out["down/007.png"] == "has changed since it was protected"
    assert len(pairs.clean_view.ids) == len(pairs.protected_view.ids) == 117


def test_trials_that_do_not_fit_are_listed_with_an_estimate(folders: tuple[Path, Path]) -> None:
    tried = trials(gather(*folders).settings, 100, (TINY,))
    seconds = estimate(tried, [1] * len(tried), gather(*folders).clean, 24, 100, 20, 2, CPU)
    assert all(needed > 0 for needed in seconds)
    made = schedule(tried, seconds, limit=1e-6)
    assert made.trials == tried[:1]
    assert [needed for _, needed in made.unmeasured] == seconds[1:]
    assert not schedule(tried, seconds, limit=1e6).unmeasured


def test_the_estimate_counts_every_stage_of_a_chain(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = gather(*folders)
    tried = trials(pairs.settings, 100, (TINY,), ("jpeg:30", "project:400", "adversarial:8,9"))
    plain, *chains, _ = estimate(tried, [1] * len(tried), pairs.clean, 24, 100, 20, 2, CPU)
    assert all(seconds > plain for seconds in chains)
    assert chains[2] > 3 * plain


@pytest.mark.parametrize("test_time", [False, True])
def test_a_chain_changes_what_is_trained_on_and_tested_on_where_it_says_so(
    folders: tuple[Path, Path], test_time: bool
) -> None:
    class Invert(Countermeasure):
        name = "invert"

        def photo(self, photo: Photo, rng: torch.Generator) -> Photo:
            return Photo(255 - photo.pixels)

    Invert.test_time = test_time
    pairs, chain = gather(*folders), Chain((Invert(),))
    for name in ("clean", "protected"):
        plain, changed = pairs.arm(name, 3), pairs.arm(name, 3, chain)
        assert torch.equal(changed.train.pixels, 255 - plain.train.pixels)
        assert torch.equal(changed.test.pixels, 255 - plain.test.pixels if test_time else plain.test.pixels)
        assert torch.equal(changed.train.labels, plain.train.labels)


def test_a_countermeasure_that_fails_costs_no_other_measurement(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Jpeg, photo: Photo, rng: torch.Generator) -> Photo:
        raise OSError("broken data stream")

    monkeypatch.setattr(Jpeg, "photo", broken)
    found = once(*folders, countermeasures=("jpeg:75", "grey"))
    assert [one.trial.name for one in found.comparisons] == ["cnn", "grey", "unseen recipe"]
    assert "jpeg:75: jpeg cannot be applied to" in found.unmeasured[0][0]
    assert found.verdict


def test_the_command_measures_the_countermeasures_that_are_asked_for(folders: tuple[Path, Path]) -> None:
    arguments = [*map(str, folders), "--seeds", "1", "--target", TINY, "--device", "cpu", "--json", "--quiet"]
    asked = ["--countermeasure", "grey+jpeg:30+cutout", "--countermeasure", "mixup"]
    result = command([*arguments, *asked])
    assert result.exit_code == 0, result.output
    trials = json.loads(result.stdout)["trials"]
    assert [one["countermeasure"] for one in trials] == ["none", "grey+jpeg:30+cutout:16", "mixup", "none"]
    unknown = command([*arguments, "--countermeasure", "sharpen"])
    assert unknown.exit_code == 2
    assert "no countermeasure 'sharpen'" in unknown.stderr


def command(arguments: list[str]) -> object:
    app = typer.Typer()
    app.command()(verb)
    return CliRunner().invoke(app, arguments)


def test_no_seed_is_a_mistake(folders: tuple[Path, Path]) -> None:
    with pytest.raises(Exception, match="no seed"):
        prepare(*folders, seeds=())
