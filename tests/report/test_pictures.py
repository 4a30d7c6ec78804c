"""Pictures at full size have the pixels of the files, and a page of large photos can still be opened."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_report import record, verification

from unlearnable.data.photo import Photo
from unlearnable.report import Record, page, save
from unlearnable.report.pictures import FULL_PIXELS, LOSSLESS, Picture, picture


def decoded(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB"))


def smooth(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [100 + 60 * np.sin(rows / (40 + c)) * np.cos(columns / (50 - c)) for c in range(3)]
    return np.stack(waves, -1).astype(np.uint8)


def made(height: int, width: int, shown: int = 1) -> tuple[np.ndarray, Picture]:
    pixels = smooth(height, width)
    changed = pixels.copy()
    changed[::2, ::2] += 8
    return pixels, picture("a/1.png", "a", Photo(pixels), Photo(changed), shown)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (28, 28), (300, 200), (1, 500)])
def test_small_photos_are_shown_without_loss(height: int, width: int) -> None:
    pixels, found = made(height, width)
    assert found.full is not None
    assert height * width <= LOSSLESS
    assert np.array_equal(decoded(found.full.clean), pixels)
    difference = decoded(found.full.protected).astype(int) - pixels
    assert difference.max() == 8
    assert found.full.of is None
    assert (found.full.zoom > 1) == (max(height, width) <= 64)
    # grey where nothing changed, at the end of the range where the change is largest
    noise = decoded(found.full.noise)
    assert noise.max() >= 254
    assert height == width == 1 or noise.min() in (127, 128)


@pytest.mark.parametrize(("height", "width", "shown"), [(700, 600, 6), (900, 700, 24), (400, 1600, 30)])
def test_large_photos_are_cut_to_their_share_and_never_made_smaller(
    height: int, width: int, shown: int
) -> None:
    pixels, found = made(height, width, shown)
    full = found.full
    assert full is not None
    assert full.width * full.height <= FULL_PIXELS // shown
    assert full.width / full.height == pytest.approx(width / height, rel=0.01)
    whole = height * width <= FULL_PIXELS // shown
    assert full.of == (None if whole else (width, height))
    top, left = (height - full.height) // 2, (width - full.width) // 2
    part = pixels[top : top + full.height, left : left + full.width].astype(int)
    assert np.abs(decoded(full.clean) - part).max() <= 4
    assert 4 <= np.abs(decoded(full.protected) - part).max() <= 14


def test_copies_of_another_size_are_shown_at_theirs() -> None:
    found = picture("a/1.png", "a", Photo(smooth(80, 100)), Photo(smooth(40, 50)))
    assert found.full is not None
    assert (found.full.width, found.full.height) == (50, 40)


def test_full_size_is_in_the_page_and_not_in_the_numbers(tmp_path: Path) -> None:
    shown = record(verification())
    save(shown, tmp_path)
    assert shown.pictures[0].full is not None
    text = (tmp_path / "report.json").read_text("utf-8")
    assert "full" not in json.loads(text)["pictures"][0]
    assert shown.pictures[0].full.clean in (tmp_path / "report.html").read_text("utf-8")
    # the page of the numbers alone has small pictures only
    again = page(Record.model_validate_json(text))
    assert "popovertarget" not in again
    assert shown.pictures[0].clean in again
