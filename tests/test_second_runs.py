"""The same command again, when photos came, changed or went; and starting over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

import unlearnable as un
from conftest import pixels
from unlearnable import events as un_events
from unlearnable import methods
from unlearnable.cli.app import app
from unlearnable.data.encoding import Encoding
from unlearnable.errors import DataError, UsageError
from unlearnable.training import precision_probe
from unlearnable.training.compute import Compute

SEARCH = {
    "surrogate": "cnn:width=8,depth=2",
    "batch": 8,
    "train_batches": 2,
    "steps": 2,
    "min_rounds": 1,
    "max_rounds": 2,
    "resolution": 16,
}


def method(form: str = "samplewise") -> methods.Method:
    return methods.create("error_minimizing", {**SEARCH, "form": form})


def tree(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def put(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(1, 40, seed=seed)[0]).save(path)


@pytest.mark.parametrize("form", ["samplewise", "classwise"])
def test_new_and_changed_photos_get_noise_and_the_others_stay_byte_for_byte(
    photos: Path, tmp_path: Path, form: str
) -> None:
    out = tmp_path / "out"
    un.protect(photos, out, method(form), seed=1, workers=1)
    before = tree(out)
    put(photos / "cats" / "new.png", 77)
    put(photos / "cats" / "p0.png", 78)
    (photos / "dogs" / "p2.png").unlink()
    done = un.protect(photos, out, method(form), seed=1, workers=1)
    after = tree(out)
    assert (done.written, done.retained) == (2, len(before) - 2)
    assert (set(done.added), done.changed, done.vanished) == (
        {"cats/new.png", "cats/p0.png"},
        ("cats/p0.png",),
        ("dogs/p2.png",),
    )
    assert {name for name in after if after[name] != before.get(name)} == {"cats/new.png", "cats/p0.png"}
    assert after["dogs/p2.png"] == before["dogs/p2.png"], "what was published is never deleted"
    again = un.protect(photos, out, method(form), seed=1, workers=1)
    assert (again.written, again.added, again.changed) == (0, (), ())
    assert tree(out) == after


def test_a_folder_without_its_run_is_refused_before_any_search(photos: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    un.protect(photos, out, method(), run=run, seed=1, workers=1)
    before, seen = tree(out), []
    with pytest.raises(UsageError, match=r"no run in .* wrote") as caught:
        un.protect(photos, out, method(), run=tmp_path / "another", workers=1, on_progress=seen.append)
    assert "--run" in caught.value.remedy
    assert not any(event.stage == "searching" for event in seen)
    assert tree(out) == before


def test_another_environment_resumes_with_a_remark(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unlearnable.search.CHECKPOINT_SECONDS", -1.0)
    said: list[str] = []

    def interrupt(event: un_events.Event) -> None:
        if event.stage == "searching" and event.done > 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        un.protect(photos, tmp_path / "out", method(), seed=1, workers=1, on_progress=interrupt)
    record = json.loads((tmp_path / "photos.unlearnable" / "out" / "run.json").read_text())
    record["environment"]["torch"] = "1.0"
    (tmp_path / "photos.unlearnable" / "out" / "run.json").write_text(json.dumps(record))
    un.protect(
        photos, tmp_path / "out", method(), workers=1, on_progress=lambda event: said.append(event.text)
    )
    assert any("resuming with torch" in text and "instead of 1.0" in text for text in said)


@pytest.mark.parametrize("asked", ["auto", "float32"])
def test_a_search_that_goes_on_keeps_the_precision_that_was_found_but_not_over_one_that_is_asked_for(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    monkeypatch.setattr("unlearnable.search.CHECKPOINT_SECONDS", -1.0)

    def interrupt(event: un_events.Event) -> None:
        if event.stage == "searching" and event.done > 3:
            raise KeyboardInterrupt

    run = tmp_path / "photos.unlearnable" / "out" / "run.json"
    monkeypatch.setattr(precision_probe, "precision", lambda device: "bfloat16")
    with pytest.raises(KeyboardInterrupt):
        un.protect(
            photos,
            tmp_path / "out",
            method(),
            seed=1,
            workers=1,
            compute=Compute.choose("cpu"),
            on_progress=interrupt,
        )
    assert json.loads(run.read_text())["environment"]["precision"] == "bfloat16"
    monkeypatch.setattr(
        precision_probe, "precision", lambda device: "float32"
    )  # as on a machine that is busy, or another one
    un.protect(photos, tmp_path / "out", method(), workers=1, compute=Compute.choose("cpu", asked))
    assert json.loads(run.read_text())["environment"]["precision"] == (
        "bfloat16" if asked == "auto" else "float32"
    )


def test_what_is_announced_is_what_happens(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unlearnable.search.CHECKPOINT_SECONDS", -1.0)
    monkeypatch.setattr("unlearnable.preparation.estimate", lambda *_: 60.0)
    monkeypatch.setattr(precision_probe, "precision", lambda device: "bfloat16")
    settings = tmp_path / "small.toml"
    settings.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in SEARCH.items()))
    command = [
        "protect",
        str(photos),
        str(tmp_path / "out"),
        "--config",
        str(settings),
        "--device",
        "cpu",
        "--workers",
        "1",
    ]

    def said(*more: str) -> str:
        result = CliRunner().invoke(app, [*command, *more])
        assert result.exit_code == 0, result.output
        return result.output

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as cut:
        cut.setattr("unlearnable.methods.fitted.Fitted.save", interrupt)
        assert CliRunner().invoke(app, command).exit_code != 0
    monkeypatch.setattr(precision_probe, "precision", lambda device: "float32")
    again = said()
    assert "bfloat16" in again
    assert "The search resumes" in again
    assert "The search" not in said()  # nothing is searched
    anew = said("--refit")
    assert "float32" in anew
    assert "The search takes about 60 s." in anew  # the preset stops by no error, so all rounds are run
    assert "at most about 60 s, for 2 rounds" in said("--refit", "--set", "stop_error=0.01")


def test_photos_of_a_new_class_are_refused_with_a_remedy(photos: Path, tmp_path: Path) -> None:
    un.protect(photos, tmp_path / "out", method(), seed=1, workers=1)
    put(photos / "birds" / "x.png", 5)
    with pytest.raises(DataError, match="birds") as caught:
        un.protect(photos, tmp_path / "out", method(), workers=1)
    assert "--refit" in caught.value.remedy


def test_starting_over_makes_other_noise_and_writes_every_file_again(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = un.protect(photos, out, method(), seed=1, workers=1)
    before = tree(out)
    with pytest.raises(UsageError, match="--refit"):
        un.protect(photos, out, method("classwise"), workers=1)
    done = un.protect(photos, out, method("classwise"), refit=True, seed=2, workers=1)
    assert (done.written, done.retained, set(tree(out))) == (first.written, 0, set(before))
    assert all(data != before[name] for name, data in tree(out).items())
    assert done.fitted is not None
    assert done.fitted.noise.form == "classwise"
    assert done.changed == ()
    with pytest.raises(UsageError, match=r"format png, not jpeg"):
        un.protect(photos, out, method("classwise"), encoding=Encoding("jpeg"), workers=1)
    with pytest.raises(
        UsageError, match=r"as .*\.png, not as jpg"
    ):  # whoever starts over forgets the settings, not the names
        un.protect(photos, out, method("classwise"), encoding=Encoding("jpeg"), workers=1, refit=True)
    un.protect(photos, out, method("classwise"), workers=1, refit=True)


def test_another_quality_or_metadata_in_a_second_run_is_refused_before_anything_is_done(
    photos: Path, tmp_path: Path
) -> None:
    def protect(encoding: Encoding, **more: bool) -> un.Published:
        return un.protect(
            photos, tmp_path / "out", methods.create("random"), encoding=encoding, workers=1, **more
        )

    first = protect(Encoding("jpeg", 90))
    before = tree(tmp_path / "out")
    for other, words in (
        (Encoding("jpeg", 70), "quality 90, not 70"),
        (Encoding("jpeg", 90, True), "metadata False, not True"),
    ):
        with pytest.raises(UsageError, match=words):
            protect(other)
    assert tree(tmp_path / "out") == before
    assert protect(Encoding("jpeg", 90)).retained == first.written
    assert protect(Encoding("jpeg", 70), refit=True).written == first.written


def test_the_command_names_what_came_changed_and_went(photos: Path, tmp_path: Path) -> None:
    arguments = ["protect", str(photos), str(tmp_path / "out"), "--method", "random", "--workers", "1"]
    runner = CliRunner()
    assert runner.invoke(app, arguments).exit_code == 0
    put(photos / "cats" / "new.png", 77)
    put(photos / "cats" / "p0.png", 78)
    (photos / "dogs" / "p2.png").unlink()
    result = runner.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    for words in (
        "Changed since they were protected, now protected again (1):",
        "  cats/p0.png",
        "Added since the noise was found, now protected (1):",
        "  cats/new.png",
        "the photo is gone",
        "  dogs/p2.png",
    ):
        assert words in result.stderr, result.stderr


def test_one_pile_of_photos_with_others_to_stand_against(tmp_path: Path) -> None:
    for index in range(24):
        put(tmp_path / "mine" / f"{index}.png", index)
        put(tmp_path / "others" / ("birds" if index % 2 else "fish") / f"{index}.png", 100 + index)
    runner = CliRunner()
    alone = runner.invoke(app, ["protect", str(tmp_path / "mine"), str(tmp_path / "out")])
    assert (alone.exit_code, "--class NAME" in alone.stderr) == (3, True)
    alone = runner.invoke(app, ["protect", str(tmp_path / "mine"), str(tmp_path / "out"), "--class", "ada"])
    assert (alone.exit_code, "--context FOLDER" in alone.stderr) == (3, True)
    config = tmp_path / "quick.toml"
    config.write_text("".join(f"{key} = {value!r}\n".replace("'", '"') for key, value in SEARCH.items()))
    arguments = [
        str(tmp_path / "mine"),
        str(tmp_path / "out"),
        "--class",
        "ada",
        "--context",
        str(tmp_path / "others"),
    ]
    done = runner.invoke(app, ["protect", *arguments, "--config", str(config), "--workers", "1", "--quiet"])
    assert done.exit_code == 0, done.output
    assert len(tree(tmp_path / "out")) == 24
    verified = runner.invoke(
        app,
        [
            "verify",
            *arguments,
            "--seeds",
            "1",
            "--time-limit",
            "1s",
            "--target",
            "cnn:width=8,depth=2",
            "--quiet",
        ],
    )
    assert verified.exit_code == 0, (verified.output, verified.exception)


def test_labels_may_come_from_a_file(tmp_path: Path) -> None:
    lines = ["file,class"]
    for index in range(8):
        put(tmp_path / "all" / f"{index}.png", index)
        lines.append(f"{index}.png,{'even' if index % 2 == 0 else 'odd'}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    arguments = [
        "protect",
        str(tmp_path / "all"),
        str(tmp_path / "out"),
        "--labels",
        str(tmp_path / "labels.csv"),
        "--method",
        "random",
    ]
    result = CliRunner().invoke(app, [*arguments, "--form", "classwise", "--json"])
    assert result.exit_code == 0, result.output
    assert len(tree(tmp_path / "out")) == 8


def test_splits_are_not_taken_for_classes(tmp_path: Path) -> None:
    for split in ("train", "val"):
        for name in ("a", "b"):
            put(tmp_path / "set" / split / name / "x.png", 1)
    runner = CliRunner()
    result = runner.invoke(
        app, ["protect", str(tmp_path / "set"), str(tmp_path / "out"), "--method", "random"]
    )
    assert (result.exit_code, "--folders-are-classes" in result.stderr) == (3, True)
    result = runner.invoke(
        app,
        [
            "protect",
            str(tmp_path / "set"),
            str(tmp_path / "out"),
            "--method",
            "random",
            "--folders-are-classes",
        ],
    )
    assert result.exit_code == 0, result.output
