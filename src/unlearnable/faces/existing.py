"""Recognisers that exist already, as files: frozen and fine-tuned, with clean and with protected photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unlearnable.errors import UnlearnableError
from unlearnable.events import OnProgress, silent
from unlearnable.faces.afresh import Pairs
from unlearnable.faces.fine_tuning import fine_tuned
from unlearnable.faces.galleries import Recognised, recognised
from unlearnable.faces.holding import Outcome
from unlearnable.faces.recogniser import Recogniser
from unlearnable.models.starts import parse
from unlearnable.training.compute import Compute


@dataclass(frozen=True)
class Tried:
    """Results by the name of the recogniser.

    Args:
        frozen: The rules of each as it is.
        tuned: The outcome of each that was fine-tuned.
        searched: Those that the noise was found against: they are misled more than others.
    """

    frozen: Mapping[str, Sequence[Recognised]]
    tuned: Mapping[str, Outcome]
    searched: frozenset[str] = frozenset()


def try_recognisers(
    found: Pairs,
    networks: Sequence[Recogniser],
    seeds: Sequence[int],
    fine_tune: bool,
    surrogate: str,
    compute: Compute,
    on_progress: OnProgress = silent,
) -> Tried:
    """Return the results of each recogniser with clean and with protected photos.

    Args:
        found: The photos and their copies.
        networks: The recognisers.
        seeds: Seeds of the split; fine-tuning takes the first one only, because it takes long.
        fine_tune: Whether each is also fine-tuned.
        surrogate: The setting of the run: the networks of the search; empty if it is not known.
        compute: Device and precision.
        on_progress: Called with an event after every photo and every epoch.

    Raises:
        UsageError: If a file is no recogniser.
    """
    frozen, tuned = dict[str, Sequence[Recognised]](), dict[str, Outcome]()
    for network in networks:
        name = network.file.stem
        clean, protected = (network.embed(crops, on_progress) for crops in (found.clean, found.protected))
        context = found.context
        others = None if context is None else (network.embed(context, on_progress), context.labels)
        frozen[name] = recognised(clean, protected, found.clean, seeds, others)
        if fine_tune:
            tuned[name] = fine_tuned(
                network, found.clean, found.protected, context, seeds[:1], compute, on_progress
            )
    return Tried(frozen, tuned, _searched(surrogate, networks))


def _searched(surrogate: str, networks: Sequence[Recogniser]) -> frozenset[str]:
    """Return the names of the recognisers that a search used."""
    try:
        used = [start.recogniser for start in parse(surrogate)]
    # networks without weights, or files that are gone
    except UnlearnableError:
        return frozenset()
    files = {one.file.resolve() for one in used if one is not None}
    return frozenset(one.file.stem for one in networks if one.file.resolve() in files)
