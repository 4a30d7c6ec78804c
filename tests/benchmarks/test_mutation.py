"""The share of faults that the tests notice: what is committed adds up and is high enough."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = sorted((ROOT / "results" / "mutation").glob("*.json"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_a_committed_share_adds_up_and_is_85_percent_or_more(path: Path) -> None:
    one = json.loads(path.read_text("utf-8"))
    survivors = one["survivors"]
    assert one["module"] == path.stem
    assert len(survivors) == one["sampled"] - one["killed"]
    assert len({found["fault"] for found in survivors}) == len(survivors)
    assert one["equivalent"] == sum("equivalent" in found for found in survivors)
    assert one["share"] == round(one["killed"] / (one["sampled"] - one["equivalent"]), 3)
    assert one["share"] >= 0.85
    assert one["sampled"] == min(60, one["faults"])
    assert one["date"]
    assert one["machine"]


def test_every_module_has_its_files_and_its_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    for name in ("mutation", "shared"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import mutation

    for module, tests in mutation.TESTS.items():
        assert all((ROOT / path).is_file() for path in mutation.files_of(module))
        assert tests
        assert all((ROOT / "tests" / name).exists() for name in tests)
    assert len(mutation.files_of("methods")) > 10
    assert {path.stem for path in RESULTS} <= set(mutation.TESTS)
    assert all(mutation.EQUIVALENT.values())
