"""Everything that runs on a device, on a GPU that is not there (``pretend.py``): every method, countermeasure
and way of training, with the noise and the weights of a CPU, and without waiting in the inner loops.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from batches import VICTIM, a_batch, labelled, lived_in, some
from pretend import BreaksOnGpu, OnDevice, pretend_gpu, without_waiting
from quick import forms, make
from unlearnable import countermeasures, methods
from unlearnable.countermeasures import create
from unlearnable.data.image_set import ImageSet
from unlearnable.methods import BySurrogate, Context
from unlearnable.methods.fitted import load_state, save_state
from unlearnable.training.compute import Compute
from unlearnable.training.image_store import ImageStore
from unlearnable.training.loop import Training
from unlearnable.training.randomness import generator
from unlearnable.training.victim import learn

# methods whose steps are unlike those of others: the rest takes minutes
DISTINCT = ("bait", "error_minimizing", "feature_shift_error_minimizing", "self_ensemble")
EVERY = [
    pytest.param(name, form, marks=() if name in DISTINCT else pytest.mark.slow)
    for name in methods.names()
    for form in forms(name)
]
PRECISIONS = [pytest.param("bfloat16", marks=pytest.mark.slow), "float64"]
GPU, HOST = Compute("cuda", "float64"), Compute("cpu", "float64")


def on_gpu() -> torch.Tensor:
    return torch.rand(4, 3).to("cuda")


FAULTS: dict[str, Callable[[], object]] = {
    "a tensor on the default device": lambda: on_gpu() + torch.rand(4, 3),
    "an index on the host": lambda: on_gpu()[torch.tensor([1, 2])],
    "an index on the device of images on the host": lambda: torch.rand(4)[torch.tensor([1]).to("cuda")],
    "a network on the host": lambda: torch.nn.Linear(3, 2)(on_gpu()),
    "a generator on the host": lambda: torch.rand(3, device="cuda", generator=generator(0)),
    "a draw in place": lambda: on_gpu().uniform_(generator=generator(0)),
    "NumPy": lambda: on_gpu().numpy(),
    "the autocast of the CPU": lambda: torch.autocast("cpu", torch.bfloat16),
    "two types": lambda: on_gpu() @ torch.rand(3, 2).double().to("cuda"),
}
WAITS: dict[str, Callable[[torch.Tensor], object]] = {
    "item": lambda x: x.sum().item(),
    "float": lambda x: float(x.sum()),
    "bool": lambda x: bool(x.any()),
    "int": lambda x: int(x.sum()),
    "tolist": lambda x: x.tolist(),
    "cpu": lambda x: x.cpu(),
    "to the host": lambda x: x.to("cpu"),
    "to the host by argument": lambda x: x.to(device=torch.device("cpu"), non_blocking=True),
    "nonzero": lambda x: x.nonzero(),
    "an index of booleans": lambda x: x[x > 0.5],
    "values at booleans": lambda x: x.__setitem__(x > 0.5, x[x > 0.5]),
    "masked_select": lambda x: x.masked_select(x > 0.5),
    "unique": lambda x: x.unique(),
    "equal": lambda x: torch.equal(x, x),
    "the largest, as an index of Python": lambda x: [1, 2, 3][x[0].argmax()],
    "memory that is not pinned": lambda x: torch.rand(3).to("cuda", non_blocking=True),
    "pinned memory, but waiting for it": lambda x: torch.rand(3).pin_memory().to("cuda"),
    "a list": lambda x: torch.tensor([1.0, 2.0], device=x.device),
    "a copy in place": lambda x: x.copy_(torch.rand(4, 3)),
    "synchronize": lambda x: torch.cuda.synchronize(),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_pretended_gpu_refuses_what_a_gpu_refuses(fault: str) -> None:
    with pretend_gpu(), pytest.raises((BreaksOnGpu, RuntimeError, TypeError)):
        FAULTS[fault]()


@pytest.mark.parametrize("wait", WAITS)
def test_the_pretended_gpu_notes_what_waits(wait: str) -> None:
    with pretend_gpu():
        x = on_gpu()
        WAITS[wait](x)
        with without_waiting(), pytest.raises(BreaksOnGpu):
            WAITS[wait](x)


def test_the_pretended_gpu_computes_like_a_cpu_and_leaves_nothing_behind() -> None:
    x, overwrites = torch.rand(4, 3), torch.__future__.get_overwrite_module_params_on_conversion()
    with pretend_gpu():
        moved = x.to("cuda")
        with without_waiting():
            moved[1] = 5.0
            moved.add_(1).masked_fill_(moved > 5, 0.0)
            y = torch.zeros(4, 3, device=moved.device) + moved[
                torch.tensor([2, 0]).pin_memory().to("cuda", non_blocking=True)
            ].sum(0)
        assert (moved.device.type, y.device.type, y.is_cuda) == ("cuda", "cuda", True)
        assert type(y) is OnDevice
        found, seen = y.cpu(), moved.cpu().numpy()
    assert type(found) is torch.Tensor
    assert torch.equal(found, (x[[2, 0]] + 1).sum(0).expand(4, 3))
    assert (seen[1] == 0).all()
    assert float(x.max()) < 1, "the device has a copy"
    assert not torch.cuda.is_available()
    assert torch.__future__.get_overwrite_module_params_on_conversion() == overwrites
    assert not torch.rand(3).is_cuda


def searched(method: methods.Method, images: ImageSet, compute: Compute, **more: Any) -> methods.Fitted:
    """A search whose training and noise steps do not wait for the device; only measurements do."""
    for kind in {part.kind for part in method.round_steps(0, len(images))} - {"measure"}:
        setattr(method, kind, not_waiting(getattr(method, kind)))
    return method.fit(images.view(16), Context(1, compute), **more)


def not_waiting(step: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(step)
    def strictly(*args: Any) -> None:
        with without_waiting():
            step(*args)

    return strictly


class Killed(Exception):
    pass


def small(name: str, form: str) -> methods.Method:
    fewer = (
        {"steps": 2, "min_rounds": 2, "max_rounds": 2} if issubclass(methods.get(name), BySurrogate) else {}
    )
    return make(name, form, **fewer)


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_every_method_finds_the_same_noise_without_waiting_also_when_it_resumes(
    name: str, form: str, images: ImageSet, tmp_path: Path
) -> None:
    view, path, left = images.view(16), tmp_path / "checkpoint.safetensors", [5]
    here = small(name, form).fit(view, Context(1, HOST))

    def save(state: methods.State) -> None:
        save_state(path, state, {})
        left[0] -= 1
        if not left[0]:
            raise Killed

    with pretend_gpu():
        try:
            there = searched(small(name, form), images, GPU, save=save, every=-1.0)
        except Killed:
            state = load_state(path, {})
            there = small(name, form).fit(view, Context(1, GPU), state=state)
        later = small(name, form).extend(there, images.subset(images.ids[::3]).view(16), Context(1, GPU))
    assert np.array_equal(here.noise.bank, there.noise.bank)
    assert here.log == there.log
    assert not any(isinstance(one, OnDevice) for one in there.surrogate.values())
    again = small(name, form).extend(here, images.subset(images.ids[::3]).view(16), Context(1, HOST))
    assert np.array_equal(later.bank, again.bank)


SETTINGS = {
    "crops under every stand-in": {
        "transforms": "photo",
        "countermeasures": "none|jpeg:50|blur|grey|shrink:2",
    },
    "patterns at offsets": {"form": "classwise", "tile": 8, "patterns_per_class": 2, "offset": "random"},
    "constraints": {"channels": "luminance", "mean_shift": 0.3, "low_limit": 0.8, "min_wavelength": 4.0},
    "skipping": {"skip_below": 0.5, "batch": 4},
}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("more", SETTINGS)
def test_a_search_with_other_settings_does_not_wait(more: str, precision: str, images: ImageSet) -> None:
    with pretend_gpu():
        found = searched(make("error_minimizing", **SETTINGS[more]), images, Compute("cuda", precision))
    here = make("error_minimizing", **SETTINGS[more]).fit(
        images.view(16), Context(1, Compute("cpu", precision))
    )
    # a GPU's optimiser adds in another order, and a sign magnifies rounding
    least = 1.0 if precision == "float64" else 0.9
    assert (found.noise.bank == here.noise.bank).mean() >= least


def test_noise_and_images_that_do_not_fit_stay_on_the_host(images: ImageSet) -> None:
    pixels, index = some(10, 16)[0], torch.tensor([3, 1, 7])
    with pretend_gpu(free=1000):
        store = ImageStore(pixels, GPU)
        with without_waiting():
            batch = store[index]
        method = make("error_minimizing")
        state = method.start(images.view(16), Context(1, GPU))
        found = method.fit(images.view(16), Context(1, GPU))
        assert not method.to_device("active", torch.arange(3), Context(1, GPU)).is_cuda
        assert not store.resident
        assert batch.is_cuda
        assert torch.equal(batch.cpu(), pixels[index])
    assert type(state["noise"]) is torch.Tensor
    assert np.array_equal(
        found.noise.bank, make("error_minimizing").fit(images.view(16), Context(1, HOST)).noise.bank
    )


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", countermeasures.names())
def test_every_countermeasure_and_its_stand_in(name: str, precision: str) -> None:
    here, there, chain = Compute("cpu", precision), Compute("cuda", precision), create(name)
    x, y = (part.to(here.dtype) for part in a_batch())
    images, labels = some()

    def batch(x: torch.Tensor, y: torch.Tensor, compute: Compute) -> tuple[torch.Tensor, torch.Tensor]:
        network = compute.to_device(lived_in())
        with without_waiting():
            x, y = chain.batch(x, y, generator(0), compute)
            return chain.step(network, x, y, generator(0), compute), y

    def stand_in(x: torch.Tensor, compute: Compute) -> torch.Tensor:
        with without_waiting():
            x = x.requires_grad_(True)
            changed = chain.stand_in(x, generator(0), compute)
            return torch.autograd.grad(changed.square().sum(), x)[0]

    with pretend_gpu():
        found = [one.cpu() for one in batch(x.to("cuda"), y.to("cuda"), there)]
        prepared = chain.prepare(images, labels, generator(0), there)
        slope = stand_in(x.to("cuda"), there).cpu() if chain.members[0].has_stand_in else None
    assert type(prepared) is torch.Tensor
    assert torch.equal(prepared, chain.prepare(images, labels, generator(0), here))
    close = {"rtol": 0, "atol": 1e-9 if precision == "float64" else 1e-4}
    # the CPU and a GPU round other operations to bfloat16, and the attack takes signs of what is left
    if precision == "float64":
        assert all(torch.allclose(*pair, **close) for pair in zip(found, batch(x, y, here), strict=True))
    if slope is not None:
        assert torch.allclose(slope, stand_in(x.clone(), here), **close)


RECIPES = {
    "all layers": {"transform": "photo", "jitter": 0.4, "hue": 0.1, "rotation": 10.0, "clip": 1.0},
    "head": {"trains": "head"},
    "head, on features": {"trains": "head", "transform": "none"},
    "nearest": {"trains": "nearest"},
}


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_way_of_training_learns_the_same(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    victim, steps = VICTIM.model_copy(update=RECIPES[recipe]), Training.steps
    chain = create("cutout+mixup") if "all" in recipe else None

    def strict(self: Training, number: int):
        with without_waiting():
            yield from steps(self, number)

    here = learn(victim, labelled(), labelled(), 0, HOST, chain)
    saved: list[dict] = []

    def save(state: dict) -> None:
        saved.append({key: one.cpu() if isinstance(one, OnDevice) else one for key, one in state.items()})

    with pretend_gpu(), monkeypatch.context() as patched:
        patched.setattr(Training, "steps", strict)
        there = learn(victim, labelled(), labelled(), 0, GPU, chain, save=save, every=-1.0)
        weights = {name: one.cpu() for name, one in there.model.state_dict().items()}
        resumed = [learn(victim, labelled(), labelled(), 0, GPU, chain, state=one) for one in saved]
    for name, value in here.model.state_dict().items():
        assert torch.allclose(value, weights[name], atol=1e-9), name
    for one in (there, *resumed):
        assert torch.equal(one.epochs[-1].answers, here.epochs[-1].answers)
        assert one.epochs[-1].train_accuracy == here.epochs[-1].train_accuracy


def test_small_images_lie_side_by_side_on_processors_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unlearnable.training.side_by_side.pays", lambda: True)
    with pretend_gpu():
        network = Compute("cuda", "bfloat16").to_device(lived_in("resnet18:width=16"))
        assert all(one.is_cuda for one in network.parameters())
    assert not any(type(module).__name__ == "SideBySide" for module in network.modules())
