"""Runs, photos and tar shards for the tests of shards."""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

from PIL import Image

import unlearnable
from conftest import pixels
from publishing import call, draw, draw_all
from quick import QUICK, drawn
from unlearnable import methods

SOURCES = Path(unlearnable.__file__).parent.parent


def run_of(root: Path, count: int = 12, form: str = "classwise") -> tuple[Path, Path]:
    """Photos of cats and dogs, and a run with noise for them."""
    photos, run = draw_all(root / "photos", count), root / "run"
    call("fit", photos, run, "--method", "random", "--seed", "1", "--form", form)
    return photos, run


def png(seed: int, side: int = 24, format: str = "png") -> bytes:
    """The bytes of one photo."""
    file = io.BytesIO()
    Image.fromarray(pixels(1, side, seed)[0]).save(file, format)
    return file.getvalue()


def pack(path: Path, members: dict[str, bytes] | list[tuple[str, bytes]]) -> Path:
    """Write a tar file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items() if isinstance(members, dict) else members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.uid = len(data), 1_700_000_000, 1000
            tar.addfile(info, io.BytesIO(data))
    return path


def samples(start: int, count: int, classes: tuple[str, ...] = ("cats", "dogs")) -> dict[str, bytes]:
    """The members of samples with photo, class and record."""
    members: dict[str, bytes] = {}
    for index in range(start, start + count):
        members[f"{index:06d}.jpg"] = png(index, format="jpeg")
        members[f"{index:06d}.cls"] = classes[index % len(classes)].encode()
        members[f"{index:06d}.json"] = b'{"url": "https://example.org/%d"}' % index
    return members


def unpacked(data: bytes | Path) -> dict[str, bytes]:
    """The members of a tar file by name."""
    file = io.BytesIO(data.read_bytes() if isinstance(data, Path) else data)
    with tarfile.open(fileobj=file) as tar:
        found = {}
        for member in tar.getmembers():
            assert member.name not in found
            opened = tar.extractfile(member)
            assert opened is not None
            found[member.name] = opened.read()
        return found


def begin(*words: object, code: str = "") -> subprocess.Popen[str]:
    """Start a command as a process of its own, by Python code if it is given."""
    path = os.pathsep.join(filter(None, [str(SOURCES), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, *(("-c", code) if code else ("-m", "unlearnable")), *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )


def kill_at_random(draws: random.Random, words: tuple[object, ...], places: list[Path], count: int) -> bool:
    """Start a command, and kill it when a random number of files has been written; return whether it was.

    Args:
        draws: The source of the number.
        words: The command.
        places: The folders of the files.
        count: About how many files the command writes.
    """

    def files() -> int:
        return sum(len(names) for place in places for _, _, names in os.walk(place))

    wanted = files() + draws.randrange(count)
    with begin(*words) as process:
        while process.poll() is None and files() < wanted:
            time.sleep(0.004)
        time.sleep(draws.uniform(0, 0.02))
        process.kill()
        said = process.communicate()[1]
    assert process.returncode in (0, 4, -signal.SIGKILL), said
    return process.returncode == -signal.SIGKILL


def searched(root: Path, method: str = "error_minimizing", form: str = "samplewise", count: int = 4) -> Path:
    """A run with noise for some cats and dogs, found by a search of under a second."""
    photos, run = draw_all(root / "known", count), root / "run"
    surrogate = drawn() if method.startswith("feature") else QUICK["surrogate"]
    allowed = methods.get(method).Config.model_fields
    settings = {**QUICK, "surrogate": surrogate, "transforms": "flip-crop", "zoom": 1.5}
    words = [f"--set={key}={value}" for key, value in settings.items() if key in allowed]
    call("fit", photos, run, "--method", method, "--form", form, "--seed", 1, "--device", "cpu", *words)
    return run


def later(root: Path, count: int = 6, first: int = 0) -> Path:
    """Photos that no run knows, of several sizes."""
    for number in range(first, first + count):
        draw(root / ("cats", "dogs")[number % 2] / f"later{number}.png", 100 + number, 20 + 4 * (number % 3))
    return root
