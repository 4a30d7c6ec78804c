"""The docs say what is so: every command in them is run, every option, setting, room and code is compared.

Each page's blocks are run in order, in a folder of their own: by `make test` on a few of the demo's photos
with the shortcuts of `QUICK`, and by `make test-all` exactly as written (only the photos are still few). A
block below the comment `<!-- test: slow -->` is run as written only. Lines that start with `make` are not
run; their targets and variables are looked up.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from typer.testing import CliRunner

from unlearnable import errors, methods
from unlearnable.cli.app import app
from unlearnable.data.demo_photos import demo_photos
from unlearnable.evaluation import schedule
from unlearnable.experiments import base
from unlearnable.methods.settings import ErrorMinimizingConfig

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
QUICK = {
    "protect": "--set max_rounds=1 --set surrogate=cnn:width=8,depth=2 --workers 1",
    "fit": "--set max_rounds=1 --set surrogate=cnn:width=8,depth=2",
}
CLASSES, EACH = ("astronaut", "brick", "china", "flower"), 24
photos_of_the_demo = functools.cache(demo_photos)


@dataclass(frozen=True)
class Block:
    """A block of a page: its language, its text, and whether it is run as written only."""

    language: str
    text: str
    slow: bool

    @property
    def commands(self) -> list[str]:
        """The commands of a block of shell, without comments, continued lines joined."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [command for line in lines if (command := line.partition("#")[0].strip())]


def blocks(page: Path, *languages: str) -> list[Block]:
    found = re.findall(
        r"^(<!-- test: slow -->\n+)?```(\w[\w ]*)\n(.*?)^```", page.read_text("utf-8"), re.S | re.M
    )
    return [Block(language, text, bool(slow)) for slow, language, text in found if language in languages]


def write(root: Path, names: tuple[str, ...], each: slice) -> None:
    """What `unlearnable demo --photos` writes, a few of each class."""
    images = photos_of_the_demo()
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)
        for id in [id for id in images.ids if images.class_of[id] == name][each]:
            Image.fromarray(images.photo(id).pixels).save(root / name / f"{id}.png")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with what the docs say they start from."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "others", ("ihc", "rocket"), slice(EACH))
    write(tmp_path / "unseen", CLASSES, slice(90, 98))
    np.save(tmp_path / "theirs.npy", np.full((4, 3, 32, 32), 8 / 255, np.float32))
    (tmp_path / "mine.toml").write_text("patience = 3\n")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks this small are many times slower on two threads that others want too
    yield tmp_path
    torch.set_num_threads(threads)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `verify` train small networks for an epoch, because the test only asks whether it runs.

    Fine-tuning a published network would take most of the time; tests of its own run it.
    """
    monkeypatch.setattr("unlearnable.models.pretrained.at_hand", lambda: ())
    victim = schedule.SMALL.victim.model_copy(update={"model": "cnn:width=8,depth=2"})
    chosen = replace(schedule.SMALL, victim=victim, other="cnn:width=8,depth=3", images=100, epochs=(1, 1))
    monkeypatch.setattr(schedule, "SMALL", chosen)


def thin(root: Path) -> None:
    for folder in root.iterdir():
        if folder.name not in CLASSES:
            shutil.rmtree(folder)
            continue
        for path in sorted(folder.iterdir())[EACH:]:
            path.unlink()


def execute(line: str, shorten: bool) -> None:
    """Run one command of a page."""
    words = shlex.split(line)
    if words[0] == "make":
        check_make(words[1:])
        return
    assert words[0] == "unlearnable", f"{line}: a kind of command that this test does not know"
    arguments = words[1:]
    photos = Path(arguments[2]) if arguments[:2] == ["demo", "--photos"] else None
    if photos and shorten:
        write(photos, CLASSES, slice(EACH))
        return
    if shorten:
        arguments += shlex.split(QUICK.get(arguments[0], ""))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, (line, result.stdout, result.stderr, result.exception)
    if photos:
        thin(photos)


def check_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for word in words:
        name, is_variable, _ = word.partition("=")
        assert re.search(rf"^{name} \?=" if is_variable else rf"^{name}:", makefile, re.M), word


def pages_with(*languages: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, *languages)]


def run_page(page: Path, shorten: bool) -> None:
    for block in blocks(page, "sh", "python"):
        if shorten and block.slow:
            continue
        if block.language == "python":
            exec(compile(block.text, page.name, "exec"), {"__name__": "docs"})
            continue
        for line in block.commands:
            execute(line, shorten)


@pytest.mark.usefixtures("place", "tiny")
@pytest.mark.parametrize("page", pages_with("sh", "python"), ids=lambda page: page.name)
def test_every_block_runs_in_short(page: Path) -> None:
    run_page(page, shorten=True)


@pytest.mark.slow
@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("page", pages_with("sh", "python"), ids=lambda page: page.name)
def test_every_block_runs_as_written(page: Path) -> None:
    run_page(page, shorten=False)


PLUGINS = blocks(ROOT / "CONTRIBUTING.md", "python plugin")


@pytest.mark.parametrize("block", PLUGINS, ids=[str(number) for number in range(len(PLUGINS))])
def test_a_plugin_of_the_docs_works(block: Block, place: Path) -> None:
    (name,) = re.findall(r'(?m)^    name = "(\w+)"', block.text)
    (place / "plugin.py").write_text(block.text)
    (place / "quick.toml").write_text('surrogate = "cnn:width=8,depth=2"\ntrain_batches = 2\nsteps = 1\n')
    write(place / "photos", CLASSES, slice(4))
    options = ["--method", name, "--plugin", "plugin.py"]
    if "ErrorMinimizing" in block.text:
        options += ["--config", "quick.toml", "--set", "max_rounds=1"]
    try:
        result = CliRunner().invoke(app, ["protect", "photos", "out", *options])
    finally:
        methods.registry._METHODS.pop(name, None)
    assert result.exit_code == 0, (result.stderr, result.exception)
    assert len(list((place / "out").rglob("*.png"))) == 16


def test_the_plugins_of_the_docs_differ_in_kind() -> None:
    assert sum("def train_batch" in block.text for block in PLUGINS) == 1


def test_the_experiment_of_the_docs_runs(place: Path) -> None:
    (block,) = blocks(ROOT / "docs" / "experiments.md", "python experiment")
    try:
        exec(compile(block.text, "epochs.py", "exec"), {"__name__": "docs"})
        options = ["--profile", "smoke", "--only", "2/", "--cache", "cache", "--results", "results"]
        result = CliRunner().invoke(app, ["experiment", "epochs", *options])
    finally:
        base._EXPERIMENTS.pop("epochs", None)
    assert result.exit_code == 0, (result.stderr, result.exception)
    assert len(list((place / "results" / "smoke" / "cells").iterdir())) == 2
    assert (
        "class-wise noise holds for a longer training"
        in (place / "results" / "smoke" / "epochs.md").read_text()
    )


def reference() -> Any:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_of_the_commands_are_those_of_the_code() -> None:
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert text == reference().render(text), "run python docs/reference.py"


def test_options_in_the_docs_are_those_of_the_help() -> None:
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    sections = dict(re.findall(r"^## ([\w ]+)\n(.*?)(?=^## |\Z)", text, re.S | re.M))
    assert set(sections) == {*reference().commands(), "Settings", "Presets"}
    for name in reference().commands():
        wide = {"COLUMNS": "200", "TERMINAL_WIDTH": "200"}
        shown = CliRunner().invoke(app, [*name.split(), "--help"], env=wide).stdout
        helped = set(re.findall(r"(?m)^│ [ *]*(--[a-z-]+)", shown)) - {"--help"}
        assert helped
        assert set(re.findall(r"(?m)^\| `(--[\w-]+)", sections[name])) == helped, name
    assert re.findall(r"(?m)^\| `(\w+)` \|", sections["Settings"]) == list(ErrorMinimizingConfig.model_fields)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_within_sentences_exist(page: Path) -> None:
    prose = re.sub(r"(?ms)^```.*?^```", "", page.read_text("utf-8"))
    verbs = reference().commands()
    for words in (shlex.split(code) for code in re.findall(r"`((?:make|unlearnable) [^`]+)`", prose)):
        if words[0] == "make":
            check_make(words[1:])
            continue
        verb = " ".join(words[1:3]) if " ".join(words[1:3]) in verbs else words[1]
        group = any(name.startswith(f"{verb} ") for name in verbs)
        assert verb in verbs or group or verb.startswith("--"), words
        options = (
            {option for parameter in verbs[verb].params for option in parameter.opts}
            if verb in verbs
            else {"--version"}
        )
        assert {word for word in words[1:] if word.startswith("--")} <= options | {"--help"}, words


def test_exit_codes_in_the_docs_are_those_of_the_errors() -> None:
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    kinds = (errors.UnlearnableError, *errors.UnlearnableError.__subclasses__())
    codes = {errors.DONE, errors.SKIPPED, errors.INTERRUPTED, *(kind.exit_code for kind in kinds)}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.M)} == codes


def test_rooms_in_the_docs_are_those_of_the_package() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    named = [name.rstrip("/") for row in rows for name in re.findall(r"`([\w./]+)`", row.split("|")[1])]
    source = ROOT / "src" / "unlearnable"
    real = {p.name for p in source.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()} - {
        "__init__.py"
    }
    assert sorted(named) == sorted(real)


def rows(page: str, title: str) -> set[str]:
    """Names in the first column of the table below a title."""
    section = (ROOT / "docs" / page).read_text("utf-8").partition(f"# {title}\n")[2].partition("\n#")[0]
    assert section, title
    return {
        name for row in re.findall(r"(?m)^\| (`[^|]+) \|", section) for name in re.findall(r"`([^`]+)`", row)
    }


def test_files_in_the_docs_are_those_of_a_run(place: Path) -> None:
    write(place / "photos", CLASSES, slice(2))
    command = ["protect", "photos", "protected", "--form", "samplewise", *shlex.split(QUICK["protect"])]
    assert CliRunner().invoke(app, command).exit_code == 0
    run = place / "photos.unlearnable" / "protected"
    assert {path.name for path in run.iterdir()} == rows("files.md", "The run folder: keep this private") - {
        "checkpoint.safetensors",
        "checkpoint.parts",
        "published",
        "folder.json",
        "measured",
        "people",
        "report.html",
        "report.json",
    }
    assert set(json.loads((run / "run.json").read_text("utf-8"))) == rows("files.md", "run.json")
    line = json.loads((run / "files.jsonl").read_text("utf-8").splitlines()[0])
    section = (
        (ROOT / "docs" / "files.md").read_text("utf-8").partition("### files.jsonl\n")[2].partition("\n#")[0]
    )
    assert set(re.findall(r"`(\w+)`", section)) == set(line)
    with safe_open(str(run / "noise.safetensors"), framework="np") as file:
        assert set(file.keys()) == rows("files.md", "noise.safetensors")


def test_names_in_the_python_page_are_the_public_ones() -> None:
    import unlearnable

    table = re.findall(r"(?m)^\| `(\w+)[^`]*` \|", (ROOT / "docs" / "python.md").read_text("utf-8"))
    assert sorted(table) == sorted(set(unlearnable.__all__) - {"__version__"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
        file = page.parent / target if target else page
        assert file.exists(), target
        if anchor:
            titles = re.findall(r"(?m)^#+ (.+)$", file.read_text("utf-8"))
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, (
                anchor
            )
    for path in re.findall(r"`((?:docs|benchmarks|tests|src)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
