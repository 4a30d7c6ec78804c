"""feature_shift_error_minimizing: both gradients count, and the trained network learns the noise."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from quick import drawn
from unlearnable import methods
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import UsageError
from unlearnable.methods import Context
from unlearnable.methods.by_surrogate import BySurrogate
from unlearnable.methods.feature_shift_error_minimizing import FeatureShiftErrorMinimizing
from unlearnable.methods.search_plan import NoiseStep
from unlearnable.training.compute import Compute

SMALL = {
    "resolution": 24,
    "zoom": 1.0,
    "transforms": "none",
    "batch": 16,
    "init": "uniform",
    "trained_size": 12,
}


def make(images: ImageSet, **more: object) -> FeatureShiftErrorMinimizing:
    given = {"surrogate": drawn(0), "trained": "cnn:width=8,depth=2", "form": "samplewise", **SMALL, **more}
    made = methods.create("feature_shift_error_minimizing", given).resolve((24, 24), len(images))
    assert isinstance(made, FeatureShiftErrorMinimizing)
    return made


def first_step(method: FeatureShiftErrorMinimizing, images: ImageSet) -> tuple[NoiseStep, torch.Tensor, Any]:
    """Return a noise step on eight images after the network was trained and the centres are known."""
    view, ctx = images.view(24), Context(3, Compute("cpu", "float64"))
    state, kinds = method.start(view, ctx), []
    while kinds[-1:] != ["move"]:
        kinds.append(method.advance(state, view, ctx).kind)
    assert kinds.index("train") < kinds.index("centre") < kinds.index("move")
    plan = ctx.keep("plan", view, lambda: None)
    batch = plan.batch_of(torch.arange(8))
    d = plan.noise_of(batch.rows, state["noise"])
    return NoiseStep(plan, method.frozen(plan, state), batch, ctx.rng("test")), d, state


def unit(gradient: torch.Tensor) -> torch.Tensor:
    return gradient / gradient.abs().mean((1, 2, 3), keepdim=True)


def test_the_step_follows_both_gradients_at_the_same_scale(scenes: ImageSet) -> None:
    method = make(scenes, trained_weight=0.5)
    step, d, _ = first_step(method, scenes)
    d = d.detach().requires_grad_(True)
    seen = step.plan.show(step.batch, d, None)
    shift = step.model.loss(step.plan.logits, seen, step.batch.y, method.config.away)
    one = torch.autograd.grad(shift, d, retain_graph=True)[0]
    small = F.interpolate(seen, (12, 12), mode="bilinear", antialias=True)
    loss = F.cross_entropy(step.model.learner(small), step.batch.y, reduction="sum")
    other = torch.autograd.grad(loss, d)[0]
    found = method.scaled_gradient(step, d, [None])
    assert torch.allclose(found, unit(one) + 0.5 * unit(other), atol=1e-9)
    assert not torch.allclose(found, unit(one), atol=0.1)


def test_a_network_learns_the_noise_and_features_move_too(scenes: ImageSet) -> None:
    view, ctx = scenes.view(24), Context(2)
    method = make(scenes, max_rounds=12, min_rounds=12, epsilon=16)
    fitted = method.fit(view, ctx)
    shown = {
        name: one.view(24) for name, one in (("clean", scenes), ("noisy", scenes.with_noise(fitted.noise)))
    }
    network = ctx.model("cnn:width=8,depth=2", len(view.classes))
    network.load_state_dict(
        {key.removeprefix("model."): value for key, value in fitted.surrogate.items() if "model." in key}
    )
    labels, wrong = torch.from_numpy(view.labels), {}
    for name, one in shown.items():
        x = F.interpolate(torch.from_numpy(one.pixels) / 255, (12, 12), mode="bilinear", antialias=True)
        with torch.no_grad():
            wrong[name] = float((network.eval()(x).argmax(1) != labels).float().mean())
    assert wrong["noisy"] < 0.2 < wrong["clean"]
    # the share of the images whose features are closer to another class
    assert fitted.log[-1] > fitted.log[0]


def test_an_unknown_trained_network_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="nonsense"):
        FeatureShiftErrorMinimizing(trained="nonsense", surrogate=drawn(0))


def test_a_weight_is_not_ignored(scenes: ImageSet) -> None:
    light, heavy = (
        BySurrogate.fit(
            make(scenes, max_rounds=2, min_rounds=2, trained_weight=weight), scenes.view(24), Context(2)
        )
        for weight in (0.01, 10.0)
    )
    assert not torch.equal(*(torch.from_numpy(one.noise.bank.astype("int16")) for one in (light, heavy)))
