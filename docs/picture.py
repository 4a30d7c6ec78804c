"""Make docs/picture.png: digits, their class-wise noise magnified, and what is published.

python docs/picture.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from unlearnable import methods
from unlearnable.data.digits import digits
from unlearnable.demo import SETTINGS
from unlearnable.methods import Context
from unlearnable.training.compute import Compute

SCALE, GAP = 3, 6


def main() -> None:
    """Search for class-wise noise as the demo does, and draw one digit of each class."""
    images = digits()
    view = images.view(32)
    method = methods.create("error_minimizing", dict(SETTINGS.classwise)).resolve(view.frame, len(images))
    noise = method.fit(view, Context(0, Compute("cpu", "float32"))).noise
    protected = images.with_noise(noise)
    shown = [next(id for id in images.ids if images.class_of[id] == name) for name in images.classes]
    clean = [images.photo(id).pixels.astype(int) for id in shown]
    after = [protected.photo(id).pixels.astype(int) for id in shown]
    magnified = [np.clip(128 + 15 * (b - a), 0, 255) for a, b in zip(clean, after, strict=True)]
    side = 32 * SCALE
    sheet = np.full((3 * side + 2 * GAP, 10 * side + 9 * GAP), 255, np.uint8)
    for row, pictures in enumerate((clean, magnified, after)):
        for column, picture in enumerate(pictures):
            top, left = row * (side + GAP), column * (side + GAP)
            sheet[top : top + side, left : left + side] = np.kron(picture, np.ones((SCALE, SCALE))).astype(
                np.uint8
            )
    Image.fromarray(sheet).save(Path(__file__).with_name("picture.png"), optimize=True)


if __name__ == "__main__":
    main()
