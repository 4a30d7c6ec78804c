"""Recognisers that exist already, as files: frozen and fine-tuned, with clean and with protected photos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unlearnable.events import OnProgress, silent
from unlearnable.faces.afresh import Pairs
from unlearnable.faces.fine_tuning import fine_tuned
from unlearnable.faces.galleries import Recognised, recognised
from unlearnable.faces.holding import Outcome
from unlearnable.faces.recogniser import Recogniser
from unlearnable.training.compute import Compute


@dataclass(frozen=True)
class Tried:
    """Results by the name of the recogniser.

    Args:
        frozen: The rules of each as it is.
        tuned: The outcome of each that was fine-tuned.
    """

    frozen: Mapping[str, Sequence[Recognised]]
    tuned: Mapping[str, Outcome]


def try_recognisers(
    found: Pairs,
    networks: Sequence[Recogniser],
    seeds: Sequence[int],
    fine_tune: bool,
    compute: Compute,
    on_progress: OnProgress = silent,
) -> Tried:
    """Return the results of each recogniser with clean and with protected photos.

    Args:
        found: The photos and their copies.
        networks: The recognisers.
        seeds: Seeds of the split; fine-tuning takes the first one only, because it takes long.
        fine_tune: Whether each is also fine-tuned.
        compute: Device and precision.
        on_progress: Called with an event after every photo and every epoch.

    Raises:
        UsageError: If a file is no recogniser.
    """
    frozen, tuned = dict[str, Sequence[Recognised]](), dict[str, Outcome]()
    for network in networks:
        name = network.file.stem
        clean, protected = (network.embed(crops, on_progress) for crops in (found.clean, found.protected))
        frozen[name] = recognised(clean, protected, found.clean, seeds)
        if fine_tune:
            tuned[name] = fine_tuned(network, found.clean, found.protected, seeds[:1], compute, on_progress)
    return Tried(frozen, tuned)
