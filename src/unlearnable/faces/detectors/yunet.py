"""YuNet (Wu et al., Machine Intelligence Research 2023) through OpenCV, from a file of weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from unlearnable import hashing
from unlearnable.budget import UInt8Array
from unlearnable.errors import UsageError
from unlearnable.faces.detector import needs, register
from unlearnable.faces.face import Face

# OpenCV's own defaults are .9 and .3; a lower score finds turned and small faces
SCORE, NMS = 0.6, 0.3
MOST = 5000
WHERE = "OpenCV's model zoo has it as face_detection_yunet_2026may.onnx (230 kB, MIT)."


class YuNet:
    """YuNet: landmarks are more precise than those of retinaface.

    Args:
        file: The network, in ONNX.
    """

    def __init__(self, file: Path) -> None:
        import cv2

        try:
            self._found = cv2.FaceDetectorYN.create(str(file), "", (320, 320), SCORE, NMS, MOST)
        except cv2.error as error:
            raise UsageError(f"{file} is no network that OpenCV can read as YuNet.", WHERE) from error
        self.revision = f"yunet {hashing.of_file(file)}"

    def __call__(self, pixels: UInt8Array) -> list[Face]:
        """Return the faces of a picture."""
        height, width = pixels.shape[:2]
        self._found.setInputSize((width, height))
        # OpenCV has blue first
        rows = self._found.detect(np.ascontiguousarray(pixels[..., ::-1]))[1]
        return [] if rows is None else [_face([float(value) for value in row]) for row in rows]


def _face(row: list[float]) -> Face:
    points = tuple(zip(row[4:14:2], row[5:14:2], strict=True))
    return Face((row[0], row[1], row[2], row[3]), points, row[14])


@register("yunet")
def yunet(file: str) -> YuNet:
    """YuNet through OpenCV, with a file of weights: yunet=FILE."""
    if not file:
        raise UsageError("The detector yunet needs its weights.", f"Give --detector yunet=FILE. {WHERE}")
    if not Path(file).is_file():
        raise UsageError(f"There is no file {file}.", WHERE)
    if importlib.util.find_spec("cv2") is None:
        raise needs("OpenCV")
    return YuNet(Path(file))
