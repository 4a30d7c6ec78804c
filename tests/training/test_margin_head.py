"""The head of face recognisers: its loss is the formula of CosFace, and a victim learns with it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from unlearnable import models
from unlearnable.errors import UsageError
from unlearnable.training.compute import Compute
from unlearnable.training.loop import train_step
from unlearnable.training.margin_head import CosineHead, replace_head
from unlearnable.training.victim import Labelled, Victim, learn
from unlearnable.training.weights import split

CPU = Compute()
SPEC = "cnn:width=8,depth=2"
PLAIN = Victim(model=SPEC, size=16, epochs=12, batch=8, lr=0.05, transform="none")
COSFACE = PLAIN.model_copy(update={"head": "cosface"})


def slow_loss(features: torch.Tensor, weights: torch.Tensor, labels: list[int], s: float, m: float) -> float:
    """Eq. 4 of the paper, number by number."""
    total = 0.0
    for row, y in zip(features.tolist(), labels, strict=True):
        cosines = []
        for one in weights.tolist():
            product = sum(a * b for a, b in zip(row, one, strict=True))
            cosines.append(product / math.sqrt(sum(a * a for a in row)) / math.sqrt(sum(b * b for b in one)))
        others = sum(math.exp(s * c) for j, c in enumerate(cosines) if j != y)
        own = math.exp(s * (cosines[y] - m))
        total -= math.log(own / (own + others))
    return total / len(labels)


def colours(count: int = 24) -> Labelled:
    """Images whose class is their colour, under noise."""
    rng, labels = torch.Generator().manual_seed(3), torch.arange(count) % 3
    images = torch.randint(0, 120, (count, 3, 16, 16), generator=rng)
    images[torch.arange(count), labels] += 100
    return Labelled(images.to(torch.uint8), labels, 3)


@pytest.mark.parametrize(("scale", "margin"), [(4.0, 0.0), (8.0, 0.3), (16.0, 0.1)])
def test_the_loss_is_that_of_the_paper(scale: float, margin: float) -> None:
    rng = torch.Generator().manual_seed(1)
    head = CosineHead(5, 4, scale)
    head.weight.data = torch.randn(4, 5, generator=rng)
    features, labels = torch.randn(6, 5, generator=rng), [0, 3, 1, 2, 2, 0]
    weights = head.weight.detach().clone()
    still = torch.optim.SGD(head.parameters(), lr=0.0)
    y = torch.tensor(labels)
    loss, right = train_step(head, still, features, y, CPU, margin=scale * margin)
    assert float(loss) == pytest.approx(slow_loss(features, weights, labels, scale, margin), rel=1e-5)
    # the margin is part of the loss, not of the answers
    assert int(right) == int((head(features).argmax(1) == y).sum())
    one_hot = nn.functional.one_hot(y, 4).float()
    mixed, _ = train_step(head, still, features, one_hot, CPU, margin=scale * margin)
    assert float(mixed) == pytest.approx(float(loss), rel=1e-6)


def test_logits_are_cosines_times_the_scale() -> None:
    head = CosineHead(5, 4, 8.0)
    x = torch.randn(7, 5, generator=torch.Generator().manual_seed(2))
    assert head(x).abs().max() <= 8
    assert torch.allclose(head(x), head(100 * x), atol=1e-5)
    own = head(head.weight).diagonal()
    assert torch.allclose(own, torch.full((4,), 8.0), atol=1e-5)


def test_a_victim_learns_with_the_margin_and_has_features() -> None:
    data = colours()
    learned = learn(COSFACE, data, data, 0, CPU)
    assert learned.epochs[-1].test_accuracy > 0.9
    backbone, head = split(learned.model)
    assert isinstance(head, CosineHead)
    assert head.scale == COSFACE.scale
    with torch.no_grad():
        x = data.pixels.float() / 255
        assert torch.allclose(head(backbone(x)), learned.model.eval()(x), atol=1e-4)


def test_the_margin_changes_the_training() -> None:
    data = colours()
    weights = [
        split(learn(COSFACE.model_copy(update={"epochs": 1, "margin": margin}), data, data, 0, CPU).model)[1]
        for margin in (0.0, 0.2)
    ]
    assert not torch.allclose(weights[0].weight, weights[1].weight)


def test_only_a_victim_with_another_head_has_another_description() -> None:
    assert PLAIN.model_copy(update={"head": "linear", "margin": 0.2, "scale": 16.0}).text == PLAIN.text
    assert COSFACE.text != PLAIN.text
    assert "CosFace (scale 16, margin 0.2)" in COSFACE.words
    assert "CosFace" not in PLAIN.words
    assert PLAIN.recipe.margin == 0
    assert COSFACE.recipe.margin == pytest.approx(3.2)


@pytest.mark.parametrize("name", sorted(models.names()))
def test_every_network_takes_the_head(name: str) -> None:
    model = Victim(model=name, head="cosface").build(3, 0).eval()
    with torch.no_grad():
        logits = model(torch.rand(2, 3, 64, 64))
    assert logits.shape == (2, 3)
    assert logits.abs().max() <= 16
    assert isinstance(split(model)[1], CosineHead)


def test_a_network_without_a_linear_head_is_refused() -> None:
    with pytest.raises(UsageError, match="not linear"):
        replace_head(nn.Sequential(nn.Conv2d(3, 4, 3)), 8.0)
