"""Searches that take less than a second, of every method and step by step."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import get_args

from safetensors.torch import save_file

from unlearnable import methods, models
from unlearnable.data.image_set import ImageSet
from unlearnable.data.view import View
from unlearnable.hashing import digest
from unlearnable.methods import Context, ErrorMinimizing
from unlearnable.methods.pretrained_surrogates import PretrainedConfig
from unlearnable.training.compute import Compute
from unlearnable.training.randomness import seeded

NETWORK = "cnn:width=8,depth=2"
QUICK = {
    "surrogate": NETWORK,
    "resolution": 16,
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


@functools.cache
def weights_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder that is removed when the tests end."""
    return tempfile.TemporaryDirectory()


@functools.cache
def drawn(seed: int = 0, network: str = NETWORK) -> str:
    """A network with weights, as a setting names it: a file with what it is initialised with."""
    file = Path(weights_folder().name) / f"{digest(network, seed)}.safetensors"
    with seeded(seed, "weights"):
        save_file(models.create(network, 5).state_dict(), file)
    return f"{network}={file}"


def forms(name: str) -> tuple[str, ...]:
    """The forms of noise that a method makes."""
    allowed = get_args(methods.get(name).Config.model_fields["form"].annotation)
    return tuple(form for form in FORMS if form in allowed)


def make(name: str, form: str = "", **more: object) -> methods.Method:
    method = methods.get(name)
    form = form or forms(name)[0]
    quick = {key: value for key, value in QUICK.items() if key in method.Config.model_fields}
    if issubclass(method.Config, PretrainedConfig):
        quick["surrogate"] = drawn()
    if issubclass(method, methods.BySurrogate):
        # no search stops by its error
        quick["stop_error"] = 1.0 if method.rises else 0.0
    else:
        quick = {key: value for key, value in quick.items() if not key.endswith("_rounds")}
    return methods.create(name, {**quick, "form": form, **more}).resolve((16, 16), 24)


def fit(name: str, view: View, form: str = "", seed: int = 1, **more: object) -> methods.Fitted:
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
