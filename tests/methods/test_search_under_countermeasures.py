"""A search that sees countermeasures: its steps, its draws, its rounds, its interruptions."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from unlearnable import methods
from unlearnable.countermeasures import create
from unlearnable.data.image_set import ImageSet
from unlearnable.data.view import View
from unlearnable.errors import UsageError
from unlearnable.methods import BySurrogate, Context
from unlearnable.methods import by_surrogate as module
from unlearnable.methods.fitted import load_state, save_state
from unlearnable.methods.search_loop import stop_reason
from unlearnable.training.compute import Compute
from unlearnable.training.randomness import generator
from unlearnable.training.trainer_view import TrainerView
from unlearnable.training.transforms import Transform

SETTINGS = {
    "surrogate": "cnn:width=8,depth=2",
    "batch": 8,
    "steps": 2,
    "step_size": 3.0,
    "init": "uniform",
    "resolution": 16,
    "max_rounds": 4,
    "stop_error": 0.0,
}
EXACT = Compute("cpu", "float64")


def make(
    chains: str, form: str = "samplewise", name: str = "error_minimizing", **more: object
) -> BySurrogate:
    given = {**SETTINGS, "form": form, "countermeasures": chains, **more}
    if name == "error_minimizing":
        given = {"train_batches": 3, **given}
    made = methods.create(name, given).resolve((16, 16), 24)
    assert isinstance(made, BySurrogate)
    return made


@pytest.fixture
def view(images: ImageSet) -> View:
    return images.view(16).in_order_of_ids()


def viewer(chains: str, transform: Transform | None = None) -> TrainerView:
    members = [create(one).stand_in for one in chains.split("|")]
    return TrainerView(16, 16, 16, (16, 16), transform or Transform(), "bilinear", EXACT, members)


# Draws


def test_each_image_goes_through_one_alternative_and_no_other_is_computed() -> None:
    sizes: Counter[str] = Counter()

    def member(name: str, value: float):  # type: ignore[no-untyped-def]
        def changed(x: torch.Tensor, rng: torch.Generator, compute: Compute) -> torch.Tensor:
            sizes[name] += len(x)
            return x * value

        return changed

    members = [member("half", 0.5), member("none", 1.0), member("tenth", 0.1)]
    see = TrainerView(16, 16, 16, (16, 16), Transform(), "bilinear", EXACT, members)
    x = torch.randint(50, 250, (600, 3, 16, 16), generator=generator(0)).byte()
    draw = see.draw(600, generator(1))
    out = see(x, torch.zeros(600, 3, 16, 16).double(), None, draw)
    factors = (out * 255 / x).mean((1, 2, 3))
    values = {"half": 0.5, "none": 1.0, "tenth": 0.1}
    counts = {name: int((factors - value).abs().lt(1e-9).sum()) for name, value in values.items()}
    assert counts == sizes
    assert sum(counts.values()) == 600
    assert all(150 < count < 250 for count in counts.values())  # a third each
    assert torch.equal(out, see(x, torch.zeros(600, 3, 16, 16).double(), None, draw))
    other = see.draw(600, generator(2))
    assert not torch.equal(out, see(x, torch.zeros(600, 3, 16, 16).double(), None, other))
    few = see.draw(1, generator(4))  # fewer images than alternatives
    assert see(x[:1], torch.zeros(1, 3, 16, 16).double(), None, few).shape == (1, 3, 16, 16)


def test_countermeasures_come_after_publishing_and_before_crops_and_change_no_crop() -> None:
    crops = Transform("flip-crop")
    see, plain = viewer("grey", crops), viewer("none", crops)
    plain.countermeasures = viewer("none").countermeasures
    x = torch.randint(0, 256, (5, 3, 16, 16), generator=generator(0)).byte()
    d = 8 * torch.randn(5, 3, 16, 16, generator=generator(1)).double()
    draw = see.draw(5, generator(2))
    assert draw is not None
    published = (x + d).clamp(0, 255) / 255
    grey = create("grey").stand_in(published, generator(0), EXACT)
    without = Transform("flip-crop").draw(5, generator(2), EXACT)
    assert without is not None
    assert torch.allclose(see(x, d, None, draw), crops(grey, 16, without), atol=1e-12)
    # errors are measured on images as they are published
    assert torch.equal(see(x, d, None, None), published)
    see.switched_on = False
    again = see.draw(5, generator(2))
    assert again is not None
    assert again.countermeasures is None
    assert viewer("grey").draw(3, generator(0)) is not None
    unseen = viewer("grey")
    unseen.switched_on = False
    assert unseen.draw(3, generator(0)) is None
    assert (viewer("grey").varies, unseen.varies, see.varies) == (True, False, True)


def test_random_countermeasures_draw_anew_with_every_draw_and_repeat_with_the_same() -> None:
    see = viewer("noise:20|cutout:8")
    x = torch.full((40, 3, 16, 16), 128).byte()
    d = torch.zeros(40, 3, 16, 16).double()
    rng = generator(3)
    first, second = see.draw(40, rng), see.draw(40, rng)
    assert torch.equal(see(x, d, None, first), see(x, d, None, first))
    assert not torch.equal(see(x, d, None, first), see(x, d, None, second))


# Steps


@pytest.mark.parametrize("spec", ["grey", "blur:0.7", "shrink:2"])
def test_a_noise_step_goes_through_the_countermeasure_as_in_the_formula(spec: str, view: View) -> None:
    """d <- clip(clip(x + d) - x - length sign(gradient of CE(f(c(clip(x + d))), y) in d)), twice."""
    method, ctx = make(spec), Context(4, EXACT)
    plan, state = method.plan(view, ctx), method.start(view, ctx)
    noise = state["noise"].clone().double()
    model = ctx.model(SETTINGS["surrogate"], 3).eval()
    method.move(plan, state, 0)
    order = torch.randperm(24, generator=ctx.rng("noise order", 0, 0))[:8]

    def stepped(row: int, seen: bool) -> torch.Tensor:
        x, d = torch.from_numpy(view.pixels[row]).double(), noise[row]
        for _ in range(2):
            at = (x + d).clamp(0, 255).requires_grad_(True)
            shown = at[None] / 255
            shown = create(spec).stand_in(shown, generator(0), EXACT) if seen else shown
            loss = F.cross_entropy(model(shown), torch.tensor([int(view.labels[row])]))
            (gradient,) = torch.autograd.grad(loss, at)
            d = (at.detach() - x - 3.0 * gradient.sign()).clamp(-8, 8)
        return d

    for row in order.tolist():
        assert torch.allclose(state["noise"][row].double(), stepped(row, True), atol=0.01)
    assert any(
        not torch.allclose(state["noise"][row].double(), stepped(row, False)) for row in order.tolist()
    )


@pytest.mark.parametrize("name", ["error_minimizing", "error_maximizing", "robust_error_minimizing"])
def test_the_surrogate_is_trained_under_countermeasures(
    name: str, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    step = module.train_step

    def noted(model: object, optimizer: object, x: torch.Tensor, *rest: object, **more: object) -> object:
        seen.append(x.clone())
        return step(model, optimizer, x, *rest, **more)

    monkeypatch.setattr(module, "train_step", noted)
    more = {
        "error_maximizing": {"pretrain_epochs": 4.0},
        "robust_error_minimizing": {"adversarial_epsilon": 0.0},
    }
    method, ctx = make("grey|none", name=name, transforms="none", **more.get(name, {})), Context(4)
    plan, state = method.plan(view, ctx), method.start(view, ctx)
    for number in range(plan.train_batches):
        method.train(plan, state, number)
    grey = [bool((one.amax(0) - one.amin(0)).max() < 1e-5) for x in seen for one in x]
    assert 0.2 < np.mean(grey) < 0.8


def test_the_error_is_measured_on_images_as_published(view: View) -> None:
    ctx = Context(4, EXACT)
    blind, seeing = (make(chains, train_batches=30) for chains in ("none", "grey+shrink:16"))
    state = blind.start(view, ctx)
    plans = [method.plan(view, ctx) for method in (blind, seeing)]
    for number in range(30):
        blind.train(plans[0], state, number)
    errors = []
    for method, plan in zip((blind, seeing), plans, strict=True):
        method.measure(plan, state, 0)
        errors.append(state["error"])
    assert errors[0] == errors[1]
    # images without any detail would give another error
    batch = plans[1].batch_of(plans[1].own)
    draw = plans[1].trainer_view.draw(24, generator(0))
    flat = plans[1].show(batch, plans[1].noise_of(batch.rows, state["noise"]), draw)
    wrong = plans[1].frozen(state)(flat).argmax(1) != batch.y
    assert float(wrong.double().mean()) > errors[0] + 0.2


# Rounds


def test_countermeasures_begin_after_their_share_of_the_rounds(view: View) -> None:
    seen: dict[int, set[bool]] = {}
    method, ctx = make("grey", countermeasures_from=0.4, max_rounds=5), Context(4)
    state = method.start(view, ctx)
    original = method.noise_loss

    def noise_loss(step, d):  # type: ignore[no-untyped-def]
        on = step.draw is not None and step.draw.countermeasures is not None
        seen.setdefault(state["round"], set()).add(on)
        return original(step, d)

    method.noise_loss = noise_loss  # type: ignore[method-assign]
    while state["round"] < 5:
        method.advance(state, view, ctx)
    assert seen == {0: {False}, 1: {False}, 2: {True}, 3: {True}, 4: {True}}


def test_a_search_does_not_stop_by_its_error_before_countermeasures_are_on() -> None:
    config = make("grey", countermeasures_from=0.5, max_rounds=10, stop_error=0.1).config
    assert config.rounds_without_countermeasures == 5
    assert stop_reason(config, [0.0] * 5) == ""
    assert "is below" in stop_reason(config, [0.0] * 6)
    for other in ({"chains": "none"}, {"countermeasures_from": 0.0}):
        given = {"chains": "grey", "countermeasures_from": 0.5, "max_rounds": 10, "stop_error": 0.1, **other}
        assert "is below" in stop_reason(make(**given).config, [0.0])  # type: ignore[arg-type]


def test_photos_that_come_later_are_moved_under_countermeasures_too(view: View) -> None:
    found = []
    for chains in ("grey", "none"):
        method, ctx = make(chains, countermeasures_from=0.9), Context(1)
        fitted = make("none").fit(view, ctx)
        found.append(method.extend(fitted, view, ctx).bank)
    # grey has the signs of three channels agree
    agree = [np.mean(np.sign(bank[:, 0]) == np.sign(bank[:, 2])) for bank in found]
    assert agree[0] > 0.9 > agree[1]


@pytest.mark.parametrize("form", ["samplewise", "classwise"])
@pytest.mark.parametrize("stop", [2, 9, 20])
def test_a_search_that_resumes_equals_one_that_was_not_interrupted(
    form: str, stop: int, view: View, tmp_path
) -> None:
    chains = "none|grey+jpeg:30|noise:8|cutout:4"
    method = make(chains, form, countermeasures_from=0.5, transforms="flip-crop", samples=2)
    whole = method.fit(view, Context(1))
    ctx, path = Context(1), tmp_path / "checkpoint"
    state, log = method.start(view, ctx), []
    for _ in range(stop):
        progress = method.advance(state, view, ctx)
        log += [progress.error] if progress.round_ended else []
    save_state(path, {**state, "log": log}, {})
    again = method.fit(view, Context(1), state=load_state(path, {}))
    assert again.log == whole.log
    assert np.array_equal(again.noise.bank, whole.noise.bank)
    plain = make("none", form, transforms="flip-crop", samples=2).fit(view, Context(1))
    assert not np.array_equal(plain.noise.bank, whole.noise.bank)


# Settings


def test_the_setting_is_checked_before_any_work_and_written_out() -> None:
    assert make(" none|jpeg+blur ").config.countermeasures == "none|jpeg:10+blur:1"
    assert methods.ErrorMinimizingConfig().countermeasures == "none"
    for wrong, message in (
        ("grey|project", "project is not differentiable"),
        ("gray", "Did you mean 'grey'"),
        ("none|", "no chain beside"),
    ):
        with pytest.raises(UsageError, match=message):
            make(wrong)
    with pytest.raises(UsageError, match="countermeasures_from is 1"):
        make("grey", countermeasures_from=1.0)
