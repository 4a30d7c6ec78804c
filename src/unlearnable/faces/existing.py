"""Recognisers that exist already, as files: frozen and fine-tuned, with clean and with protected photos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unlearnable import hashing
from unlearnable.errors import UsageError
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
    weights: str,
    compute: Compute,
    on_progress: OnProgress = silent,
) -> Tried:
    """Return the results of each recogniser with clean and with protected photos.

    Args:
        found: The photos and their copies.
        networks: The recognisers.
        seeds: Seeds of the split; fine-tuning takes the first one only, because it takes long.
        fine_tune: Whether each is also fine-tuned.
        weights: The setting of the run: digests of the networks of the search, joined by ``+``; empty if it
            is not known.
        compute: Device and precision.
        on_progress: Called with an event after every photo and every epoch.

    Raises:
        UsageError: If a file is no recogniser.
    """
    frozen, tuned = dict[str, Sequence[Recognised]](), dict[str, Outcome]()
    names = names_of(networks)
    for name, network in zip(names, networks, strict=True):
        clean, protected = (network.embed(crops, on_progress) for crops in (found.clean, found.protected))
        context = found.context
        others = None if context is None else (network.embed(context, on_progress), context.labels)
        frozen[name] = recognised(clean, protected, found.clean, seeds, others)
        if fine_tune:
            tuned[name] = fine_tuned(
                network, found.clean, found.protected, context, seeds[:1], compute, on_progress
            )
    used = set(weights.split("+"))
    searched = [name for name, one in zip(names, networks, strict=True) if hashing.of_file(one.file) in used]
    return Tried(frozen, tuned, frozenset(searched))


def names_of(networks: Sequence[Recogniser]) -> list[str]:
    """Return a name for each recogniser: that of its file, or all that was given where files share a name.

    Raises:
        UsageError: If one is given twice.
    """
    if len(set(networks)) < len(networks):
        raise UsageError("A recogniser is given twice.", "Give each --recogniser once.")
    counts = Counter(one.file.stem for one in networks)
    return [
        one.file.stem if counts[one.file.stem] == 1 else f"{one.file},{one.mean:g},{one.scale:g}"
        for one in networks
    ]
