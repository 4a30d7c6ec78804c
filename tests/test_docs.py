"""The docs say what is so: every command in them is run, every option, setting, room and code is compared."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

from unlearnable import errors, methods
from unlearnable.cli.app import app
from unlearnable.data.digits import digits
from unlearnable.methods.error_minimizing import ErrorMinimizingConfig

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.S | re.M)


def few_digits(root: Path) -> None:
    """What `unlearnable demo --photos` writes, a few of each class, so that the commands after it take seconds."""
    images = digits()
    for name in images.classes[:4]:
        (root / name).mkdir(parents=True)
        for id in [id for id in images.ids if images.class_of[id] == name][:24]:
            Image.fromarray(images.photo(id).pixels).save(root / name / f"{id}.png")


def commands(page: Path) -> list[str]:
    return [line.partition("#")[0].strip() for block in blocks(page, "sh") for line in block.splitlines() if line.partition("#")[0].strip()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for line in commands(page):
        words = shlex.split(line)
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.M), line
            continue
        assert words[0] == "unlearnable", line
        arguments = words[1:]
        if arguments[:2] == ["demo", "--photos"]:
            few_digits(tmp_path / arguments[2])
            continue
        if arguments[0] in ("protect", "fit"):
            arguments += ["--rounds", "1", "--surrogate", "cnn:width=8,depth=2", "--seed", "0"]
        if arguments[0] == "verify":
            monkeypatch.setattr("unlearnable.evaluation.trials.SMALL", _tiny())
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, (line, result.stdout, result.stderr, result.exception)


def _tiny():
    from dataclasses import replace

    from unlearnable.evaluation.trials import SMALL

    return replace(SMALL, family="cnn:width=8,depth=2", other="cnn:width=8,depth=3", images=100, epochs=(1, 1))


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.name)
def test_every_python_block_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    few_digits(tmp_path / "photos")
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), {"__name__": "docs"})


def test_the_plugin_of_the_docs_works(tmp_path: Path) -> None:
    (code,) = blocks(ROOT / "CONTRIBUTING.md", "python plugin")
    (tmp_path / "stripes.py").write_text(code)
    few_digits(tmp_path / "photos")
    plugin = ["--method", "stripes", "--plugin", str(tmp_path / "stripes.py")]
    try:
        result = CliRunner().invoke(app, ["protect", str(tmp_path / "photos"), str(tmp_path / "out"), *plugin])
    finally:
        methods.registry._METHODS.pop("stripes", None)
    assert result.exit_code == 0, (result.stderr, result.exception)


def test_options_in_the_docs_are_those_of_the_commands() -> None:
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text, re.S | re.M))
    found = get_command(app).commands  # type: ignore[attr-defined]
    assert set(sections) == {*found, "Settings"}
    for name, command in found.items():
        real = {option for parameter in command.params for option in parameter.opts if option.startswith("--")} - {"--help"}
        assert set(re.findall(r"^\| `(--[\w-]+)", sections[name], re.M)) == real
    settings = re.findall(r"^\| `(\w+)` \|", sections["Settings"], re.M)
    assert settings == list(ErrorMinimizingConfig.model_fields)


def test_exit_codes_in_the_docs_are_those_of_the_errors() -> None:
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    kinds = (errors.UnlearnableError, errors.UsageError, errors.DataError, errors.GoalMissed)
    codes = {errors.DONE, errors.SKIPPED, errors.INTERRUPTED, *(kind.exit_code for kind in kinds)}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.M)} == codes


def test_rooms_in_the_docs_are_those_of_the_package() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    named = {name.rstrip("/") for row in rows for name in re.findall(r"`([\w./]+)`", row.split("|")[1])}
    source = ROOT / "src" / "unlearnable"
    real = {p.name for p in source.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()} - {"__init__.py"}
    assert named == real


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target
