"""Searches that take less than a second, of every method and step by step."""

from __future__ import annotations

from unlearnable import methods
from unlearnable.data.image_set import ImageSet
from unlearnable.data.view import View
from unlearnable.methods import Context, ErrorMinimizing
from unlearnable.training.compute import Compute

QUICK = {
    "surrogate": "cnn:width=8,depth=2",
    "batch": 8,
    "train_batches": 3,
    "pretrain_epochs": 1.0,
    "checkpoints": 2,
    "steps": 3,
    "samples": 1,
    "adversarial_steps": 2,
    "min_rounds": 3,
    "max_rounds": 3,
}


FORMS = ("samplewise", "classwise")


def make(name: str, form: str = "samplewise", **more: object) -> methods.Method:
    method = methods.get(name)
    quick = {key: value for key, value in QUICK.items() if key in method.Config.model_fields}
    # no search stops by its error
    quick["stop_error"] = 1.0 if method.rises else 0.0
    if not issubclass(method, methods.BySurrogate):
        quick |= {"min_rounds": 1, "max_rounds": 1}
    return methods.create(name, {**quick, "form": form, **more}).resolve((16, 16), 24)


def fit(name: str, view: View, form: str = "samplewise", seed: int = 1, **more: object) -> methods.Fitted:
    return make(name, form, **more).fit(view, Context(seed))


STEPS_SETTINGS = {
    "surrogate": "cnn:width=8,depth=2",
    "batch": 8,
    "train_batches": 3,
    "steps": 5,
    "resolution": 16,
    "min_rounds": 2,
    "max_rounds": 2,
    "stop_error": 0.0,
}


def after_training(images: ImageSet, form: str, precision: str, share: float = 1.0):
    """A search after three batches of its surrogate: (method, view, context, state)."""
    method = methods.create("error_minimizing", {**STEPS_SETTINGS, "form": form, "share": share}).resolve(
        (16, 16), 24
    )
    assert isinstance(method, ErrorMinimizing)
    view, ctx = images.view(16), Context(4, Compute("cpu", precision))
    state = method.start(view, ctx)
    for _ in range(3):
        method.advance(state, view, ctx)
    return method, view, ctx, state
