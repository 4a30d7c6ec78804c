"""The shape of the package: layers, what is imported when, and what is never imported."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

import unlearnable

ROOT = Path(unlearnable.__file__).parent
# A module may import from its own room and from rooms further right; rooms of one layer do not import each
# other.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"demo", "experiments"},
    {"report"},
    {"api", "cells", "faces", "jobs"},
    {"extending"},
    {"evaluation", "preparation"},
    {"publish", "search"},
    {"unfinished"},
    {"destination", "opening"},
    {"methods", "presets"},
    {"countermeasures"},
    {"training", "exchange", "worker", "pool", "disk_space", "runs"},
    {"file_list"},
    {"file_index"},
    {"indexing"},
    {"data", "models"},
    {"noise", "names"},
    {"lifting", "assignment", "noise_file"},
    {"spec"},
    {"fields"},
    {"budget", "renamed", "plugins"},
    {"registry"},
    {"arguments"},
    {"hashing", "duration", "user_cache"},
    {"errors", "events", "files", "rebuildable", "version", "words"},
    {"portable"},
]
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}


def rooms_imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "unlearnable":
                names |= {alias.name for alias in node.names}
            elif node.module.startswith("unlearnable."):
                names.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            names |= {
                alias.name.split(".")[1] for alias in node.names if alias.name.startswith("unlearnable.")
            }
    return names


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize(
    "path", sorted(p for p in ROOT.rglob("*.py") if p.name != "__init__.py" or p.parent != ROOT), ids=str
)
def test_nothing_imports_upward(path: Path) -> None:
    here = room(path)
    for other in rooms_imported(path) - {here}:
        assert LEVEL[other] > LEVEL[here], f"{here} imports {other}"


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_torchvision_is_never_imported_and_nothing_mentions_it() -> None:
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                modules = (
                    [node.module or ""]
                    if isinstance(node, ast.ImportFrom)
                    else [alias.name for alias in node.names]
                )
                assert not any(module.split(".")[0] == "torchvision" for module in modules), path


def test_help_and_import_do_not_load_torch() -> None:
    heavy = "print([m for m in ('torch', 'sklearn', 'matplotlib', 'skimage', 'pooch') if m in sys.modules])"
    assert run(f"import sys, unlearnable; {heavy}").strip() == "[]"
    assert run(f"import sys, unlearnable.cli.app; {heavy}").strip() == "[]"


def test_a_worker_needs_numpy_and_pillow_only() -> None:
    heavy = "[m for m in ('torch', 'pydantic', 'typer', 'sklearn') if m in sys.modules]"
    code = f"import sys, unlearnable.worker; print({heavy})"
    assert run(code).strip() == "[]"


def test_experiments_run_where_only_the_numeric_libraries_are() -> None:
    missing = (
        "PIL",
        "typer",
        "rich",
        "sklearn",
        "skimage",
        "scipy",
        "matplotlib",
        "jinja2",
        "pooch",
    )
    without = f"import sys\nfor name in {missing}: sys.modules[name] = None\n"
    code = f"{without}import unlearnable.experiments, unlearnable.cells.runner"
    run(code)


@pytest.mark.slow
def test_help_is_quick() -> None:
    start = time.perf_counter()
    run("from unlearnable.cli.app import app\ntry: app(['--help'])\nexcept SystemExit: pass")
    assert time.perf_counter() - start < 2.0


def test_public_names_are_what_they_should_be() -> None:
    for name in unlearnable.__all__:
        assert getattr(unlearnable, name) is not None
    for name in unlearnable._HOMES:  # a submodule of the same name would hide a function
        assert not (ROOT / f"{name}.py").exists()
        assert not (ROOT / name).exists()


def test_no_pickle() -> None:
    for path in ROOT.rglob("*.py"):
        text = path.read_text("utf-8")
        assert "import pickle" not in text
        assert "torch.load(" not in text or "weights_only=True" in text
