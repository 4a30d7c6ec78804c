"""Exceptions in words: what stderr says when a command fails, and its exit code."""

from __future__ import annotations

import errno
import os
import signal
import tempfile
import traceback
from pathlib import Path

from unlearnable.errors import Unfinished, UnlearnableError, is_out_of_memory
from unlearnable.user_cache import user_cache

# With this variable set, the traceback of every error is printed.
TRACEBACK = "UNLEARNABLE_TRACEBACK"
RESUME = "Run the same command again to resume."
SAVED = "Finished work is saved. Correct the cause, then run the same command again."


def require_current_folder() -> None:
    """Refuse to work in a folder that was deleted: libraries end the process there without a message of ours.

    Raises:
        UnlearnableError: If the current folder does not exist.
    """
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise UnlearnableError(
            "The current folder no longer exists.", "Change to another folder, then run the command again."
        ) from error


def explain(error: BaseException, *, resumes: bool = False) -> tuple[str, int]:
    """Return the text for stderr, and the exit code.

    Args:
        error: The exception that ended the command.
        resumes: Whether the same command resumes where it stopped.
    """
    text, code = _explained(error, resumes)
    if os.environ.get(TRACEBACK):
        text = f"{_traceback(error)}{text}"
    return text, code


def _explained(error: BaseException, resumes: bool) -> tuple[str, int]:
    failed = UnlearnableError.exit_code
    if isinstance(error, Unfinished):
        return str(error), error.exit_code
    if isinstance(error, UnlearnableError):
        return f"error: {error}", error.exit_code
    if isinstance(error, KeyboardInterrupt):
        number = getattr(error, "number", signal.SIGINT)
        return f"Interrupted. {RESUME if resumes else 'Nothing was written.'}", 128 + number
    if is_out_of_memory(error):
        remedy = "Close other programs, or use a machine with more memory."
        if "cuda" in str(error).lower():
            remedy = "Close other programs that use the device, or give --device cpu."
        return f"error: There is not enough memory.\n  {remedy}", failed
    if isinstance(error, OSError):
        return _file(error, resumes), failed
    return _unexpected(error, resumes), failed


def _file(error: OSError, resumes: bool) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    lines = [f"error: {reason}."]
    if isinstance(error.filename, str | bytes | os.PathLike):
        lines = [f"error: {os.fsdecode(error.filename)} cannot be used ({reason})."]
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        lines = [f"error: A disk is full ({reason})."]
    if "temporary directory" in reason:
        lines.append("Set the environment variable TMPDIR to a folder that you may write to.")
    elif isinstance(error.filename, str | os.PathLike) and _is_in_cache(Path(error.filename)):
        lines.append("Set the environment variable XDG_CACHE_HOME to a folder that you may write to.")
    elif resumes:
        lines.append(SAVED)
    return "\n  ".join(lines)


def _unexpected(error: BaseException, resumes: bool) -> str:
    """Return the words for a bug, and save its traceback in a file that only this user can read."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    said = next(iter(str(error).splitlines()), "")
    lines = [f"error: unexpected {type(error).__name__}{place}{': ' if said else ''}{said}"]
    if not os.environ.get(TRACEBACK):
        try:
            with tempfile.NamedTemporaryFile(
                "w",
                encoding="utf-8",
                errors="backslashreplace",
                prefix="unlearnable-",
                suffix=".txt",
                delete=False,
            ) as file:
                file.write(_traceback(error))
        except OSError:
            lines = [_traceback(error), *lines, "This is a bug. Please report it with the text above."]
        else:
            lines.append(f"This is a bug. Please report it with the traceback, which is in {file.name}")
    if resumes:
        lines.append("Finished work is saved.")
    return "\n  ".join(lines)


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _is_in_cache(path: Path) -> bool:
    try:
        return user_cache("").parent in (path, *path.parents)
    except UnlearnableError:
        return False
