"""The user's cache folder: files of benchmarks, and noise and weights of experiments."""

from __future__ import annotations

import os
from pathlib import Path

from unlearnable.errors import UsageError


def user_cache(option: str) -> Path:
    """Return the cache folder; it may not exist yet.

    Args:
        option: The option that names another folder, for the error.

    Raises:
        UsageError: If this user has no home folder, as in a container with an arbitrary user id.
    """
    named = os.environ.get("XDG_CACHE_HOME")
    try:
        return Path(named or Path.home() / ".cache") / "unlearnable"
    except RuntimeError as error:
        raise UsageError(
            "This user has no home folder, so there is no cache folder.",
            f"Give a folder with {option}, or set the environment variable XDG_CACHE_HOME to one.",
        ) from error
