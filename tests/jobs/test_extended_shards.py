"""`apply --missing extend` by shard: noise for other photos, which is a function of the run and the photo."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from publishing import call, change, draw, draw_all, tree
from shards import begin, later, pack, samples, searched, unpacked
from unlearnable import UsageError, apply_shards, methods
from unlearnable.extending import OneByOne
from unlearnable.jobs.folders import manifests_of
from unlearnable.methods import Fitted, context
from unlearnable.opening import open_photos
from unlearnable.runs import RunFolder
from unlearnable.training.frozen import freeze


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return searched(tmp_path_factory.mktemp("run"))


def extended(run: Path, photos: Path, out: Path, **more: object) -> dict[str, bytes]:
    apply_shards(run, photos, out, extend=True, workers=1, **more)
    return tree(out)


def test_photos_get_noise_whatever_others_there_are(run: Path, tmp_path: Path) -> None:
    before = tree(run)
    photos = later(tmp_path / "photos")
    applied = apply_shards(run, photos, tmp_path / "out", extend=True, workers=1)
    assert (applied.written, applied.extended, applied.skipped) == (6, 6, {})
    whole = tree(tmp_path / "out")
    for name in whole:
        assert 4 < abs(change(photos / name, tmp_path / "out" / name)).max() <= 8
    assert tree(run) == before, "the run folder may be mounted read-only"
    alone = tmp_path / "alone" / "cats"
    alone.mkdir(parents=True)
    shutil.copy2(photos / "cats" / "later2.png", alone)
    assert extended(run, alone.parent, tmp_path / "one") == {"cats/later2.png": whole["cats/later2.png"]}
    parts = {}
    for part in ("3/3", "1/3", "2/3"):
        parts |= extended(run, photos, tmp_path / "parts", part=part)
    assert parts == whole


def test_the_number_of_threads_changes_nothing(run: Path, tmp_path: Path) -> None:
    photos, before = later(tmp_path / "photos", 2), torch.get_num_threads()
    try:
        found = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            found.append(extended(run, photos, tmp_path / f"out{threads}"))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


@pytest.mark.parametrize("method", ["error_minimizing", "feature_shift_error_minimizing"])
def test_it_is_what_the_method_finds_for_the_photo_alone(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network is built once for all photos, and gives each what a network of its own would give it."""
    run = searched(tmp_path, method)
    frozen = []
    monkeypatch.setattr(context, "freeze", lambda *more: frozen.append(1) or freeze(*more))
    one_by_one = OneByOne(RunFolder(run))
    photos = open_photos(later(tmp_path / "photos", 4))
    found = [
        one_by_one(id, photos.class_of[id], photos.photo(id), photos.about(id).digest) for id in photos.ids
    ]
    assert len(frozen) == 1
    fitted, record = Fitted.load(run), json.loads((run / "run.json").read_text())
    for id, noise in zip(photos.ids, found, strict=True):
        again = methods.create(record["method"], record["settings"])
        view = photos.subset([id]).view(int(again.config.resolution), again.zoom)
        reference = again.extend(fitted, view, methods.Context(record["seed"]))
        assert noise.bank.any()
        assert np.array_equal(noise.bank, reference.bank)
        assert (noise.keys, noise.digests, noise.classes) == (
            reference.keys,
            reference.digests,
            reference.classes,
        )
    assert len({noise.bank.tobytes() for noise in found}) == 4


def test_the_noise_lowers_the_loss_of_the_surrogate(run: Path, tmp_path: Path) -> None:
    """The noise is that of the method, not only something inside the budget."""
    photos = later(tmp_path / "photos", 12)
    extended(run, photos, tmp_path / "out")
    fitted, record = Fitted.load(run), json.loads((run / "run.json").read_text())
    method = methods.create(record["method"], record["settings"])
    losses = []
    for folder in (photos, tmp_path / "out"):
        view = open_photos(folder).view(int(method.config.resolution), method.zoom)
        ctx = methods.Context(record["seed"])
        plan = method.plan(view, ctx, fitted.classes)
        state = method.extension(fitted, view, ctx)
        batch = plan.batch_of(torch.arange(12))
        clean = torch.zeros(12, 3, method.config.side, method.config.side)
        logits = plan.logits(plan.frozen(state), plan.show(batch, clean, None))
        losses.append(float(torch.nn.functional.cross_entropy(logits, batch.y)))
    assert losses[1] < losses[0] - 0.01, losses


@pytest.mark.parametrize(
    "method", ["random", "feature_shift", "self_ensemble", "autoregressive", "robust_error_minimizing"]
)
def test_every_kind_of_method_makes_it(method: str, tmp_path: Path) -> None:
    run = searched(tmp_path, method)
    photos = later(tmp_path / "photos", 4)
    whole = extended(run, photos, tmp_path / "out")
    assert len(whole) == 4
    shutil.rmtree(photos / "dogs")
    alone = extended(run, photos, tmp_path / "less")
    assert alone == {name: data for name, data in whole.items() if name.startswith("cats")}


def test_known_photos_keep_the_noise_of_the_run(run: Path, tmp_path: Path) -> None:
    photos = later(tmp_path / "photos", 2)
    shutil.copytree(run.parent / "known", photos, dirs_exist_ok=True)
    draw(photos / "cats" / "p1.png", 77)
    shutil.move(photos / "dogs" / "p0.png", photos / "cats" / "p9.png")
    apply_shards(run, run.parent / "known", tmp_path / "known", workers=1)
    applied = apply_shards(run, photos, tmp_path / "out", extend=True, workers=1)
    assert (applied.written, applied.extended) == (10, 4), "new, changed, and of another class"
    known, found = tree(tmp_path / "known"), tree(tmp_path / "out")
    same = {name for name in known if found.get(name) == known[name]}
    assert same == known.keys() - {"cats/p1.png", "dogs/p0.png"}


def test_shards_that_were_made_without_are_completed_and_never_undone(run: Path, tmp_path: Path) -> None:
    photos, out = later(tmp_path / "photos", 2), tmp_path / "out"
    shutil.copytree(run.parent / "known", photos, dirs_exist_ok=True)
    first = apply_shards(run, photos, out, workers=1)
    assert len(first.skipped) == 2
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    second = apply_shards(run, photos, out, extend=True, workers=1)
    assert (second.written, second.extended, second.skipped) == (10, 2, {})
    assert {path: path.stat().st_mtime_ns for path in times} == times
    with pytest.raises(UsageError, match="has none for") as caught:
        apply_shards(run, photos, out, workers=1)
    assert "--missing extend" in caught.value.remedy
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    draw(photos / "dogs" / "another.png", 300)
    third = apply_shards(run, photos, out, extend=True, workers=1)
    assert (third.shards, third.extended) == (1, 3)
    assert {path: path.stat().st_mtime_ns for path in times} == times, "finished files stay"
    status = json.loads(call("apply", run, "--status", out, "--json").stdout)
    assert (status["written"], status["extended"]) == (11, 3)


def test_a_new_class_is_skipped_with_the_reason(run: Path, tmp_path: Path) -> None:
    photos = later(tmp_path / "photos", 2)
    draw(photos / "birds" / "b.png", 5)
    applied = apply_shards(run, photos, tmp_path / "out", extend=True, workers=1)
    assert list(applied.skipped) == ["birds/b.png"]
    assert "does not know class 'birds'" in applied.skipped["birds/b.png"]
    classwise = searched(tmp_path, "random", "classwise")
    applied = apply_shards(classwise, photos, tmp_path / "classwise", extend=True, workers=1)
    assert (applied.written, applied.extended) == (2, 0)
    assert "no noise for class 'birds'" in applied.skipped["birds/b.png"]


def test_tar_shards_are_extended_too(run: Path, tmp_path: Path) -> None:
    pack(tmp_path / "in" / "a.tar", samples(0, 3))
    pack(tmp_path / "in" / "b.tar", samples(3, 3))
    out = tmp_path / "out"
    said = call("apply", run, tmp_path / "in", out, "--missing", "extend", "--workers", 1).stdout
    assert "Noise was made for 6 photos." in said
    pack(tmp_path / "less" / "b.tar", samples(4, 1))
    apply_shards(run, tmp_path / "less", tmp_path / "other", extend=True, workers=1)
    (name,) = [name for name in unpacked(tmp_path / "other" / "b.tar") if name.endswith(".png")]
    whole = unpacked(out / "b.tar")
    assert unpacked(tmp_path / "other" / "b.tar")[name] == whole[name]
    before = np.asarray(Image.open(__import__("io").BytesIO(samples(4, 1)["000004.jpg"])), int)
    after = np.asarray(Image.open(__import__("io").BytesIO(whole[name])), int)
    assert 4 < abs(after - before).max() <= 8


def test_parquet_shards_are_extended_too(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from parquets import rows, sample

    sample(tmp_path / "in" / "a.parquet", 0, 4)
    applied = apply_shards(run, tmp_path / "in", tmp_path / "out", extend=True, workers=1)
    assert (applied.written, applied.extended) == (4, 4)
    sample(tmp_path / "less" / "a.parquet", 2, 1)
    apply_shards(run, tmp_path / "less", tmp_path / "other", extend=True, workers=1)
    assert rows(tmp_path / "other" / "a.parquet")[0] == rows(tmp_path / "out" / "a.parquet")[2]


@pytest.mark.slow
def test_workers_load_the_plugin_of_the_run(tmp_path: Path) -> None:
    plugin = tmp_path / "signs.py"
    plugin.write_text(
        "import torch\n"
        "from unlearnable.methods import Config, Method, Progress, register\n"
        "@register\n"
        "class Signs(Method[Config]):\n"
        '    """Random signs of the largest level."""\n'
        '    name = "signs"\n'
        "    Config = Config\n"
        "    def start(self, view, ctx):\n"
        "        side = self.config.grid\n"
        "        draws = [ctx.rng('n', key) for key in self.keys(view)]\n"
        "        rows = [torch.randn(3, side, side, generator=rng).sign() for rng in draws]\n"
        '        return {"noise": self.config.epsilon * torch.stack(rows)}\n'
        "    def advance(self, state, view, ctx):\n"
        "        return Progress(1, 1, round_ended=True)\n"
        "    def finish(self, state):\n"
        '        return state["noise"]\n'
    )
    photos, new = draw_all(tmp_path / "known", 2), later(tmp_path / "photos", 4)
    # in a process of its own, so that no other test knows the method
    code = (
        "import sys, unlearnable as un\n"
        "from unlearnable.cli.app import app\n"
        "photos, run, new, out, plugin = sys.argv[1:]\n"
        "words = ['--method', 'signs', '--form', 'samplewise', '--plugin', plugin, '--quiet']\n"
        "app(['fit', photos, run, *words], standalone_mode=False)\n"
        "print(un.apply_shards(run, new, out, extend=True, workers=2).extended)\n"
    )
    run, out = tmp_path / "run", tmp_path / "out"
    with begin(photos, run, new, out, plugin, code=code) as process:
        result, said = process.communicate(timeout=200)
    assert process.returncode == 0, said
    assert result.split()[-1] == "4"
    refused = call("apply", run, new, out, "--part", "1/1", "--missing", "extend", code=2).stderr
    assert "which is not loaded" in refused
    assert f"--plugin {plugin}" in refused


def test_what_cannot_extend_is_refused_before_work(run: Path, tmp_path: Path) -> None:
    photos = later(tmp_path / "photos", 2)
    copy = shutil.copytree(run, tmp_path / "run")
    record = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**record, "method": "imported"}))
    with pytest.raises(UsageError, match="was imported"):
        apply_shards(copy, photos, tmp_path / "out", extend=True, workers=1)
    said = call("apply", run, photos, tmp_path / "out", "--part", "1/1", "--plugin", "x.py", code=2).stderr
    assert "--plugin would be ignored" in said
    said = call(
        "apply",
        run,
        photos,
        tmp_path / "out",
        "--part",
        "1/1",
        "--missing",
        "extend",
        "--device",
        "cpu",
        code=2,
    ).stderr
    assert "--device would be ignored" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name != "posix", reason="kills processes")
def test_a_kill_in_the_middle_changes_no_byte(run: Path, tmp_path: Path) -> None:
    photos, out = later(tmp_path / "photos", 12), tmp_path / "out"
    whole = extended(run, photos, tmp_path / "whole")
    words = ("apply", run, photos, out, "--missing", "extend", "--part", "1/1", "--workers", 1)
    with begin(*words) as process:
        while process.poll() is None and len(list(out.rglob("*.png"))) < 5:
            time.sleep(0.004)
        time.sleep(random.Random(1).uniform(0, 0.02))
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert len(tree(out)) < 12
    call(*words)
    assert tree(out) == whole
    (manifest,) = Path(manifests_of(run, str(out))).glob("shard-*.json")
    assert len(json.loads(manifest.read_bytes())["photos"]) == 12
