"""The numbers in the docs are those of the committed result files."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from unlearnable import experiments
from unlearnable.cells.results import Results
from unlearnable.experiments import profiles
from unlearnable.experiments.markdown import section
from unlearnable.experiments.pages import gallery
from unlearnable.experiments.table import tabulate, to_csv

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(("script", "page"), [("tables", "results.md"), ("performance", "performance.md")])
def test_a_page_is_rendered_from_the_result_files(script: str, page: str, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    found = importlib.import_module(script).render()
    assert (ROOT / "docs" / page).read_text("utf-8") == found, f"run python benchmarks/{script}.py"


@pytest.mark.parametrize(
    "folder",
    sorted(path for path in (ROOT / "results").iterdir() if path.is_dir()),
    ids=lambda path: path.name,
)
def test_the_tables_of_the_experiments_are_rendered_from_their_cells(folder: Path) -> None:
    found = Results(folder / "cells").all()
    filled = [
        one
        for name in experiments.names()
        if (one := tabulate(experiments.get(name), profiles.get(folder.name), found)).places
    ]
    assert filled
    for one in filled:
        name = one.experiment.name
        assert (folder / f"{name}.csv").read_text("utf-8") == to_csv(one), (
            f"run unlearnable experiment all --profile {folder.name} --render"
        )
        assert (folder / f"{name}.md").read_text("utf-8") == "#" + section(
            one, f"{name}.svg", gallery(one, folder)
        )[3:]
    assert {path.stem for path in folder.glob("*.svg")} == {one.experiment.name for one in filled}
