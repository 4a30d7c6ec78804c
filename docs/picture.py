"""Make docs/picture.png: part of a photograph, the same part as `protect` publishes it, and the noise.

The photograph is "Chelsea" by Stefan van der Walt (CC0), which comes with scikit-image. `protect` runs with
default settings on it and on the ten photographs of the demo, each a class.

python docs/picture.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import unlearnable as un
from unlearnable.data.demo_photos import PHOTOGRAPHS, PLACES, photograph
from unlearnable.training.compute import Compute

NAME = "chelsea"
# left, top, right, bottom in pixels: three of them fit side by side on a page without being resized
PART = (96, 12, 368, 284)
GAP, TIMES = 10, 12


def main() -> None:
    """Protect the photographs and draw the three pictures side by side, one pixel for each of the photo's."""
    with tempfile.TemporaryDirectory() as folder:
        photos, published = Path(folder, "photos"), Path(folder, "protected")
        with (PLACES["scikit-image"]() / f"{NAME}.png").open("rb") as file, Image.open(file) as image:
            shown = image.convert("RGB")
        for name, image in {NAME: shown, **{name: photograph(name) for name in PHOTOGRAPHS}}.items():
            (photos / name).mkdir(parents=True)
            image.save(photos / name / f"{name}.png")
        un.protect(photos, published, seed=0, compute=Compute("cpu", "float32"))
        with Image.open(published / NAME / f"{NAME}.png") as image:
            after = np.asarray(image.convert("RGB").crop(PART), np.int16)
    before = np.asarray(shown.crop(PART), np.int16)
    noise = np.clip(128 + TIMES * (after - before), 0, 255)
    gap = np.full((len(before), GAP, 3), 255)
    sheet = np.concatenate([before, gap, after, gap, noise], axis=1).astype(np.uint8)
    Image.fromarray(sheet).save(Path(__file__).with_name("picture.png"), optimize=True)


if __name__ == "__main__":
    main()
