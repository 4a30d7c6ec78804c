"""The exceptions, and the exit code of the command line for each.

    UnlearnableError            1   something failed
    ├── UsageError              2   the request itself is wrong
    ├── DataError               3   the data cannot be used
    ├── GoalMissed              5   a goal set with --require was missed, or the measurement cannot tell
    └── Unfinished              6   the time was up and work is left

Exit codes 0 (done), 4 (done, some images skipped) and 130 (interrupted; for another signal, 128 plus its
number) are outcomes, not exceptions.
"""

from __future__ import annotations

import errno

DONE = 0
SKIPPED = 4
INTERRUPTED = 130


class UnlearnableError(Exception):
    """Base class of every error the package raises on purpose.

    Args:
        problem: What happened, naming the file or the option.
        remedy: What the reader can do about it; empty when there is nothing to advise.
    """

    exit_code = 1

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}\n  {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


class UsageError(UnlearnableError):
    """The request itself is wrong: an unknown name, or options that contradict each other."""

    exit_code = 2


class DataError(UnlearnableError):
    """The data cannot be used: nothing to read, one class only, a file that changed during the work."""

    exit_code = 3


class GoalMissed(UnlearnableError):
    """A goal set with ``--require`` was missed, or the measurement cannot tell."""

    exit_code = 5


class Unfinished(UnlearnableError):
    """The time limit was reached and work is left. Finished work is saved, and the same call resumes."""

    exit_code = 6


# PyTorch has no type of its own for the memory of the CPU
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of Python, the system or PyTorch says that there is not enough memory."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    words = isinstance(error, RuntimeError) and any(text in str(error).lower() for text in OUT_OF_MEMORY)
    return words or isinstance(error, MemoryError)
