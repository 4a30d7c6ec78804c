"""Of an option that is given twice, the last value counts, and a remark says so; a goal is refused."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from unlearnable.cli.app import app


@pytest.mark.parametrize("words", [["--require", "25%", "--require=chance+5"], ["--require=1%"] * 2])
def test_two_goals_are_refused(words: list[str]) -> None:
    done = CliRunner().invoke(app, ["verify", "photos", "public", *words])
    assert done.exit_code == 2
    assert "--require is given twice" in done.stderr


@pytest.mark.parametrize(
    ("words", "remark"),
    [
        (
            ["protect", "missing", "public", "--epsilon", "8", "--epsilon=16"],
            "--epsilon is given 2 times; 16 ",
        ),
        (["protect", "--run", "a", "missing", "--run", "b", "public"], "--run is given 2 times; b counts"),
        # repeatable, a value that looks like an option, switches, and words after the end of the options
        (["protect", "missing", "public", "--set", "steps=1", "--set", "batch=8"], ""),
        (["protect", "missing", "public", "--class", "--run", "--run", "elsewhere"], ""),
        (["protect", "missing", "public", "--json", "--json"], ""),
        (["protect", "--run", "elsewhere", "--", "missing", "--run"], ""),
        (["protect", "missing", "public", "--epsilon", "8", "--epsilon=16", "-q"], ""),
    ],
    ids=str,
)
def test_the_last_value_counts_with_a_remark(words: list[str], remark: str) -> None:
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 3, done.output
    assert (remark in done.stderr) if remark else ("is given" not in done.stderr)
