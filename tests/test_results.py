"""The numbers in the docs are those of the committed result files."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(("script", "page"), [("tables", "results.md"), ("performance", "performance.md")])
def test_a_page_is_rendered_from_the_result_files(script: str, page: str, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    found = importlib.import_module(script).render()
    assert (ROOT / "docs" / page).read_text("utf-8") == found, f"run python benchmarks/{script}.py"
