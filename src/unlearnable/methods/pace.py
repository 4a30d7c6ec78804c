"""The time that the rest of a search takes, from the steps of each kind that were taken last."""

from __future__ import annotations

from collections import Counter, deque
from statistics import fmean
from typing import TYPE_CHECKING, Any

from unlearnable.methods.steps import Progress

if TYPE_CHECKING:
    from unlearnable.methods.base import Method

FEWEST = 4  # steps of a kind that its mean is over


class Pace:
    """The speed of a search by kind of step: a training batch takes another time than noise steps.

    Each mean is over the last round, so it follows a machine that others begin to use. It is a mean and not
    a median, because on a GPU one step waits for the work of others, and on a busy machine few steps take
    most of the time.

    Args:
        method: The method, resolved.
        images: Number of images.
    """

    def __init__(self, method: Method[Any], images: int) -> None:
        self._method, self._images = method, images
        self._taken: dict[str, deque[float]] = {}
        self._done: Counter[str] = Counter()
        self._rounds: dict[int, Counter[str]] = {}

    def took(self, step: Progress, seconds: float) -> None:
        """Note the seconds of a step."""
        self._done = Counter() if step.done <= 1 else self._done
        self._done[step.kind] += 1
        if step.kind not in self._taken:
            a_round = max(self._counts(0)[step.kind], self._counts(1)[step.kind])
            self._taken[step.kind] = deque(maxlen=max(FEWEST, a_round))
        self._taken[step.kind].append(seconds)

    def left(self, number: int) -> float | None:
        """Return the seconds until the last round ends; None before every kind of step has been taken.

        Args:
            number: Number of the round that the last step belongs to, from 0.
        """
        work = self._counts(number) - self._done
        rounds = max(0, self._method.most_rounds - number - 1)
        for kind, count in self._counts(max(1, number + 1)).items():
            work[kind] += rounds * count
        if not work.keys() <= self._taken.keys():
            return None
        return sum(count * fmean(self._taken[kind]) for kind, count in work.items())

    def _counts(self, number: int) -> Counter[str]:
        """Return the number of steps of each kind in a round."""
        # all rounds after the first are alike
        number = min(number, 1)
        if number not in self._rounds:
            self._rounds[number] = Counter()
            for part in self._method.round_steps(number, self._images):
                self._rounds[number][part.kind] += part.count
        return self._rounds[number]
