"""A program that uses Pillow, NumPy and torch for other things finds them as they were."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corpus import cases, colours, png, saved
from unlearnable.data.decoding import decode

STATE = """
import json, locale, logging, os, random, signal, sys, warnings
import numpy as np, torch
from PIL import Image, ImageFile, PngImagePlugin, TiffImagePlugin
Image.init()

def state():
    return {
        "pixels": Image.MAX_IMAGE_PIXELS, "truncated": ImageFile.LOAD_TRUNCATED_IMAGES,
        "text": [PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY],
        "libtiff": TiffImagePlugin.READ_LIBTIFF, "opened": sorted(Image.OPEN), "mime": sorted(Image.MIME),
        "saved": sorted(Image.SAVE), "extensions": sorted(Image.registered_extensions()),
        "warnings": [str(entry) for entry in warnings.filters], "numpy": np.geterr(),
        "threads": [torch.get_num_threads(), torch.get_num_interop_threads()],
        "torch": [str(torch.get_default_dtype()), torch.is_grad_enabled(), torch.initial_seed(),
                  torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision()],
        "signals": [str(signal.getsignal(one)) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)],
        "locale": locale.setlocale(locale.LC_ALL), "logging": str(logging.root.handlers),
        "environment": sorted(os.environ.items()), "folder": os.getcwd(), "umask": os.umask(0o22),
        "random": hash(random.getstate()), "generator": np.random.get_state()[1][:5].tolist(),
        "hook": str(sys.excepthook),
    }

before = state()
import unlearnable as un
imported = state()
images = un.load(sys.argv[1])
from unlearnable import methods
un.protect(sys.argv[1], sys.argv[2], methods.create("random", {}), seed=1, workers=1)
print(json.dumps([before, imported, state()]))
"""


def test_nothing_is_changed_for_the_rest_of_the_program(photos: Path, tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    photo = heif.from_pillow(Image.fromarray(colours(30, 40)))
    photo.save(photos / "cats" / "phone.heic", quality=80)
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", STATE, photos, tmp_path / "out"],
        capture_output=True,
        text=True,
        check=True,
    )
    before, imported, after = json.loads(done.stdout.splitlines()[-1])
    assert (tmp_path / "out" / "cats" / "phone.png").exists()
    for name, value in before.items():
        assert imported[name] == value, name
        assert after[name] == value, name


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("limit", [100, 1500])
def test_the_limit_of_the_program_does_not_decide(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    files = {case.name: case.data for case in cases((64, 48))}
    files |= {
        "part.gif": saved(Image.fromarray(colours(64, 48)).quantize(20), "GIF", disposal=2),
        "lzw.tif": saved(Image.fromarray(colours(64, 48)), "TIFF", compression="tiff_lzw"),
        "several.webp": saved(Image.fromarray(colours(64, 48)), "WEBP", quality=80),
    }
    expected = {name: decode(data, name).pixels for name, data in files.items()}
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    for name, data in files.items():
        assert np.array_equal(decode(data, name).pixels, expected[name]), name
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.slow
def test_a_photo_above_pillows_own_limit_is_read_without_a_warning() -> None:
    width, height = 10_000, 9_200
    data = png(np.zeros((height, width), np.uint8), 1, 0)
    assert width * height > (Image.MAX_IMAGE_PIXELS or 0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert decode(data, "x").size == (height, width)
    assert not caught


def test_many_threads_decode_alike() -> None:
    files = [(case.data, case.name) for case in cases((64, 48))] * 6
    alone = [decode(*file).pixels for file in files]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda file: decode(*file).pixels, files))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
