"""Images, hashes and searches of cells, and runs over many cells. Nothing is trained."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import pixels
from unlearnable import hashing
from unlearnable.cells import Cell, Data, Poison, Search, Victim
from unlearnable.cells import cell_runner as module
from unlearnable.cells import runner as running
from unlearnable.cells.cache import Busy, Cache
from unlearnable.cells.cell_runner import CellRunner, TimeIsUp
from unlearnable.cells.results import Result, Results
from unlearnable.cells.revisions import data_of, revisions, search_revisions
from unlearnable.cells.runner import run
from unlearnable.cells.sets import HELD_OUT, RULES, Sets, first_share, joined, relabelled, with_context
from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UnlearnableError, UsageError
from unlearnable.events import Event
from unlearnable.methods import registry
from unlearnable.methods.fitted import load_tensors
from unlearnable.training.compute import Compute

DATA, OTHER = Data(name="made"), Data(name="other")
VICTIM = Victim(model="cnn:width=8,depth=2", size=16, epochs=1, batch=8)
RANDOM = Search(data=DATA, method="random", settings={"form": "samplewise"})


def made(count: int, seed: int, classes: int = 3, side: int = 16) -> ImageSet:
    names = ["ant", "bee", "cat", "dog", "eel"][:classes]
    found = [names[number % classes] for number in range(count)]
    return arrays(pixels(count, side, seed), found, ids=[f"{seed}-{number:02d}" for number in range(count)])


@pytest.fixture
def runner(tmp_path: Path) -> CellRunner:
    sets = Sets()
    sets._open[DATA] = made(24, 1), made(9, 2)
    sets._open[OTHER] = made(10, 3, 5), made(5, 4, 5)
    return CellRunner(sets, Cache(tmp_path / "cache"), Compute("cpu", "float32"))


# Images


def test_data_is_opened_once_cut_to_size_and_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Data] = []

    def parts(self: Sets, wanted: Data) -> tuple[ImageSet, ImageSet]:
        opened.append(wanted)
        if wanted.name == "more":
            return tuple(made(6, 8 + part, 2).relabel(lambda id, name: name + "s") for part in (0, 1))  # type: ignore[return-value]
        return made(24, 1), made(9, 2)

    monkeypatch.setattr(Sets, "_parts", parts)
    sets = Sets()
    small = Data(name="made", per_class=2, tests=1, classes=("ant", "cat"))
    train, test = sets(small)
    assert sorted(train.ids) == ["1-00", "1-02", "1-03", "1-05"]
    assert sorted(test.ids) == ["2-00", "2-02"]
    assert train.classes == test.classes == ("ant", "cat")
    assert sets(small) is sets(small)
    assert opened == [small]
    both = Data(name="made", per_class=1, plus=(Data(name="more", per_class=2, tests=1),))
    train, test = sets(both)
    assert train.ids == (
        "made/1-00",
        "made/1-01",
        "made/1-02",
        "more+/8-00",
        "more+/8-01",
        "more+/8-02",
        "more+/8-03",
    )
    assert train.classes == test.classes == ("ant", "ants", "bee", "bees", "cat")
    assert len(test) == 9 + 2
    assert all(id.startswith(("made/2-", "more+/9-")) for id in test.ids)


def test_a_fingerprint_covers_both_parts_their_classes_and_contents() -> None:
    train, test = made(6, 1), made(3, 2)
    sets = Sets()
    prints = set()
    for number, pair in enumerate(
        [
            (train, test),
            (test, train),
            (train, made(3, 5)),
            (train.relabel(lambda id, name: "x" + name), test.relabel(lambda id, name: "x" + name)),
            (made(6, 7), test),
        ]
    ):
        data = Data(name=f"{number}")
        sets._open[data] = pair
        prints.add(sets.fingerprint(data))
        assert sets.fingerprint(data) == sets.fingerprint(data)
    assert len(prints) == 5
    rows = [[[id, one.class_of[id], one.source.load(id)[1]] for id in one.ids] for one in (train, test)]
    assert sets.fingerprint(Data(name="0")) == hashing.digest(rows)


def test_parts_of_different_classes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sets, "_parts", lambda self, wanted: (made(6, 1), made(6, 2, 2)))
    with pytest.raises(DataError, match="The training and the test images of made are of different classes"):
        Sets()(DATA)


def test_a_folder_of_photos_has_two_parts_and_digits_are_split(photos: Path, tmp_path: Path) -> None:
    root = tmp_path / "data" / "pets"
    root.mkdir(parents=True)
    with pytest.raises(DataError) as raised:
        Sets(tmp_path / "data")(Data(name="pets"))
    assert raised.value.problem == f"{root} has no folders train and val."
    photos.rename(root / "train")
    with pytest.raises(DataError, match="no folders train and val"):
        Sets(tmp_path / "data")(Data(name="pets"))
    for name in ("cats", "dogs"):
        (root / "val" / name).mkdir(parents=True)
        (root / "train" / name / "p0.png").rename(root / "val" / name / "p0.png")
    train, test = Sets(tmp_path / "data")(Data(name="pets"))
    assert (len(train), len(test)) == (16, 2)
    train, test = Sets()(Data(name="digits"))
    assert HELD_OUT == 0.2
    assert abs(len(test) / (len(train) + len(test)) - 0.2) < 0.01
    assert not set(train.ids) & set(test.ids)


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        ("pairs", ["000", "000", "001", "001", "002"]),
        ("halves", ["000", "000", "000", "001", "001"]),
        ("first", ["first", "rest", "rest", "rest", "rest"]),
    ],
)
def test_rules_of_labels(rule: str, names: list[str]) -> None:
    images = made(10, 1, 5)
    found = relabelled(images, rule)
    assert [found.class_of[id] for id in images.ids] == names * 2
    assert set(RULES) == {"pairs", "halves", "first"}
    assert relabelled(images, "") is images
    with pytest.raises(UsageError) as raised:
        relabelled(images, "thirds")
    assert raised.value.remedy == "There are: pairs, halves, first."


def test_the_first_share_of_each_class_and_the_context_of_the_others() -> None:
    images = made(15, 1)
    assert first_share(images, 1.0) is images
    for share, count in ((0.1, 1), (0.3, 2), (0.5, 2), (0.7, 4), (0.9, 4)):
        found = first_share(images, share)
        wanted = [f"1-{3 * row + column:02d}" for column in range(3) for row in range(count)]
        assert sorted(found.ids) == sorted(wanted), share
    own = with_context(images, ("bee",))
    assert own.context == {"ant", "cat"}
    assert with_context(images, ()) is images


def test_joined_sets_are_in_the_order_of_their_new_ids() -> None:
    one, two = made(3, 1), made(3, 0).relabel(lambda id, name: name + "s")
    both = joined({"b": one, "a": two})
    assert both.ids == ("a/0-00", "a/0-01", "a/0-02", "b/1-00", "b/1-01", "b/1-02")
    with pytest.raises(DataError, match="Class 'ant' is in two of the sets that are to be joined"):
        joined({"a": one, "b": two, "c": made(1, 5)})


# Names and hashes


def test_a_label_has_the_parts_that_tell_cells_apart() -> None:
    plain = Cell(data=DATA, victim=VICTIM)
    assert plain.label == "made-clean-cnn-s0"
    poison = Poison(search=Search(data=DATA, settings={"form": "classwise"}))
    full = Cell(
        data=Data(name="a b/c_d"), victim=VICTIM, poison=poison, countermeasure="jpeg:10+grey", seed=3
    )
    assert full.label == "abc_d-error_minimizing-classwise-cnn-jpeg10grey-s3"
    assert (
        Cell(data=DATA, victim=VICTIM, poison=Poison(search=RANDOM)).label == "made-random-samplewise-cnn-s0"
    )


def test_every_dependency_of_a_result_is_in_its_revisions_and_fingerprints(runner: CellRunner) -> None:
    search = Search(data=OTHER, settings={"form": "classwise", "surrogate": "vgg11:width=8"})
    start = Cell(data=OTHER, victim=VICTIM.model_copy(update={"model": "resnet18:width=16"}))
    cell = Cell(
        data=DATA, victim=VICTIM, poison=Poison(search=search), countermeasure="grey+cutout", start=start
    )
    assert revisions(cell) == {
        "cell": 1,
        "model cnn": 1,
        "model vgg11": 1,
        "model resnet18": 1,
        "method error_minimizing": registry.get("error_minimizing").revision,
        **revisions(Cell(data=DATA, victim=VICTIM, countermeasure="grey")),
        **revisions(Cell(data=DATA, victim=VICTIM, countermeasure="cutout")),
    }
    assert search_revisions(RANDOM) == {"method random": 1}
    assert data_of(cell) == [DATA, OTHER]
    assert data_of(Cell(data=DATA, victim=VICTIM)) == [DATA]
    found = runner.fingerprints(cell)
    assert found == {hashing.digest(data.text)[:12]: runner.sets.fingerprint(data) for data in (DATA, OTHER)}
    assert runner.hash(cell) == hashing.digest(cell.text, found, revisions(cell))
    assert runner.search_hash(search) == hashing.digest(
        search.text, runner.sets.fingerprint(OTHER), search_revisions(search)
    )


def test_artefacts_have_folders_of_their_own(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new" / "cache")
    hash = "0123456789abcdef" * 4
    assert cache.path("noise", hash) == tmp_path / "new" / "cache" / "noise" / "0123456789abcdef"
    assert cache.view_folder() == tmp_path / "new" / "cache" / "views"
    assert cache.view_folder().is_dir()
    with cache.claim("cell", hash):
        assert (tmp_path / "new" / "cache" / "locks" / "cell-0123456789abcdef").exists()
        with pytest.raises(Busy), cache.claim("cell", hash):
            pass
        with cache.claim("noise", hash), cache.claim("cell", "f" * 64):
            pass
    with cache.claim("cell", hash):
        pass


# The search


class Seen(list[tuple[str, Any, Any, dict]]):
    """Calls of ``fit`` and ``extend``: name, view, context, and the rest."""


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    calls, method = Seen(), registry.get("random")
    fit, extend = method.fit, method.extend

    def fits(self: Any, view: Any, ctx: Any, on_progress: Any, **more: Any) -> Any:
        calls.append(("fit", view, ctx, {"method": self, "on_progress": on_progress, **more}))
        return fit(self, view, ctx, on_progress, **more)

    def extends(self: Any, fitted: Any, view: Any, ctx: Any) -> Any:
        calls.append(("extend", view, ctx, {"fitted": fitted}))
        return extend(self, fitted, view, ctx)

    monkeypatch.setattr(method, "fit", fits)
    monkeypatch.setattr(method, "extend", extends)
    return calls


def test_a_search_gets_the_images_the_seed_and_the_settings_of_its_words(
    runner: CellRunner, seen: Seen
) -> None:
    assert not runner.is_found(RANDOM)
    fitted, spent = runner.fitted(RANDOM)
    ((_, view, ctx, rest),) = seen
    assert view.ids == runner.sets(DATA)[0].ids
    assert view.own.all()
    assert (ctx.seed, ctx.compute) == (0, runner.compute)
    assert rest["on_progress"] is runner.on_progress
    assert rest["every"] == 60.0
    assert rest["state"] is None
    assert rest["method"].config.resolution == 16
    assert fitted.noise.keys == view.ids
    assert spent.keys() == {"seconds", "cpu_seconds"}
    assert min(spent.values()) >= 0
    assert runner.is_found(RANDOM)
    folder = runner.cache.path("noise", runner.noise_name(RANDOM))
    assert {path.name for path in folder.iterdir()} == {
        "noise.safetensors",
        "surrogate.safetensors",
        "time.safetensors",
    }
    assert load_tensors(folder / "time.safetensors")[1] == spent
    again = runner.fitted(RANDOM)
    assert len(seen) == 1
    assert np.array_equal(again[0].noise.bank, fitted.noise.bank)
    runner.fitted(RANDOM.model_copy(update={"seed": 7, "own": ("bee",)}))
    assert seen[-1][2].seed == 7
    assert seen[-1][1].own.tolist() == [number % 3 == 1 for number in range(24)]


def test_noise_of_the_unseen_images_is_made_by_extension_and_joined(runner: CellRunner, seen: Seen) -> None:
    search = RANDOM.model_copy(update={"found_on": 0.5, "own": ("ant", "bee")})
    noise = runner.fitted(search)[0].noise
    (_, first, _, _), (_, rest, _, more) = seen
    assert sorted(first.ids) == sorted(first_share(made(24, 1), 0.5).ids)
    own = {id for id, name in made(24, 1).class_of.items() if name != "cat"}
    assert set(rest.ids) == own - set(first.ids)
    assert set(more["fitted"].noise.keys) == set(first.ids) & own
    assert set(noise.keys) == own
    whole = runner.fitted(RANDOM)[0].noise
    for id in own:
        assert np.array_equal(noise.bank[noise.keys.index(id)], whole.bank[whole.keys.index(id)])


def test_a_search_knows_the_photos_size_unless_it_takes_them_as_seen(runner: CellRunner, seen: Seen) -> None:
    large = Data(name="large")
    runner.sets._open[large] = made(6, 1, side=50), made(3, 2, side=50)
    for lifted, frame in ((True, (50, 50)), (False, (64, 64))):
        runner.fitted(RANDOM.model_copy(update={"data": large, "lifted": lifted}))
        assert seen[-1][1].frame == frame
        assert seen[-1][1].pixels.shape[-2:] == (64, 64)


def test_a_search_that_is_stopped_saves_its_seconds_and_goes_on(
    runner: CellRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    method, states = registry.get("random"), []
    fit = method.fit

    def fits(self: Any, view: Any, ctx: Any, *rest: Any, state: Any, save: Any, **more: Any) -> Any:
        states.append(state)
        now[0] += 30.0
        save({"noise": torch.zeros(2), "round": 5})
        return fit(self, view, ctx, *rest, **more)

    monkeypatch.setattr(method, "fit", fits)
    runner.deadline = 10.0
    with pytest.raises(TimeIsUp):
        runner.fitted(RANDOM)
    assert states == [None]
    runner.deadline = 1e9
    seconds = runner.fitted(RANDOM)[1]["seconds"]
    assert states[1]["round"] == 5
    assert "seconds" not in states[1]
    assert seconds == 60.0
    folder = runner.cache.path("noise", runner.noise_name(RANDOM))
    assert not (folder / "checkpoint.safetensors").exists()


# A run over many cells


class Fake(CellRunner):
    """A runner whose cells take a number of seconds of a clock, or raise."""

    def begin(self, seconds: dict[int, float | Exception]) -> None:
        self.plan, self.order, self.now = seconds, [], 0.0

    def run(self, cell: Cell) -> Result:
        self.order.append(cell.seed)
        outcome = self.plan[cell.seed]
        if isinstance(outcome, TimeIsUp):
            self.now = self.deadline + 1
        if isinstance(outcome, Exception):
            raise outcome
        self.now += outcome
        return Result(
            hash=self.hash(cell),
            cell=cell,
            fingerprints={},
            revisions={},
            artefacts={},
            classes=["a"],
            images=1,
            protected=0,
            train=[],
            test=[0.5],
            recall=[0.5],
            confusion=None,
            search=None,
            seconds=outcome,
            environment={},
            machine="",
            version="",
            date="2026-01-01",
        )


def cell(seed: int, **more: object) -> Cell:
    return Cell(data=DATA, victim=VICTIM, seed=seed, **more)  # type: ignore[arg-type]


@pytest.fixture
def fake(runner: CellRunner, monkeypatch: pytest.MonkeyPatch) -> Fake:
    one = Fake(runner.sets, runner.cache, runner.compute)
    monkeypatch.setattr(running.time, "monotonic", lambda: one.now)
    return one


def test_cells_are_run_in_order_counted_and_saved(fake: Fake, tmp_path: Path) -> None:
    fake.begin(dict.fromkeys(range(4), 1.0))
    results, said = Results(tmp_path / "r"), []
    first = run([cell(2)], fake, results)
    assert first.made == (cell(2),)
    outcome = run(
        [cell(0), cell(1), cell(0), cell(2), cell(3)],
        fake,
        results,
        lambda result, done, total: said.append((result.cell.seed, done, total)),
    )
    assert outcome.made == (cell(0), cell(1), cell(3))
    assert outcome.there == (cell(2),)
    assert (outcome.missing, outcome.failed, outcome.without_data) == ((), {}, {})
    assert said == [(0, 2, 4), (1, 3, 4), (3, 4, 4)]
    assert fake.order == [2, 0, 1, 3]
    assert len(results.all()) == 4


def test_no_training_begins_after_the_deadline(fake: Fake, tmp_path: Path) -> None:
    fake.begin({0: 10.0, 1: 4.0, 2: 1.0})
    for deadline, made in ((9.0, 1), (10.0, 2), (14.5, 3)):
        fake.begin(fake.plan)
        fake.deadline = deadline
        outcome = run([cell(0), cell(1), cell(2)], fake, Results(tmp_path / f"{deadline}"))
        assert outcome.made == (cell(0), cell(1), cell(2))[:made]
        assert outcome.missing == (cell(0), cell(1), cell(2))[made:]
        assert fake.order == list(range(made))


def test_a_cell_that_fails_is_told_and_does_not_stop_the_others(fake: Fake, tmp_path: Path) -> None:
    said: list[Event] = []
    fake.on_progress = said.append
    fake.deadline = 100.0
    fake.begin({0: ValueError("odd"), 1: 1.0, 2: OSError(errno.ENOENT, "gone"), 3: TimeIsUp()})
    outcome = run([cell(0), cell(1), cell(2), cell(3)], fake, Results(tmp_path / "r"))
    assert outcome.made == (cell(1),)
    assert set(outcome.failed) == {cell(0), cell(2)}
    assert str(outcome.failed[cell(0)]) == "odd"
    assert outcome.missing == (cell(3),)
    assert [one.stage for one in said] == ["experiment"] * 2
    assert said[0].text.startswith("made-clean-cnn-s0 failed: ")
    assert "odd" in said[0].text


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_cannot_be_written_stops_the_run(code: int, fake: Fake, tmp_path: Path) -> None:
    fake.begin({0: OSError(code, "no"), 1: 1.0})
    with pytest.raises(OSError, match="no"):
        run([cell(0), cell(1)], fake, Results(tmp_path / "r"))
    assert fake.order == [0]


def test_cells_without_data_or_with_an_unknown_method_are_told(fake: Fake, tmp_path: Path) -> None:
    fake.begin({1: 1.0})
    fake.sets.data_dir = tmp_path
    lost = cell(0).model_copy(update={"data": Data(name="holidays")})
    strange = cell(0, countermeasure="nothing")
    outcome = run([lost, strange, cell(1)], fake, Results(tmp_path / "r"))
    assert outcome.made == (cell(1),)
    assert set(outcome.without_data) == {lost}
    assert isinstance(outcome.failed[strange], UnlearnableError)
    with pytest.raises(DataError, match="holidays"):
        run([lost], fake, Results(tmp_path / "r"))
    assert run([lost, strange], fake, Results(tmp_path / "r")).made == ()


def test_cells_of_another_process_are_waited_for(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.begin({0: 1.0, 1: 1.0})
    waits: list[float] = []
    lock = fake.cache.claim("cell", fake.hash(cell(0)))
    lock.__enter__()

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            lock.__exit__(None, None, None)

    monkeypatch.setattr(running.time, "sleep", sleep)
    outcome = run([cell(0), cell(1)], fake, Results(tmp_path / "r"), pause=0.25)
    assert outcome.made == (cell(1), cell(0))
    assert waits == [0.25, 0.25]


def test_weights_are_trained_once_and_named_by_their_cell(
    runner: CellRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Cell] = []
    monkeypatch.setattr(
        CellRunner, "_train", lambda self, cell: (trained.append(cell) or {"w": torch.ones(2)}, {})
    )
    path = runner.weights(cell(3))
    assert path == runner.cache.path("weights", runner.hash(cell(3))) / "weights.safetensors"
    assert runner.weights(cell(3)) == path
    assert trained == [cell(3)]
    tensors, meta = load_tensors(path)
    assert torch.equal(tensors["w"], torch.ones(2))
    assert meta == {"cell": cell(3).text}
    later = cell(0, start=cell(3))
    assert runner.victim(later) == VICTIM.model_copy(update={"start": str(path)})
    assert runner.victim(cell(0)) == VICTIM
