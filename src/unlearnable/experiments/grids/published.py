"""Protected images that are published as JPEG files."""

from __future__ import annotations

from collections.abc import Iterator

from unlearnable.experiments.base import Below, Entry, experiment
from unlearnable.experiments.profile import Profile

FILES = {"PNG": "png", **{f"JPEG {quality}": f"jpeg:{quality}" for quality in (95, 85, 75, 50)}}
INSIDE = 75  # quality of the JPEG inside the search
SEARCH = {"countermeasures": f"jpeg:{INSIDE}"}
DATA = ("photos", "cifar10")


def _column(data: str, inside: int) -> str:
    return f"{data}, JPEG {inside} in the search" if inside else data


@experiment(
    order=23,
    title="Protected images published as JPEG",
    rows="files",
    columns="data, class-wise noise",
    claims=[
        Below(
            ("JPEG 75", data),
            ("no noise", data),
            f"class-wise noise survives JPEG of quality 75 on {data}",
            by=0.1,
        )
        for data in DATA
    ],
)
def published(p: Profile) -> Iterator[Entry]:
    """Does class-wise noise survive JPEG files, and does JPEG inside the search help?

    Files are written at the photo's own size with full colour resolution (4:4:4). The JPEG inside the search
    acts at the resolution of the search, so it equals the compression of the files for small images, and is
    stronger than it for photos.
    """
    for seed in p.seeds:
        for data in DATA:
            for inside in (0, INSIDE):
                column = _column(data, inside)
                yield Entry("no noise", column, p.cell(data, seed))
                poison = p.poison(data, "classwise", seed, **(SEARCH if inside else {}))
                for row, encoding in FILES.items():
                    written = poison.model_copy(update={"encoding": encoding})
                    yield Entry(row, column, p.cell(data, seed, written))
