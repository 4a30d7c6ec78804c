"""Options of earlier versions do what they did, with a remark, and are not in the help."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from unlearnable.cli.app import app
from unlearnable.cli.verb import OLD_OPTIONS, to_current
from unlearnable.methods.settings import ErrorMinimizingConfig

KNOWN = {"--set", "--time-limit", "--class", "--surrogates"}


@pytest.mark.parametrize(
    ("words", "today"),
    [
        (["--rounds", "3"], ["--set", "max_rounds=3"]),
        (["--rounds=3"], ["--set", "max_rounds=3"]),
        (["a", "--steps", "2", "b"], ["a", "--set", "steps=2", "b"]),
        (["--surrogate=cnn:width=8"], ["--set", "surrogate=cnn:width=8"]),
        (["--surrogate", "cnn:width=8,depth=2"], ["--set", "surrogate=cnn:width=8,depth=2"]),
        (
            ["--stop-error", "0.1", "--step-size", "1.6"],
            ["--set", "stop_error=0.1", "--set", "step_size=1.6"],
        ),
        (["--budget", "10m"], ["--time-limit", "10m"]),
        (["--", "--rounds", "3"], ["--", "--rounds", "3"]),
        (["--rounds"], ["--rounds"]),
        (["--surrogates", "x"], ["--surrogates", "x"]),
        (["--class", "me"], ["--class", "me"]),
    ],
    ids=" ".join,
)
def test_old_words_become_todays(words: list[str], today: list[str]) -> None:
    assert to_current(words, KNOWN) == today


def test_a_verb_that_never_had_the_option_does_not_take_it() -> None:
    assert to_current(["--rounds", "3"], {"--class"}) == ["--rounds", "3"]
    assert CliRunner().invoke(app, ["inspect", "x", "--rounds", "3"]).exit_code == 2


@pytest.mark.parametrize("name", sorted(OLD_OPTIONS))
def test_each_stands_for_an_option_or_a_setting_of_today(name: str) -> None:
    option, start = OLD_OPTIONS[name]
    assert option == "--time-limit" or start.removesuffix("=") in ErrorMinimizingConfig.model_fields


def test_a_remark_names_the_spelling_of_today(photos: Path, tmp_path: Path) -> None:
    words = [
        "protect",
        str(photos),
        str(tmp_path / "out"),
        "--form",
        "classwise",
        "--seed",
        "1",
        "--workers",
        "1",
    ]
    words += ["--surrogate", "cnn:width=8", "--rounds", "1", "--steps", "1", "--resolution", "16"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.stderr
    assert "--rounds is now --set max_rounds=1" in done.stderr
    today = ["--set", "surrogate=cnn:width=8", "--set", "max_rounds=1", "--set", "steps=1"]
    again = CliRunner().invoke(app, [*words[:9], *today, "--set", "resolution=16", "--quiet"])
    assert again.exit_code == 0, again.stderr
    assert "18 finished photos" in again.stdout, "the same run under both spellings"
    assert not again.stderr


@pytest.mark.parametrize("verb", ["protect", "fit", "experiment"])
def test_the_help_does_not_show_them(verb: str) -> None:
    shown = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200"}).stdout
    assert not [name for name in OLD_OPTIONS if f" {name} " in shown]
    assert "<bool>" not in shown
