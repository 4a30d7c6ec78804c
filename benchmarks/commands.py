"""Time whole commands on a folder of photos, as a user runs them.

    python benchmarks/commands.py PHOTOS --out benchmarks/results/commands.json

Every command is a process of its own. `verify` is stopped when it has given its first answer. With
``--avx2``, the processor's newer instructions are not used, and the precision is float32.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from shared import head
from timing import processor

from unlearnable.files import write
from unlearnable.training.compute import Compute

WANTED = (
    "Wanted on two cores with AVX2: `protect` of 500 photos in 3 min and with at most 1 GB, the first answer "
    "of `verify` in 4 min, `demo` in 3 min; with bfloat16: `protect` in 90 s."
)
# the newest instructions that torch, its convolutions and its matrix products may use
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
# the time that a command announces: until the first answer, of the search or all trials, of the demo
ANNOUNCED = (
    r"first answer comes after about ([\d.]+ \w+)",
    r"takes? about ([\d.]+ \w+)",
    r"; about ([\d.]+ \w+)",
)
ANSWER = re.compile(r"^\S+: (protected|weakened|not protected|cannot tell) \(")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--avx2", action="store_true", help="No newer instructions than AVX2, and float32.")
    parser.add_argument("--note", default="", help="What else the machine did.")
    args = parser.parse_args()
    precision = ["--precision", "float32"] if args.avx2 else []
    environment = {**os.environ, **(AVX2 if args.avx2 else {})}
    compute = Compute.choose("cpu", "float32" if args.avx2 else "auto")
    result = head("commands", compute, {"PHOTOS": args.photos}) | {
        "about": WANTED,
        "processor": processor(),
        "capability": "AVX2" if args.avx2 else torch.backends.cpu.get_cpu_capability(),
        "photos": sum(path.is_file() for path in args.photos.rglob("*")),
        "note": args.note,
        "load": round(os.getloadavg()[0], 1),
        "commands": {},
    }
    with tempfile.TemporaryDirectory() as scratch:
        published, run = [str(Path(scratch, name)) for name in ("published", "run")]
        folders = [str(args.photos.resolve()), published, "--run", run]
        for name, arguments in {
            "protect": ["protect", *folders],
            "verify, first answer": ["verify", *folders],
            "demo": ["demo"],
        }.items():
            found = timed([*arguments, *precision], Path(scratch), environment, name.startswith("verify"))
            result["commands"][name] = found
            print(name, json.dumps(found), flush=True)
            write(args.out, (json.dumps(result, indent=1) + "\n").encode())


def timed(arguments: list[str], folder: Path, environment: dict[str, str], stop: bool) -> dict[str, Any]:
    """Run a command, stop it at its first answer if asked to, and return times and memory."""
    started, announced = time.monotonic(), ""
    process = subprocess.Popen(
        [sys.executable, "-m", "unlearnable", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    wall, said = 0.0, []
    for line in process.stderr:
        said.append(line)
        match = next((found for found in (re.search(one, line) for one in ANNOUNCED) if found), None)
        announced = announced or (match[1] if match else "")
        if stop and ANSWER.match(line):
            wall = time.monotonic() - started
            process.send_signal(signal.SIGTERM)
            break
    process.stderr.close()
    _, status, used = os.wait4(process.pid, 0)
    # wait4 has reaped the process, so Popen must not wait for it
    process.returncode = os.waitstatus_to_exitcode(status)
    if not wall and (stop or status):
        raise SystemExit(f"unlearnable {' '.join(arguments)}: {''.join(said)}")
    return {
        "wall_seconds": round(wall or time.monotonic() - started, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_megabytes": used.ru_maxrss // 1024,
        "announced": announced,
    }


if __name__ == "__main__":
    main()
