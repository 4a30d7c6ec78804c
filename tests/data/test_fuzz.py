"""Damaged files, thousands of them: each ends as a listed skip or as a file inside the budget, and never
otherwise.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from corpus import colours, oriented, saved, srgb
from unlearnable.budget import Budget
from unlearnable.data.encoding import Encoding
from unlearnable.noise import Noise
from unlearnable.worker import Task, make

PICTURE = Image.fromarray(colours(40, 56))
HOLES = Image.fromarray(np.dstack([colours(40, 56), colours(40, 56, seed=2)[..., 0]]))
WHOLE = {
    "jpg": saved(PICTURE, "JPEG", quality=90, exif=oriented(6), icc_profile=srgb()),
    "progressive.jpg": saved(PICTURE, "JPEG", quality=60, progressive=True),
    "png": saved(PICTURE, "PNG", icc_profile=srgb()),
    "holes.png": saved(HOLES, "PNG"),
    "webp": saved(PICTURE, "WEBP", lossless=True),
    "lossy.webp": saved(HOLES, "WEBP", quality=70),
    "tif": saved(PICTURE, "TIFF", compression="tiff_lzw"),
    "flat.tif": saved(PICTURE.convert("CMYK"), "TIFF"),
    "gif": saved(PICTURE.convert("P"), "GIF"),
    "bmp": saved(PICTURE, "BMP"),
    "avif": saved(HOLES, "AVIF", exif=oriented(3)),
    "palette.png": saved(PICTURE.quantize(9), "PNG", transparency=2, exif=oriented(5)),
    "pages.tif": saved(PICTURE, "TIFF", save_all=True, append_images=[HOLES]),
    "several.gif": saved(PICTURE.quantize(99), "GIF", save_all=True, append_images=[PICTURE.quantize(9)]),
    "deep.tif": saved(Image.fromarray(colours(40, 56)[..., 0].astype(np.uint16) * 257), "TIFF"),
}
EPSILON = 8


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """One of the files with bytes changed, cut out, put in or cut off."""
    name = draw(st.sampled_from(sorted(WHOLE)))
    data = bytearray(WHOLE[name])
    for _ in range(draw(st.integers(0, 6))):
        # headers are short, and most damage elsewhere only changes pixels
        at = draw(st.integers(0, min(len(data) - 1, 400)) | st.integers(0, len(data) - 1))
        kind = draw(st.sampled_from(("byte", "byte", "byte", "cut", "insert")))
        if kind == "byte":
            data[at] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[at : at + draw(st.integers(1, 64))]
        else:
            data[at:at] = draw(st.binary(min_size=1, max_size=16))
        if not data:
            break
    end = draw(st.integers(0, len(data)) | st.just(len(data)))
    return name, bytes(data[:end])


def check(place: Path, name: str, data: bytes) -> None:
    source, output = place / f"photo.{name}", place / "out.png"
    output.unlink(missing_ok=True)
    source.write_bytes(data)
    file = make(
        Task("a/photo", "a", source, output, Encoding("png"), max_pixels=1_000_000),
        place / "noise.safetensors",
    )
    if file.reason:
        assert str(source) in file.reason
        assert "\n" not in file.reason
        assert not output.exists()
        return
    with Image.open(io.BytesIO(output.read_bytes())) as image:
        after = np.asarray(image.convert("RGB")).astype(int)
    try:
        with Image.open(io.BytesIO(data)) as image:  # what anybody else sees in the damaged file
            image.load()
            size = image.size
    except Exception:
        # damage beside the picture, which Pillow does not forgive
        size = (after.shape[1], after.shape[0])
    assert after.shape[0] * after.shape[1] == size[0] * size[1]
    assert file.largest <= EPSILON
    assert not list(place.glob(".*"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz")
    bank = np.random.default_rng(0).integers(-EPSILON, EPSILON + 1, (1, 3, 16, 16)).astype(np.int8)
    Noise(bank, ("a",), "classwise", Budget(EPSILON), (16, 16)).save(folder / "noise.safetensors")
    return folder


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged())
def test_a_damaged_file_is_listed_or_protected(place: Path, case: tuple[str, bytes]) -> None:
    check(place, *case)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged())
def test_two_thousand_damaged_files_are_listed_or_protected(place: Path, case: tuple[str, bytes]) -> None:
    check(place, *case)
