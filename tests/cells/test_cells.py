"""Cells: what their hash covers, what is made once, what a table makes of them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from unlearnable import hashing
from unlearnable.budget import Budget
from unlearnable.cells import Cell, Data, Poison, Search, Victim
from unlearnable.cells.cache import Busy, Cache
from unlearnable.cells.cell_runner import CellRunner, TimeIsUp
from unlearnable.cells.poisoning import poisoned, published
from unlearnable.cells.results import Result, Results
from unlearnable.cells.runner import run
from unlearnable.cells.sets import Sets, first_share, joined, relabelled, with_context
from unlearnable.countermeasures.grey import Grey
from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo
from unlearnable.errors import DataError, UsageError
from unlearnable.methods import registry
from unlearnable.noise import Noise
from unlearnable.training.compute import Compute

DIGITS = Data(name="digits", per_class=12, tests=6)
VICTIM = Victim(model="cnn:width=8", epochs=1, batch=32)
SETTINGS = {
    "form": "classwise",
    "surrogate": "cnn:width=8",
    "batch": 32,
    "steps": 1,
    "train_batches": 1,
    "max_rounds": 3,
    "stop_error": 0.0,
}
SEARCH = Search(data=DIGITS, settings=SETTINGS)
CLEAN = Cell(data=DIGITS, victim=VICTIM)
PROTECTED = Cell(data=DIGITS, victim=VICTIM, poison=Poison(search=SEARCH))


@pytest.fixture
def cell_runner(tmp_path: Path) -> CellRunner:
    return CellRunner(Sets(), Cache(tmp_path / "cache"), Compute.choose("cpu"))


def images() -> ImageSet:
    pixels = np.arange(6 * 4 * 4 * 3, dtype=np.uint8).reshape(6, 4, 4, 3)
    return arrays(pixels, ["ant", "ant", "bee", "bee", "cow", "cow"], ids=[f"{i}" for i in range(6)])


def test_a_description_hashes_the_same_whatever_order_it_was_written_in() -> None:
    turned = Search(data=DIGITS, settings=dict(reversed(SETTINGS.items())))
    assert turned.text == SEARCH.text
    assert len({turned, SEARCH, Search(data=DIGITS, settings=SETTINGS, seed=1)}) == 2
    assert Cell.model_validate_json(PROTECTED.text) == PROTECTED


def test_the_hash_covers_description_data_and_revisions(
    cell_runner: CellRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = cell_runner.hash(PROTECTED)
    assert first == cell_runner.hash(PROTECTED.model_copy())
    assert first != cell_runner.hash(PROTECTED.model_copy(update={"seed": 1}))
    assert first != cell_runner.hash(
        PROTECTED.model_copy(update={"data": Data(name="digits", per_class=13, tests=6)})
    )
    clean = cell_runner.hash(CLEAN)
    monkeypatch.setattr(registry.get("error_minimizing"), "revision", 99)
    assert cell_runner.hash(PROTECTED) != first
    assert cell_runner.hash(CLEAN) == clean  # it uses no method


def test_noise_is_found_once_and_a_search_that_was_stopped_goes_on_to_the_same_noise(tmp_path: Path) -> None:
    whole = CellRunner(Sets(), Cache(tmp_path / "whole"), Compute.choose("cpu"))
    reference = whole.fitted(SEARCH)[0].noise
    pieces = CellRunner(
        Sets(), Cache(tmp_path / "pieces"), Compute.choose("cpu"), deadline=0.0, checkpoint_seconds=0.0
    )
    stops = 0
    while stops < 50:
        try:
            noise = pieces.fitted(SEARCH)[0].noise
            break
        except TimeIsUp:
            stops += 1
    assert 1 <= stops < 50
    assert np.array_equal(noise.bank, reference.bank)
    place = pieces.cache.path("noise", pieces.noise_name(SEARCH)) / "noise.safetensors"
    before = place.stat().st_mtime_ns
    pieces.fitted(SEARCH)
    assert place.stat().st_mtime_ns == before


def test_committed_cells_keep_the_rule_for_grey_photos_with_which_they_were_made(
    cell_runner: CellRunner,
) -> None:
    assert cell_runner.fitted(SEARCH)[0].noise.grey == "mean"
    named = SEARCH.model_copy(update={"settings": {**SETTINGS, "grey": "full"}})
    assert cell_runner.fitted(named)[0].noise.grey == "full"


def test_a_run_makes_what_is_missing_and_nothing_twice(cell_runner: CellRunner, tmp_path: Path) -> None:
    results = Results(tmp_path / "results")
    first = run([CLEAN, PROTECTED, CLEAN], cell_runner, results)
    assert (len(first.made), len(first.there), len(first.missing)) == (2, 0, 0)
    again = run([CLEAN, PROTECTED], cell_runner, results)
    assert (len(again.made), len(again.there)) == (0, 2)
    found = Results(tmp_path / "results").all()
    result = found[PROTECTED.text]
    assert result.cell == PROTECTED
    assert result.protected == result.images == 120
    assert result.artefacts["noise"] == cell_runner.search_hash(SEARCH)
    assert len(result.test) == 1
    assert np.sum(result.confusion) == 60  # type: ignore[arg-type]
    assert abs(np.mean(result.recall) - result.last) < 1e-3


def test_cells_whose_data_is_not_there_do_not_keep_the_others_from_being_made(
    cell_runner: CellRunner, tmp_path: Path
) -> None:
    cell_runner.sets.data_dir = tmp_path
    photos = Cell(data=Data(name="holidays"), victim=VICTIM)
    outcome = run([photos, CLEAN], cell_runner, Results(tmp_path / "results"))
    assert outcome.made == (CLEAN,)
    assert "holidays" in str(outcome.without_data[photos])
    with pytest.raises(DataError, match="holidays"):
        run([photos], cell_runner, Results(tmp_path / "results"))


def test_the_deadline_leaves_cells_for_later(cell_runner: CellRunner, tmp_path: Path) -> None:
    cell_runner.deadline = 0.0
    outcome = run([CLEAN, PROTECTED], cell_runner, Results(tmp_path / "results"))
    assert outcome.missing == (CLEAN, PROTECTED)


def test_a_training_that_was_stopped_goes_on_to_the_same_result(
    cell_runner: CellRunner, tmp_path: Path
) -> None:
    longer = Cell(data=DIGITS, victim=VICTIM.model_copy(update={"epochs": 4}), countermeasure="cutout:8")
    reference = cell_runner.run(longer)
    pieces = replace(cell_runner, cache=Cache(tmp_path / "pieces"), deadline=0.0, checkpoint_seconds=0.0)
    for _ in range(3):  # each goes on by an epoch, and the fourth has the last one to do
        with pytest.raises(TimeIsUp):
            pieces.run(longer)
    result = pieces.run(longer)
    for name in ("train", "test", "balanced", "recall", "confusion"):
        assert getattr(result, name) == getattr(reference, name)
    assert not [*pieces.cache.folder.rglob("checkpoint*")]


def test_what_another_process_makes_is_left_to_it(cell_runner: CellRunner) -> None:
    code = f"""
import sys, time
from pathlib import Path
from unlearnable.cells.cache import Cache
with Cache(Path({str(cell_runner.cache.folder)!r})).claim("cell", "abc"):
    print("mine", flush=True)
    time.sleep(60)
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "mine\n"
        with pytest.raises(Busy), cell_runner.cache.claim("cell", "abc"):
            pass
        other.send_signal(signal.SIGKILL)
        other.wait()
        with cell_runner.cache.claim("cell", "abc"):  # the kernel gave it back
            pass
    finally:
        other.kill()
        other.wait()
        if other.stdout is not None:
            other.stdout.close()


@pytest.mark.slow
def test_two_processes_share_a_grid_and_a_killed_one_repeats_nothing(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "from unlearnable.cli.app import app; app()",
        "experiment",
        "filters",
        "--profile",
        "smoke",
        "--only",
        "/clean",
        "--results",
        str(tmp_path / "results"),
        "--cache",
        str(tmp_path / "cache"),
    ]
    cells = tmp_path / "results" / "smoke" / "cells"
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while killed.poll() is None and not list(cells.glob("*.json")):
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    before = {path: path.stat().st_mtime_ns for path in cells.glob("*.json")}
    both = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [one.communicate()[1] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    made = sum(int(line.split()[0]) for text in said for line in text.splitlines() if "cells made" in line)
    assert made + len(before) == len(list(cells.glob("*.json"))) == 10
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(DataError, match=r"x\.json"):
        Results(tmp_path).all()


def test_joined_sets_keep_their_images_apart() -> None:
    more = images().relabel(lambda id, name: name + "s")
    both = joined({"a": images(), "b": more})
    assert len(both) == 12
    assert both.classes == ("ant", "ants", "bee", "bees", "cow", "cows")
    assert np.array_equal(both.photo("b/3").pixels, more.photo("3").pixels)
    with pytest.raises(DataError, match="ant"):
        joined({"a": images(), "b": images()})


def test_labels_of_a_trainer() -> None:
    assert relabelled(images(), "pairs").classes == ("000", "001")
    assert relabelled(images(), "first").class_of["5"] == "rest"
    with pytest.raises(UsageError, match="no relabelling"):
        relabelled(images(), "sideways")


def test_the_first_images_of_every_class() -> None:
    assert images().first(1).ids == ("0", "2", "4")
    assert images().first(0, ("bee",)).ids == ("2", "3")
    assert images().first(0).ids == images().ids
    with pytest.raises(DataError, match="'fly'"):
        images().first(1, ("fly",))


def test_standing_against_the_others() -> None:
    assert with_context(images(), ("bee",)).own == ("2", "3")
    assert len(with_context(images(), ()).own) == 6


def noise(form: str) -> Noise:
    keys = images().ids if form == "samplewise" else images().classes
    bank = np.arange(-len(keys) // 2, len(keys) - len(keys) // 2, dtype=np.int8)[: len(keys)].reshape(
        -1, 1, 1, 1
    )
    return Noise(np.tile(bank, (1, 3, 4, 4)), keys, form, Budget(8), (4, 4))  # type: ignore[arg-type]


def test_positive_only_drops_what_is_negative() -> None:
    kept = poisoned(noise("samplewise"), Poison(search=SEARCH, positive_only=True), images().class_of, 0)
    assert (kept.bank == np.maximum(noise("samplewise").bank, 0)).all()
    assert kept.bank.min() == 0


@pytest.mark.parametrize("form", ["samplewise", "classwise"])
def test_a_shuffle_within_the_class_and_across(form: str) -> None:
    one, of = noise(form), images().class_of
    within = poisoned(one, Poison(search=SEARCH, shuffle="within"), of, 3)
    across = poisoned(one, Poison(search=SEARCH, shuffle="across"), of, 3)
    assert sorted(within.keys) == sorted(across.keys) == sorted(one.keys)
    if form == "samplewise":
        assert [of[key] for key in within.keys] == [of[key] for key in one.keys]
        assert [of[key] for key in across.keys] != [of[key] for key in one.keys]
    else:
        assert within.keys == one.keys
        assert across.keys != one.keys


def test_a_victim_that_starts_from_other_weights_starts_from_them(cell_runner: CellRunner) -> None:
    still = VICTIM.model_copy(update={"lr": 1e-12})
    begun, before, fresh = (
        load_file(cell_runner.weights(cell))
        for cell in (Cell(data=DIGITS, victim=still, start=CLEAN), CLEAN, Cell(data=DIGITS, victim=still))
    )
    trained = [name for name, value in before.items() if value.is_floating_point() and "running" not in name]
    assert trained
    assert all(torch.allclose(begun[name], before[name], atol=1e-6) for name in trained)
    assert not all(torch.allclose(fresh[name], before[name], atol=1e-6) for name in trained)
    assert "start" in cell_runner.run(Cell(data=DIGITS, victim=still, start=CLEAN)).artefacts


def test_a_cell_that_starts_from_a_file_is_named_by_its_content(
    cell_runner: CellRunner, tmp_path: Path
) -> None:
    first, second = (
        load_file(cell_runner.weights(CLEAN.model_copy(update={"seed": seed}))) for seed in (0, 1)
    )
    path = tmp_path / "weights.safetensors"
    save_file(first, path)
    cell = Cell(data=DIGITS, victim=VICTIM.model_copy(update={"start": str(path)}))
    before = cell_runner.hash(cell)
    assert before != cell_runner.hash(CLEAN)
    # the entry's name is part of the hash that names committed results
    assert cell_runner.fingerprints(cell)["start"] == hashing.of_file(path)
    later = Cell(data=DIGITS, victim=VICTIM, start=cell)
    after = cell_runner.hash(later)
    save_file(second, path)
    assert cell_runner.hash(cell) != before
    assert cell_runner.hash(later) != after
    with pytest.raises(UsageError, match="has weights to start from already"):
        Cell(data=DIGITS, victim=cell.victim, start=CLEAN)


def test_what_is_counted_by_class_is_what_was_tested(
    cell_runner: CellRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {"epochs": 6}
    # digits are grey already
    monkeypatch.setattr(Grey, "photo", lambda self, photo, rng: Photo(255 - photo.pixels))
    grey = cell_runner.run(Cell(data=DIGITS, victim=VICTIM.model_copy(update=more), countermeasure="grey"))
    assert abs(np.mean(grey.recall) - grey.last) < 1e-3
    assert np.trace(np.array(grey.confusion)) == round(grey.last * 60)


def test_results_say_what_they_are(cell_runner: CellRunner, tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.save(cell_runner.run(CLEAN))
    (path,) = tmp_path.glob("*.json")
    assert path.name.startswith("digits-clean-cnn-s0-")
    again = Result.model_validate_json(path.read_bytes())
    assert again.environment["torch"]
    assert again.peak == max(again.test)


def test_new_fields_at_their_defaults_are_not_part_of_the_text() -> None:
    for name in ("found_on", "precision", "encoding", "start"):
        assert name not in PROTECTED.text
    changed = Poison(search=Search(data=DIGITS, found_on=0.5, precision="float32"), encoding="jpeg:75")
    assert all(name in changed.text for name in ("found_on", "precision", "encoding"))


@pytest.mark.parametrize("encoding", ["jpeg", "jpeg:0", "jpeg:101", "gif", "png:9"])
def test_an_encoding_that_does_not_exist_is_refused(encoding: str) -> None:
    with pytest.raises(UsageError, match="encoding"):
        Poison(search=SEARCH, encoding=encoding)


def test_images_that_go_through_files_are_those_that_a_trainer_decodes() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    clean = arrays(pixels, ["ant", "ant", "bee", "bee", "cow", "cow"], ids=[f"{i}" for i in range(6)])
    one = noise("samplewise")
    plain = published(clean, one, Poison(search=SEARCH))
    lossless = published(clean, one, Poison(search=SEARCH, encoding="png"))
    lossy = published(clean, one, Poison(search=SEARCH, encoding="jpeg:50"))
    finer = published(clean, one, Poison(search=SEARCH, encoding="jpeg:95"))

    def gap(images: ImageSet) -> float:
        pairs = [(images.photo(id).pixels.astype(int), plain.photo(id).pixels) for id in clean.ids]
        return float(np.mean([np.abs(a - b).mean() for a, b in pairs]))

    assert not np.array_equal(plain.photo("5").pixels, clean.photo("5").pixels)
    assert gap(lossless) == 0
    assert 0 < gap(finer) < gap(lossy)
    assert lossy.photo("0").size == (16, 16)
    assert lossy.source.load("0")[1] == clean.source.load("0")[1]  # the content of the source names it


def test_noise_is_found_on_a_share_and_made_for_the_others(
    cell_runner: CellRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, seen, extended = registry.get("error_minimizing"), [], []
    fit, extend = method.fit, method.extend
    monkeypatch.setattr(
        method, "fit", lambda self, view, *a, **k: seen.append(view) or fit(self, view, *a, **k)
    )
    monkeypatch.setattr(
        method, "extend", lambda self, one, view, ctx: extended.append(view) or extend(self, one, view, ctx)
    )
    search = SEARCH.model_copy(update={"settings": {**SETTINGS, "form": "samplewise"}, "found_on": 0.25})
    noise = cell_runner.fitted(search)[0].noise
    assert [len(view.ids) for view in seen] == [30]
    assert [len(view.ids) for view in extended] == [90]
    assert set(noise.keys) == {*seen[0].ids, *extended[0].ids}
    assert cell_runner.run(Cell(data=DIGITS, victim=VICTIM, poison=Poison(search=search))).protected == 120
    whole = cell_runner.fitted(SEARCH.model_copy(update={"found_on": 0.25}))[0].noise
    assert len(whole.keys) == 10  # class-wise noise needs no extension
    assert len(extended) == 1


def test_a_search_may_have_a_precision_of_its_own(
    cell_runner: CellRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, used = registry.get("error_minimizing"), []
    fit = method.fit
    monkeypatch.setattr(
        method,
        "fit",
        lambda self, view, ctx, *a, **k: used.append(ctx.compute) or fit(self, view, ctx, *a, **k),
    )
    cell_runner.compute = Compute("cpu", "bfloat16")
    cell_runner.fitted(SEARCH)
    cell_runner.fitted(SEARCH.model_copy(update={"precision": "float32"}))
    assert [compute.precision for compute in used] == ["bfloat16", "float32"]


def classes(of: str) -> Data:
    return Data(name="digits", per_class=12, tests=6, classes=tuple(of))


def test_a_search_may_begin_with_the_noise_of_other_classes(cell_runner: CellRunner) -> None:
    """Class by class in their order; what it then finds, and its name, depend on that noise."""
    other = Search(data=classes("56789"), settings={**SETTINGS, "max_rounds": 2})
    begun = Search(data=classes("01234"), settings={**SETTINGS, "step_size": 1e-4}, start=other)
    alone = begun.model_copy(update={"start": None})
    given, found, without = (cell_runner.fitted(one)[0].noise for one in (other, begun, alone))
    assert given.keys == tuple("56789")
    assert found.keys == without.keys == tuple("01234")
    # such short steps leave the noise as it began
    assert np.abs(given.bank).max() > 0
    assert (found.bank == given.bank).all()
    assert not without.bank.any()
    hashes = {cell_runner.search_hash(one) for one in (begun, alone)}
    later = other.model_copy(update={"seed": 1})
    hashes.add(cell_runner.search_hash(begun.model_copy(update={"start": later})))
    assert len(hashes) == 3
    cell = PROTECTED.model_copy(update={"poison": Poison(search=begun)})
    assert len(cell_runner.fingerprints(cell)) == 3


@pytest.mark.parametrize(
    "change", [{"data": classes("5678")}, {"settings": {**SETTINGS, "form": "samplewise"}}]
)
def test_noise_of_another_form_or_shape_is_no_beginning(
    cell_runner: CellRunner, change: dict[str, object]
) -> None:
    other = Search(data=classes("56789"), settings=SETTINGS).model_copy(update=change)
    with pytest.raises(UsageError, match="The search cannot begin with"):
        cell_runner.fitted(Search(data=classes("01234"), settings=SETTINGS, start=other))


def test_noise_of_another_precision_is_not_taken_from_the_cache(cell_runner: CellRunner) -> None:
    """It would be other noise, with the time that the other precision takes."""
    cell_runner.compute = Compute("cpu", "float32")
    cell_runner.fitted(SEARCH)
    other = replace(cell_runner, compute=Compute("cpu", "bfloat16"))
    assert cell_runner.is_found(SEARCH)
    assert not other.is_found(SEARCH)
    assert other.is_found(SEARCH.model_copy(update={"precision": "float32"})) is False
    other.fitted(SEARCH)
    assert other.is_found(SEARCH)
    # the name of the result does not depend on it
    assert other.search_hash(SEARCH) == cell_runner.search_hash(SEARCH)


def test_the_first_share_of_every_class() -> None:
    assert first_share(images(), 1.0).ids == images().ids
    assert first_share(images(), 0.5).ids == ("0", "2", "4")
    assert first_share(images(), 0.01).ids == ("0", "2", "4")
