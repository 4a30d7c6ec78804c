"""How a method describes its work: the state, the steps of a round, and the result of one step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# flat: tensors and numbers only, so that a checkpoint holds all of it
State = dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """The result of one step.

    Args:
        done: Steps finished in this round.
        total: Steps in this round.
        round_ended: Whether this step ended the round.
        error: At the end of a round: the training error on protected images, in [0, 1]; None if the method
            measures none.
        kind: The kind of the step, as in ``Steps.kind``.
    """

    done: int
    total: int
    round_ended: bool = False
    error: float | None = None
    kind: str = ""


@dataclass(frozen=True)
class Steps:
    """Some steps of one kind, one after the other.

    Args:
        run: Takes step ``number`` (from 0 in each round and kind): ``run(plan, state, number)``.
        images: Number of images that all of them go over together, for estimates of time.
        count: Number of steps.
    """

    run: Callable[..., None]
    images: int
    count: int = 1

    @property
    def kind(self) -> str:
        """The kind of the steps: the name of ``run``."""
        return self.run.__name__
