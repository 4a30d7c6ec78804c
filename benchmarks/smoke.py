"""Every method and countermeasure once on a device, in seconds: a failure is a result and stops nothing."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import torch
from engine import view_of
from safetensors.torch import save_file

from unlearnable import countermeasures, methods, models
from unlearnable.methods import Context
from unlearnable.methods.pretrained_surrogates import PretrainedConfig
from unlearnable.training.compute import Compute
from unlearnable.training.randomness import generator, seeded

NETWORK = "cnn:width=8,depth=2"
SETTINGS = {
    "surrogate": NETWORK,
    "resolution": 32,
    "batch": 8,
    "train_batches": 2,
    "pretrain_epochs": 1.0,
    "checkpoints": 2,
    "steps": 2,
    "min_rounds": 2,
    "max_rounds": 2,
}


def method(name: str, compute: Compute) -> dict[str, Any]:
    """Search by a method, in each of its forms: the share of levels equal to those of a CPU, in float64.

    The search in the device's own precision does not wait for it, except to measure.
    """
    kind, found = methods.get(name), dict[str, Any]()
    allowed = get_args(kind.Config.model_fields["form"].annotation)
    for form in (form for form in ("samplewise", "classwise") if form in allowed):
        with tempfile.TemporaryDirectory() as folder:
            found[form] = _caught(lambda form=form, folder=folder: _search(kind, form, Path(folder), compute))
    return found


def countermeasure(name: str, compute: Compute) -> dict[str, Any]:
    """Change and train on a batch, without waiting for the device."""

    def run() -> dict[str, Any]:
        chain, rng = countermeasures.create(name), generator(0, "smoke")
        model = compute.to_device(models.create(NETWORK, 3))
        x, y = torch.rand(8, 3, 32, 32, generator=rng), torch.eye(3)[torch.arange(8) % 3]
        x, y = compute.send(x), compute.send(y)
        with _no_waiting(compute):
            x, y = chain.batch(x, y, rng, compute)
            x = chain.step(model, x, y, rng, compute)
            if chain.members[0].has_stand_in:
                x = chain.stand_in(x, rng, compute)
        return {"finite": bool(x.isfinite().all())}

    return _caught(run)


def _search(kind: type[methods.Method[Any]], form: str, folder: Path, compute: Compute) -> dict[str, Any]:
    given = {key: value for key, value in SETTINGS.items() if key in kind.Config.model_fields}
    if issubclass(kind.Config, PretrainedConfig):
        with seeded(0, "weights"):
            save_file(models.create(NETWORK, 5).state_dict(), folder / "weights.safetensors")
        given["surrogate"] = f"{NETWORK}={folder / 'weights.safetensors'}"
    if not issubclass(kind, methods.BySurrogate):
        given = {key: value for key, value in given.items() if not key.endswith("_rounds")}
    view = view_of(24)

    def search(where: Compute, strict: bool = False) -> methods.Fitted:
        one = methods.create(kind.name, {**given, "form": form}).resolve((32, 32), 24)
        if strict:
            _watch(one, where)
        return one.fit(view, Context(0, where))

    started = time.perf_counter()
    search(compute, strict=True)
    seconds = time.perf_counter() - started
    here, there = search(Compute("cpu", "float64")), search(Compute(compute.device, "float64"))
    equal = float((here.noise.bank == there.noise.bank).mean())
    return {"seconds": round(seconds, 2), "equal": round(equal, 5)}


def _watch(one: methods.Method[Any], compute: Compute) -> None:
    """Let the steps of a search fail if they wait; measurements may."""
    for name in {part.kind for part in one.round_steps(0, 24)} - {"measure"}:
        setattr(one, name, _strict(getattr(one, name), compute))


def _strict(step: Callable[..., None], compute: Compute) -> Callable[..., None]:
    def run(*args: Any) -> None:
        with _no_waiting(compute):
            step(*args)

    run.__name__ = step.__name__
    return run


@contextmanager
def _no_waiting(compute: Compute) -> Iterator[None]:
    if not compute.device.startswith("cuda"):
        yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def _caught(action: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return action()
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"}
