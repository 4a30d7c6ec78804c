"""What makes the search fast changes nothing that it computes."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from unlearnable import methods, models
from unlearnable.data.image_set import ImageSet
from unlearnable.methods import Context
from unlearnable.methods.error_minimizing import ErrorMinimizing
from unlearnable.methods.search_plan import NoiseStep
from unlearnable.training import side_by_side
from unlearnable.training.compute import Compute
from unlearnable.training.frozen import freeze
from unlearnable.training.image_store import ImageStore, home


def lived_in(name: str, classes: int = 5) -> torch.nn.Module:
    """A model whose normalisation has seen something, so that folding it has something to get wrong."""
    torch.manual_seed(0)
    model = models.create(f"{name}:width=8", classes).double()
    for _ in range(3):
        model(torch.rand(8, 3, 32, 32).double() ** 2)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 2.0)
            torch.nn.init.uniform_(module.bias, -1.0, 1.0)
    return model.eval()


@pytest.mark.parametrize("name", models.names())
def test_a_frozen_model_answers_like_the_model_and_knows_no_normalisation(name: str) -> None:
    model = lived_in(name)
    frozen = freeze(model, Compute("cpu", "float64"))
    x, y = torch.rand(4, 3, 32, 32).double().requires_grad_(True), torch.tensor([0, 1, 2, 3])
    # densenet normalises before it convolves, so some of its normalisation has no convolution to become part
    # of
    assert name == "densenet121" or not any(
        isinstance(module, torch.nn.BatchNorm2d) for module in frozen.modules()
    )
    assert torch.allclose(frozen(x), model(x), atol=1e-9)
    gradients = [
        torch.autograd.grad(F.cross_entropy(one(x), y, reduction="sum"), x)[0] for one in (frozen, model)
    ]
    assert torch.allclose(*gradients, atol=1e-9)
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    assert all(
        parameter.requires_grad for parameter in model.parameters()
    )  # the model itself is left as it was


@pytest.mark.parametrize("name", models.names())
def test_rounded_weights_answer_like_the_model_under_autocast(name: str) -> None:
    model, compute, x = lived_in(name).float(), Compute("cpu", "bfloat16"), torch.rand(16, 3, 32, 32)
    with compute.autocast():
        rounded, plain = freeze(model, compute)(x).float(), model(x).float().detach()
    exact = model(x).detach()
    assert float((rounded - exact).norm() / exact.norm()) < max(
        0.02, 2 * float((plain - exact).norm() / exact.norm())
    )


@pytest.mark.parametrize("learns", [True, False])
@pytest.mark.parametrize(
    ("side", "kernel", "stride", "padding"),
    [(4, 3, 1, 1), (8, 3, 2, 1), (7, 3, 2, 1), (2, 3, 1, 1), (4, 5, 1, 2), (3, 2, 1, 0)],
)
def test_images_side_by_side_convolve_like_images_alone(
    side: int, kernel: int, stride: int, padding: int, learns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "CHANNELS", 5)
    monkeypatch.setattr(side_by_side, "TRAINED", 5)
    torch.manual_seed(0)
    conv = torch.nn.Conv2d(5, 6, kernel, stride, padding).double().requires_grad_(learns)
    laid = copy.deepcopy(conv)
    side_by_side.lay_out(laid)
    assert isinstance(laid, side_by_side.SideBySide)
    assert not isinstance(conv, side_by_side.SideBySide)
    seen = watch(monkeypatch)
    x = torch.rand(7, 5, side, side).double().requires_grad_(True)
    alone, beside = conv(x), laid(x)
    assert seen == [7, 1]  # images that were convolved at once
    assert torch.allclose(alone, beside)
    aim = torch.rand_like(alone)
    found = [
        torch.autograd.grad(out, [x, *(one.parameters() if learns else ())], aim)
        for one, out in ((conv, alone), (laid, beside))
    ]
    assert all(torch.allclose(*pair) for pair in zip(*found, strict=True))


def watch(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches that convolutions are called with from now on."""
    seen: list[int] = []
    plain = torch.nn.Conv2d._conv_forward
    monkeypatch.setattr(
        torch.nn.Conv2d, "_conv_forward", lambda self, x, *rest: seen.append(len(x)) or plain(self, x, *rest)
    )
    return seen


def test_small_images_lie_side_by_side_where_there_are_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    compute, x, y = Compute("cpu", "bfloat16"), torch.rand(3, 3, 32, 32), torch.tensor([0, 1, 2])
    answers, gradients = [], []
    for tiles in (True, False):
        monkeypatch.setattr(side_by_side, "pays", lambda tiles=tiles: tiles)
        torch.manual_seed(0)
        model = compute.to_device(models.create("resnet18:width=32", 5))
        assert any(isinstance(module, side_by_side.SideBySide) for module in model.modules()) == tiles
        with monkeypatch.context() as watched, compute.autocast():
            seen = watch(watched)
            F.cross_entropy(model(x).float(), y).backward()
            assert (1 in seen) == tiles
            seen.clear()
            answers.append(freeze(model, compute)(x).float())
            assert (1 in seen) == tiles
        gradients.append(
            torch.cat([one.grad.flatten() for one in model.parameters() if one.grad is not None])
        )
    assert torch.allclose(*answers, atol=0.02)
    assert float((gradients[0] - gradients[1]).norm() / gradients[1].norm()) < 0.05
    for other in (Compute("cpu", "float32"), Compute("cpu", "float64")):
        assert not any(
            isinstance(module, side_by_side.SideBySide)
            for module in other.to_device(models.create("resnet18:width=32", 5)).modules()
        )


def test_a_model_with_images_side_by_side_keeps_the_names_of_its_weights(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(side_by_side, "pays", lambda: True)
    model = models.create("resnet18:width=32", 5)
    names = list(model.state_dict())
    assert list(Compute("cpu", "bfloat16").to_device(model).state_dict()) == names


def test_the_surrogate_is_frozen_anew_when_a_round_has_trained_it(images: ImageSet) -> None:
    settings = {
        "surrogate": "cnn:width=8,depth=2",
        "batch": 8,
        "train_batches": 1,
        "steps": 1,
        "form": "samplewise",
        "resolution": 16,
        "max_rounds": 2,
        "measure": "training",
    }
    method = methods.create("error_minimizing", settings).resolve((16, 16), 24)
    assert isinstance(method, ErrorMinimizing)
    view, ctx = images.view(16), Context(0)
    state = method.start(view, ctx)
    plan = method.plan(view, ctx)
    for round in range(2):
        state["round"] = round
        method.train(plan, state, 0)
        frozen = plan.frozen(state)
        x = torch.rand(2, 3, 16, 16)
        assert torch.allclose(frozen(x), plan.surrogate(state).model.eval()(x), atol=1e-4)
        assert plan.frozen(state) is frozen


def test_an_order_is_drawn_once_a_pass(images: ImageSet) -> None:
    method = methods.create(
        "error_minimizing", {"form": "samplewise", "surrogate": "cnn:width=8,depth=2"}
    ).resolve((16, 16), 24)
    assert isinstance(method, ErrorMinimizing)
    view = images.view(16)
    plan = method.plan(view, Context(0))
    first = plan.order("order", plan.everyone, 0)
    assert sorted(first.tolist()) == list(range(24))
    assert plan.order("order", plan.everyone, 0) is first
    assert plan.order("noise order", plan.everyone[5:9], 0, 0).sort().values.tolist() == [5, 6, 7, 8]
    assert plan.order("order", plan.everyone, 0) is first
    assert not torch.equal(plan.order("order", plan.everyone, 1), first)


def test_batches_are_the_same_wherever_the_images_are_held() -> None:
    pixels, index = torch.randint(0, 256, (10, 3, 4, 4), dtype=torch.uint8), torch.tensor([3, 1, 7])
    held = ImageStore(pixels, Compute())
    assert held.resident
    held.resident = False  # as when a GPU has no room for all of them
    assert torch.equal(held[index], pixels[index])


def test_what_leaves_a_gpu_no_room_to_compute_lives_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 4000))
    assert home(499, Compute("cuda")) == "cuda"
    assert home(500, Compute("cuda")) == "cpu"
    assert home(10**15, Compute("cpu")) == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_noise_on_the_host_is_the_noise_on_the_device(
    images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "surrogate": "cnn:width=8,depth=2",
        "batch": 8,
        "train_batches": 2,
        "steps": 2,
        "form": "samplewise",
        "resolution": 16,
        "max_rounds": 2,
        "stop_error": 0.0,
    }
    method = methods.create("error_minimizing", settings).resolve((16, 16), 24)
    found = []
    for room in (2**40, 0):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, room=room: (room, room))
        ctx = Context(0, Compute("cuda", "float32"))
        assert method.start(images.view(16), ctx)["noise"].device.type == ("cuda" if room else "cpu")
        found.append(method.fit(images.view(16), Context(0, Compute("cuda", "float32"))).noise.bank)
    assert np.array_equal(*found)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_the_inner_loop_never_waits_for_the_gpu(images: ImageSet) -> None:
    settings = {
        "surrogate": "cnn:width=8,depth=2",
        "batch": 8,
        "steps": 3,
        "form": "samplewise",
        "resolution": 16,
        "transforms": "photo",
    }
    method = methods.create("error_minimizing", settings).resolve((16, 16), 24)
    assert isinstance(method, ErrorMinimizing)
    view, ctx = images.view(16), Context(0, Compute("cuda", "bfloat16"))
    state = method.start(view, ctx)
    plan = method.plan(view, ctx)
    model, batch = plan.frozen(state), plan.batch_of(torch.arange(8))
    d = plan.noise_of(batch.rows, state["noise"])
    torch.cuda.set_sync_debug_mode("error")
    try:
        method.sign_steps(NoiseStep(plan, model, batch, ctx.rng("noise")), d, 0)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_half_precision_noise_loses_less_than_a_hundredth_of_a_level() -> None:
    levels = torch.linspace(-16, 16, 4001)
    assert float((levels.half().float() - levels).abs().max()) < 0.01
    assert np.array_equal(
        np.rint(levels.half().double().numpy())[::125], np.rint(levels.double().numpy())[::125]
    )
