"""Make docs/picture.png: a photo, the same photo as `protect` publishes it, and the noise magnified.

The photograph is "Chelsea" by Stefan van der Walt (CC0), which comes with scikit-image. `protect` gets nine
parts of it and of each of the demo's photographs, as nine photos of each of eleven classes.

python docs/picture.py
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

import unlearnable as un
from unlearnable.data.demo_photos import PHOTOGRAPHS, PLACES, photograph
from unlearnable.training.compute import Compute

NAME, SHOWN = "chelsea", "01"
# side of a part in pixels: three of them fit side by side on a page without being resized
SIDE, GAP, TIMES = 272, 10, 12
# fewer than the 300 that the preset allows for so few photos, so that the picture is made in a minute
ROUNDS = 60


def main() -> None:
    """Protect the parts and draw the three pictures side by side, one pixel for each of the photograph's."""
    with (PLACES["scikit-image"]() / f"{NAME}.png").open("rb") as file, Image.open(file) as image:
        photographs = {NAME: image.convert("RGB")} | {name: photograph(name) for name in PHOTOGRAPHS}
    with tempfile.TemporaryDirectory() as folder:
        photos, published = Path(folder, "photos"), Path(folder, "protected")
        for name, image in photographs.items():
            (photos / name).mkdir(parents=True)
            for row, column in itertools.product(range(3), range(3)):
                left, top = (image.width - SIDE) * column // 2, (image.height - SIDE) * row // 2
                part = image.crop((left, top, left + SIDE, top + SIDE))
                part.save(photos / name / f"{row}{column}.png")
        request = un.Request(preset="laptop", settings={"max_rounds": ROUNDS})
        compute = Compute("cpu", "float32")
        prepared = un.prepare(un.open_photos(photos), request, compute=compute)
        un.protect(photos, published, prepared.method, images=prepared.images, seed=0, compute=compute)
        before, after = (
            np.asarray(Image.open(root / NAME / f"{SHOWN}.png").convert("RGB"), np.int16)
            for root in (photos, published)
        )
    noise = np.clip(128 + TIMES * (after - before), 0, 255)
    gap = np.full((SIDE, GAP, 3), 255)
    sheet = np.concatenate([before, gap, after, gap, noise], axis=1).astype(np.uint8)
    Image.fromarray(sheet).save(Path(__file__).with_name("picture.png"), optimize=True)


if __name__ == "__main__":
    main()
