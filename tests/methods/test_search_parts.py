"""The links between the parts of a search, against loops written from the formulas.

Every test starts from noise that is not zero and that clipping and projection change, and beside context.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from unlearnable import methods
from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.data.view import View
from unlearnable.methods import BySurrogate, Context, Fitted
from unlearnable.methods import by_surrogate as module
from unlearnable.methods.search_plan import NoiseStep, SearchPlan
from unlearnable.training.compute import Compute

# noise of up to 8 levels, and steps that leave the budget at once
SETTINGS = {
    "surrogate": "cnn:width=8,depth=2",
    "batch": 8,
    "steps": 4,
    "step_size": 3.0,
    "init": "uniform",
    "resolution": 16,
    "min_rounds": 2,
    "max_rounds": 2,
    "stop_error": 0.0,
    "lr": 0.2,
}


def make(form: str = "samplewise", name: str = "error_minimizing", **more: object) -> BySurrogate:
    given = {**SETTINGS, "form": form, **more}
    if name == "error_minimizing":
        given = {"train_batches": 3, **given}
    made = methods.create(name, given).resolve((16, 16), 30)
    assert isinstance(made, BySurrogate)
    return made


def context(seed: int = 4) -> Context:
    return Context(seed, Compute("cpu", "float64"))


@pytest.fixture
def view(images: ImageSet) -> View:
    """24 images of ant, bee and cat, and 6 of the context class ``zebra`` that never get noise."""
    pixels = np.random.default_rng(9).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    other = arrays(pixels, ["zebra"] * 6, ids=[f"a{number}" for number in range(6)])
    return images.join(other).view(16).in_order_of_ids()


def started(method: BySurrogate, view: View) -> tuple[SearchPlan, dict, Context]:
    ctx = context()
    return method.plan(view, ctx), method.start(view, ctx), ctx


def own_noise(plan: SearchPlan, noise: torch.Tensor) -> torch.Tensor:
    """The noise of every image, from the assignment: zeros for context."""
    rows = [noise[row] if row >= 0 else torch.zeros_like(noise[0]) for row in plan.rows.tolist()]
    return torch.stack(rows).double()


def seen_by(view: View, noise: torch.Tensor) -> torch.Tensor:
    """Protected images as network input: added, clipped, in [0, 1]."""
    return (torch.from_numpy(view.pixels).double() + noise).clamp(0, 255) / 255


def order_of(ctx: Context, *names: str | int, among: torch.Tensor) -> list[int]:
    return among[torch.randperm(len(among), generator=ctx.rng(*names))].tolist()


# The surrogate


def trained(
    model: torch.nn.Module,
    batches: list[tuple[torch.Tensor, torch.Tensor]],
    rates: list[float],
    momentum: float,
    decay: float,
    clip: float,
) -> list[torch.Tensor]:
    """SGD from its formulas on batches, in train mode: v <- m v + clipped gradient + w d; w <- w - rate v."""
    parameters = list(model.parameters())
    speeds = [torch.zeros_like(one) for one in parameters]
    for (x, y), rate in zip(batches, rates, strict=True):
        logits = model.train()(x)
        loss = -torch.log_softmax(logits, 1)[torch.arange(len(y)), y].mean()
        gradients = list(torch.autograd.grad(loss, parameters))
        norm = float(torch.cat([one.flatten() for one in gradients]).norm())
        if clip and norm > clip:
            gradients = [one * (clip / (norm + 1e-6)) for one in gradients]
        with torch.no_grad():
            for one, speed, gradient in zip(parameters, speeds, gradients, strict=True):
                speed.mul_(momentum).add_(gradient + decay * one)
                one.sub_(rate * speed)
    return [one.detach().clone() for one in parameters]


@pytest.mark.parametrize("form", ["samplewise", "classwise"])
@pytest.mark.parametrize(
    "more",
    [
        {"clip": 0.05},
        {"clip": 0.0, "momentum": 0.5, "weight_decay": 0.05},
        {"clip": 5.0, "train_batches": 5, "momentum": 0.0},
    ],
)
def test_the_surrogate_is_trained_on_protected_images_as_its_recipe_says(
    form: str, more: dict, view: View
) -> None:
    method = make(form, **more)
    plan, state, ctx = started(method, view)
    model = ctx.model(SETTINGS["surrogate"], 4)
    assert all(torch.equal(state[f"model.{name}"], value) for name, value in model.state_dict().items())
    count = method.config.train_batches
    for number in range(count):
        method.train(plan, state, number)
    everyone = torch.arange(30)
    # three batches of 8 in an epoch of 30 images; the incomplete one is left out
    order = [i for epoch in range(2) for i in order_of(ctx, "order", epoch, among=everyone)[:24]]
    rows = [order[8 * number : 8 * number + 8] for number in range(count)]
    labels = torch.from_numpy(view.labels)

    def reference(noise: torch.Tensor, **other: float) -> torch.Tensor:
        x = seen_by(view, noise)
        given = {**method.config.model_dump(), **other}
        model = ctx.model(SETTINGS["surrogate"], 4)
        batches = [(x[one], labels[one]) for one in rows]
        found = trained(
            model, batches, [0.2] * count, given["momentum"], given["weight_decay"], given["clip"]
        )
        return torch.cat([one.flatten() for one in found])

    noise = own_noise(plan, state["noise"])
    found = torch.cat([state[f"model.{name}"].flatten() for name, _ in model.named_parameters()])
    assert torch.allclose(found, reference(noise), atol=1e-9)
    # each part of it matters here, so a search without it would not pass
    wrong = [reference(0 * noise), reference(noise, weight_decay=0.0)]
    wrong += [reference(noise, momentum=0.9 - method.config.momentum)]
    wrong += [reference(noise, clip=0.0)] if more["clip"] == 0.05 else []
    assert all(float((found - one).abs().max()) > 1e-5 for one in wrong)


def test_context_never_wears_a_row_of_noise(view: View) -> None:
    for form in ("samplewise", "classwise"):
        plan, state, _ = started(make(form), view)
        index = torch.arange(30)
        found = plan.noise_of(plan.batch_of(index).rows, state["noise"])
        own = torch.from_numpy(view.own)
        assert own.tolist() == [False] * 6 + [True] * 24
        assert not found[~own].any()
        assert (found[own].flatten(1).abs().amax(1) > 7).all()
        if form == "classwise":
            names = [view.classes[label] for label in view.labels]
            for name, one in zip(names, found, strict=True):
                assert name == "zebra" or torch.equal(one, state["noise"][["ant", "bee", "cat"].index(name)])
        else:
            assert torch.equal(found[own], state["noise"])


def test_initial_noise_is_drawn_for_each_key_and_fills_the_budget(view: View) -> None:
    state = make().start(view, context())
    assert float(state["noise"].min()) < -7.9
    assert float(state["noise"].max()) > 7.9
    assert float(state["noise"].abs().max()) <= 8
    assert len(state["noise"].flatten(1).unique(dim=0)) == 24
    fewer = view_of(view, [0, 7, 9])
    few = make().start(fewer, context())["noise"]
    # an image's first noise does not depend on the others
    assert torch.equal(few, state["noise"][[1, 3]])
    assert not make(init="zero").start(view, context())["noise"].any()
    assert not torch.equal(make().start(view, context(5))["noise"], state["noise"])


def view_of(view: View, positions: list[int]) -> View:
    index = np.array(positions)
    return replace(
        view,
        pixels=view.pixels[index],
        ids=tuple(view.ids[i] for i in positions),
        labels=view.labels[index],
        digests=tuple(view.digests[i] for i in positions),
        own=view.own[index],
        grey=view.grey[index],
    )


# Noise steps


def stepped(
    model: torch.nn.Module,
    x: torch.Tensor,
    d: torch.Tensor,
    y: int,
    sign: int = -1,
    clip: bool = True,
    project: bool = True,
) -> torch.Tensor:
    """Four sign steps of 3 levels on one image, within 8 levels and the range of a pixel, from ``d``."""
    for _ in range(4):
        seen = (x + d).clamp(0, 255)
        at = (seen / 255).detach().requires_grad_(True)
        loss = -torch.log_softmax(model(at[None]), 1)[0, y]
        gradient = torch.autograd.grad(loss, at)[0]
        d = (seen - x if clip else d) + sign * 3.0 * gradient.sign()
        d = d.clamp(-8, 8) if project else d
    return d.clamp(-8, 8)


@pytest.mark.parametrize(
    ("name", "more", "sign", "further"),
    [
        ("error_minimizing", {}, -1, 0),
        ("error_maximizing", {}, 1, 0),
        ("error_maximizing", {"target": "next"}, -1, 1),
    ],
)
def test_every_step_clips_to_the_range_of_a_pixel_and_projects_into_the_budget(
    name: str, more: dict, sign: int, further: int, view: View
) -> None:
    method = make(name=name, **more)
    plan, state, _ = started(method, view)
    method.train(plan, state, 0)
    before = state["noise"].clone()
    model = plan.surrogate(state).model.eval()
    x, noise = torch.from_numpy(view.pixels).double(), own_noise(plan, before)
    for number in range(3):
        method.move(plan, state, number)
    for row, i in enumerate(plan.own.tolist()):
        given = model, x[i], noise[i], (int(view.labels[i]) + further) % 4, sign
        wanted = stepped(*given)
        assert torch.allclose(state["noise"][row], wanted, atol=1e-9), row
        # each matters here, so a search that projects at the end alone, or does not clip, would not pass
        for other in (before[row], stepped(*given, project=False), stepped(*given, clip=False)):
            assert float((other - wanted).abs().max()) > 1


@pytest.mark.parametrize("batch", [7, 11, 24])
def test_the_last_incomplete_batch_of_a_pass_moves_too(batch: int, view: View) -> None:
    method = make(batch=batch)
    plan, state, ctx = started(method, view)
    method.train(plan, state, 0)
    before, batches = state["noise"].clone(), -(-24 // batch)
    assert plan.noise_batches(state) == batches
    order = order_of(ctx, "noise order", 0, 0, among=plan.own)
    for number in range(batches):
        now = state["noise"].clone()
        method.move(plan, state, number)
        changed = (state["noise"] != now).flatten(1).any(1).nonzero()[:, 0] + 6
        assert changed.tolist() == sorted(order[batch * number : batch * number + batch])
    assert ((state["noise"] != before).flatten(1).any(1)).all()
    # passes and rounds go over the images in orders of their own
    others = [order_of(ctx, "noise order", *one, among=plan.own) for one in ((0, 1), (1, 0))]
    assert order != others[0] != others[1] != order


def test_a_class_wise_search_moves_by_its_share_of_every_class_and_no_other_image(
    view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = make("classwise", share=0.25, batch=4)
    plan, state, ctx = started(method, view)
    used: list[int] = []
    batch_of = SearchPlan.batch_of
    monkeypatch.setattr(SearchPlan, "batch_of", lambda self, i: used.extend(i.tolist()) or batch_of(self, i))
    wanted = []
    for label, name in enumerate(view.classes):
        mine = torch.tensor([i for i in range(30) if view.own[i] and view.labels[i] == label])
        wanted += order_of(ctx, "share", name, among=mine)[: round(0.25 * len(mine))] if len(mine) else []
    assert plan.searched.tolist() == sorted(wanted)
    assert len(wanted) == 6
    for number in range(plan.noise_batches(state)):
        method.move(plan, state, number)
    assert sorted(used) == sorted(wanted)
    assert make("classwise").plan(view, ctx).searched.tolist() == plan.own.tolist()
    # sample-wise noise needs every image
    assert make(share=0.25).plan(view, ctx).searched.tolist() == plan.own.tolist()
    assert make("classwise", share=0.01).plan(view, ctx).searched.shape == (3,)


def test_class_wise_noise_is_the_mean_of_the_copies_of_its_own_class(view: View) -> None:
    method = make("classwise")
    plan, state, ctx = started(method, view)
    method.train(plan, state, 0)
    model = plan.surrogate(state).model.eval()
    x = torch.from_numpy(view.pixels).double()
    noise = state["noise"].clone()
    order = order_of(ctx, "noise order", 0, 0, among=plan.own)
    for number in range(3):
        method.move(plan, state, number)
        batch = order[8 * number : 8 * number + 8]
        for row in range(3):
            mine = [i for i in batch if plan.rows[i] == row]
            copies = [stepped(model, x[i], noise[row], int(view.labels[i])) for i in mine]
            noise[row] = torch.stack(copies).mean(0) if copies else noise[row]
        assert torch.allclose(state["noise"], noise, atol=1e-9)


def test_the_gradient_is_summed_over_every_sampled_transformation(view: View) -> None:
    method = make(transforms="flip-crop", samples=3)
    plan, state, ctx = started(method, view)
    batch = plan.batch_of(plan.own[:4])
    d = plan.noise_of(batch.rows, state["noise"])
    model = plan.frozen(state)
    rng = ctx.rng("x")
    draws = [plan.trainer_view.draw(4, rng) for _ in range(3)]
    step = NoiseStep(plan, model, batch, rng)
    parts = [method._gradient(step, d, [one]) for one in draws]
    assert torch.allclose(method._gradient(step, d, draws), sum(parts), atol=1e-12)
    assert not torch.allclose(parts[0], parts[1])
    seen: list[int] = []
    method._gradient = lambda *args: seen.append(len(args[2])) or torch.ones_like(args[1])  # type: ignore
    method.sign_steps(step, d, 0)
    assert seen == [3] * 4
    plain = make(samples=3)
    plain._gradient = method._gradient  # type: ignore[method-assign]
    plain.sign_steps(replace(step, plan=plain.plan(view, ctx)), d, 0)
    # there is one untransformed image
    assert seen == [3] * 4 + [1] * 4


def test_steps_go_where_the_method_says_as_far_as_the_round_says(view: View) -> None:
    method = make(step_schedule="cosine", steps=1, step_size=2.0)
    plan, state, ctx = started(method, view)
    batch = plan.batch_of(plan.own[:4])
    batch = batch._replace(x=torch.full_like(batch.x, 128))
    d = torch.zeros(4, 3, 16, 16, dtype=torch.float64)
    method._gradient = lambda *args: torch.ones_like(d)  # type: ignore[method-assign]
    for round in range(3):
        moved = method.sign_steps(NoiseStep(plan, plan.frozen(state), batch, ctx.rng("x")), d, round)
        assert torch.allclose(moved, torch.full_like(d, -method.step_length(round, 2)))
    assert not d.any()
    # a cosine over the rounds of the plan, which ``extend`` shortens
    assert plan.rounds == 2
    assert method.plan(view, ctx, rounds=7).rounds == 7
    assert [method.step_length(round, 4) / 2 for round in range(5)] == pytest.approx(
        [1, 0.05 + 0.95 * (1 + 0.5**0.5) / 2, 0.525, 0.05 + 0.95 * (1 - 0.5**0.5) / 2, 0.05]
    )


# The error


def test_the_measured_error_is_that_of_protected_images_and_not_of_context(view: View) -> None:
    # faint images, on which noise of 8 levels decides the answers
    view = replace(view, pixels=view.pixels // 16 + 120)
    method = make(batch=7, lr=0.02)
    plan, state, _ = started(method, view)
    for number in range(40):
        method.train(plan, state, number)
    method.measure(plan, state, 0)
    model, labels = plan.surrogate(state).model.eval(), torch.from_numpy(view.labels)

    def error(noise: torch.Tensor, among: torch.Tensor) -> float:
        with torch.no_grad():
            wrong = model(seen_by(view, noise)[among]).argmax(1) != labels[among]
        return float(wrong.double().mean())

    noise = own_noise(plan, state["noise"])
    assert state["error"] == pytest.approx(error(noise, plan.own), abs=1e-12)
    assert "active" not in state
    # of clean images, or with the context, it would be another one
    assert abs(state["error"] - error(0 * noise, plan.own)) > 0.01
    assert abs(state["error"] - error(noise, plan.everyone)) > 0.01


def test_images_that_the_surrogate_is_sure_of_are_left_alone_and_not_the_others(view: View) -> None:
    plan, state, ctx = started(make(batch=4), view)
    for number in range(3):
        make(batch=4).train(plan, state, number)
    model = plan.surrogate(state).model.eval()
    x = seen_by(view, own_noise(plan, state["noise"]))[plan.own]
    with torch.no_grad():
        losses = F.cross_entropy(model(x), torch.from_numpy(view.labels)[plan.own], reduction="none")
    # ten images lie above it, so that two more fill the third batch
    threshold = float(losses.sort(descending=True).values[9:11].mean())
    method = make(skip_below=threshold, batch=4)
    plan = method.plan(view, ctx)
    method.measure(plan, state, 0)
    count = 12
    wanted = plan.own[losses.argsort(descending=True)[:count]]
    assert state["active"].tolist() == sorted(wanted.tolist())
    assert plan.active(state).tolist() == state["active"].tolist()
    assert plan.noise_batches(state) == count // 4
    before = state["noise"].clone()
    for number in range(count // 4):
        method.move(plan, state, number)
    changed = (state["noise"] != before).flatten(1).any(1).nonzero()[:, 0] + 6
    assert changed.tolist() == state["active"].tolist()


def test_the_training_error_counts_every_batch_of_its_round(view: View, monkeypatch) -> None:
    method = make(measure="training")
    plan, state, _ = started(method, view)
    counts = iter([3, 5, 8, 0, 0, 1])
    monkeypatch.setattr(
        module, "train_step", lambda *args, **more: (torch.zeros(()), torch.tensor(next(counts)))
    )
    for error in (1 - 16 / 24, 1 - 1 / 24):
        for number in range(3):
            method.train(plan, state, number)
        assert method.training_error(plan, state) == pytest.approx(error)
        method.ended(plan, state)
        assert state["error"] == pytest.approx(error)


def test_a_surrogate_that_learns_too_soon_is_replaced_with_its_momentum(view: View) -> None:
    method = make(restart_error=0.5, min_rounds=3, max_rounds=3)
    plan, state, ctx = started(method, view)
    for number in range(3):
        method.train(plan, state, number)
    old = {key: value.clone() for key, value in state.items() if key.startswith(("model.", "momentum."))}
    frozen = plan.frozen(state)

    def differs() -> bool:
        return any(not torch.equal(state[key], value) for key, value in old.items())

    for error, number in ((0.5, 1), (0.4, 3)):
        state["error"], state["round"] = error, number
        method.ended(plan, state)
        assert not differs()
    state["error"], state["round"] = 0.4, 2
    method.ended(plan, state)
    fresh = ctx.model(SETTINGS["surrogate"], 4, 2).state_dict()
    assert all(torch.equal(state[f"model.{name}"], value) for name, value in fresh.items())
    assert not any(value.any() for key, value in state.items() if key.startswith("momentum."))
    assert any(value.any() for key, value in old.items() if key.startswith("momentum."))
    assert plan.frozen(state) is not frozen
    first = ctx.model(SETTINGS["surrogate"], 4).state_dict()
    assert any(not torch.equal(value, first[name]) for name, value in fresh.items())


# The whole


def test_error_maximizing_noise_trains_on_clean_images_at_a_rate_that_falls_to_zero(
    view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = make(name="error_maximizing", pretrain_epochs=2.0)
    plan, state, ctx = started(method, view)
    seen: list[tuple[torch.Tensor, float]] = []

    def spy(
        model: torch.nn.Module, optimizer: torch.optim.SGD, x: torch.Tensor, *rest: object, **more: object
    ):
        seen.append((x.clone(), optimizer.param_groups[0]["lr"]))
        return train_step(model, optimizer, x, *rest, **more)

    train_step = module.train_step
    monkeypatch.setattr(module, "train_step", spy)
    assert method.train_steps(30).count == plan.train_batches == 6
    for number in range(6):
        method.train(plan, state, number)
    rates = [0.1 * (1 + np.cos(np.pi * number / 6)) for number in range(6)]
    assert [rate for _, rate in seen] == pytest.approx(rates)
    first = order_of(ctx, "order", 0, among=torch.arange(30))
    assert torch.equal(seen[1][0], seen_by(view, torch.zeros(1))[first[8:16]])
    # training never moves the noise
    assert torch.equal(state["noise"], make(name="error_maximizing").start(view, context())["noise"])


def test_noise_of_photos_that_come_later_is_found_against_the_surrogate_of_the_search(view: View) -> None:
    method = make(passes=2, step_size=1.5, steps=2)
    ctx = context()
    old, new = view_of(view, list(range(18))), view_of(view, list(range(18, 30)))
    fitted = method.fit(old, ctx)
    weights = {name: value.clone() for name, value in fitted.surrogate.items()}
    extended = method.extend(fitted, new, ctx)
    model = ctx.model(SETTINGS["surrogate"], 4)
    model.load_state_dict(fitted.surrogate)
    assert extended.keys == new.ids
    for row in range(12):
        x, d = torch.from_numpy(new.pixels[row]).double(), torch.zeros(3, 16, 16).double()
        y = int(new.labels[row])
        # two rounds of two passes of two steps
        for _ in range(8):
            at = (x + d).clamp(0, 255).div(255).requires_grad_(True)
            loss = F.cross_entropy(model.eval()(at[None]), torch.tensor([y]))
            gradient = torch.autograd.grad(loss, at)[0]
            d = (at.detach() * 255 - x - 1.5 * gradient.sign()).clamp(-8, 8)
        assert np.array_equal(extended.bank[row], np.rint(d.numpy())), row
    assert all(torch.equal(fitted.surrogate[name], value) for name, value in weights.items())


@pytest.mark.parametrize("name", ["error_minimizing", "error_maximizing", "robust_error_minimizing"])
@pytest.mark.parametrize("form", ["samplewise", "classwise"])
def test_the_order_of_a_pass_follows_the_seed(name: str, form: str, view: View) -> None:
    method = make(form, name)
    orders = [
        method.plan(view, context(seed)).order("order", torch.arange(30), 0).tolist() for seed in (1, 2)
    ]
    assert orders[0] != orders[1]
    assert orders[0] == order_of(context(1), "order", 0, among=torch.arange(30))


def test_bare_weights_of_a_search_are_those_of_its_last_round(view: View) -> None:
    method = make(max_rounds=2)
    ctx = context()
    states: list[dict] = []
    finish: Callable = method.finish
    method.finish = lambda state: states.append(state) or finish(state)  # type: ignore[method-assign]
    fitted: Fitted = method.fit(view, ctx)
    model = ctx.model(SETTINGS["surrogate"], 4)
    assert set(fitted.surrogate) == set(model.state_dict())
    assert all(torch.equal(fitted.surrogate[name], states[0][f"model.{name}"]) for name in fitted.surrogate)
    assert np.array_equal(fitted.noise.bank, np.rint(states[0]["noise"].numpy()).clip(-8, 8))
    assert fitted.classes == view.classes
    assert fitted.log[-1] == states[0]["error"]


def test_a_frozen_copy_is_forgotten_when_the_surrogate_trains_in_the_same_round(view: View) -> None:
    method = make()
    plan, state, _ = started(method, view)
    x = seen_by(view, own_noise(plan, state["noise"]))
    before = plan.frozen(state)(x)
    method.train(plan, state, 0)
    after = plan.frozen(state)(x)
    assert not torch.allclose(before, after)
    assert torch.allclose(after, plan.surrogate(state).model.eval()(x), atol=1e-9)
