"""The numbers and figures in the docs are those of the committed result files, and the files are valid."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from statistics import mean, stdev

import matplotlib
import pytest
from typer.testing import CliRunner

from unlearnable import experiments
from unlearnable.cells.cache import Cache
from unlearnable.cells.cell_runner import CellRunner
from unlearnable.cells.results import Result, Results
from unlearnable.cells.revisions import revisions
from unlearnable.cells.sets import Sets
from unlearnable.cells.spec import Cell
from unlearnable.cli.app import app
from unlearnable.experiments import profiles
from unlearnable.training.compute import Compute

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"
PROFILES = sorted(path.parent.name for path in RESULTS.glob("*/cells") if path.parent.name != "smoke")
# the folders of results of each profile: one with the profile's name, and those of other processors
FOLDERS = [*((name, RESULTS / name) for name in PROFILES), ("cpu", RESULTS / "avx2" / "cpu")]
CELLS = [(folder, path) for _, folder in FOLDERS for path in sorted((folder / "cells").glob("*.json"))]


def script(path: str, monkeypatch: pytest.MonkeyPatch):
    """A script of the docs or the benchmarks as a module, which finds the scripts beside it."""
    file = ROOT / path
    monkeypatch.syspath_prepend(str(file.parent))
    spec = importlib.util.spec_from_file_location(f"_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("path", "page"),
    [("docs/results.py", "results.md"), ("benchmarks/performance.py", "performance.md")],
)
def test_a_page_is_rendered_from_the_result_files(
    path: str, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = script(path, monkeypatch).render()
    assert (ROOT / "docs" / page).read_text("utf-8") == found, "run make results"


def test_rendering_gives_the_committed_figures_and_every_table(tmp_path: Path) -> None:
    profile = "cpu"  # the page has no figures of the others
    place = tmp_path / profile
    place.mkdir()
    for path in (RESULTS / profile).glob("*.png"):
        (place / path.name).write_bytes(path.read_bytes())
    (place / "cells").symlink_to(RESULTS / profile / "cells", target_is_directory=True)
    options = ["--profile", profile, "--render", "--results", str(tmp_path), "--quiet"]
    done = CliRunner().invoke(app, ["experiment", "all", *options])
    assert done.exit_code == 0, done.output
    drawn = {path.name: path.read_bytes() for path in place.glob("*.svg")}
    committed = {path.name: path.read_bytes() for path in (RESULTS / profile).glob("*.svg")}
    assert drawn.keys() == committed.keys()
    pinned = re.search(r"(?m)^matplotlib==(.*)$", (ROOT / "constraints.txt").read_text("utf-8"))
    if pinned is None or pinned[1] != matplotlib.__version__:
        pytest.skip("another version of matplotlib writes other bytes")
    assert [name for name in drawn if drawn[name] != committed[name]] == [], "run make results"
    for name in drawn:
        assert (place / name).with_suffix(".csv").exists()
        assert (place / name).with_suffix(".md").exists()
    assert (place / "index.html").exists()


def test_rendered_files_are_not_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert {"/results/*/*.csv", "/results/*/*.md", "/results/*/index.html"} <= set(ignored)
    shown = (ROOT / "docs" / "results.md").read_text("utf-8")
    for profile in PROFILES:
        for path in (RESULTS / profile).iterdir():
            if path.suffix in (".svg", ".png"):
                assert f"(../results/{profile}/{path.name})" in shown


class Recorded(CellRunner):
    """Takes the fingerprints of the data from a result, because the data is not at hand."""

    result: Result

    def fingerprints(self, cell: Cell) -> dict[str, str]:
        """Return the recorded ones."""
        return self.result.fingerprints


def test_no_committed_cell_has_changed_its_hash(tmp_path: Path) -> None:
    runner = Recorded(Sets(), Cache(tmp_path), Compute("cpu"))
    assert len(CELLS) >= 374
    for folder, path in CELLS:
        result = runner.result = Result.model_validate_json(path.read_bytes())
        assert json.loads(result.cell.text) == json.loads(path.read_text("utf-8"))["cell"], path.name
        assert result.revisions == revisions(result.cell), path.name
        assert runner.hash(result.cell) == result.hash, path.name
        assert Results(folder / "cells").path(result.cell, result.hash) == path


def test_every_committed_cell_belongs_to_an_experiment() -> None:
    for profile, folder in FOLDERS:
        yielded = {
            entry.cell.text
            for name in experiments.names()
            for entry in experiments.get(name).entries(profiles.get(profile))
        }
        found = Results(folder / "cells").all()
        assert {text for text in found if text not in yielded} == set()


@pytest.mark.parametrize(
    ("balanced", "test", "confusion", "last", "peak"),
    [
        ([0.8, 0.6], [0.9, 0.9], None, 0.6, 0.8),
        (None, [0.7, 0.6], [[1, 1], [0, 2]], 0.6, 0.7),
        (None, [0.7, 0.9], [[1, 1], [0, 5]], 0.6, None),
        (None, [0.7, 0.6], None, 0.6, 0.7),
        (None, [0.7, 0.9], None, 0.6, None),
    ],
)
def test_plain_accuracy_stands_for_balanced_accuracy_only_where_the_two_are_equal(
    balanced: list[float] | None,
    test: list[float],
    confusion: list[list[int]] | None,
    last: float,
    peak: float | None,
) -> None:
    some = Result.model_validate_json(CELLS[0][1].read_bytes())
    told = {"balanced": balanced, "test": test, "recall": [0.5, 0.7], "confusion": confusion}
    result = some.model_copy(update=told)
    assert result.last == pytest.approx(last)
    assert result.peak == peak


def test_the_best_epoch_is_left_out_where_the_file_does_not_tell() -> None:
    results = [Result.model_validate_json(path.read_bytes()) for _, path in CELLS]
    unknown = [result for result in results if result.peak is None]
    assert {result.cell.relabel for result in unknown} == {"first"}
    for result in unknown:
        assert result.last == mean(result.recall) != result.test[-1]
        assert "best" not in result.summary
    for result in results:
        if result.peak is not None:
            assert result.peak >= result.last
            assert abs(result.last - mean(result.recall)) <= 1e-4


def test_the_kind_in_the_file_chooses_the_renderer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = script("docs/results.py", monkeypatch)
    file = {
        "kind": "runs",
        "about": "About it.",
        "data": "Toys",
        "command": "python toys.py",
        "runs": {"large": {"0": {"last": 0.2, "peak": 0.4}, "1": {"last": 0.4, "peak": 0.6}}},
    }
    monkeypatch.setattr(page, "ROOT", tmp_path)
    (tmp_path / "fast-demo.json").write_text(json.dumps(file))
    (tmp_path / "other.json").write_text(json.dumps(file | {"kind": "speed"}))
    (shown,) = page.measurements(tmp_path)
    assert "### fast-demo" in shown
    assert f"| large | 30.0 ± {100 * stdev([0.2, 0.4]):.1f} (50.0) | 2 |" in shown
    assert "| setting | last epoch (best epoch) | seeds |" in shown


def test_every_committed_measurement_has_a_renderer(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {*script("docs/results.py", monkeypatch).KINDS, "commands", "speed", "scale"}
    for folder in (ROOT / "benchmarks" / "results", RESULTS / "earlier"):
        for path in folder.glob("*.json"):
            assert json.loads(path.read_text("utf-8"))["kind"] in kinds, path.name
