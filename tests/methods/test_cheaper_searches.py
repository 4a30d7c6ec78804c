"""Settings that make a search cheaper: one backward pass for both steps, a small start, noise to start from.

Every test starts from noise that is not zero, beside context.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_search_parts import SETTINGS, context, make, own_noise, started

from unlearnable import methods
from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.data.view import View
from unlearnable.errors import UsageError

BATCH = 8


@pytest.fixture
def view(images: ImageSet) -> View:
    """24 images of ant, bee and cat, and 6 of the context class ``zebra`` that never get noise."""
    pixels = np.random.default_rng(9).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    other = arrays(pixels, ["zebra"] * 6, ids=[f"a{number}" for number in range(6)])
    return images.join(other).view(16).in_order_of_ids()


@pytest.mark.parametrize("form", ["samplewise", "classwise"])
def test_a_training_batch_moves_its_own_noise_by_the_gradient_of_its_training_step(
    form: str,
    view: View,
) -> None:
    shared = {"steps": 1, "measure": "training", "train_batches": 0, "shared_backward": True}
    method = make(form, **shared)
    plan, state, ctx = started(method, view)
    x, labels = torch.from_numpy(view.pixels).double(), torch.from_numpy(view.labels)
    order = torch.randperm(30, generator=ctx.rng("order", 0))
    apart_method = make(form, steps=1, measure="training", train_batches=0)
    apart_plan, apart, _ = started(apart_method, view)
    for number in range(3):
        rows = order[BATCH * number : BATCH * number + BATCH]
        before, model = state["noise"].clone(), ctx.model(SETTINGS["surrogate"], 4)
        model.load_state_dict(
            {key.removeprefix("model."): value for key, value in state.items() if key.startswith("model.")}
        )
        seen = (x[rows] + own_noise(plan, before)[rows]).clamp(0, 255)
        # the gradient is taken at the clipped image, where saturated pixels have one too
        at = (seen / 255).requires_grad_(True)
        loss = F.cross_entropy(model.train()(at), labels[rows])
        (gradient,) = torch.autograd.grad(loss, at)
        moved = (seen - x[rows] - 3.0 * gradient.sign()).clamp(-8, 8)
        # the surrogate learns from the noise before the step, as it does where the steps are apart
        apart["noise"] = before.clone()
        apart_method.train(apart_plan, apart, number)
        method.train(plan, state, number)
        weights = [key for key in state if key.startswith("model.")]
        assert all(torch.allclose(state[key].double(), apart[key].double(), atol=1e-12) for key in weights)
        wanted = before.clone()
        for row in range(len(before)):
            mine = [position for position, i in enumerate(rows.tolist()) if plan.rows[i] == row]
            if mine:
                wanted[row] = moved[mine].mean(0)
        assert torch.allclose(state["noise"], wanted, atol=1e-9)
        assert float((wanted - before).abs().max()) > 1


def test_a_round_with_one_backward_pass_has_training_steps_only(view: View) -> None:
    def kinds(**more: object) -> list[str]:
        given = {"steps": 1, "shared_backward": True, "train_batches": 0, **more}
        return [part.kind for part in make(**given).round_steps(0, 30)]

    assert kinds(measure="training") == ["train"]
    assert kinds(measure="after") == ["train", "measure"]


def test_such_a_search_lowers_the_error_and_resumes_to_the_same_noise(view: View) -> None:
    given = {"steps": 1, "measure": "training", "train_batches": 0, "shared_backward": True, "max_rounds": 12}
    method = make(step_size=1.0, **given)
    saved: list[dict] = []
    whole = method.fit(view, context(), save=lambda state: saved.append(_copy(state)), every=0.0)
    assert whole.log[-1] < whole.log[0]
    middle = saved[len(saved) // 2]
    again = method.fit(view, context(), state=middle)
    assert (again.noise.bank == whole.noise.bank).all()


def _copy(state: dict) -> dict:
    return {key: one.clone() if isinstance(one, torch.Tensor) else one for key, one in state.items()}


@pytest.mark.parametrize(
    "more", [{"steps": 2}, {"samples": 2}, {"passes": 2}, {"skip_below": 0.1}, {"measure": "before"}]
)
def test_settings_that_one_backward_pass_would_ignore_are_refused(more: dict) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(more))} is .* shared_backward"):
        methods.create("error_minimizing", {"steps": 1, "shared_backward": True, **more})


def test_a_method_whose_two_steps_have_different_losses_refuses_to_share_a_pass() -> None:
    with pytest.raises(UsageError, match="shared_backward is true, but mutual_information"):
        methods.create("mutual_information", {"steps": 1, "shared_backward": True})


def test_the_first_half_of_the_rounds_sees_smaller_images(
    view: View,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    method = make(resolution=16, early_resolution=8, max_rounds=3)
    sizes: dict[int, set[int]] = {}
    plan_of = type(method).train_batch

    def noted(self, plan, model, batch, d, rng):
        x = plan_of(self, plan, model, batch, d, rng)
        sizes.setdefault(len(log), set()).add(x.shape[-1])
        return x

    log: list[object] = []
    monkeypatch.setattr(type(method), "train_batch", noted)
    ctx, state = context(), None
    state = method.start(view, ctx)
    while len(log) < 3:
        if method.advance(state, view, ctx).round_ended:
            log.append(None)
    assert sizes == {0: {8}, 1: {16}, 2: {16}}


def test_a_search_may_start_from_the_noise_of_gratings(view: View) -> None:
    for form in ("samplewise", "classwise"):
        method = make(form, init="gratings", epsilon=8)
        gratings = methods.create(
            "gratings", {"form": form, "grid": 16, "resolution": 16, "patterns_per_class": 1}
        )
        wanted = gratings.resolve((16, 16), 30).fit(view, context()).noise
        found = method.to_noise(method.initial(view, context()).round(), view, 4)
        assert found.keys == wanted.keys
        assert (found.bank == wanted.bank).all()
        assert abs(found.bank).max() == 8


def test_a_start_with_larger_images_is_refused() -> None:
    with pytest.raises(UsageError, match="early_resolution is 20, but the network's input has 16 pixels"):
        make(early_resolution=20)
    assert make(early_resolution=16).config.early_resolution == 16
