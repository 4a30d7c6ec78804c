"""`--engine ray`: the same shards in a real cluster of two workers, one of which is killed."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from publishing import tree
from shards import begin, kill_at_random, later, pack, run_of, samples, searched
from unlearnable import UsageError, apply_shards
from unlearnable.jobs.folders import manifests_of

RAY = ("--engine", "ray", "--workers", "2")
SECONDS = 300
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra ray")


def on_ray(*words: object, code: int = 0) -> dict:
    """Run a command in a process of its own, because Ray starts threads that outlive it; return its JSON."""
    with begin("apply", *words, *RAY, "--json") as process:
        out, said = process.communicate(timeout=SECONDS)
    assert process.returncode == code, said
    return json.loads(out)


def workers_of(tag: str) -> list[int]:
    """The processes of Ray that make a shard, and inherited a variable from this test."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            made = (folder / "cmdline").read_bytes().startswith(b"ray::make_shard")
            if made and tag.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except (OSError, ValueError):
            continue
    return found


@needs_ray
@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found in /proc")
def test_a_worker_that_is_killed_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos, run = run_of(tmp_path, 150)
    out = tmp_path / "out"
    monkeypatch.setenv("TAG_OF_THIS_TEST", str(tmp_path))
    with begin("apply", run, photos, out, *RAY, "--json") as process:
        limit = time.monotonic() + SECONDS
        while not list(out.rglob("*.png")):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < limit
            time.sleep(0.005)
        killed = workers_of(str(tmp_path))[:1]
        for number in killed:
            os.kill(number, signal.SIGKILL)
        result, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said
    assert len(killed) == 1
    assert json.loads(result)["written"] == 300
    apply_shards(run, photos, tmp_path / "whole", workers=1)
    assert tree(out) == tree(tmp_path / "whole")
    records = [
        photo
        for path in Path(manifests_of(run, str(out))).glob("shard-*.json")
        for photo in json.loads(path.read_bytes())["photos"]
    ]
    assert len(records) == len(set(records)) == 300


@needs_ray
@pytest.mark.slow
def test_parts_and_engines_continue_each_other(tmp_path: Path) -> None:
    photos, run = run_of(tmp_path, 12)
    out = tmp_path / "out"
    apply_shards(run, photos, out, part="1/4", workers=1)
    result = on_ray(run, photos, out)
    assert (result["shards"], result["finished"]) == (3, 1)
    assert apply_shards(run, photos, out, workers=1).finished == 4
    apply_shards(run, photos, tmp_path / "whole", workers=1)
    assert tree(out) == tree(tmp_path / "whole")


@needs_ray
@pytest.mark.slow
def test_noise_for_other_photos_is_the_same_under_any_engine(tmp_path: Path) -> None:
    run, photos = searched(tmp_path), later(tmp_path / "photos", 6)
    result = on_ray(run, photos, tmp_path / "out", "--missing", "extend")
    assert (result["shards"], result["extended"]) == (2, 6)
    apply_shards(run, photos, tmp_path / "whole", extend=True, workers=1)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


@needs_ray
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "tars", "parquet"])
def test_killed_under_any_engine_every_photo_is_published_once(kind: str, tmp_path: Path) -> None:
    """Commands of parts and of Ray continue each other's work, each killed at a random moment."""
    photos, run = run_of(tmp_path, 20)
    source = photos if kind == "folder" else tmp_path / "in"
    for number in range(8):
        if kind == "tars":
            pack(source / f"{number}.tar", samples(5 * number, 5))
        if kind == "parquet":
            pytest.importorskip("pyarrow")
            from parquets import sample

            sample(source / f"{number}.parquet", 5 * number, 5)
    apply_shards(run, source, tmp_path / "whole", workers=1)
    draws, killed, out = random.Random(kind), 0, tmp_path / "out"
    manifests = Path(manifests_of(run, str(out)))
    engines = [RAY, ("--part", "1/2", "--workers", 1), ("--part", "2/2", "--workers", 2)]
    for number in range(6):
        words = ("apply", run, source, out, *engines[number % 3])
        killed += kill_at_random(draws, words, [out, manifests], 9)
    assert killed >= 2
    on_ray(run, source, out)
    assert tree(out) == tree(tmp_path / "whole")
    assert apply_shards(run, source, out, workers=1).shards == 0
    records = [
        photo
        for path in manifests.glob("*.json")
        if path.stem != "job"
        for photo in json.loads(path.read_bytes())["photos"]
    ]
    assert len(records) == len(set(records)) == 40


@needs_ray
@pytest.mark.slow
def test_a_photo_that_kills_every_worker_is_skipped_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path, 3)[1]
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'ray' in ' '.join(sys.orig_argv) or 'spawn' in ' '.join(sys.orig_argv):\n"
        "    import os, unlearnable.worker as worker\n"
        "    decode = worker.decode\n"
        "    def killing(data, name, *more, **named):\n"
        "        return os._exit(9) if name == '000002.jpg' else decode(data, name, *more, **named)\n"
        "    worker.decode = killing\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    pack(tmp_path / "in" / "a.tar", samples(0, 4))
    pack(tmp_path / "in" / "b.tar", samples(4, 4))
    result = on_ray(run, tmp_path / "in", tmp_path / "out", code=4)
    assert list(result["skipped"]) == ["000002.jpg"]
    assert "died twice" in result["skipped"]["000002.jpg"]
    assert result["written"] == 7


@needs_ray
@pytest.mark.slow
def test_an_error_in_a_worker_is_the_error_of_the_command(tmp_path: Path) -> None:
    photos, run = run_of(tmp_path, 3)
    (tmp_path / "out").write_text("a file where the folder should be")
    with begin("apply", run, photos, tmp_path / "out", *RAY) as process:
        said = process.communicate(timeout=SECONDS)[1]
    assert process.returncode != 0
    assert "out" in said
    assert "Traceback" not in said


def test_without_ray_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos, run = run_of(tmp_path, 2)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"unlearnable\[ray\]"):
        apply_shards(run, photos, tmp_path / "out", engine="ray")
