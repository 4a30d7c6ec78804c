"""Experiments: grids, claims, tables, and one cell of each, run."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from unlearnable import experiments, methods
from unlearnable.cells import Cell
from unlearnable.cells.cache import Cache
from unlearnable.cells.cell_runner import CellRunner
from unlearnable.cells.results import Result
from unlearnable.cells.revisions import revisions
from unlearnable.cells.sets import Sets
from unlearnable.cli.app import app
from unlearnable.countermeasures import Countermeasure, registry
from unlearnable.experiments import Below, Entry, figures, gallery, markdown, pages, profiles, table
from unlearnable.experiments.base import Experiment
from unlearnable.experiments.profile import Profile
from unlearnable.training.compute import Compute

NAMES = list(experiments.names())


@pytest.fixture(scope="module")
def cell_runner(tmp_path_factory: pytest.TempPathFactory) -> CellRunner:
    return CellRunner(Sets(), Cache(tmp_path_factory.mktemp("cache")), Compute.choose("cpu"))


@pytest.mark.parametrize("profile", profiles.PROFILES)
@pytest.mark.parametrize("name", NAMES)
def test_a_grid_is_whole(name: str, profile: str) -> None:
    experiment, scale = experiments.get(name), profiles.get(profile)
    entries = experiment.entries(scale)
    assert entries
    seeds = {entry.cell.seed for entry in entries}
    if name == "fresh":
        assert seeds == ({10} if profile == "smoke" else {10, 11, 12, 13, 14})
    else:
        assert seeds >= set(scale.seeds)
    positions = [(entry.row, entry.column, entry.cell.seed) for entry in entries]
    assert len(set(positions)) == len(positions), "two cells at one position"
    for entry in entries:
        assert revisions(entry.cell)  # every method, model, setting and countermeasure exists
        if entry.cell.poison is not None and entry.cell.data == entry.cell.poison.search.data:
            assert entry.cell.poison.search.seed == entry.cell.seed
    if profile != "smoke":
        known = {(entry.row, entry.column) for entry in entries}
        for claim in experiment.claims:
            assert {claim.lower, claim.upper} <= known, claim.text
        assert set(experiment.published) <= {
            (entry.row, entry.column) for entry in experiment.entries(profiles.PAPER)
        }


def test_fresh_results_share_no_seed_and_no_photo_with_those_that_settings_were_chosen_on() -> None:
    fresh = experiments.get("fresh").entries(profiles.CPU)
    assert {entry.cell.seed for entry in fresh}.isdisjoint(profiles.CPU.seeds)
    photos = {entry.cell.data for entry in fresh if entry.cell.data.name == "imagenette"}
    chosen = {entry.cell.data for entry in experiments.get("settings").entries(profiles.CPU)}
    assert photos
    assert all(set(one.classes).isdisjoint(other.classes) for one in photos for other in chosen)
    for one in photos | chosen:
        assert len(one.classes) == 5


@pytest.mark.parametrize("name", NAMES)
def test_one_cell_of_every_experiment_runs(name: str, cell_runner: CellRunner) -> None:
    entries = experiments.get(name).entries(profiles.SMOKE)
    entry = next((entry for entry in reversed(entries) if entry.cell.poison is not None), entries[-1])
    result = cell_runner.run(entry.cell)
    assert len(result.test) == entry.cell.victim.epochs
    assert 0 <= min(result.test) <= max(result.test) <= 1
    assert result.protected > 0 or entry.cell.keep == "clean"


@pytest.mark.slow
def test_every_smoke_cell_runs(tmp_path: Path) -> None:
    options = [
        "--profile",
        "smoke",
        "--results",
        str(tmp_path / "results"),
        "--cache",
        str(tmp_path / "cache"),
        "--quiet",
    ]
    done = CliRunner().invoke(app, ["experiment", "all", *options])
    assert done.exit_code == 0, done.output
    for name in NAMES:
        assert (tmp_path / "results" / "smoke" / f"{name}.md").exists()
        assert (tmp_path / "results" / "smoke" / f"{name}.svg").read_text().startswith("<svg xmlns=")


def made(entry: Entry, last: float, peak: float) -> Result:
    names = ["a", "b"]
    return Result(
        hash=f"{hash((entry.cell.text, last)):x}",
        cell=entry.cell,
        fingerprints={"d": "1"},
        revisions=revisions(entry.cell),
        artefacts={"noise": "n"} if entry.cell.poison else {},
        classes=names,
        images=10,
        protected=0,
        train=[1.0, 1.0],
        test=[peak, last],
        recall=[last, 1.0],
        confusion=[[1, 1], [0, 2]],
        search={"seconds": 60.0} if entry.cell.poison else None,
        seconds=30.0,
        environment={"precision": "float32", "torch": "2"},
        machine="m",
        version="0",
        date="2026-01-01",
    )


def grid(p: Profile):  # type: ignore[no-untyped-def]
    for seed in (0, 1, 2):
        yield Entry("none", "last", p.cell("cifar10", seed))
        yield Entry("noise", "last", p.cell("cifar10", seed, p.poison("cifar10", "classwise", seed)))
        yield Entry("far", "last", p.cell("cifar10", seed, p.poison("cifar10", "samplewise", seed)))


def claim(lower: str, upper: str, by: float = 0.0, measure: str = "last") -> Below:
    return Below((lower, "last"), (upper, "last"), "it is so", measure, by)  # type: ignore[arg-type]


def filled(*claims: Below) -> table.Table:
    experiment = Experiment("toy", 1, "Toy | title", "Is it?", grid, "row", "column", "bars", claims=claims)
    found = {}
    for entry in experiment.entries(profiles.SMOKE):
        if entry.row != "far":
            last = {"none": 0.6, "noise": 0.3}[entry.row] + 0.02 * entry.cell.seed
            found[entry.cell.text] = made(entry, last, 0.7)
    return table.tabulate(experiment, profiles.SMOKE, found)


def test_claims_are_judged_by_means_and_spread() -> None:
    one = filled(
        claim("noise", "none"),
        claim("none", "noise"),
        claim("noise", "none", 0.29),
        claim("noise", "none", 0.0, "peak"),
        claim("far", "none"),
    )
    assert [outcome.word for outcome in one.outcomes] == [
        "holds",
        "does not hold",
        "within the spread",
        "holds",
        "not measured",
    ]


def test_a_table_gives_mean_spread_peak_and_what_is_missing() -> None:
    one = filled(claim("noise", "none"))
    assert table.text(one.measured["noise", "last"]) == "32.0 ± 2.0 (70.0)"
    written = markdown.section(one, "toy.svg")
    assert "Accuracy in percent, last epoch (in brackets: best epoch):" in written
    assert "| noise | 32.0 ± 2.0 (70.0) |" in written
    assert "**Holds**: it is so (32.0 against 62.0 at the last epoch, 3 seeds)." in written
    assert "3 of 9 cells of these seeds have not been run" in written
    assert "`unlearnable experiment toy --profile smoke`" in written
    lines = list(csv.DictReader(io.StringIO(table.to_csv(one))))
    assert [line["last_epoch"] for line in lines if line["row"] == "noise"] == ["0.3", "0.32", "0.34"]


def test_a_table_of_clean_cells_alone_has_not_begun() -> None:
    whole = filled(claim("noise", "none"))
    clean = {result.cell.text: result for result in whole.results if result.cell.poison is None}
    one = table.tabulate(whole.experiment, profiles.SMOKE, clean)
    assert whole.begun
    assert one.measured
    assert not one.begun
    written = markdown.section(one, "toy.svg")
    assert "Not run yet: `unlearnable experiment toy --profile smoke`." in written
    assert "|" not in written.replace("Toy | title", "")


def test_a_timed_table_gives_the_mean_seconds_of_each_columns_searches() -> None:
    whole = filled()
    assert "Seconds" not in markdown.section(whole)
    results = {}
    for entry in whole.experiment.entries(profiles.SMOKE):
        if entry.row != "far":
            one = made(entry, 0.5, 0.5)
            if one.search:
                # a noise for each seed, found in 10, 20 and 30 s
                seed = entry.cell.seed
                changes = {"search": {"seconds": 10.0 * (seed + 1)}, "artefacts": {"noise": f"n{seed}"}}
                one = one.model_copy(update=changes)
            results[entry.cell.text] = one
    timed = table.tabulate(replace(whole.experiment, timed=True), profiles.SMOKE, results)
    assert "Seconds of one search, mean over the seeds: last 20." in markdown.section(timed)
    untimed = {text: one for text, one in results.items() if one.search is None}
    clean = table.tabulate(replace(whole.experiment, timed=True), profiles.SMOKE, untimed)
    assert not any("Seconds" in note for note in markdown.notes(clean))


@pytest.mark.parametrize("profile", [profiles.CPU, profiles.PAPER], ids=lambda one: one.name)
def test_the_zoo_has_the_settings_of_each_methods_own_paper(profile: Profile) -> None:
    """Also of methods that would otherwise get those of the method that they derive from."""
    found = {
        entry.column: methods.create(entry.cell.poison.search.method, dict(entry.cell.poison.search.settings))
        for entry in experiments.get("zoo").entries(profile, only="grey/")
        if entry.cell.poison
    }
    configs = {name: method.config for name, method in found.items()}
    assert (configs["TAP"].target, configs["TAP"].shift) == ("next", 3)
    assert (configs["SEP"].target, configs["SEP"].shift, configs["SEP"].step_size) == ("next", 0, 0.5)
    assert configs["PIL"].surrogate == "linear"
    assert (configs["AUE"].strength, configs["AUE"].batch, configs["AUE"].step_size) == (0.6, 128, 0.8)
    assert (configs["AAP"].strength, configs["AAP"].shift) == (0.4, 1)
    for name in ("TAP", "SEP", "AAP", "PIL"):
        assert configs[name].max_rounds == 1
    # the budget is spent: steps that go one way reach the largest change
    for name in ("TAP", "SEP", "AAP", "PIL"):
        assert configs[name].steps * configs[name].step_size >= configs[name].epsilon, name
    if profile is profiles.PAPER:
        assert [configs[name].steps for name in ("TAP", "SEP", "AAP", "AUE", "PIL")] == [250, 30, 250, 5, 30]
        assert (configs["SEP"].checkpoints, configs["SEP"].pretrain_epochs) == (30, 120)
        assert configs["AAP"].step_size == pytest.approx(2.5 * 8 / 250)


def test_a_name_in_full_chooses_that_row_alone() -> None:
    def rows(only: str) -> set[str]:
        return {entry.row for entry in experiments.get("cost").entries(profiles.CPU, only=only)}

    third = "a third of the rounds"
    assert rows(third) == rows(f"{third}/other five, as published") == {third}
    assert rows(third.upper()) == {third}
    # and a part of names all of them
    assert {third, f"one backward pass, {third}", f"{third}, half the side"} <= rows("third of the rounds")


def test_rounds_of_a_search_that_no_profile_fixes_are_those_of_the_profile() -> None:
    assert profiles.CPU.max_rounds("photos", "classwise") == 60
    assert profiles.CPU.max_rounds("cifar10", "samplewise") == profiles.CPU.rounds == 30
    assert profiles.PAPER.config("photos", "classwise").max_rounds == "auto"
    assert profiles.PAPER.max_rounds("photos", "classwise") == profiles.PAPER.rounds


@pytest.mark.parametrize("profile", [profiles.CPU, profiles.PAPER], ids=lambda one: one.name)
def test_what_the_accuracy_scripts_varied_is_in_the_cells(profile: Profile) -> None:
    def cells(name: str, only: str) -> list[Cell]:
        return [entry.cell for entry in experiments.get(name).entries(profile, only=only)]

    files = {cell.poison.encoding for cell in cells("published", "") if cell.poison}
    assert files == {"png", "jpeg:95", "jpeg:85", "jpeg:75", "jpeg:50"}
    seen = {cell.poison.search.found_on for cell in cells("extended", "") if cell.poison}
    assert seen == {0.1, 0.2, 0.5, 1.0}
    for name, precision in (("in float32", "float32"), ("half the rounds", "")):
        searches = [cell.poison.search for cell in cells("search", name) if cell.poison]
        assert searches
        assert {search.precision for search in searches} == {precision}
    for data in ("cifar10", "photos"):
        (half,) = {
            methods.create("error_minimizing", dict(cell.poison.search.settings)).config.max_rounds
            for cell in cells("search", f"{data}, exact, half the rounds/sample")
            if cell.poison
        }
        assert half == profile.max_rounds(data, "samplewise") // 2
    assert len({cell.victim.size for cell in cells("photo-trainers", "")}) == 4


@pytest.mark.parametrize(("stage", "grid"), [("photo", "filters"), ("batch", "augmentations")])
def test_a_new_countermeasure_has_a_row_and_no_file_names_it(
    stage: str, grid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside those that the project lists: verify and the experiments measure it by its name alone."""
    kind = type("Mine", (Countermeasure,), {"name": "mine", stage: lambda self, *a: a[0]})
    monkeypatch.setitem(registry._COUNTERMEASURES, "mine", kind)
    rows = {entry.row: entry.cell for entry in experiments.get(grid).entries(profiles.SMOKE)}
    assert rows["mine"].countermeasure == "mine"
    assert (
        sum(
            "mine" in {entry.row for entry in experiments.get(name).entries(profiles.SMOKE)} for name in NAMES
        )
        == 1
    )


def test_published_figures_stand_beside_ours_with_the_difference() -> None:
    one = filled()
    published = {("noise", "last"): "30.5", ("none", "last"): "94 to 95", ("far", "last"): "86.85"}
    large = replace(one, experiment=replace(one.experiment, published=published), profile=profiles.PAPER)
    written = markdown.section(large)
    assert "| noise | 32.0 ± 2.0 (70.0) [published: 30.5, difference +1.5] |" in written
    assert "| none | 62.0 ± 2.0 (70.0) [published: 94 to 95] |" in written
    assert "| far | [published: 86.85] |" in written
    assert "published" not in markdown.section(replace(large, profile=profiles.CPU))


def test_results_of_another_revision_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    one = filled()
    found = {result.cell.text: result for result in one.results}
    key = next(iter(found))
    found[key] = found[key].model_copy(update={"revisions": {"cell": -1}})
    again = table.tabulate(one.experiment, profiles.SMOKE, found)
    assert again.stale == 1
    assert len(again.results) == len(one.results) - 1


@pytest.mark.parametrize("kind", list(figures.DRAW))
def test_every_figure_is_drawn(kind: str) -> None:
    one = filled()
    drawn = figures.DRAW[kind](one)  # type: ignore[index]
    assert drawn.startswith("<svg")
    assert "http" not in drawn


def test_a_page_is_one_file_with_every_table(tmp_path: Path) -> None:
    page = pages.render([filled(claim("noise", "none"))], tmp_path).read_text()
    assert "Toy | title" in page
    assert "32.0 ± 2.0 (70.0)" in page
    assert "does-not-hold" in page  # its style
    assert "http" not in page.replace("http://www.w3.org", "")
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "toy.md", "toy.csv", "toy.svg"}


def test_a_gallery_shows_the_noise_that_was_found(cell_runner: CellRunner, tmp_path: Path) -> None:
    experiment = experiments.get("methods")
    entry = next(entry for entry in experiment.entries(profiles.SMOKE) if entry.cell.poison is not None)
    result = cell_runner.run(entry.cell)
    one = table.tabulate(experiment, profiles.SMOKE, {entry.cell.text: result})
    assert gallery.write_gallery(one, cell_runner, tmp_path / "methods-noise.png")
    assert pages.gallery(one, tmp_path) == "methods-noise.png"
    assert "methods-noise.png" in pages.render([one], tmp_path).read_text()
    elsewhere = CellRunner(Sets(), Cache(tmp_path / "empty"), cell_runner.compute)
    assert not gallery.write_gallery(one, elsewhere, tmp_path / "other.png")


def test_the_command_lists_and_refuses() -> None:
    runner = CliRunner()
    assert "share" in runner.invoke(app, ["experiment"]).output
    listed = runner.invoke(app, ["experiment", "share", "--profile", "smoke", "--list", "--only", "80%"])
    assert "80% / class-wise / seed 0" in listed.output
    assert "20%" not in listed.output
    assert runner.invoke(app, ["experiment", "nothing"]).exit_code == 2
    assert runner.invoke(app, ["experiment", "share", "--profile", "huge"]).exit_code == 2
    assert runner.invoke(app, ["experiment", "share", "--only", "nowhere"]).exit_code == 2


def test_cells_left_when_the_time_is_up_have_a_code_of_their_own(tmp_path: Path) -> None:
    options = [
        "--profile",
        "smoke",
        "--results",
        str(tmp_path),
        "--cache",
        str(tmp_path / "c"),
        "--time-limit",
        "0.001s",
    ]
    done = CliRunner().invoke(app, ["experiment", "share", "--only", "0%/class", *options])
    assert done.exit_code == 6
    assert "not done yet" in done.output
