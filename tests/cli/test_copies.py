"""Downloads are described by the photos that they belong to, whatever a site has called them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unlearnable.cli.copies import copies
from unlearnable.data.folder import folder


def smooth(seed: int) -> Image.Image:
    """A smooth colour picture of 64 x 48 pixels."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((64, 48), Image.Resampling.BICUBIC)


@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("{n}-copy.jpg", "picture"),
        ("p{n}.jpg", "name"),
        ("ALBUM/P{n}.webp", "name"),
        ("x/{n}{n}.png", "picture"),
    ],
)
def test_every_download_names_its_photo(tmp_path: Path, name: str, by: str) -> None:
    for number in range(4):
        photo = tmp_path / "photos" / "ab"[number % 2] / f"p{number}.png"
        copy = tmp_path / "site" / name.format(n=number)
        for path in (photo, copy):
            path.parent.mkdir(parents=True, exist_ok=True)
        smooth(number).save(photo)
        smooth(number).resize((32, 24)).save(copy)
    smooth(99).save(tmp_path / "site" / "advert.jpg")
    record, lines = copies(tmp_path / "site", folder(tmp_path / "photos"))
    assert record["pairs"] == 4
    assert record["by_picture"] == (4 if by == "picture" else 0)
    for number in range(4):
        one = record["files"][name.format(n=number)]
        assert one["photo"] == f"{'ab'[number % 2]}/p{number}.png"
        assert (one["by"], one["size"], one["photo_size"]) == (by, [24, 32], [48, 64])
    assert "advert.jpg" in record["left_out"]
    assert ("because the names differ" in "\n".join(lines)) == (by == "picture")
