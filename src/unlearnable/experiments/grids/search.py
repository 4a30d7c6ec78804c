"""Ways to save time in the search, against the exact one."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable import presets
from unlearnable.cells import Poison
from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile, Settings
from unlearnable.noise import Form

FIVE = 5  # seeds, because the searches differ by less than the seeds do
EXACT, FAST, FLOAT32, SKIPPING, HALF, SHARED = (
    "exact",
    "fast",
    "exact, in float32",
    "exact, skipping images with a small loss",
    "exact, half the rounds",
    "one backward pass for both steps",
)


@experiment(
    order=19,
    title="The fast search and the exact one",
    rows="data, search",
    columns="trained on",
    claims=[
        Below(
            (f"{data}, {row}", WORDS[form]),
            (f"{data}, {EXACT}", WORDS[form]),
            f"{words} protects as well on {data}, {WORDS[form]} (within 3 points)",
            by=-0.03,
        )
        for row, words, forms in ((FAST, "fast", FORMS[:1]), (SHARED, "one backward pass", FORMS))
        for form in forms
        for data in ("cifar10", "photos")
    ],
)
def search(p: Profile) -> Iterator[Entry]:
    """Do `--search fast` and other ways to save time protect as well as the exact search?

    In the profile `paper` the fast search skips images that the surrogate classifies with a small loss. In
    the other profiles, it takes the same number of noise steps and trains the surrogate half as much. With
    one backward pass for both steps (`shared_backward`), the training step of a batch also moves its noise.
    """
    for seed in p.seeds if len(p.seeds) == 1 else range(FIVE):
        for data in ("cifar10", "photos"):
            for row in (EXACT, FAST, FLOAT32, SKIPPING, HALF, SHARED):
                yield Entry(f"{data}, {row}", "clean", p.cell(data, seed))
                for form in FORMS:
                    if form == "samplewise" or _acts_classwise(p, row):
                        cell = p.cell(data, seed, _poison(p, data, form, seed, row))
                        yield Entry(f"{data}, {row}", WORDS[form], cell)


def _acts_classwise(p: Profile, row: str) -> bool:
    """Return whether a way changes the search for class-wise noise, in which no image can be skipped."""
    return row != SKIPPING and (row != FAST or "steps" in p.fast)


def _poison(p: Profile, data: str, form: Form, seed: int, row: str) -> Poison:
    rounds = p.max_rounds(data, form)
    changes: dict[str, Settings] = {
        # as many noise steps as the exact search takes
        FAST: {**p.fast, **({"max_rounds": rounds // p.fast["steps"]} if "steps" in p.fast else {})},
        SKIPPING: presets.fast(presets.read("paper"), "samplewise"),
        HALF: {"max_rounds": rounds // 2},
        SHARED: {"shared_backward": True, "steps": 1, "samples": 1, "share": 1.0, "measure": "training"},
    }
    poison = p.poison(data, form, seed, **changes.get(row, {}))
    if row != FLOAT32:
        return poison
    return poison.model_copy(update={"search": poison.search.model_copy(update={"precision": "float32"})})
