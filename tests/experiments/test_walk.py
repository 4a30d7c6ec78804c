"""What the docs say of the demo's walk: every number comes from its result file."""

from __future__ import annotations

import copy
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "benchmarks" / "results" / "demo.json"


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """docs/results.py, which imports the renderers beside it."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    spec = importlib.util.spec_from_file_location("_results", ROOT / "docs" / "results.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def file() -> dict[str, Any]:
    return json.loads(FILE.read_text("utf-8"))


def test_the_paragraph_of_the_readme_is_rendered_from_the_file(scripts: ModuleType) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert scripts.readme(text) == text, "run make results"
    changed = text.replace("guessing gives", "guessing gave", 1)
    assert changed != text
    assert scripts.readme(changed) == text


def test_a_missed_verdict_is_counted_and_shown(scripts: ModuleType, file: dict[str, Any]) -> None:
    seed = next(iter(file["seeds"].values()))
    missed = copy.deepcopy(seed) | {"verdict": "weakened"}
    two = file | {"seeds": {"8": copy.deepcopy(seed) | {"verdict": "protected"}, "9": missed}}
    assert "`protected` with 1 of 2." in scripts.walk_in_words(two)
    assert "| weakened |" in scripts.KINDS["walk"](two)


@pytest.mark.parametrize(("note", "said"), [("", "minutes at most"), ("Busy.", "minutes of CPU time")])
def test_times_of_a_busy_machine_are_not_given_as_times(
    scripts: ModuleType, file: dict[str, Any], note: str, said: str
) -> None:
    seeds = {seed: one | {"note": note} for seed, one in file["seeds"].items()}
    assert said in scripts.walk_in_words(file | {"seeds": seeds})


def test_the_measured_settings_are_those_of_the_code(file: dict[str, Any]) -> None:
    """Default settings that change make the file out of date."""
    from unlearnable.evaluation.schedule import SMALL, trials
    from unlearnable.training.victim import Victim

    for one in file["seeds"].values():
        tried = [trial for trial in trials(SMALL, 750) if not trial.chain]
        plain = [trial for trial in one["trials"] if trial["countermeasure"] == "none"]
        assert [trial.victim.model for trial in tried] == [trial["target"] for trial in plain]
        for trial, found in zip(tried, plain, strict=True):
            # settings that are newer than the file have their defaults
            assert Victim(model=found["target"], **found["settings"]) == trial.victim
