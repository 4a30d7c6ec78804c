"""Few photos and many."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Entry, experiment
from unlearnable.experiments.profile import FORMS, WORDS, Profile


@experiment(order=21, title="Few photos and many", rows="photos per class", columns="trained on")
def photo_counts(p: Profile) -> Iterator[Entry]:
    """Does noise protect many photos as well as few photos?"""
    # in the profile `paper` the two sets are one
    sets = {p.sets[name]: name for name in ("more-photos", "photos")}
    for seed in p.seeds:
        for data, name in sets.items():
            row = str(data.per_class or "all")
            yield Entry(row, "clean", p.cell(name, seed))
            for form in FORMS:
                yield Entry(row, WORDS[form], p.cell(name, seed, p.poison(name, form, seed)))
