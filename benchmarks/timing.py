"""Timing in turns, and a result file that is written after every part and names the code that made it."""

from __future__ import annotations

import hashlib
import json
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from unlearnable.files import write

HERE = Path(__file__).resolve().parent
Part = Callable[[], dict[str, Any]]


def turns(
    actions: dict[str, Callable[[], object]],
    repetitions: int,
    device: str,
    warm: bool = False,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Return the seconds of every action, taken in turns, after a warm-up unless the process is warm.

    With one thread, ``time.process_time`` as ``clock`` leaves out the time in which other programs run.
    """
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for number in range(int(warm), repetitions + 1):
        for name, action in actions.items():
            started = clock()
            action()
            if device == "cuda":
                torch.cuda.synchronize()
            if number:
                seconds[name].append(clock() - started)
    return seconds


def against(seconds: dict[str, list[float]], images: int) -> dict[str, Any]:
    """Images per second, and how many times as fast as the first action, pair by pair."""
    first = next(iter(seconds.values()))
    return {
        name: {
            "seconds": [round(one, 4) for one in taken],
            "per_second": round(images / statistics.median(taken), 1),
            "ratios": [round(naive / one, 2) for naive, one in zip(first, taken, strict=True)],
            "ratio": round(
                statistics.median(naive / one for naive, one in zip(first, taken, strict=True)), 2
            ),
        }
        for name, taken in seconds.items()
    }


class TimeUp(Exception):
    """The time limit is reached. Finished parts and the checkpoint of an unfinished one are saved."""


def measure(
    out: Path,
    header: dict[str, Any],
    todo: dict[str, Part],
    quick: bool,
    only: str = "",
    deadline: float = float("inf"),
) -> None:
    """Run the parts whose name begins with ``only`` and that this code has not measured here before.

    Parts of other code stay in the file until they are measured again; ``made`` tells what each of them comes
    from.

    Raises:
        TimeUp: If ``deadline``, a value of ``time.monotonic()``, passes while parts are left.
    """
    result = _read(out)
    found, made = result.get("parts", {}), result.get("made", {})
    stamp = _stamp(header, quick)
    for name, part in todo.items():
        if not name.startswith(only) or _is_there(name, result, stamp):
            continue
        started = time.monotonic()
        if started > deadline:
            raise TimeUp
        found[name], made[name] = part(), stamp
        head = header | {
            "commit": ", ".join(dict.fromkeys(one["commit"] for one in made.values())),
            "quick": quick,
        }
        write(out, (json.dumps({**head, "parts": found, "made": made}, indent=1) + "\n").encode())
        print(f"{name} ({time.monotonic() - started:.0f} s): {json.dumps(found[name])}", flush=True)


def done(out: Path, header: dict[str, Any], todo: dict[str, Part], quick: bool) -> bool:
    """Return whether this code has measured all of these parts here."""
    result, stamp = _read(out), _stamp(header, quick)
    return all(_is_there(name, result, stamp) for name in todo)


def _read(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out.read_text("utf-8")) if out.exists() else {}
    return found


def _stamp(header: dict[str, Any], quick: bool) -> dict[str, Any]:
    return {"commit": commit(), "code": code(), "quick": quick, "environment": header["environment"]}


def _is_there(name: str, result: dict[str, Any], stamp: dict[str, Any]) -> bool:
    made = result.get("made", {}).get(name)
    # a commit of something else changes no figure
    same = [key for key in stamp if key != "commit"]
    return (
        name in result.get("parts", {})
        and made is not None
        and all(made.get(key) == stamp[key] for key in same)
    )


def code() -> str:
    """A hash of everything that is measured and that measures."""
    files = sorted([*(HERE.parent / "src").rglob("*.py"), *(HERE.parent / "src").rglob("*.toml")])
    files += [
        HERE / f"{name}.py"
        for name in (
            *("engine", "floor", "gpu", "gpu_data", "gpu_parts", "published", "resumable", "shared", "smoke"),
            *("speed", "timing", "tried", "workers"),
        )
    ]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:12]


def commit() -> str:
    """The commit that is measured, marked if code was changed after it; nothing where there is no git."""
    try:
        dirty = _git("status", "--porcelain", "--untracked-files=no", "--", "../src", "*.py")
        return _git("rev-parse", "--short", "HEAD") + ("+changes" if dirty else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=HERE, capture_output=True, text=True, check=True
    ).stdout.strip()


def processor() -> str:
    """The name of the processor, where the system tells, and the widest instructions that torch uses."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"
