"""The presets on seeds and classes on which nothing was chosen."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile, Settings

SEEDS = range(10, 15)
SMALL, FAST, PHOTOS = "small images", "small images, fast search", "photos of five other classes"


@experiment(
    order=27,
    title="The presets on fresh seeds and classes",
    rows="images, search",
    columns="trained on",
    claims=[
        Below((row, WORDS[form]), (row, "clean"), f"{row}: {WORDS[form]} noise protects", by=0.1)
        for row in (SMALL, PHOTOS)
        for form in FORMS
    ],
)
def fresh(p: Profile) -> Iterator[Entry]:
    """Settings of presets were chosen on the images and seeds of the other tables.

    How well do they protect on seeds 10 to 14, and photos of the five classes that no setting was chosen on?

    Small images are CIFAR-10 with the search of the preset `small`; photos have the preset `laptop`.
    """
    rows: dict[str, tuple[str, Settings]] = {
        SMALL: ("cifar10", {}),
        FAST: ("cifar10", p.fast),
        PHOTOS: ("other-five-classes", {}),
    }
    for seed in SEEDS if len(p.seeds) > 1 else SEEDS[:1]:
        for row, (data, changes) in rows.items():
            yield Entry(row, "clean", p.cell(data, seed))
            for form in FORMS:
                if row != FAST or form == "samplewise" or "steps" in p.fast:
                    poison = p.poison(data, form, seed, **changes)
                    yield Entry(row, WORDS[form], p.cell(data, seed, poison))
