"""Time the start of a command on many photos that it has seen before, and count what it remembers of each.

    python benchmarks/starting.py --out benchmarks/results/starting.json

The photos are JPEG files of 16 pixels a side, in 100 classes, so that everything but decoding counts. A start
opens the folder and knows size, kind and content of every photo. The first one decodes them; the others look
at sizes and times only. The list is that of as many published files: the first time, every line is parsed.
Every start is a process of its own, and its time leaves out the imports. CPU seconds count what this process
used, whatever else ran on the machine.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
from PIL import Image
from shared import head

from unlearnable.file_index import indexed
from unlearnable.files import write
from unlearnable.opening import open_photos, read
from unlearnable.training.compute import Compute

CLASSES, SIDE = 100, 16
WANTED = "Wanted: a second start on 100,000 photos in under 10 s, with at most 200 bytes of memory a photo."


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--once", help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.once:
        print(json.dumps(STARTS[args.once](args.place)))
        return
    result = head("starting", Compute("cpu"), {}) | {
        "about": WANTED,
        "data": f"JPEG files of {SIDE} pixels a side, all different",
        "count": args.count,
    }
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        (place / "run").mkdir()
        result["id_length"] = make(place / "photos", args.count)
        listed(place / "run" / "files.jsonl", args.count)
        # a file that was just written is not trusted to keep its stamp
        time.sleep(5)
        first, later = apart("start", place), []
        for _ in range(args.repetitions):
            later.append(apart("start", place))
        result["starts"] = [first, *later]
        result["list"] = [apart("list", place) for _ in range(2)]
        result["bytes_a_photo"] = apart("memory", place)["bytes_a_photo"]
        result["cache_bytes_a_photo"] = round((place / "run" / "cache.sqlite").stat().st_size / args.count)
    result["load"] = [round(one, 1) for one in os.getloadavg()]
    write(args.out, (json.dumps(result, indent=1) + "\n").encode())
    print(json.dumps(result, indent=1))


def apart(what: str, place: Path) -> dict[str, float]:
    """Do one thing in a process of its own."""
    command = [sys.executable, __file__, "--out", "-", "--once", what, "--place", str(place)]
    answer: dict[str, float] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout
    )
    return answer


def start(place: Path) -> dict[str, float]:
    """Open the folder, and learn or recall everything about its photos."""
    begun, used = time.perf_counter(), time.process_time()
    images = read(open_photos(place / "photos"), run=place / "run")
    assert images.checked
    return {
        "seconds": round(time.perf_counter() - begun, 2),
        "cpu_seconds": round(time.process_time() - used, 2),
    }


def memory(place: Path) -> dict[str, float]:
    """Measure what a start remembers."""
    tracemalloc.start()
    images = read(open_photos(place / "photos"), run=place / "run")
    return {"bytes_a_photo": round(tracemalloc.get_traced_memory()[0] / len(images), 1)}


def list_of_files(place: Path) -> dict[str, float]:
    """Open the list of published files and look up one."""
    begun, used = time.perf_counter(), time.process_time()
    records = indexed(place / "run" / "files.jsonl")
    assert records[next(iter(records))]["output_digest"]
    return {
        "seconds": round(time.perf_counter() - begun, 2),
        "cpu_seconds": round(time.process_time() - used, 2),
    }


STARTS = {"start": start, "memory": memory, "list": list_of_files}


def make(root: Path, count: int) -> int:
    """Write small photos, all different. Returns the length of an id."""
    rng, contents = np.random.default_rng(0), []
    for _ in range(50):
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(buffer, "JPEG")
        contents.append(buffer.getvalue())
    for number in range(CLASSES):
        (root / f"class{number:03d}").mkdir(parents=True)
    for index in range(count):
        # what follows the end of a picture changes the hash and no pixel
        (root / id_of(index)).write_bytes(contents[index % len(contents)] + str(index).encode())
    return len(id_of(0))


def id_of(index: int) -> str:
    return f"class{index % CLASSES:03d}/photo{index:07d}.jpg"


def listed(path: Path, count: int) -> None:
    """Write a list with a line of usual length for each photo."""
    with open(path, "w", encoding="ascii") as file:
        for index in range(count):
            record = {
                "id": id_of(index),
                "digest": f"{index:064x}",
                "output_digest": f"{index + count:064x}",
                "largest": 8,
                "mean": 3.1234,
                "encoded_largest": 8,
                "encoded_mean": 3.1234,
                "strength": 0.9876,
                "notes": [],
                "reason": "",
                "output": id_of(index).replace(".jpg", ".png"),
                "made_with": f"{index % CLASSES:064x}",
                "class": id_of(index).split("/")[0],
            }
            file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
