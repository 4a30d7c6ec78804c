"""The simulation of a cluster, and the script that measures what it starts from."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from unlearnable.data.demo_photos import demo_photos
from unlearnable.data.encoding import encode

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def job(photos: int = 40_000, parts: int = 0, seed: int = 0, **cluster: Any) -> dict[str, Any]:
    from cluster import Cluster, simulate

    usual = {"machines": 2, "cores": 2, "hours_between_kills": 0.0, "slow_share": 0.0, "spread": 0.0}
    return simulate(Cluster(**{**usual, **cluster}), photos, 1000, 0.36, parts, seed)


def test_without_failures_a_job_takes_its_work_over_its_processes() -> None:
    for parts in (0, 4, 8):
        found = job(parts=parts)
        # 40 shards of 360 s on 4 processes
        assert found["hours"] == 1.0
        assert found["core_hours"] == 4.0
        assert (found["kills"], found["lost_share"], found["shards"]) == (0, 0.0, 40)


def test_a_kill_loses_a_part_of_one_shard_and_the_time_until_another_process() -> None:
    found = job(hours_between_kills=2.0, seed=3)
    assert found["kills"] > 0
    assert 0 < found["lost_core_hours"] < found["kills"] * 0.1
    assert found["core_hours"] == pytest.approx(4.0 + found["lost_core_hours"], abs=0.1)
    assert found["lost_share"] == pytest.approx(found["lost_core_hours"] / found["core_hours"], abs=0.01)
    waiting = job(hours_between_kills=2.0, seed=3, new_seconds=3600.0)
    assert waiting["core_hours"] == pytest.approx(found["core_hours"], abs=0.5)
    assert waiting["hours"] > found["hours"] + 0.5


def test_slow_machines_hold_up_a_job_that_has_one_part_for_each_process() -> None:
    few, many, queue = (job(parts=parts, slow_share=0.5, slowdown=3.0)["hours"] for parts in (4, 20, 0))
    assert few == 3.0
    assert queue <= many < 2.0


def test_a_job_with_fewer_shards_than_processes_and_uneven_parts_is_whole() -> None:
    assert job(photos=1500)["shards"] == 2
    assert job(photos=1500, parts=16)["hours"] == 0.1
    # 7 shards in 4 parts: two each, and one
    assert job(photos=7000, parts=4)["hours"] == 0.2


def test_the_page_is_rendered_from_the_result_file() -> None:
    spec = importlib.util.spec_from_file_location("page", ROOT / "docs" / "scale.py")
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    text = (ROOT / "docs" / "scale.md").read_text("utf-8")
    assert page.render(text) == text


@pytest.mark.slow
def test_the_script_measures_parts_and_memory_and_simulates_from_them(tmp_path: Path) -> None:
    images = demo_photos()
    (tmp_path / "photos").mkdir()
    for number, id in enumerate(images.ids[:8]):
        data = encode(images.photo(id), "jpeg")
        (tmp_path / "photos" / f"{number}.jpg").write_bytes(data)
    script = [sys.executable, str(ROOT / "benchmarks" / "scale.py"), str(tmp_path / "photos")]
    more = ["--count", "6", "--pairs", "1", "--a-shard", "1", "--only", "parts", "memory", "simulation"]
    subprocess.run([*script, "--out", str(tmp_path / "scale.json"), *more], check=True, timeout=600)
    found = json.loads((tmp_path / "scale.json").read_text())["parts"]
    assert found["parts"]["ratio"] > 0
    assert list(found["memory"]["peak_megabytes"]) == ["1", "10", "100"]
    assert found["simulation"]["seconds_a_photo"] == found["parts"]["cpu_seconds_a_photo"]
    assert max(one["lost_share"] for one in found["simulation"]["rows"]) < 0.05


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (["--count", "0"], "argument --count: invalid positive value: '0'"),
        (["--pairs", "0"], "argument --pairs: invalid positive value: '0'"),
        (["--a-shard", "-1"], "argument --a-shard: invalid positive value: '-1'"),
        ([], "holds no photos"),
        (
            ["--only", "simulation", "--out", "none/scale.json"],
            "the folder of none/scale.json does not exist",
        ),
    ],
)
def test_wrong_arguments_are_refused_before_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    wrong: list[str],
    problem: str,
) -> None:
    import scale

    out = tmp_path / "scale.json"
    monkeypatch.setattr(sys, "argv", ["scale.py", str(tmp_path), "--out", str(out), *wrong])
    with pytest.raises(SystemExit) as stopped:
        scale.main()
    assert stopped.value.code == 2
    assert problem in capsys.readouterr().err
    assert not out.exists()
