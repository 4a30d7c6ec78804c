"""Noise for photos that came after the search, or whose class has changed, by the method of the run."""

from __future__ import annotations

from dataclasses import replace

from unlearnable import methods
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import UsageError
from unlearnable.methods import Context, Fitted
from unlearnable.preparation import require_loaded
from unlearnable.runs import RunFolder
from unlearnable.training.compute import Compute


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
    if record["method"] == "imported":
        raise UsageError(
            f"The noise in {run.path} was imported, so no noise can be made for {new[0]}.",
            "Use `unlearnable apply --missing skip` (extend=False in Python).",
        )
    require_loaded(record, run.path)
    # runs of earlier versions record no rule for grey photos
    method = methods.create(record["method"], {"grey": noise.grey, **record["settings"]})
    view = images.subset(new).in_order_of_ids().view(int(method.config.resolution), method.zoom)
    context = Context(record["seed"], compute or Compute.choose())
    extended = replace(fitted, noise=noise.joined(method.extend(fitted, view, context)))
    extended.noise.save(run.noise)
    return extended
