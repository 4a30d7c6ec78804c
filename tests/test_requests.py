"""What is decided once is read from the record afterwards, and what can refuse comes before any promise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import unlearnable as un
from publishing import call, draw, tree
from unlearnable import methods, presets, search
from unlearnable.events import Event
from unlearnable.preparation import Request, prepare
from unlearnable.runs import RunFolder, default_run
from unlearnable.search import TimeLeft
from unlearnable.training.compute import Compute

TINY = {"surrogate": "cnn:width=8,depth=2", "batch": 6, "max_rounds": 1, "min_rounds": 1, "resolution": 16}
WORDS = [word for key, value in TINY.items() for word in ("--set", f"{key}={value}")] + ["--workers", "1"]
CPU = Compute("cpu")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for index in range(6):
        draw(root / ("cats", "dogs")[index % 2] / f"p{index}.png", index, side=60)
    return root


def edit(run: Path, **changes: Any) -> None:
    """Change entries of run.json; None removes one."""
    record = {**json.loads((run / "run.json").read_text()), **changes}
    record = {key: value for key, value in record.items() if value is not None}
    (run / "run.json").write_text(json.dumps(record))


def icons(photos: Path, count: int) -> None:
    for index in range(count):
        draw(photos / "cats" / f"a{index}.png", 50 + index, side=20)


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("earlier", [False, True])
def test_photos_that_come_later_do_not_change_the_preset(
    photos: Path, tmp_path: Path, count: int, earlier: bool
) -> None:
    out = tmp_path / "out"
    call("protect", photos, out, *WORDS, "--device", "cpu")
    run = default_run(photos, out)
    record = RunFolder(run).read()
    assert record["preset"] == "laptop"
    if earlier:
        # runs of earlier versions record neither
        edit(run, preset=None, request=None)
    icons(photos, count)
    done = json.loads(call("protect", photos, out, *WORDS, "--device", "cpu", "--json").stdout)
    assert (done["written"], done["retained"]) == (count, 6)
    assert RunFolder(run).read()["settings"] == record["settings"]
    fresh = prepare(un.open_photos(photos), Request(settings=TINY), compute=CPU)
    assert fresh.preset == ("small" if count > 6 else "laptop")


def test_another_device_or_another_version_of_the_preset_does_not_change_it(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request(settings=TINY)
    with RunFolder(tmp_path / "run").open() as run:
        first = prepare(un.open_photos(photos), request, run=run, compute=CPU)
        search.search(first.images, run, first.method, compute=CPU, origin=first.origin)
        read = presets.read
        monkeypatch.setattr(presets, "read", lambda name: {**read(name), "lr": 0.05})
        monkeypatch.setattr(presets, "auto", lambda *_: "gpu")
        again = prepare(un.open_photos(photos), request, run=run, compute=CPU)
        assert (again.preset, again.method.config, again.finished) == ("laptop", first.method.config, True)
        with pytest.raises(un.UsageError, match="max_rounds 1, not 2"):
            prepare(un.open_photos(photos), Request(settings={**TINY, "max_rounds": 2}), run=run, compute=CPU)


def test_asking_for_what_auto_became_is_asking_for_the_same(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    un.protect(photos, out, un.Random(), seed=1, workers=1)
    assert un.protect(photos, out, un.Random(form="classwise"), workers=1).retained == 6
    with pytest.raises(un.UsageError, match="form auto, not samplewise"):
        un.protect(photos, out, un.Random(form="samplewise"), workers=1)


def test_a_setting_that_an_earlier_version_did_not_have_is_its_default(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    un.protect(photos, out, un.Random(), seed=1, workers=1)
    run = default_run(photos, out)
    asked = RunFolder(run).read()["asked"]
    del asked["settings"]["patience"]
    edit(run, asked=asked)
    assert un.protect(photos, out, un.Random(), workers=1).retained == 6
    with pytest.raises(un.UsageError, match="patience 0, not 3"):
        un.protect(photos, out, un.Random(patience=3), workers=1)


REFUSED = {
    "settings": (["--set", "lr=0.5"], "lr 0.1, not 0.5"),
    "method": (["--method", "random"], "method error_minimizing, not random"),
    "seed": (["--seed", "2"], "seed 1, not 2"),
    "encoding": (["--format", "jpeg"], "format png, not jpeg"),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("moment", ["interrupted", "finished"])
def test_what_is_refused_is_refused_before_anything_is_announced(
    photos: Path, tmp_path: Path, what: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["protect", photos, tmp_path / "out", *WORDS, "--device", "cpu"]
    if moment == "interrupted":
        if what == "encoding":
            pytest.skip("nothing has been published yet")
        with monkeypatch.context() as cut:
            cut.setattr(search, "CHECKPOINT_SECONDS", -1.0)
            cut.setattr(methods.Fitted, "save", interrupt)
            call(*words, "--seed", 1, code=130)
    else:
        call(*words, "--seed", 1)
    more, text = REFUSED[what]
    tiny = words if what != "method" else ["protect", photos, tmp_path / "out"]
    before = tree(default_run(photos, tmp_path / "out"))
    said = call(*tiny, *more, code=2).stderr
    assert said.startswith("error: "), said
    assert text in said
    assert tree(default_run(photos, tmp_path / "out")) == before


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_starting_over_is_refused_before_the_earlier_run_is_discarded(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    un.protect(photos, out, un.Random(), seed=1, workers=1)

    def run() -> dict[str, bytes]:
        # what was learned of the photos meanwhile may be saved
        return {name: data for name, data in tree(default_run(photos, out)).items() if name != "cache.sqlite"}

    before = run()
    (out / "diary.png").write_text("dear diary")
    with pytest.raises(un.UsageError, match=r"diary\.png"):
        un.protect(photos, out, un.Random(), refit=True, workers=1)
    assert run() == before


def test_a_disk_that_is_obviously_too_small_is_named_before_the_search(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    seen: list[Event] = []
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    method = methods.create("error_minimizing", TINY)
    with pytest.raises(un.UsageError, match="too small"):
        un.protect(photos, tmp_path / "out", method, workers=1, on_progress=seen.append)
    assert "searching" not in {event.stage for event in seen}


def test_a_search_whose_photos_changed_is_not_said_to_resume(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["protect", photos, tmp_path / "out", *WORDS, "--device", "cpu"]
    with monkeypatch.context() as cut:
        cut.setattr(search, "CHECKPOINT_SECONDS", -1.0)
        cut.setattr(methods.Fitted, "save", interrupt)
        call(*words, code=130)
    run = default_run(photos, tmp_path / "out")
    request = Request(settings=TINY)
    (photos / "cats" / "p0.png").touch()  # another time, the same content
    assert prepare(un.open_photos(photos), request, run=run, compute=CPU).resumes
    draw(photos / "cats" / "new.png", 77, side=60)
    assert not prepare(un.open_photos(photos), request, run=run, compute=CPU).resumes
    said = call(*words).stderr
    assert "resumes" not in said
    assert "the photos changed since the search began, so it starts over" in said


def test_the_rest_of_a_search_is_estimated_by_the_rounds_that_are_done(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = methods.create("error_minimizing", {**TINY, "max_rounds": 8, "stop_error": 0.0})
    images = un.open_photos(photos)
    monkeypatch.setattr(search, "CHECKPOINT_SECONDS", -1.0)

    def stop(event: Event) -> None:
        if event.stage == "searching" and event.text.startswith("round 4"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        un.protect(photos, tmp_path / "out", method, images=images, workers=1, on_progress=stop)
    run = RunFolder(default_run(photos, tmp_path / "out"))
    assert search.rounds_done(run.checkpoint) == 4
    assert search.rounds_done(tmp_path / "nothing") == 0


def test_the_estimate_agrees_with_the_search(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that takes long the first time is no measure of the others."""
    clock = [0.0]
    monkeypatch.setattr(search.time, "monotonic", lambda: clock[0])
    kind = type(methods.create("error_minimizing"))
    advance, seen = kind.advance, set()

    def timed(self: Any, state: Any, view: Any, context: Any) -> Any:
        progress = advance(self, state, view, context)
        clock[0] += 0.1 if progress.kind in seen else 20.0
        seen.add(progress.kind)
        return progress

    monkeypatch.setattr(kind, "advance", timed)
    monkeypatch.setattr(search, "ESTIMATE_SECONDS", 41.0)
    images = un.open_photos(photos)
    method = methods.create("error_minimizing", {**TINY, "max_rounds": 50, "train_batches": 1})
    steps = method.resolve((60, 60), 6).round_steps(0, 6)
    assert search.estimate(images, method, CPU) == pytest.approx(50 * 0.1 * sum(s.count for s in steps))


def test_the_time_left_follows_the_measured_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, seen = [100.0], []
    monkeypatch.setattr(search.time, "monotonic", lambda: clock[0])
    progress = TimeLeft(seen.append)
    progress(Event("searching", 1, 100))
    assert seen[-1].left is None
    for done in range(2, 51):
        clock[0] += 2.0
        progress(Event("searching", done, 100, "text"))
    assert seen[-1] == Event("searching", 50, 100, "text", left=pytest.approx(100.0))
    clock[0] += 200.0
    progress(Event("searching", 51, 100))
    assert seen[-1].left == pytest.approx(49 * (98 + 200) / 50)


def test_events_of_a_search_carry_the_time_left(photos: Path, tmp_path: Path) -> None:
    seen: list[Event] = []
    method = methods.create("error_minimizing", {**TINY, "max_rounds": 4, "stop_error": 0.0})
    un.protect(photos, tmp_path / "out", method, workers=1, on_progress=seen.append)
    left = [event.left for event in seen if event.stage == "searching"]
    assert left[0] is None
    assert left[-1] == 0.0
