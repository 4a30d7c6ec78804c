"""A recogniser that exists already, as a file: from aligned crops to embeddings."""

from __future__ import annotations

import importlib.util
from functools import cached_property
from typing import Any, Self

import numpy as np

from unlearnable.budget import UInt8Array
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import UsageError
from unlearnable.events import Event, OnProgress, silent
from unlearnable.faces.detector import needs
from unlearnable.models.onnx_network import CROP, NEED, OnnxFile

Embeddings = np.ndarray[Any, np.dtype[np.float32]]


class Recogniser(OnnxFile):
    """A network in ONNX that takes one aligned crop in RGB and returns its embedding."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the recogniser of ``FILE.onnx`` or ``FILE.onnx,MEAN,SCALE``.

        Raises:
            UsageError: If the text is neither, there is no such file, or the library is not installed.
        """
        found = super().parse(text)
        if importlib.util.find_spec("onnxruntime") is None:
            raise needs("onnxruntime")
        return found

    def embed(self, crops: ImageSet, on_progress: OnProgress = silent) -> Embeddings:
        """Return the embeddings of aligned crops, float32 (N, D), each of length 1.

        Raises:
            UsageError: If the file is no network of one picture of three channels and one embedding.
        """
        pictures = (crops.photo(id).rgb() for id in crops.ids)
        rows = []
        for number, pixels in enumerate(pictures, 1):
            rows.append(self._run(pixels))
            on_progress(Event(f"embedding with {self.file.name}", number, len(crops.ids)))
        return unit(np.stack(rows))

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # it warns about how a file was exported, which nobody here can change
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(self.file), options, providers=["CPUExecutionProvider"])

    def _run(self, pixels: UInt8Array) -> Embeddings:
        try:
            (given,) = self._session.get_inputs()
            # where the file leaves the side open, it is a text
            side = given.shape[-1] if isinstance(given.shape[-1], int) else CROP
            (found,) = self._session.run(None, {given.name: self._input(pixels, side)})
        # the library raises errors of many types, and shapes may be texts
        except Exception as error:
            raise UsageError(
                f"{self.file} cannot be used as a recogniser ({error}).",
                NEED,
            ) from error
        embedding = np.asarray(found, dtype=np.float32).reshape(-1)
        if len(embedding) < 2 or not np.isfinite(embedding).all():
            raise UsageError(f"{self.file} returns no embedding, or values that are not finite.", NEED)
        return embedding

    def check(self) -> None:
        """Refuse a file that is no recogniser, before any photo is read.

        Raises:
            UsageError: If it is none.
        """
        rng = np.random.default_rng(0)
        one, other = (self._run(rng.integers(0, 256, (CROP, CROP, 3), dtype=np.uint8)) for _ in range(2))
        if np.array_equal(one, other):
            raise UsageError(f"{self.file} returns the same values for different pictures.", NEED)

    def _input(self, pixels: UInt8Array, side: int) -> Embeddings:
        from PIL import Image

        if pixels.shape[:2] != (side, side):
            pixels = np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR))
        scaled = (pixels.astype(np.float32) - self.mean) / self.scale
        return np.asarray(scaled.transpose(2, 0, 1)[None], dtype=np.float32)


def unit(embeddings: Embeddings) -> Embeddings:
    """Return embeddings, float (N, D), scaled to length 1."""
    return np.asarray(embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12))
