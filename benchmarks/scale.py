"""Measure `apply` by shard on this machine, and estimate the time of millions of photos on many machines.

    python benchmarks/scale.py PHOTOS --out benchmarks/results/scale.json
    python benchmarks/scale.py PHOTOS --out benchmarks/results/scale.json --only simulation

Every part is written to the file when it is done, and `--only` repeats some parts:

- `parts`: two processes with `--part 1/2` and `--part 2/2` against one process, in turns, start included
- `ray`: `--engine ray` with two workers against `--engine local` with two workers, in turns, the start of the
  cluster included and apart
- `memory`: the peak memory of one process over 1, 10 and 100 tar shards
- `simulation`: hours and core-hours for 1e6, 1e8 and 1e9 photos on clusters, with kills and slow machines,
  from the rate that `parts` measured (`cluster.py`)

PHOTOS are real photos; they are resized to 0.2 megapixels.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from applying import cpu_seconds, enlarge
from cluster import Cluster, simulate
from shared import head

from unlearnable.files import write
from unlearnable.training.compute import Compute

MEGAPIXELS = 0.2
SHARDS = (1, 10, 100)
A_SHARD = 1000  # photos of a shard of a large folder
PRICE = 0.04  # of a core-hour, in any currency: an example, not a measurement
# photos, machines of 16 cores
JOBS = ((10**6, 1), (10**6, 16), (10**8, 16), (10**8, 256), (10**9, 256), (10**9, 2048))
# The command line. It writes its peak memory to a file, because the peak that the system reports for an ended
# process includes the memory of the process that started it.
PROGRAM = """
import atexit, os, pathlib, re
def leave():
    status = pathlib.Path("/proc/self/status").read_text()
    pathlib.Path(os.environ["PEAK"]).write_text(re.search(r"VmHWM:\\s*(\\d+)", status)[1])
atexit.register(leave)
from unlearnable.cli.app import app
app(prog_name="unlearnable")
"""
WANTED = (
    "Wanted: two processes at least 1.9 times as fast as one; Ray at least 0.9 of the local engine; memory "
    "within 5% over 1, 10 and 100 shards; less than 1% of the work lost."
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=positive, default=10_000, help="photos for parts and Ray")
    parser.add_argument("--pairs", type=positive, default=3)
    parser.add_argument("--a-shard", type=positive, default=20, help="photos of a tar shard for the memory")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    args = parser.parse_args()
    photos = (path for path in args.photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    if set(args.only) != {"simulation"} and not any(photos):
        parser.error(f"{args.photos} holds no photos (.jpg or .jpeg).")
    if not args.out.parent.is_dir():
        parser.error(f"the folder of {args.out} does not exist.")
    found = json.loads(args.out.read_text("utf-8")) if args.out.exists() else {"parts": {}}
    for name in args.only:
        with tempfile.TemporaryDirectory() as scratch:
            begun = head("scale", Compute("cpu"), {"PHOTOS": args.photos})
            part = PARTS[name](args, Path(scratch), found["parts"])
        made = {key: begun[key] for key in ("command", "machine", "environment", "version", "date")}
        load = [round(one, 1) for one in os.getloadavg()]
        found["parts"][name] = part | {"made": made | {"load_at_the_end": load}}
        write(args.out, (json.dumps({**begun, "about": WANTED, **found}, indent=1) + "\n").encode())
        print(name, json.dumps(part), flush=True)


def positive(text: str) -> int:
    """Return a text as a whole number from 1.

    Raises:
        ValueError: If it is not one.
    """
    if (number := int(text)) < 1:
        raise ValueError
    return number


def parts(args: argparse.Namespace, place: Path, _: dict[str, Any]) -> dict[str, Any]:
    """Time one process against two with a part each."""
    photos, run = prepared(args, place)
    pairs = []
    for number in range(args.pairs):
        one, two = place / f"one{number}", place / f"two{number}"
        pair = {
            "one": together([apply(run, photos, one, "--part", "1/1")]),
            "two": together([apply(run, photos, two, "--part", f"{k}/2") for k in (1, 2)]),
            # every shard is finished, so this is the time of the start alone
            "start": together([apply(run, photos, one, "--part", "1/1")]),
        }
        pairs.append({**pair, "ratio": round(pair["one"]["seconds"] / pair["two"]["seconds"], 3)})
        same(one, two)
        for done in (one, two, place / f"{run.name}.shards"):
            shutil.rmtree(done)
        print(pairs[-1], flush=True)
    cpu = statistics.median(pair["one"]["cpu_seconds"] for pair in pairs)
    return {
        "photos": args.count,
        "megapixels": MEGAPIXELS,
        "pairs": pairs,
        "ratio": statistics.median(pair["ratio"] for pair in pairs),
        "cpu_seconds_a_photo": round(cpu / args.count, 5),
        "start_seconds": statistics.median(pair["start"]["seconds"] for pair in pairs),
    }


def ray(args: argparse.Namespace, place: Path, _: dict[str, Any]) -> dict[str, Any]:
    """Time the engine `ray` against `local`, on the same photos with two workers each."""
    photos, run = prepared(args, place)
    pairs = []
    for _ in range(args.pairs):
        timed = {}
        for engine in ("local", "ray"):
            more = ("--engine", engine) if engine == "ray" else ("--part", "1/1")
            timed[engine] = together([apply(run, photos, place / engine, *more, workers=2)])
            timed[f"{engine}, again"] = together([apply(run, photos, place / engine, *more, workers=2)])
        same(place / "local", place / "ray")
        for done in (place / "local", place / "ray", place / f"{run.name}.shards"):
            shutil.rmtree(done)
        # a second call finds every shard finished, so it takes the time of the engine's start alone
        work = {
            name: timed[name]["seconds"] - timed[f"{name}, again"]["seconds"] for name in ("local", "ray")
        }
        pairs.append(
            {
                **timed,
                "ratio": round(timed["local"]["seconds"] / timed["ray"]["seconds"], 3),
                "ratio_without_start": round(work["local"] / work["ray"], 3),
            }
        )
        print(pairs[-1], flush=True)
    return {
        "photos": args.count,
        "workers": 2,
        "pairs": pairs,
        "ratio": statistics.median(pair["ratio"] for pair in pairs),
        "ratio_without_start": statistics.median(pair["ratio_without_start"] for pair in pairs),
    }


def memory(args: argparse.Namespace, place: Path, _: dict[str, Any]) -> dict[str, Any]:
    """Measure the peak memory of one process over more and more tar shards of one size."""
    photos = enlarge(args.photos, place / "photos", 2 * args.a_shard, MEGAPIXELS)
    run = with_noise(photos, place / "run")
    first = tar(photos, args.a_shard)
    peaks = {}
    for count in SHARDS:
        shards = place / f"shards{count}"
        shards.mkdir()
        for number in range(count):
            (shards / f"part-{number:03d}.tar").write_bytes(first)
        used = together([apply(run, shards, place / f"out{count}", "--part", "1/1")])
        peaks[str(count)] = used["peak_megabytes"]
        print(count, used, flush=True)
    return {
        "photos_a_shard": args.a_shard,
        "peak_megabytes": peaks,
        "growth": round(max(peaks.values()) / min(peaks.values()) - 1, 4),
    }


def simulation(args: argparse.Namespace, place: Path, measured: dict[str, Any]) -> dict[str, Any]:
    """Simulate jobs from the rate that `parts` measured."""
    if "parts" not in measured:
        raise SystemExit("The simulation needs the part `parts` in the file.")
    rate, start = measured["parts"]["cpu_seconds_a_photo"], measured["parts"]["start_seconds"]
    rows = []
    for photos, machines in JOBS:
        cluster = Cluster(machines, start_seconds=start)
        # a part for each process, ten for each, and a queue of shards
        for parts in (cluster.processes, 10 * cluster.processes, 0):
            found = simulate(cluster, photos, A_SHARD, rate, parts)
            rows.append({"photos": photos, "machines": machines, "parts": parts, **found})
            print(rows[-1], flush=True)
    return {
        "seconds_a_photo": rate,
        "photos_a_shard": A_SHARD,
        "price_a_core_hour": PRICE,
        "cluster": {
            key: value for key, value in asdict(Cluster(0, start_seconds=start)).items() if key != "machines"
        },
        "rows": rows,
    }


PARTS: dict[str, Callable[[argparse.Namespace, Path, dict[str, Any]], dict[str, Any]]] = {
    "parts": parts,
    "ray": ray,
    "memory": memory,
    "simulation": simulation,
}


def prepared(args: argparse.Namespace, place: Path) -> tuple[Path, Path]:
    """Return a folder of photos, and a run with class-wise noise for them."""
    photos = enlarge(args.photos, place / "photos", args.count, MEGAPIXELS)
    return photos, with_noise(photos, place / "run")


def with_noise(photos: Path, run: Path) -> Path:
    """Make a run folder with random class-wise noise, which costs nothing to find."""
    program = [sys.executable, "-c", PROGRAM, "fit", str(photos), str(run), "--quiet"]
    together([[*program, "--method", "random", "--form", "classwise"]])
    return run


def apply(run: Path, photos: Path, out: Path, *more: str, workers: int = 1) -> list[str]:
    """Return the command that applies noise with one process a worker."""
    command = [sys.executable, "-c", PROGRAM, "apply", str(run), str(photos), str(out)]
    return [*command, "--workers", str(workers), "--quiet", *more]


def together(commands: list[list[str]]) -> dict[str, float]:
    """Run commands at once; return seconds, processor seconds of all, and the largest peak of memory."""
    begun, before = time.perf_counter(), cpu_seconds()
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch, str(number)) for number in range(len(commands))]
        running = [
            subprocess.Popen(
                command,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PEAK": str(file)},
            )
            for command, file in zip(commands, files, strict=True)
        ]
        for process in running:
            if process.wait():
                raise SystemExit(f"{process.args[3:]} ended with {process.returncode}.")
        peak = max(int(file.read_text()) for file in files)
    return {
        "seconds": round(time.perf_counter() - begun, 2),
        "cpu_seconds": round(cpu_seconds() - before, 2),
        "peak_megabytes": round(peak / 1024, 1),
    }


def same(one: Path, other: Path) -> None:
    """Check that two folders hold the same bytes."""
    names = [sorted(str(path.relative_to(root)) for path in root.rglob("*.png")) for root in (one, other)]
    if names[0] != names[1] or any((one / n).read_bytes() != (other / n).read_bytes() for n in names[0]):
        raise SystemExit(f"{one.name} and {other.name} differ.")


def tar(photos: Path, count: int) -> bytes:
    """Return a tar shard with the first photos of a folder."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as shard:
        for path in sorted(photos.rglob("*.jpg"))[:count]:
            for name, data in (
                (path.name, path.read_bytes()),
                (f"{path.stem}.cls", path.parent.name.encode()),
            ):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                shard.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


if __name__ == "__main__":
    main()
