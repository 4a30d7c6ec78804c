"""Noise for photos that came after the search, or whose class has changed, by the method of the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from unlearnable import methods
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo, squash
from unlearnable.data.view import View
from unlearnable.errors import DataError, UnlearnableError, UsageError
from unlearnable.methods import Context, Fitted, Method
from unlearnable.methods.context import Surrogate
from unlearnable.models import builder
from unlearnable.models.starts import models_of
from unlearnable.noise import Form, Noise
from unlearnable.plugins import file_of
from unlearnable.preparation import require_loaded
from unlearnable.runs import RunFolder
from unlearnable.search import found
from unlearnable.training.compute import Compute
from unlearnable.training.recipe import Recipe


def extended(fitted: Fitted, images: ImageSet, run: RunFolder, compute: Compute | None) -> Fitted:
    """Return the noise of a run, and noise for protected images that are new or whose class has changed.

    Args:
        fitted: The noise of the run.
        images: The images, read.
        run: The open run folder, whose method makes the noise and which saves it.
        compute: Device and precision; chosen if None.

    Raises:
        UsageError: If the noise was imported, so that no method made it, or the method is not loaded.
        DataError: If the method cannot make noise for an image.
    """
    noise, record = fitted.noise, run.read()
    # Images that the assignment does not cover carry no noise on purpose.
    covered = [id for id in images.own if noise.assignment.covers(id, images.class_of[id])]
    new = [id for id in covered if noise.slot(id, images.class_of[id], images.about(id).digest) is None]
    if not new:
        return fitted
    method = _method_of(run, noise, new[0])
    view = images.subset(new).in_order_of_ids().view(int(method.config.resolution), method.zoom)
    context = Context(record["seed"], compute or Compute.choose())
    extended = replace(fitted, noise=noise.joined(method.extend(fitted, view, context)))
    extended.noise.save(run.noise)
    return extended


class OneByOne:
    """Noise for single photos, by the method of a run: a function of the run and the photo alone.

    It does not depend on other photos, on their order or on the number of threads, so any process makes the
    same noise for a photo: it is computed alone, on one thread of the CPU, in float32. Nothing is written to
    the run folder.

    Args:
        run: The run folder, which need not be open.

    Raises:
        UsageError: If the noise was imported, or its method is not loaded.
        DataError: If a file of the run is missing or damaged.
    """

    def __init__(self, run: RunFolder) -> None:
        self._fitted = found(run)
        self._method = _method_of(run, self._fitted.noise, "other photos")
        self._context = _Unchanging(run.read()["seed"], Compute())

    @property
    def form(self) -> Form:
        """The form of the noise of the run."""
        return self._fitted.noise.form

    def __call__(self, id: str, class_name: str, photo: Photo, digest: str) -> Noise:
        """Return noise whose only row is that of a photo.

        Args:
            id: Id of the photo.
            class_name: Its class.
            photo: The photo at its own size.
            digest: Its content hash.

        Raises:
            DataError: If the run does not know the class, or the method cannot make noise for the photo.
        """
        if class_name not in self._fitted.classes:
            raise DataError(
                f"The run does not know class {class_name!r}.",
                "Find new noise with `unlearnable protect --refit`.",
            )
        with _one_thread():
            try:
                view = self._view(id, class_name, photo, digest)
                return self._method.extend(self._fitted, view, self._context)
            except DataError:
                raise
            except UnlearnableError as error:
                # such as a photo that is too small for the wavelengths of the noise
                raise DataError(error.problem, error.remedy) from error

    def _view(self, id: str, class_name: str, photo: Photo, digest: str) -> View:
        square = squash(photo.opaque, round(int(self._method.config.resolution) * self._method.zoom))
        pixels = np.repeat(square[None], 3, axis=0) if photo.grey else square.transpose(2, 0, 1)
        return View(
            ids=(id,),
            pixels=np.ascontiguousarray(pixels[None]),
            labels=np.zeros(1, np.int64),
            classes=(class_name,),
            grey=np.array([photo.grey]),
            own=np.array([True]),
            frame=photo.size,
            digests=(digest,),
        )


class _Unchanging(Context):
    """A context in which no surrogate is trained, so that it is built and frozen once for all photos."""

    _surrogate: Surrogate | None = None
    _copy: nn.Module | None = None

    def surrogate(self, state: dict[str, Any], spec: str, classes: int, recipe: Recipe) -> Surrogate:
        if self._surrogate is None:
            self._surrogate = super().surrogate(state, spec, classes, recipe)
        return self._surrogate

    def frozen(self, model: nn.Module) -> nn.Module:
        if self._copy is None:
            self._copy = super().frozen(model)
        return self._copy


def plugins_of(record: Mapping[str, Any]) -> tuple[Path, ...]:
    """Return the files, loaded here, that register the method and the networks of a run.

    Args:
        record: The content of ``run.json``.
    """
    networks = models_of(str(record["settings"].get("surrogate", "")))
    kinds = [methods.get(record["method"]), *map(builder, networks)]
    files = [file for file in map(file_of, kinds) if file is not None]
    return tuple(dict.fromkeys(files))


def _method_of(run: RunFolder, noise: Noise, wanted: str) -> Method[Any]:
    """Return the method of a run with its settings."""
    record = run.read()
    if record["method"] == "imported":
        raise UsageError(
            f"The noise in {run.path} was imported, so no noise can be made for {wanted}.",
            "Use `unlearnable apply --missing skip` (extend=False in Python).",
        )
    require_loaded(record, run.path)
    # runs of earlier versions record no rule for grey photos
    return methods.create(record["method"], {"grey": noise.grey, **record["settings"]})


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: sums over several may differ in their last bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
