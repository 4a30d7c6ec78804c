"""Settings of the search for photos, changed one or two at a time."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile, Settings
from unlearnable.noise import Form


@experiment(order=25, title="Settings of the search for photos", rows="changed setting")
def settings(p: Profile) -> Iterator[Entry]:
    """Which settings of the search for photos matter?

    The table uses five of the ten classes, so that presets are chosen on them. The preset is measured on the
    other five, and on fresh seeds, in a table of its own.
    """
    for seed in p.seeds:
        for form in FORMS:
            yield Entry("no noise", WORDS[form], p.cell("five-classes", seed))
            for row, changes in _changes(p, form).items():
                poison = p.poison("five-classes", form, seed, **changes)
                yield Entry(row, WORDS[form], p.cell("five-classes", seed, poison))


def _changes(p: Profile, form: Form) -> dict[str, Settings]:
    """Return the rows, each with its changes of the settings of the profile."""
    usual = p.config("five-classes", form)
    rounds, side = p.max_rounds("five-classes", form), int(usual.resolution)
    cosine = {"step_schedule": "cosine"}
    both: dict[str, Settings] = {
        "none": {},
        "cosine schedule": cosine,
        "no transformations": {"transforms": "none"},
        "twice the rounds, half the surrogate's epochs": {"max_rounds": 2 * rounds, "train_epochs": 0.5},
        "noise of half the resolution": {"grid": side // 2},
        "steps half as long": {"step_size": usual.step_size / 2},
        "steps twice as long": {"step_size": usual.step_size * 2},
    }
    if form == "samplewise":
        return both | {"5 steps in a third of the rounds": {"steps": 5, "max_rounds": max(1, rounds // 3)}}
    return both | {
        "cosine schedule, steps half as long": cosine | {"step_size": usual.step_size / 2},
        "cosine schedule, steps twice as long": cosine | {"step_size": usual.step_size * 2},
        "cosine schedule, half the surrogate's epochs": cosine | {"train_epochs": 0.5},
        "twice the rounds": {"max_rounds": 2 * rounds},
        "a new surrogate below 5% error": {"restart_error": 0.05, "min_rounds": max(1, 2 * rounds // 3)},
        "2 transformations per step": {"samples": 2},
        "a tile of a quarter of the side": {"tile": side // 4},
        "nearest neighbour": {"interpolation": "nearest"},
        "no enlarged view": {"zoom": 1.0},
        "crops of 20% to 100%": {"crop_min": 0.2},
        "three quarters of the resolution": {"resolution": 3 * side // 4, "grid": 3 * side // 4},
        "zero noise at the start": {"init": "zero"},
        "half the batch": {"batch": usual.batch // 2},
        "a small convolutional network as surrogate": {"surrogate": "cnn"},
    }
