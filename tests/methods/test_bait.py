"""bait: its rounds against loops from the formula, and its effect on the network it is found with."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from quick import drawn
from unlearnable import methods
from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.data.view import View
from unlearnable.errors import DataError
from unlearnable.methods import Context
from unlearnable.methods.bait import Bait
from unlearnable.methods.pretrained_surrogates import build
from unlearnable.training.compute import Compute

PLAIN = {"resolution": 16, "zoom": 1.0, "transforms": "none", "batch": 8, "init": "uniform", "max_rounds": 6}


def make(**more: object) -> Bait:
    made = methods.create("bait", {"surrogate": drawn(0), **PLAIN, **more}).resolve((16, 16), 24)
    assert isinstance(made, Bait)
    return made


def context() -> Context:
    return Context(4, Compute("cpu", "float64"))


@pytest.fixture
def view(images: ImageSet) -> View:
    """24 images of ant, bee and cat, and 6 of the context class ``zebra``."""
    pixels = np.random.default_rng(9).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    other = arrays(pixels, ["zebra"] * 6, ids=[f"z{number}" for number in range(6)])
    return images.join(other).view(16).in_order_of_ids()


def started(method: Bait, view: View):
    """A search that has looked ahead: (plan, state, context)."""
    ctx = context()
    state = method.start(view, ctx)
    assert method.advance(state, view, ctx).kind == "look_ahead"
    return ctx.keep("plan", view, lambda: None), state, ctx


def network(state: dict, name: str) -> torch.nn.Module:
    model = build("cnn:width=8,depth=2", 4).double()
    model.load_state_dict(
        {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
    )
    return model


def test_the_surrogate_starts_from_the_weights_with_a_new_last_layer(view: View) -> None:
    method, ctx = make(), context()
    state = method.start(view, ctx)
    weights = build(drawn(0), 5).state_dict()
    same = {
        name: torch.equal(state[f"model.{name}"], value.double())
        for name, value in weights.items()
        if state[f"model.{name}"].shape == value.shape
    }
    assert all(same.values())
    assert len(weights) - len(same) == 2
    assert len(state[f"model.{list(weights)[-1]}"]) == 4


def test_it_looks_one_training_step_ahead_and_leaves_the_network_as_it_is(view: View) -> None:
    method = make(lr=0.3, clip=0.0, weight_decay=0.0)
    plan, state, ctx = started(method, view)
    fresh = method.start(view, context())
    assert all(torch.equal(state[key], value) for key, value in fresh.items() if key.startswith("model."))
    batch = plan.batch_of(torch.randperm(30, generator=ctx.rng("order", 0))[:8])
    noise = plan.noise_of(batch.rows, state["noise"])
    assert (noise[batch.y == 3] == 0).all()
    model = network(fresh, "model").train()
    loss = F.cross_entropy(model((batch.x.double() + noise).clamp(0, 255) / 255), batch.y)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    for (name, value), gradient in zip(model.named_parameters(), gradients, strict=True):
        assert torch.allclose(state[f"ahead.{name}"], value - 0.3 * gradient, atol=1e-9)
        assert gradient.abs().max() > 1e-6
    # the search then trains on the same images
    assert torch.equal(method.training_images(plan, 0).x, batch.x)


@pytest.mark.parametrize(("round", "rule"), [(0, "likeliest"), (1, "likeliest"), (3, "random"), (5, "least")])
def test_every_image_is_bound_to_a_wrong_protected_class(round: int, rule: str, view: View) -> None:
    method = make(patterns_per_class=2)
    plan, state, ctx = started(method, view)
    state["round"] = round
    model, batch = method.frozen(plan, state), plan.batch_of(torch.arange(30))
    aimed = method.aimed(plan, state, model, batch, ctx.rng("x"))
    assert not (aimed.y == batch.y).any()
    assert (aimed.y < 3).all()
    # the patterns of ant, bee and cat are rows 0 to 5; an image has the same pattern of each
    assert torch.equal(aimed.rows // 2, aimed.y)
    own = batch.rows >= 0
    assert torch.equal(aimed.rows[own] % 2, batch.rows[own] % 2)
    assert set((aimed.rows[own] % 2).tolist()) == {0, 1}
    with torch.no_grad():
        logits = network(state, "ahead").eval()(batch.x.double() / 255)
    wrong = logits.clone()
    wrong[torch.arange(30), batch.y] = torch.nan
    wanted = {
        "likeliest": wrong[:, :3].nan_to_num(-99).argmax(1),
        "least": wrong[:, :3].nan_to_num(99).argmin(1),
    }
    other = method.aimed(plan, state, model, batch, ctx.rng("y"))
    if rule == "random":
        assert not torch.equal(other.y, aimed.y)
    else:
        assert torch.equal(other.y, aimed.y)
        assert torch.equal(aimed.y, wanted[rule])


def test_a_step_moves_the_noise_of_the_wrong_class_down_its_loss(view: View) -> None:
    method = make(step_size=1.5, batch=30)
    plan, state, ctx = started(method, view)
    before, model = state["noise"].clone(), network(state, "ahead").eval()
    order = torch.randperm(30, generator=ctx.rng("noise order", 0, 0))
    batch = plan.batch_of(plan.active(state)[order])
    aimed = method.aimed(plan, state, method.frozen(plan, state), batch, ctx.rng("noise", 0, 0))
    method.move(plan, state, 0)
    x = batch.x.double()
    for row in range(3):
        mine = (aimed.rows == row).nonzero()[:, 0]
        at = ((x[mine] + before[row]).clamp(0, 255) / 255).requires_grad_(True)
        loss = F.cross_entropy(model(at), torch.full((len(mine),), row), reduction="sum")
        gradient = torch.autograd.grad(loss, at)[0]
        moved = (255 * at - x[mine] - 1.5 * gradient.sign()).clamp(-8, 8)
        wanted = moved.mean(0).detach() if len(mine) else before[row]
        assert torch.allclose(state["noise"][row], wanted, atol=1e-9)
    assert not torch.equal(state["noise"], before)


def test_one_protected_class_is_bound_to_the_context_only(images: ImageSet) -> None:
    mine = images.subset([id for id in images.ids if images.class_of[id] == "ant"])
    others = images.subset([id for id in images.ids if images.class_of[id] != "ant"])
    renamed = arrays(
        [others.photo(id).pixels for id in others.ids],
        [others.class_of[id] for id in others.ids],
        ids=[f"context/{id}" for id in others.ids],
    )
    view = mine.join(renamed).view(16).in_order_of_ids()
    state = make().start(view, context())
    assert state["active"].tolist() == [i for i in range(24) if view.classes[view.labels[i]] != "ant"]
    fitted = make().fit(view, context())
    assert fitted.noise.keys == ("ant",)
    assert np.abs(fitted.noise.bank).max() == 8
    with pytest.raises(DataError, match="one class only"):
        make().fit(mine.view(16), context())


def test_the_noise_of_a_class_turns_new_images_of_others_into_it(images: ImageSet) -> None:
    """On images that the search has not seen, more often than random noise does."""
    rng = np.random.default_rng(2)
    base = rng.integers(60, 195, (3, 4, 4, 3)).repeat(4, 1).repeat(4, 2)
    pixels = (np.stack([base[i % 3] + rng.normal(0, 25, (16, 16, 3)) for i in range(90)])).clip(0, 255)
    every = arrays(pixels.astype(np.uint8), ["a", "b", "c"] * 30)
    seen, new = every.subset(every.ids[:60]), every.subset(every.ids[60:])
    method = make(max_rounds=30, epsilon=16, batch=20, step_size=2.0, lr=0.05)
    ctx = Context(1)
    fitted = method.fit(seen.view(16), ctx)
    model = copy.deepcopy(ctx.model("cnn:width=8,depth=2", 3))
    model.load_state_dict(fitted.surrogate)
    x = torch.from_numpy(new.view(16).pixels).float()

    def turned(bank: torch.Tensor) -> float:
        found = []
        with torch.no_grad():
            for label in range(3):
                others = x[torch.from_numpy(new.labels) != label]
                answers = model.eval()((others + bank[label]).clamp(0, 255) / 255).argmax(1)
                found.append((answers == label).float().mean())
        return float(torch.stack(found).mean())

    noise = torch.from_numpy(fitted.noise.bank).float()
    random = torch.randint(-16, 17, noise.shape, generator=torch.Generator().manual_seed(0)).float()
    assert turned(noise) > turned(random) + 0.4
