"""Small folders of photos, and what was published of them, for the tests of publishing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner, Result

from conftest import pixels
from unlearnable.cli.app import app

RANDOM = ("--method", "random", "--seed", "1", "--workers", "1")


def draw(path: Path, seed: int = 0, side: int = 24) -> Path:
    """Write one photo."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(1, side, seed=seed)[0]).save(path)
    return path


def draw_all(root: Path, count: int = 3) -> Path:
    """Write photos of cats and dogs."""
    for label, name in enumerate(("cats", "dogs")):
        for index in range(count):
            draw(root / name / f"p{index}.png", 10 * label + index)
    return root


def tree(root: Path) -> dict[str, bytes]:
    """Return the content of every file by its path."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def change(before: Path, after: Path) -> np.ndarray:
    """Return the change of every pixel, in levels."""
    old, new = (np.asarray(Image.open(path).convert("RGB"), dtype=int) for path in (before, after))
    return new - old


def call(*words: object, code: int | None = 0) -> Result:
    """Run a command in this process, and check its exit code, which may be any for None."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert code in (None, result.exit_code), (result.stdout, result.stderr, result.exception)
    return result
