"""Every remedy is a command that exists, and those of everyday situations are tried."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

import unlearnable
from unlearnable.cli.app import app

ROOT = Path(unlearnable.__file__).parent
VERBS: dict[str, Any] = dict(get_command(app).commands)  # type: ignore[attr-defined]


def options_of(command: Any) -> set[str]:
    """The options of a verb, or of all verbs of a group."""
    own = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    return own.union(*map(options_of, getattr(command, "commands", {}).values()))


OPTIONS = {verb: options_of(command) for verb, command in VERBS.items()}
READERS = {"protect", "fit", "apply", "verify", "inspect", "import", "export"}
SEARCHES = {"protect", "fit", "apply"}
# Verbs that can raise the errors of a file; the longest path counts, and others may be raised by any verb.
RAISED_BY = {
    "api": {"protect", "apply"},
    "budget": SEARCHES,
    "cells": {"experiment"},
    "data": READERS,
    "data/benchmarks": {"experiment", "import", "export"},
    "evaluation": {"verify"},
    "evaluation/detection": {"detect"},
    "faces": {"faces"},
    "exchange/incoming": {"import"},
    "exchange/plain": {"import"},
    "exchange/outgoing": {"export"},
    "methods": SEARCHES,
    "preparation": {*SEARCHES, "verify"},
    "presets": {"protect", "fit"},
    "publish": SEARCHES,
    "runs": SEARCHES,
    "search": SEARCHES,
    "cli/export": {"import", "export"},
    "cli/published": {"inspect"},
    "cli/protection": {"protect", "fit", "apply", "export"},
    **{
        f"cli/{verb}": {verb}
        for verb in ("protect", "verify", "detect", "inspect", "experiment", "demo", "faces")
    },
}
# Files whose remedies fit every verb that can raise them.
STRICT = ("data/folder", "data/decoding", "exchange", "cli/inspect", "cli/published", "cli/experiment")


def texts() -> list[tuple[str, str]]:
    """Module and text of every string of the package that is no docstring and no comment."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        docs = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
            and isinstance(node.body[0], ast.Expr)
        }
        found += [
            (path.relative_to(ROOT).with_suffix("").as_posix(), node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
        ]
    return found


def raised_by(module: str) -> set[str]:
    parts = module.split("/")
    paths = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return next((RAISED_BY[path] for path in paths if path in RAISED_BY), set(VERBS))


# Words that are an option alone are names, not advice; those of earlier versions are in a table.
ADVICE = sorted(
    {
        (module, text)
        for module, text in texts()
        if re.search(r"--[a-z]", text) and " " in text.strip() and module != "cli/options"
    }
)


@pytest.mark.parametrize(("module", "text"), ADVICE, ids=lambda value: value[:40])
def test_every_option_in_a_text_exists(module: str, text: str) -> None:
    verbs = raised_by(module)
    # options of pip are those of another program
    text = re.sub(r"pip install(?: --[a-z-]+)*", "pip install", text)
    for option in re.findall(r"(?<![\w-])--[a-z][a-z-]+", text):
        named = {verb for verb in VERBS if re.search(rf"\b{verb}\b[^`.;]*{option}", text)}
        having = {verb for verb in VERBS if option in OPTIONS[verb]}
        if named:
            assert named & having, f"{module}: {' and '.join(named)} lack {option}"
        elif module.startswith(STRICT):
            assert verbs <= having, f"{module}: {', '.join(verbs - having)} lack {option}"
        else:
            assert verbs & having, f"{module}: none of {', '.join(sorted(verbs))} has {option}"


def test_every_command_in_a_text_exists() -> None:
    commands = {
        (module, verb) for module, text in texts() for verb in re.findall(r"`unlearnable ([a-z-]+)", text)
    }
    assert len(commands) > 5
    assert {verb for _, verb in commands} <= set(VERBS)


def test_the_check_of_options_finds_one_that_a_verb_lacks() -> None:
    with pytest.raises(AssertionError, match="lack --seeds"):
        test_every_option_in_a_text_exists("data/folder", "Give --seeds 3.")
    with pytest.raises(AssertionError, match="methods lack --class"):
        test_every_option_in_a_text_exists("data/folder", "Run `unlearnable methods --class`.")


QUICK = ("--method", "random", "--seed", "1", "--workers", "1")


def call(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stderr


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos as people have them: in class folders, in one flat folder, in splits; a run; foreign noise."""
    root = tmp_path_factory.mktemp("place")
    sides = iter(range(1000))

    def photos(folder: Path, size: tuple[int, int] = (24, 20)) -> None:
        folder.mkdir(parents=True)
        for index in range(2):
            pixels = np.full((size[1], size[0], 3), 60 + next(sides), np.uint8)
            Image.fromarray(pixels).save(folder / f"{index}.png")

    photos(root / "flat")
    for name in ("cats", "dogs"):
        photos(root / "photos" / name)
        photos(root / "mixed" / name, (30, 20) if name == "cats" else (20, 30))
    for name in ("birds", "fish"):
        photos(root / "others" / name)
    for name in ("train", "val"):
        photos(root / "splits" / name)
    photos(root / "single" / "cats")
    (root / "labels.csv").write_text("file,class\n0.png,one\n1.png,two\n")
    np.save(root / "rows.npy", np.full((2, 3, 4, 4), 0.9, np.float32))
    np.save(root / "strong.npy", np.full((2, 3, 4, 4), 12, np.int8))
    np.savez(root / "two.npz", a=np.ones((2, 3, 4, 4), np.int8), b=np.ones((2, 3, 4, 4), np.int8))
    for folder in ("photos", "mixed"):
        assert call("protect", root / folder, root / f"{folder}-out", *QUICK)[0] == 0
    flat = ("protect", root / "flat", root / "flat-out", "--class", "me", "--context", root / "others")
    assert call(*flat, *QUICK)[0] == 0
    labelled = ("fit", root / "flat", root / "labelled", "--labels", root / "labels.csv")
    assert call(*labelled, *QUICK[:-2])[0] == 0
    return root


# the command, what it advises, and what is added to follow the advice
SITUATIONS = [
    ("inspect {}/flat", "--class NAME", "--class me"),
    ("inspect {}/flat", "--labels FILE", "--labels {}/labels.csv"),
    ("inspect {}/splits", "--folders-are-classes", "--folders-are-classes"),
    ("export {}/flat {}/flat.unlearnable/flat-out {}/a.npz", "--class NAME", "--class me"),
    ("export {}/flat {}/labelled {}/b.npz", "--labels FILE", "--labels {}/labels.csv"),
    (
        "export {}/mixed {}/mixed.unlearnable/mixed-out {}/c",
        "--format imagefolder",
        "--format imagefolder",
    ),
    ("export {}/photos {}/photos.unlearnable/photos-out {}/d.npz --time-limit 5", "90s", "--time-limit 90s"),
    (
        "protect {}/single {}/e --set surrogate=cnn:width=8 --set max_rounds=1 --set min_rounds=1",
        "--context FOLDER",
        "--context {}/others",
    ),
    (
        "protect {}/single {}/e2 --set surrogate=cnn:width=8 --set max_rounds=1 --set min_rounds=1",
        "--method feature_shift or textures",
        "",
    ),
    ("protect {}/flat {}/f --method random --context {}/others", "--class NAME", "--class me"),
    ("protect {}/photos {}/photos-out --method random --epsilon 4", "--refit", "--refit"),
    ("protect {}/photos {}/g --method random --preset laptop", "Leave --preset out", "--preset auto"),
    ("import {}/rows.npy {}/h --classes a,b", "--unit", "--unit levels"),
    ("import {}/rows.npy {}/i --unit levels", "--classes", "--classes a,b"),
    ("import {}/strong.npy {}/j --classes a,b --epsilon 8", "larger --epsilon", "--epsilon 12"),
    ("import {}/two.npz {}/k --classes a,b", "--array", "--array a"),
    ("inspect {}/photos-out --run {}/nowhere", "--run FOLDER", "--run {}/photos.unlearnable/photos-out"),
    ("inspect {}/photos-out --photos {}/flat", "--run FOLDER", ""),
    ("inspect {}/photos --max-pixels 1 --class", "requires an argument", "me --max-pixels 1000"),
]


@pytest.mark.parametrize(("command", "advice", "more"), SITUATIONS, ids=lambda text: text[:45])
def test_the_remedy_works(place: Path, command: str, advice: str, more: str) -> None:
    words = command.replace("{}", str(place)).split()
    code, said = call(*words)
    assert code in (2, 3), said
    assert advice in said
    if more:
        code, said = call(*words, *more.replace("{}", str(place)).split())
        assert code == 0, said


@pytest.mark.parametrize(
    "words",
    [
        ["protect", "s3://bucket/photos", "out"],
        ["verify", "photos", "https://example.org/photos"],
        ["export", "gs://bucket/photos", "run", "out.npz"],
        ["inspect", "file:///photos"],
        ["protect", "photos", "out", "--run", "sftp://host/run"],
        ["protect", "photos", "out", "--context=s3://bucket"],
    ],
    ids=" ".join,
)
def test_an_address_is_refused_as_it_was_written(words: list[str]) -> None:
    code, said = call(*words)
    address = next(word for word in words if "://" in word).removeprefix("--context=")
    assert code == 2
    assert said.startswith(f"error: {address} is an address, but only local files and folders are read.")


@pytest.mark.parametrize(
    "words", [["protect", "", "out"], ["inspect", " "], ["protect", "p", "out", "--run="], ["inspect", ""]]
)
def test_an_empty_path_is_not_the_current_folder(words: list[str]) -> None:
    code, said = call(*words)
    assert code == 2
    assert "is empty" in said


@pytest.mark.parametrize(
    ("words", "ignored"),
    [
        ("experiment --only x", "--only"),
        ("experiment share --list --render", "--render"),
        ("experiment share --render --time-limit 1s", "--time-limit"),
        ("experiment share --profile smoke --list --device cpu", "--device"),
        ("export digits {}/photos.unlearnable/photos-out {}/x --class me", "--class"),
        ("export {}/photos {}/photos.unlearnable/photos-out {}/x --download", "--download"),
        ("inspect {}/photos/cats/0.png --class me", "--class"),
        ("inspect {}/photos.unlearnable/photos-out --max-pixels 9", "--max-pixels"),
    ],
)
def test_options_that_would_be_ignored_are_refused(place: Path, words: str, ignored: str) -> None:
    code, said = call(*words.replace("{}", str(place)).split())
    assert code == 2, said
    assert ignored in said
