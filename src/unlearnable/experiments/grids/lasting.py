"""Noise that is made to last, against what removes noise."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Entry, experiment
from unlearnable.experiments.grids.zoo import ROWS, Column, poison
from unlearnable.experiments.profile import Profile, Settings
from unlearnable.presets import limits

# class-wise, because half of a class gets the negative of its pattern
_PAIRED: Settings = {"signs": "paired"}
COLUMNS: dict[str, Column] = {
    "EM": Column("error_minimizing", "classwise"),
    "EM, paired signs": Column("error_minimizing", "classwise", _PAIRED),
    "EM, luminance, paired signs": Column(
        "error_minimizing", "classwise", {**_PAIRED, "channels": "luminance"}
    ),
    "EM under grey, paired signs": Column(
        "error_minimizing", "classwise", {**_PAIRED, "countermeasures": "none|grey", "samples": 2}
    ),
    "EM under JPEG, paired signs": Column(
        "error_minimizing", "classwise", {**_PAIRED, "countermeasures": "none|jpeg:30", "samples": 2}
    ),
    # the preset `lasting`: every image is seen after one of the two
    "EM under JPEG or blur, paired signs, 50 rounds": Column(
        "error_minimizing",
        "classwise",
        {**_PAIRED, "countermeasures": "jpeg:30|blur:1", "samples": 2},
        cpu={"max_rounds": 50},
    ),
    "EM under JPEG, blur or grey, paired signs, 50 rounds": Column(
        "error_minimizing",
        "classwise",
        {**_PAIRED, "countermeasures": "jpeg:30|blur:1|grey", "samples": 3},
        cpu={"max_rounds": 50},
    ),
    "EM under JPEG, paired signs, 60 rounds": Column(
        "error_minimizing",
        "classwise",
        {**_PAIRED, "countermeasures": "none|jpeg:30", "samples": 2},
        cpu={"max_rounds": 60},
    ),
    "EM under JPEG, paired signs, one draw": Column(
        "error_minimizing", "classwise", {**_PAIRED, "countermeasures": "none|jpeg:30"}
    ),
    "EM under grey and JPEG, paired signs": Column(
        "error_minimizing", "classwise", {**_PAIRED, "countermeasures": "none|grey|jpeg:30", "samples": 3}
    ),
    **{
        f"EM, {name} visibility": Column("error_minimizing", "classwise", limits(name))
        for name in ("medium", "low")
    },
    "textures": Column("textures", "classwise"),
    "textures, mixed": Column("textures", "classwise", {"kind": "mixed"}),
    "gratings": Column("gratings", "classwise"),
    "gratings, sharp": Column("gratings", "classwise", {"sharpness": 10.0}),
}
OF_PHOTOS = ("none", "grey", "jpeg:30", "project", "shrink:2")


@experiment(
    order=29,
    title="Noise that lasts",
    rows="images, countermeasure",
    columns="trained on",
    figure="heat",
    timed=True,
)
def lasting(p: Profile) -> Iterator[Entry]:
    """Which noise is left after grey, compression, blur, shrinking, projection and augmentation?

    Every noise is class-wise. Luminance noise is equal in the three channels, so grey keeps it. With paired
    signs, half of a class gets the negative of its pattern, so a linear projection does not find the class.
    Medium and low visibility limit tint and shading (``--visibility``).
    A search under grey sees half of its images in grey. Textures and gratings take no search. Compare each
    column with the clean column, row by row.
    """
    for seed in p.seeds:
        for data, rows in (("cifar10", ROWS), ("photos", OF_PHOTOS)):
            for row in rows:
                yield Entry(f"{data}, {row}", "clean", p.cell(data, seed, countermeasure=row))
                for name, column in COLUMNS.items():
                    found = poison(p, column, seed, data)
                    yield Entry(f"{data}, {row}", name, p.cell(data, seed, found, countermeasure=row))
