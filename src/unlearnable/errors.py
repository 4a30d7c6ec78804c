"""The exception tree, and the exit code the command line gives each.

    UnlearnableError            1   something failed
    ├── UsageError              2   the request itself makes no sense
    ├── DataError               3   the data cannot be used
    └── GoalMissed              5   a goal set with --require was missed, or it cannot be told

Exit code 4 (done, but some images were skipped) and 130 (interrupted) are outcomes, not exceptions.
"""

from __future__ import annotations

DONE = 0
SKIPPED = 4
INTERRUPTED = 130


class UnlearnableError(Exception):
    """What happened, to which file, and what to do about it.

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
    """The request itself makes no sense: an unknown name, options that contradict each other."""

    exit_code = 2


class DataError(UnlearnableError):
    """The data cannot be used: nothing to read, one class only, a file that changed under us."""

    exit_code = 3


class GoalMissed(UnlearnableError):
    """A goal set with ``--require`` was missed, or the measurement cannot tell."""

    exit_code = 5
