"""The images that a cell trains and tests on, one by one: noise, share, labels, countermeasures."""

from __future__ import annotations

import datetime
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from conftest import pixels
from unlearnable import countermeasures
from unlearnable.cells import Cell, Data, Poison, Search, Victim
from unlearnable.cells import cell_runner as module
from unlearnable.cells.cache import Cache
from unlearnable.cells.cell_runner import CellRunner
from unlearnable.cells.poisoning import poisoned, published
from unlearnable.cells.results import Result, Results
from unlearnable.cells.sets import Sets, relabelled
from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.evaluation.statistics import curve
from unlearnable.noise import Noise
from unlearnable.training.compute import Compute
from unlearnable.training.victim import Epoch, Labelled, Learned

DATA = Data(name="made")
VICTIM = Victim(model="cnn:width=8,depth=2", size=16, epochs=3, batch=8)
SAMPLEWISE = Search(data=DATA, method="random", settings={"form": "samplewise"})
CLASSWISE = Search(data=DATA, method="random", settings={"form": "classwise"})
NAMES = ("ant", "bee", "cat")


def made(count: int, seed: int, names: list[str]) -> ImageSet:
    return arrays(pixels(count, 16, seed), names, ids=[f"{seed}-{number:02d}" for number in range(count)])


# as many test images of a class as its position, so that balanced accuracy is not plain accuracy
TRAIN = made(24, 1, [NAMES[number % 3] for number in range(24)])
TEST = made(9, 2, ["ant"] * 2 + ["bee"] * 3 + ["cat"] * 4)


class Arm(NamedTuple):
    victim: Victim
    train: Labelled
    test: Labelled
    seed: int
    compute: Compute
    chain: countermeasures.Chain


@pytest.fixture
def runner(tmp_path: Path) -> CellRunner:
    sets = Sets()
    sets._open[DATA] = TRAIN, TEST
    return CellRunner(sets, Cache(tmp_path / "cache"), Compute("cpu", "float32"))


@pytest.fixture
def arms(monkeypatch: pytest.MonkeyPatch) -> list[Arm]:
    """The arms that cells train from now on. Nothing is trained: the answers are the same for every cell."""
    seen: list[Arm] = []

    def learn(*given: Any, **more: Any) -> Learned:
        seen.append(Arm(*given[:6]))
        test, epochs = given[2], []
        for number, wrong in enumerate((2, 7, 5), 1):
            # the last images are answered with the class before their own
            answers = test.labels.clone()
            answers[len(answers) - wrong :] -= 1
            answers %= test.classes
            epochs.append(Epoch(number, 0.1 * number, answers, answers == test.labels))
            given[6](epochs[-1])
        return Learned(torch.nn.Linear(2, 2), tuple(epochs))

    monkeypatch.setattr(module, "learn", learn)
    return seen


def squares(images: ImageSet, size: int = 16) -> np.ndarray:
    return images.view(size).pixels


def noise_of(runner: CellRunner, search: Search) -> Noise:
    return runner.fitted(search)[0].noise


def change(arm: Arm, images: ImageSet = TRAIN) -> np.ndarray:
    """Levels by which each training image of an arm differs, int (N, 3, 16, 16)."""
    return arm.train.pixels.numpy().astype(int) - squares(images)


def test_every_image_wears_its_own_noise_and_test_images_none(runner: CellRunner, arms: list[Arm]) -> None:
    for search in (SAMPLEWISE, CLASSWISE):
        result = runner.run(Cell(data=DATA, victim=VICTIM, poison=Poison(search=search), seed=5))
        noise, arm = noise_of(runner, search), arms[-1]
        assert np.abs(noise.bank.astype(int)).max() == 8
        rows = range(24) if search is SAMPLEWISE else [NAMES.index(TRAIN.class_of[id]) for id in TRAIN.ids]
        clipped = (squares(TRAIN).astype(int) + noise.bank[list(rows)]).clip(0, 255)
        assert np.array_equal(arm.train.pixels.numpy(), clipped)
        assert np.array_equal(arm.test.pixels.numpy(), squares(TEST))
        assert arm.train.labels.tolist() == [number % 3 for number in range(24)]
        assert arm.test.labels.tolist() == [0] * 2 + [1] * 3 + [2] * 4
        assert (arm.train.classes, arm.test.classes) == (3, 3)
        assert (arm.victim, arm.seed, arm.compute) == (VICTIM, 5, runner.compute)
        assert (result.images, result.protected) == (24, 24)
    runner.run(Cell(data=DATA, victim=VICTIM))
    assert not change(arms[-1]).any()
    assert arms[-1].seed == 0
    assert not arms[-1].chain


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_a_share_is_the_share_of_images_that_wear_noise(
    share: float, runner: CellRunner, arms: list[Arm]
) -> None:
    poison = Poison(search=SAMPLEWISE, share=share)
    result = runner.run(Cell(data=DATA, victim=VICTIM, poison=poison))
    wears = change(arms[-1]).any((1, 2, 3))
    covers = [
        replace(noise_of(runner, SAMPLEWISE).assignment, share=share).covers(id, "") for id in TRAIN.ids
    ]
    assert wears.tolist() == covers
    assert abs(wears.mean() - share) < 0.25
    assert result.protected == wears.sum()
    assert result.images == 24


def test_training_on_the_clean_rest_is_training_on_the_others(runner: CellRunner, arms: list[Arm]) -> None:
    poison = Poison(search=SAMPLEWISE, share=0.4)
    runner.run(Cell(data=DATA, victim=VICTIM, poison=poison))
    wears = change(arms[-1]).any((1, 2, 3))
    assert 0 < wears.sum() < 24
    result = runner.run(Cell(data=DATA, victim=VICTIM, poison=poison, keep="clean"))
    assert np.array_equal(arms[-1].train.pixels.numpy(), squares(TRAIN)[~wears])
    assert arms[-1].train.labels.tolist() == [i % 3 for i in range(24) if not wears[i]]
    assert (result.images, result.protected) == (int((~wears).sum()), 0)
    assert np.array_equal(arms[-1].test.pixels.numpy(), squares(TEST))


def test_noise_of_some_classes_and_noise_that_is_moved(runner: CellRunner, arms: list[Arm]) -> None:
    runner.run(Cell(data=DATA, victim=VICTIM, poison=Poison(search=CLASSWISE, classes=("bee",))))
    assert change(arms[-1]).any((1, 2, 3)).tolist() == [i % 3 == 1 for i in range(24)]
    turned = {"ant": "bee", "bee": "cat", "cat": "ant"}
    runner.run(Cell(data=DATA, victim=VICTIM, poison=Poison(search=CLASSWISE, mapped=turned)))
    bank = noise_of(runner, CLASSWISE).bank[[(number + 1) % 3 for number in range(24)]]
    assert np.array_equal(arms[-1].train.pixels.numpy(), (squares(TRAIN).astype(int) + bank).clip(0, 255))


def test_positive_noise_and_shuffles_reach_the_images(runner: CellRunner, arms: list[Arm]) -> None:
    runner.run(Cell(data=DATA, victim=VICTIM, poison=Poison(search=SAMPLEWISE, positive_only=True), seed=1))
    assert change(arms[-1]).min() == 0
    assert change(arms[-1]).max() == 8
    by_seed = set()
    for seed in range(1, 7):
        poison = Poison(search=CLASSWISE, shuffle="across")
        runner.run(Cell(data=DATA, victim=VICTIM, poison=poison, seed=seed))
        moved = poisoned(noise_of(runner, CLASSWISE), poison, TRAIN.class_of, seed)
        by_seed.add(moved.keys)
        rows = [moved.keys.index(TRAIN.class_of[id]) for id in TRAIN.ids]
        assert np.array_equal(
            arms[-1].train.pixels.numpy(), (squares(TRAIN).astype(int) + moved.bank[rows]).clip(0, 255)
        )
    assert len(by_seed) > 2


@pytest.mark.parametrize("spec", ["shrink:2", "jpeg:20", "bitdepth:2", "grey+jpeg:20"])
def test_countermeasures_see_protected_photos_and_test_images_where_that_is_said(
    spec: str, runner: CellRunner, arms: list[Arm]
) -> None:
    poison, chain = Poison(search=SAMPLEWISE), countermeasures.create(spec)
    runner.run(Cell(data=DATA, victim=VICTIM, poison=poison, countermeasure=spec, seed=3))
    protected = published(TRAIN, noise_of(runner, SAMPLEWISE), poison)
    assert np.array_equal(arms[-1].train.pixels.numpy(), squares(chain.on_photos(protected, 3)))
    assert np.array_equal(arms[-1].test.pixels.numpy(), squares(chain.on_photos(TEST, 3, test=True)))
    # ``learn`` runs the other stages, on both sets
    assert arms[-1].chain == chain
    treated = not np.array_equal(arms[-1].test.pixels.numpy(), squares(TEST))
    assert treated == ("shrink" in spec or "grey" in spec)
    if "jpeg" in spec or "shrink" in spec:
        assert not np.array_equal(arms[-1].train.pixels.numpy(), squares(protected))


@pytest.mark.parametrize(("rule", "names"), [("pairs", ["000", "001"]), ("first", ["first", "rest"])])
def test_a_trainers_labels_hold_for_both_sets_and_not_for_the_noise(
    rule: str, names: list[str], runner: CellRunner, arms: list[Arm]
) -> None:
    result = runner.run(Cell(data=DATA, victim=VICTIM, poison=Poison(search=CLASSWISE), relabel=rule))
    assert result.classes == names
    for images, arm in ((TRAIN, arms[-1].train), (TEST, arms[-1].test)):
        new = relabelled(images, rule)
        assert arm.labels.tolist() == [names.index(new.class_of[id]) for id in images.ids]
        assert arm.classes == 2
    bank = noise_of(runner, CLASSWISE).bank[[number % 3 for number in range(24)]]
    assert np.array_equal(arms[-1].train.pixels.numpy(), (squares(TRAIN).astype(int) + bank).clip(0, 255))


def test_the_view_has_the_size_and_the_zoom_of_the_victim(runner: CellRunner, arms: list[Arm]) -> None:
    runner.run(Cell(data=DATA, victim=VICTIM.model_copy(update={"size": 12, "zoom": 1.5})))
    assert arms[-1].train.pixels.shape == (24, 3, 18, 18)
    assert np.array_equal(arms[-1].test.pixels.numpy(), squares(TEST, 18))


# What is recorded


def test_a_result_has_every_epoch_and_the_confusion_of_the_last(
    runner: CellRunner, arms: list[Arm], tmp_path: Path
) -> None:
    said: list[tuple[str, int, int, str]] = []
    runner.on_progress = lambda event: said.append((event.stage, event.done, event.total, event.text))
    cell = Cell(data=DATA, victim=VICTIM, poison=Poison(search=SAMPLEWISE))
    started = time.monotonic()
    result = runner.run(cell)
    correct = [np.arange(9) < 9 - wrong for wrong in (2, 7, 5)]
    labels = np.array([0] * 2 + [1] * 3 + [2] * 4)
    judged = curve(correct, labels)
    assert result.train == [0.1, 0.2, 0.3]
    assert result.test == [0.7778, 0.2222, 0.4444]
    assert result.balanced == [round(value, 4) for value in judged.epochs] == [0.8333, 0.3333, 0.5556]
    # after the last epoch: rows are the classes, columns the answers
    assert result.confusion == [[2, 0, 0], [1, 2, 0], [0, 4, 0]]
    assert result.recall == [1.0, 0.6667, 0.0]
    assert (result.last, result.peak) == (0.5556, 0.8333)
    assert result.summary == "last epoch 55.6% (best 83.3%)"
    assert result.classes == list(NAMES)
    assert said[-3:] == [
        ("training", 1, 3, "77.8%"),
        ("training", 2, 3, "22.2%"),
        ("training", 3, 3, "44.4%"),
    ]
    assert result.hash == runner.hash(cell)
    assert result.artefacts == {"noise": runner.search_hash(SAMPLEWISE)}
    assert result.fingerprints == runner.fingerprints(cell)
    assert result.revisions == {
        "cell": 1,
        "model cnn": 1,
        "method random": 1,
    }
    assert result.search is not None
    assert (result.search["rounds"], result.search["error"]) == (1, None)
    assert result.search["stopped"] == "1 round is done"
    assert 0 <= result.search["seconds"] <= time.monotonic() - started + 0.1
    assert 0 <= result.seconds <= time.monotonic() - started + 0.1
    assert result.environment == runner.compute.describe()
    assert abs(datetime.date.today() - datetime.date.fromisoformat(result.date)).days <= 1
    results = Results(tmp_path / "results")
    results.save(result)
    assert Results(tmp_path / "results").all() == {cell.text: result}


def test_a_clean_result_has_no_search(runner: CellRunner, arms: list[Arm]) -> None:
    result = runner.run(Cell(data=DATA, victim=VICTIM))
    assert (result.search, result.artefacts, result.protected) == (None, {}, 0)


def test_many_classes_have_no_confusion_matrix(
    runner: CellRunner, arms: list[Arm], monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, there in ((3, True), (2, False)):
        monkeypatch.setattr(module, "CONFUSION", limit)
        result = runner.run(Cell(data=DATA, victim=VICTIM))
        assert (result.confusion is not None) == there
        assert result.recall == [1.0, 0.6667, 0.0]
        assert result.last == 0.5556


def result(**changes: object) -> Result:
    given = {
        "hash": "0",
        "cell": Cell(data=DATA, victim=VICTIM),
        "fingerprints": {},
        "revisions": {},
        "artefacts": {},
        "classes": ["a", "b"],
        "images": 1,
        "protected": 0,
        "train": [0.5, 0.6],
        "test": [0.9, 0.4],
        "recall": [0.3, 0.5],
        "confusion": [[3, 7], [5, 5]],
        "search": None,
        "seconds": 1.0,
        "environment": {},
        "machine": "",
        "version": "",
        "date": "2026-01-01",
    }
    return Result.model_validate({**given, **changes})


def test_the_last_epoch_is_not_the_best_epoch() -> None:
    whole = result(balanced=[0.8, 0.95, 0.3])
    assert (whole.last, whole.peak) == (0.3, 0.95)
    # as many test images of each class: plain accuracy is balanced accuracy
    older = result()
    assert (older.last, older.peak) == (0.4, 0.9)
    assert older.summary == "last epoch 40.0% (best 90.0%)"
    unequal = result(confusion=[[3, 7], [15, 5]])
    assert (unequal.last, unequal.peak) == (0.4, None)
    assert unequal.summary == "last epoch 40.0%"
    # without a matrix, by the last epoch; a ten-thousandth is rounding
    assert result(confusion=None).peak == 0.9
    assert result(confusion=None, test=[0.9, 0.4001]).peak == 0.9
    apart = result(confusion=None, test=[0.9, 0.4002])
    assert (apart.last, apart.peak) == (0.4, None)


def test_of_two_results_with_one_description_the_later_counts(tmp_path: Path) -> None:
    results = Results(tmp_path)
    for hash, date in (("b" * 64, "2026-01-02"), ("a" * 64, "2026-01-03"), ("c" * 64, "2026-01-01")):
        results.save(result(hash=hash, date=date))
    assert len(list(tmp_path.glob("*.json"))) == 3
    (found,) = Results(tmp_path).all().values()
    assert found.date == "2026-01-03"
    text = next(iter(sorted(tmp_path.glob("*.json")))).read_text("utf-8")
    assert text.startswith('{\n"format": 1,\n"hash": "')
    assert text.endswith("\n}\n")
