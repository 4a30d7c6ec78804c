"""Measure the share of small faults, put into a module by mutmut, that the module's tests notice.

python benchmarks/mutation.py [--modules budget noise] [--sample 60] [--seed 0] [--out results/mutation]

mutmut changes one expression at a time: an operator, a number, an argument. A fault is killed if a test fails
or takes too long. A fixed random sample of each module's faults is tried; `--sample 0` tries all. Faults in
`raise` statements are left out: they change the texts of errors, which have tests of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from shared import head

from unlearnable.training.compute import Compute

ROOT = Path(__file__).resolve().parent.parent
# the tests that concern each module; searches of half a minute would make surviving faults expensive
TESTS = {
    "budget": ["test_core.py", "test_budget.py"],
    "noise": ["test_core.py", "test_assignment.py", "test_noise.py"],
    "assignment": ["test_assignment.py", "test_noise.py"],
    "lifting": ["test_core.py", "test_lifting.py"],
    "methods": ["methods", "test_assignment.py"],
    "countermeasures": ["countermeasures", "contracts/test_every_countermeasure.py"],
    "cells": ["cells"],
    "evaluation": ["evaluation"],
}
LONG = (
    "test_the_surrogate_errs_on_it_and_not_on_random_noise",
    "test_targeted_noise_makes_it_answer_the_next_class",
)
STATUS = {0: "survived", 5: "no test", 33: "no test", 1: "killed", 3: "killed"}
# why a fault that survives changes nothing that a caller could notice, by the line it makes
EQUIVALENT = json.loads((ROOT / "benchmarks" / "equivalent.json").read_text("utf-8"))


def files_of(module: str) -> list[Path]:
    folder = ROOT / "src" / "unlearnable" / module
    found = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    return [path.relative_to(ROOT) for path in found]


def workspace(module: str) -> Path:
    """A folder in which mutmut finds sources and tests, with its settings for one module."""
    folder = ROOT / "build" / "mutation" / module
    shutil.rmtree(folder, ignore_errors=True)
    # before mutmut starts: Python remembers of a folder that it does not exist
    (folder / "mutants" / "src").mkdir(parents=True)
    for name in ("src", "tests"):
        (folder / name).symlink_to(ROOT / name)
    tests = [f"tests/{name}" for name in TESTS[module] if (ROOT / "tests" / name).exists()]
    settings: dict[str, Any] = {
        "source_paths": ["src"],
        "only_mutate": [path.as_posix() for path in files_of(module)],
        "do_not_mutate_patterns": [r"raise \w+"],
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": ["-m", "not slow", "-k", " and ".join(f"not {name}" for name in LONG)],
        # torch is imported once, and each fault gets a copy of that process
        "process_isolation": "fork",
        # seconds of a fault: 3 times those of its tests and half a minute, on machines that do other work too
        "timeout_multiplier": 3.0,
        "timeout_constant": 10.0,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    (folder / "pyproject.toml").write_text(project + "\n[tool.mutmut]\n" + "\n".join(lines) + "\n", "utf-8")
    return folder


def faults(module: str) -> list[str]:
    """The names of all faults of a module, in the order of its files; the workspace is the current folder."""
    from mutmut.configuration import reset_config
    from mutmut.mutation.file_mutation import mutate_file_contents
    from mutmut.utils.format_utils import get_mutant_name

    reset_config()
    return [
        get_mutant_name(path, name)
        for path in files_of(module)
        for name in mutate_file_contents(str(path), path.read_text("utf-8")).mutant_names
    ]


def change(name: str) -> dict[str, str]:
    """A fault that survived: its name, the line before and after, and the reason if nothing can notice it."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    lines = get_diff_for_mutant(name).splitlines()[3:]
    before, after = (" / ".join(line[1:].strip() for line in lines if line[0] == sign) for sign in "-+")
    found = {"fault": name.removeprefix("unlearnable."), "line": before, "becomes": after}
    return found | ({"equivalent": EQUIVALENT[after]} if after in EQUIVALENT else {})


def measure(module: str, sample: int, seed: int) -> dict[str, Any]:
    """Try the faults of a module; return how many were killed, and those that were not."""
    folder, started = workspace(module), time.monotonic()
    os.chdir(folder)
    every = faults(module)
    chosen = random.Random(f"{seed} {module}").sample(every, sample) if 0 < sample < len(every) else every
    environment = {
        "PYTHONPATH": str(folder / "mutants" / "src"),
        "OMP_NUM_THREADS": "1",
        # gradients on a GPU need threads, which a copy of a process does not have
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "1", *chosen]
    with open(folder / "mutmut.log", "w") as log:
        done = subprocess.run(command, env={**os.environ, **environment}, stdout=log, stderr=log)
    if done.returncode:
        raise SystemExit(f"mutmut failed for {module}: see {folder / 'mutmut.log'}")
    codes: dict[str, int] = {}
    for path in files_of(module):
        meta = folder / "mutants" / f"{path}.meta"
        codes |= json.loads(meta.read_text("utf-8"))["exit_code_by_key"] if meta.exists() else {}
    # any other code is that of a process that was ended because it took too long, or that crashed
    status = {name: STATUS.get(codes[name], "time") for name in chosen}
    survivors = [change(name) for name in sorted(chosen) if status[name] in ("survived", "no test")]
    counted = {word: list(status.values()).count(word) for word in ("killed", "time", "survived", "no test")}
    killed = counted["killed"] + counted["time"]
    equivalent = sum("equivalent" in one for one in survivors)
    return {
        "module": module,
        "faults": len(every),
        "sampled": len(chosen),
        "seed": seed,
        "killed": killed,
        "equivalent": equivalent,
        "share": round(killed / (len(chosen) - equivalent), 3),
        "of_those_by_time": counted["time"],
        "without_a_test": counted["no test"],
        "seconds": round(time.monotonic() - started),
        "tests": TESTS[module],
        "survivors": survivors,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--modules", nargs="+", default=list(TESTS), choices=list(TESTS))
    parser.add_argument("--sample", type=int, default=60, help="faults of each module; 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "mutation")
    chosen = parser.parse_args()
    out = chosen.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    about = head("mutation", Compute("cpu"), {"OUT": out})
    for module in chosen.modules:
        result = about | measure(module, chosen.sample, chosen.seed)
        (out / f"{module}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
        print(
            f"{module}: {result['killed']} of {result['sampled']} killed ({result['share']:.0%})", flush=True
        )


if __name__ == "__main__":
    main()
