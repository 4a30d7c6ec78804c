"""The head of a result file, the same for every script that measures."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from unlearnable.training.compute import Compute
from unlearnable.version import __version__


def head(kind: str, compute: Compute, paths: dict[str, Path]) -> dict[str, Any]:
    """Return the kind of the file, the command, machine, versions and date.

    Args:
        kind: The renderer of the file: a key of `KINDS` in docs/measurements.py; or `speed` or
            `commands`, which performance.py renders, or `scale`, which docs/scale.py renders.
        compute: The device and the precision of the measurement.
        paths: Folders on this machine by the name that replaces them in the command.
    """
    command = shlex.join(["python", *sys.argv])
    for name, path in paths.items():
        command = command.replace(str(path), name)
    return {
        "kind": kind,
        "command": command,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "environment": compute.describe(),
        "version": __version__,
        "date": time.strftime("%Y-%m-%d"),
    }
