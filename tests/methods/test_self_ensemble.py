"""Self-ensemble protection: checkpoints of one training, whose gradients a step averages."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from unlearnable import methods
from unlearnable.data.image_set import ImageSet
from unlearnable.methods import Context
from unlearnable.methods.self_ensemble import SelfEnsemble
from unlearnable.training.compute import Compute

SETTINGS = {
    "surrogate": "cnn:width=8,depth=2",
    "form": "samplewise",
    "batch": 8,
    "pretrain_epochs": 2.0,
    "checkpoints": 3,
    "init": "uniform",
    "steps": 2,
    "stop_error": 1.0,
}


def make(**more: object) -> SelfEnsemble:
    made = methods.create("self_ensemble", {**SETTINGS, **more}).resolve((16, 16), 24)
    assert isinstance(made, SelfEnsemble)
    return made


def trained(method: SelfEnsemble, images: ImageSet):
    """A search after the training of its surrogate, and the surrogate's weights after every batch."""
    view, ctx = images.view(16), Context(4, Compute("cpu", "float64"))
    state, weights = method.start(view, ctx), []
    plan = method.plan(view, ctx)
    for number in range(plan.train_batches):
        method.train(plan, state, number)
        weights.append({key: one.clone() for key, one in plan.surrogate(state).model.state_dict().items()})
    return plan, state, weights


def reference(
    networks: list[torch.nn.Module], x: torch.Tensor, d: torch.Tensor, target: int, steps: int
) -> torch.Tensor:
    """Steps of 0.5 levels on one image against the mean of the gradients, everything in [0, 1]."""
    for _ in range(steps):
        at = (x + d).clamp(0, 1).detach()
        gradients = []
        for network in networks:
            seen = at.clone().requires_grad_(True)
            loss = F.cross_entropy(network(seen[None]), torch.tensor([target]))
            gradients.append(torch.autograd.grad(loss, seen)[0])
        d = (at - x - 0.5 / 255 * torch.stack(gradients).mean(0).sign()).clamp(-8 / 255, 8 / 255)
    return d


def networks_of(weights: list[dict[str, torch.Tensor]]) -> list[torch.nn.Module]:
    found = []
    for one in weights:
        model = Context(0, Compute("cpu", "float64")).model(SETTINGS["surrogate"], 3)
        model.load_state_dict(one)
        found.append(model.eval())
    return found


@pytest.mark.parametrize(
    ("count", "due"), [(3, [1, 3, 5]), (1, [5]), (4, [1, 2, 3, 5]), (30, [0, 1, 2, 3, 4, 5])]
)
def test_checkpoints_are_equally_far_apart_and_end_with_the_training(
    count: int, due: list[int], images: ImageSet
) -> None:
    _, state, weights = trained(make(checkpoints=count), images)
    saved = {key.partition(".")[0] for key in state if key.startswith("checkpoint")}
    assert saved == {f"checkpoint{number}" for number in range(len(due))}
    for number, batch in enumerate(due):
        for name, value in weights[batch].items():
            assert torch.equal(state[f"checkpoint{number}.{name}"], value), (number, name)


def test_a_step_follows_the_mean_of_the_gradients_of_the_checkpoints(images: ImageSet) -> None:
    """Against a slow reference on one image at a time; another one follows the last checkpoint alone."""
    method = make()
    plan, state, weights = trained(method, images)
    before = state["noise"].clone()
    method.move(plan, state, 0)
    networks = networks_of([weights[batch] for batch in (1, 3, 5)])
    alone = 0.0
    order = torch.randperm(24, generator=plan.ctx.rng("noise order", 0, 0))[:8].tolist()
    for i in order:
        x = torch.from_numpy(plan.view.pixels[i]).double() / 255
        # three classes: half of them is one further
        target = (int(plan.view.labels[i]) + 1) % 3
        expected = reference(networks, x, before[i] / 255, target, 2) * 255
        assert torch.allclose(state["noise"][i], expected, atol=1e-9), i
        last = reference(networks[2:], x, before[i] / 255, target, 2) * 255
        alone += float((last - expected).abs().gt(0.1).double().mean()) / len(order)
    assert alone > 0.05


def test_noise_for_images_that_come_later_is_found_against_the_checkpoints_too(images: ImageSet) -> None:
    method = make(min_rounds=1)
    old, new = images.subset(images.ids[:18]).view(16), images.subset(images.ids[18:]).view(16)
    fitted = method.fit(old, Context(4))
    saved = [
        {
            key.removeprefix(f"checkpoint{number}."): value.double() if value.is_floating_point() else value
            for key, value in fitted.surrogate.items()
            if key.startswith(f"checkpoint{number}.")
        }
        for number in range(3)
    ]
    networks = networks_of(saved)
    bank = method.extend(fitted, new, Context(4, Compute("cpu", "float64"))).bank
    for row in range(6):
        x = torch.from_numpy(new.pixels[row]).double() / 255
        target = (int(new.labels[row]) + 1) % 3
        expected = reference(networks, x, torch.zeros_like(x), target, 2) * 255
        assert np.array_equal(bank[row], np.rint(expected.numpy())), row
