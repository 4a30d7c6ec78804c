"""The loop of a search: it repeats the steps of a method until there is a reason to stop.

A method takes small steps on a state. Rounds, reasons to stop, checkpoints and progress are here, once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from unlearnable.arguments import instance
from unlearnable.data.view import View
from unlearnable.errors import UsageError
from unlearnable.events import Event, OnProgress
from unlearnable.methods.config import Config, NoiseConfig
from unlearnable.methods.context import Context
from unlearnable.methods.pace import Pace
from unlearnable.methods.steps import Progress, State
from unlearnable.training import crowding
from unlearnable.words import counted

if TYPE_CHECKING:
    from unlearnable.methods.base import Method

Save = Callable[[State], None]
Log = list[float | None]


def require_resolved(config: NoiseConfig) -> None:
    """Raise UsageError if a setting is still ``auto``."""
    rounds = config.max_rounds if isinstance(config, Config) else 1
    if "auto" in (config.form, config.resolution, rounds) or not config.grid:
        raise UsageError(
            "A setting is still auto.",
            "Call un.fit(images, method), or method.resolve(...) before method.fit.",
        )


def stop_reason(config: Config, log: Log, *, rises: bool = False) -> str:
    """Return why a search stops after the rounds in ``log``, or an empty text while it continues.

    Args:
        config: The settings, resolved.
        log: Error after each round, in [0, 1]; None where a round measures none.
        rises: Whether the method raises the error: it then stops when the error is high enough.
    """
    errors = [error for error in log if error is not None]
    if len(log) >= config.earliest_stop and errors:
        if rises and errors[-1] >= config.stop_error:
            return f"the error, {errors[-1]:.1%}, has reached {config.stop_error:.1%}"
        if not rises and errors[-1] < config.stop_error:
            return f"the error, {errors[-1]:.1%}, is below {config.stop_error:.1%}"
        costs = [-error for error in errors] if rises else errors
        if (
            config.patience
            and len(costs) > config.patience
            and min(costs[-config.patience :]) >= min(costs[: -config.patience])
        ):
            return f"the error has not {'risen' if rises else 'fallen'} for {config.patience} rounds"
    most = int(config.max_rounds)
    return f"{counted(most, 'round', 'is')} done" if len(log) >= most else ""


def search(
    method: Method[Any],
    view: View,
    ctx: Context,
    on_progress: OnProgress,
    *,
    state: State | None,
    save: Save | None,
    every: float,
) -> tuple[State, Log, str]:
    """Take steps until the method has a reason to stop; arguments are those of ``Method.fit``.

    Returns:
        The last state, the error after each round, and the reason.
    """
    if state is None:
        state = method.start(view, ctx)
    else:
        # a checkpoint is read into memory, wherever its tensors were before
        state = {
            key: method.to_device(key, value, ctx) if isinstance(value, torch.Tensor) else value
            for key, value in state.items()
        }
    log: Log = [None if error < 0 else error for error in state.get("log", [])]
    saved, patience = time.monotonic(), 0.0
    reason, pace = method.stop_reason(log), Pace(method, len(view.ids))
    if not reason and not ctx.ranks.several:
        crowding.announce("searching", ctx.compute, on_progress)
    while not reason:
        remedy, begun = f"Correct what {method.name}.advance returns.", time.monotonic()
        step = instance("A step", method.advance(state, view, ctx), Progress, "a Progress", remedy)
        pace.took(step, time.monotonic() - begun)
        text = "" if not log or log[-1] is None else f"round {len(log)}: error {log[-1]:.1%}"
        done, total = len(log) * step.total + step.done, method.most_rounds * step.total
        event = Event("searching", done, total, text, pace.left(len(log)))
        if step.round_ended:
            log.append(step.error)
            state["log"] = [-1.0 if error is None else error for error in log]
            reason = method.stop_reason(log)
        stopped: KeyboardInterrupt | None = None
        try:
            on_progress(event)
        except KeyboardInterrupt as error:
            # asked to stop between two steps, where the state is whole
            stopped = error
        stopped, due = ctx.ranks.decide(stopped, time.monotonic() - saved > max(every, patience))
        if save is not None and not reason and (stopped or due):
            started = time.monotonic()
            save(state)
            saved = time.monotonic()
            patience = 19 * (saved - started) if every > 0 else 0.0
        if stopped:
            raise stopped
    return state, log, reason
