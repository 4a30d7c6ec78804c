"""verify on small folders made here: stripes at two angles, and copies of them with an obvious pattern for each class."""

from __future__ import annotations

import json
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
from unlearnable.errors import DataError
from unlearnable.evaluation import Arm, Goal, Trial, Verification, compare, verify
from unlearnable.evaluation import unlearnability as entry
from unlearnable.evaluation.pairs import gather
from unlearnable.evaluation.schedule import SMALL, plan, trials
from unlearnable.training.compute import Compute
from unlearnable.training.recipe import Recipe

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
    recipe = Recipe(batch=16, lr=0.05, schedule="onecycle")
    monkeypatch.setattr("unlearnable.evaluation.pairs.defaults", lambda frame: _small(recipe))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _small(recipe: Recipe) -> object:
    return replace(
        SMALL,
        family=TINY,
        other=TINY,
        size=24,
        unseen_size=20,
        side=24,
        recipe=recipe,
        unseen=recipe.transform,
        epochs=(8, 8),
    )


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
    assert [arm.name for arm in first.arms] == ["clean", "protected", "JPEG 75", "half size", "grey"]
    assert found.pairs == 120
    assert found.unchanged == 0
    assert len({sample.class_name for sample in found.samples}) == 2


def test_unprotected_copies_are_not_called_protected(folders: tuple[Path, Path]) -> None:
    found = once(folders[0], folders[0], time_limit=0.001)
    assert found.verdict == "not protected"
    assert found.unchanged == found.pairs
    kept = found.headline[1].kept
    assert kept is not None
    assert kept.value == pytest.approx(1.0)
    assert len(found.unmeasured) == 4
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
        "1s",
        "--device",
        "cpu",
        "--quiet",
        "--json",
    ]
    result = command([*arguments, "--require", "chance+5"])
    assert result.exit_code == 5
    found = json.loads(result.stdout)
    assert found["goal"] == {"text": "accuracy at most chance + 5 points", "met": False}
    assert "pictures" not in found
    assert result.stderr.startswith("error: The goal was missed")
    assert command([*arguments, "--require", "a lot"]).exit_code == 2


def test_test_images_are_held_out_of_both_arms(folders: tuple[Path, Path]) -> None:
    material = gather(*folders, None, None, None)
    clean, protected = material.arm("clean", 3), material.arm("protected", 3)
    assert torch.equal(clean.test[0], protected.test[0])
    assert torch.equal(clean.train[1], protected.train[1])
    seen = {row.numpy().tobytes() for row in clean.train[0]}
    assert not seen & {row.numpy().tobytes() for row in clean.test[0]}
    assert len(clean.train[1]) == 90
    assert torch.bincount(clean.test[1]).tolist() == [15, 15]
    assert not torch.equal(material.arm("clean", 4).test[0], clean.test[0])


def test_a_folder_of_test_images_gives_up_twins_and_unknown_classes(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    photos, public = folders
    rng = np.random.default_rng(1)
    for name, label in (("across", 0), ("down", 1), ("else", 1)):
        (tmp_path / "test" / name).mkdir(parents=True)
        Image.fromarray(stripes(rng, label)).save(tmp_path / "test" / name / "new.png")
    (tmp_path / "test" / "down" / "twin.png").write_bytes((photos / "down" / "003.png").read_bytes())
    material = gather(photos, public, tmp_path / "test", None, None)
    assert material.test is not None
    assert material.test.ids == ("across/new.png", "down/new.png")
    assert {id: reason for id, reason in material.left_out.items() if id.startswith("test")} == {
        "test: down/twin.png": "is also trained on",
        "test: else/new.png": "class 'else' is not among the photos",
    }
    assert len(material.arm("protected", 0).train[1]) == 120


def test_one_class_needs_a_context_and_is_judged_alone(folders: tuple[Path, Path], tmp_path: Path) -> None:
    photos, public = folders
    (tmp_path / "others").mkdir()
    (photos / "down").rename(tmp_path / "others" / "down")
    with pytest.raises(DataError, match="--context"):
        gather(photos, public, None, None, None)
    material = gather(photos, public, None, tmp_path / "others", None)
    assert material.classes == ("across", "down")
    assert material.judged == (0,)
    arms = material.arm("clean", 0), material.arm("protected", 0)
    context = [arm.train[0][arm.train[1] == 1] for arm in arms]
    assert torch.equal(*context)
    assert set(arms[0].test[1].tolist()) == {0}
    assert len(material.left_out) == 60


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
    material = gather(photos, public, None, None, run)
    assert set(material.left_out) == {"down/004.png", "across/007.png", "down/007.png"}
    assert material.left_out["down/007.png"] == "has changed since it was protected"
    assert len(material.plain.ids) == len(material.changed.ids) == 117


def test_what_does_not_fit_is_listed_with_an_estimate() -> None:
    tried = trials(SMALL, 100, (TINY,))
    made = plan(tried, 1, 100, 20, 2, CPU, limit=1e-6)
    assert [job.arms for job in made.jobs] == [("clean", "protected")]
    assert len(made.unmeasured) == 4
    assert all(seconds > 0 for _, seconds in made.unmeasured)
    assert not plan(tried, 1, 100, 20, 2, CPU, limit=1e6).unmeasured


def test_compare_takes_any_arms_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 2
    pixels = np.stack([stripes(rng, label).transpose(2, 0, 1) for label in labels])
    x, y = torch.from_numpy(pixels), torch.from_numpy(labels)
    arms = {
        "clean": Arm((x[:50], y[:50]), (x[50:], y[50:])),
        "wrong labels": Arm((x[:50], 1 - y[:50]), (x[50:], y[50:])),
    }
    trial = Trial("tiny", TINY, 24, Recipe(epochs=6, batch=10, lr=0.05))
    heard: list[int] = []
    results = [
        compare(
            list(arms),
            lambda name, seed: arms[name],
            trial,
            2,
            seeds=(0, 1),
            compute=CPU,
            on_progress=lambda event: heard.append(event.done),
        )
        for _ in range(2)
    ]
    assert results[0].arms[1].peak == results[1].arms[1].peak
    assert heard[:24] == list(range(1, 25))
    clean, wrong = results[0].arms
    assert clean.kept is None
    assert clean.peak.value > 0.8
    assert wrong.last < 0.3
    assert results[0].tested == 30


def command(arguments: list[str]) -> object:
    app = typer.Typer()
    app.command()(verb)
    return CliRunner().invoke(app, arguments)


def test_no_seed_is_a_mistake(folders: tuple[Path, Path]) -> None:
    with pytest.raises(Exception, match="no seed"):
        entry.prepare(*folders, seeds=())
