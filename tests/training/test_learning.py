"""A victim's training against SGD from its formulas, draw by draw, and how often a transformation acts."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from batches import CPU, labelled
from conftest import pixels
from unlearnable.countermeasures import create
from unlearnable.training import loop
from unlearnable.training.compute import Compute
from unlearnable.training.loop import batches, predict, train_step
from unlearnable.training.pgd import attack
from unlearnable.training.randomness import generator
from unlearnable.training.recipe import Recipe
from unlearnable.training.transforms import Transform
from unlearnable.training.victim import Labelled, Victim, learn

DOUBLE = Compute("cpu", "float64")
# a recipe in which every part changes the result
VICTIM = Victim(
    model="cnn:width=8,depth=2",
    size=16,
    epochs=3,
    batch=7,
    lr=0.2,
    momentum=0.8,
    weight_decay=0.05,
    clip=0.2,
    schedule="onecycle",
)


def reference(victim: Victim, data: Labelled, seed: int, chain: str = "none") -> torch.Tensor:
    """The weights of a training from the formulas: crops and flips, mean loss, clipping, momentum, decay."""
    model = victim.build(data.classes, seed).double().train()
    members, recipe = create(chain), victim.recipe
    images = members.prepare(data.pixels, data.labels, generator(seed, "prepare"), DOUBLE)
    parameters = list(model.parameters())
    speeds = [torch.zeros_like(one) for one in parameters]
    per_epoch = len(data.labels) // victim.batch
    for epoch in range(victim.epochs):
        rng, other = generator(seed, "epoch", epoch), generator(seed, "countermeasure", epoch)
        order = torch.randperm(len(data.labels), generator=rng)
        for step in range(per_epoch):
            rows = order[victim.batch * step : victim.batch * (step + 1)]
            draw = recipe.transform.draw(len(rows), rng, DOUBLE)
            x = recipe.transform(images[rows].double() / 255, victim.size, draw)
            y = F.one_hot(data.labels[rows], data.classes).double()
            x, y = members.batch(x, y, other, DOUBLE)
            loss = -(y * torch.log_softmax(model(x), 1)).sum(1).mean()
            gradients = torch.autograd.grad(loss, parameters)
            norm = float(torch.cat([one.flatten() for one in gradients]).norm())
            scale = min(1.0, victim.clip / (norm + 1e-6)) if victim.clip else 1.0
            # warm-up over a fifth of the steps, then a cosine to zero
            done, steps = epoch * per_epoch + step, victim.epochs * per_epoch
            warm = 0.2 * steps
            share = (
                (done + 1) / (warm + 1)
                if done < warm
                else 0.5 * (1 + math.cos(math.pi * (done - warm) / (steps - warm)))
            )
            with torch.no_grad():
                for one, speed, gradient in zip(parameters, speeds, gradients, strict=True):
                    speed.mul_(victim.momentum).add_(scale * gradient + victim.weight_decay * one)
                    one.sub_(victim.lr * share * speed)
    return flat(model)


def flat(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([one.detach().flatten() for one in model.parameters()])


@pytest.mark.parametrize("chain", ["none", "bitdepth:2+mixup"])
def test_a_victim_trains_as_its_recipe_says(chain: str) -> None:
    data = labelled(24)
    given = create(chain) if chain != "none" else None
    found = flat(learn(VICTIM, data, data, 3, DOUBLE, given).model)
    assert torch.allclose(found, reference(VICTIM, data, 3, chain), atol=1e-9)
    # each part of the recipe matters here, so a training without it would not pass
    for part in (
        {"clip": 0.0},
        {"momentum": 0.0},
        {"weight_decay": 0.0},
        {"batch": 8},
        {"transform": "none"},
        {"lr": 0.1},
    ):
        other = reference(VICTIM.model_copy(update=part), data, 3, chain)
        assert float((found - other).abs().max()) > 1e-4, part
    assert not torch.allclose(found, reference(VICTIM, data, 4, chain), atol=1e-3)


def test_the_order_and_the_crops_of_every_epoch_are_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    step = loop.train_step
    monkeypatch.setattr(
        loop,
        "train_step",
        lambda m, o, x, y, *more: seen.append((x.clone(), y.clone())) or step(m, o, x, y, *more),
    )
    data = Labelled(labelled(21).pixels, torch.arange(21), 21)
    for seed in (0, 1):
        learn(VICTIM.model_copy(update={"transform": "none"}), data, data, seed, CPU)
    orders = [torch.cat([y for _, y in seen[i : i + 3]]).tolist() for i in range(0, 18, 3)]
    assert all(sorted(order) == list(range(21)) for order in orders)
    assert len({tuple(order) for order in orders}) == 6
    for x, y in seen:
        # every image with its own label, untouched, as ``transform`` says
        assert torch.equal(x, data.pixels[y].float() / 255)


def test_the_accuracy_of_an_epoch_counts_whole_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    right = iter([7, 3, 0, 7, 7, 7])
    monkeypatch.setattr(loop, "train_step", lambda *a: (torch.zeros(()), torch.tensor(next(right))))
    epochs = learn(VICTIM.model_copy(update={"epochs": 2}), labelled(24), labelled(24), 0, CPU).epochs
    assert [epoch.train_accuracy for epoch in epochs] == pytest.approx([10 / 21, 1.0])


@pytest.mark.parametrize("soft", [False, True])
def test_a_step_returns_the_mean_loss_and_the_right_answers_before_it(soft: bool) -> None:
    model = VICTIM.build(3, 0).double()
    x = torch.rand(9, 3, 16, 16, generator=generator(1)).double()
    y = torch.arange(9) % 3
    probabilities = torch.lerp(F.one_hot(y, 3).double(), torch.full((9, 3), 1 / 3).double(), 0.3)
    model.eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    loss, right = train_step(model, optimizer, x, probabilities if soft else y, DOUBLE)
    assert model.training
    logits = model(x).detach()
    weights = probabilities if soft else F.one_hot(y, 3).double()
    assert float(loss) == pytest.approx(float(-(weights * logits.log_softmax(1)).sum(1).mean()), abs=1e-9)
    assert int(right) == int((logits.argmax(1) == y).sum())
    assert not loss.requires_grad


def test_gradients_of_the_last_step_are_forgotten_and_clipped_to_their_norm() -> None:
    x, y = torch.rand(9, 3, 16, 16, generator=generator(1)).double(), torch.arange(9) % 3
    norms = []
    for clip in (0.0, 0.01, 1e6):
        model = VICTIM.build(3, 0).double()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-9)
        for _ in range(2):
            train_step(model, optimizer, x, y, DOUBLE, clip)
        gradients = [one.grad for one in model.parameters() if one.grad is not None]
        norms.append(float(torch.cat([one.flatten() for one in gradients]).norm()))
    assert norms[1] == pytest.approx(0.01, rel=1e-3)
    assert norms[0] == pytest.approx(norms[2], rel=1e-6)
    assert norms[0] > 0.02


def test_predictions_are_those_in_eval_mode_and_change_nothing() -> None:
    model = VICTIM.build(3, 0).double()
    x = torch.from_numpy(pixels(20, 24).transpose(0, 3, 1, 2).copy())
    for number in range(3):
        model.train()((x[:, :, ::2, ::2].double() / 255) ** (number + 1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    found = [predict(model, x, 16, DOUBLE, batch) for batch in (3, 7, 256)]
    model.eval()
    resized = F.interpolate(x.double() / 255, (16, 16), mode="bilinear", antialias=True)
    with torch.no_grad():
        wanted = model(resized).argmax(1)
        trained = model.train()(resized).argmax(1)
    assert all(torch.equal(one, wanted) for one in found)
    # normalisation by the batch would answer differently
    assert not torch.equal(wanted, trained)
    model.load_state_dict(before)
    assert predict(model, x, 16, DOUBLE).shape == (20,)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


# Draws


def test_half_of_the_images_are_flipped_and_every_shift_happens() -> None:
    draw = Transform("flip-crop").draw(6000, generator(0, "t"), CPU)
    assert draw is not None
    maps = draw.maps
    assert 0.47 < float((maps[:, 0, 0] == -1).float().mean()) < 0.53
    assert set(maps[:, 0, 0].tolist()) == {-1.0, 1.0}
    assert (maps[:, 1, 1] == 1).all()
    shifts = (maps[:, :, 2] * 16).round().long()
    assert len({tuple(one) for one in shifts.tolist()}) == 81
    assert (int(shifts.min()), int(shifts.max())) == (-4, 4)
    # a flip does not depend on the shift
    flipped = maps[:, 0, 0] < 0
    assert abs(float(shifts[flipped].float().mean() - shifts[~flipped].float().mean())) < 0.2


def test_flipped_and_shifted_images_are_mirrored_and_moved() -> None:
    x = torch.rand(400, 3, 32, 32, generator=generator(3))
    transform = Transform("flip-crop")
    draw = transform.draw(400, generator(0, "t"), CPU)
    assert draw is not None
    out = transform(x, 32, draw)
    unmoved = 0
    for image, source, map in zip(out, x, draw.maps, strict=True):
        left, top = (16 * map[:, 2]).round().long().tolist()
        rolled = F.pad(source.flip(2) if map[0, 0] < 0 else source, (4, 4, 4, 4))
        across = 4 - left if map[0, 0] < 0 else 4 + left
        assert torch.allclose(image, rolled[:, 4 + top : 36 + top, across : across + 32], atol=1e-4)
        unmoved += torch.allclose(image, source, atol=1e-4)
    assert unmoved < 20


def test_photo_crops_are_everywhere_in_the_frame_and_of_every_shape() -> None:
    draw = Transform("photo", (0.2, 1.0)).draw(6000, generator(0, "t"), CPU)
    assert draw is not None
    maps = draw.maps
    width, height = maps[:, 0, 0].abs(), maps[:, 1, 1]
    area, ratio = width * height, width / height
    assert float(area.min()) < 0.25
    assert float(area.max()) > 0.95
    assert 0.55 < float(area.mean()) < 0.65
    assert 0.74 < float(ratio.min()) < 0.78
    assert 1.3 < float(ratio.max()) < 1.34
    for axis, side in ((0, width), (1, height)):
        room = 1 - side
        place = (maps[:, axis, 2] / room.clamp(min=1e-6))[room > 0.05]
        assert (float(place.min()), float(place.max())) == (
            pytest.approx(-1, abs=0.02),
            pytest.approx(1, abs=0.02),
        )
        assert abs(float(place.mean())) < 0.04
    assert abs(float(torch.corrcoef(torch.stack([maps[:, 0, 2], maps[:, 1, 2]]))[0, 1])) < 0.05
    assert abs(float(torch.corrcoef(torch.stack([maps[:, 0, 0].sign(), maps[:, 0, 2]]))[0, 1])) < 0.05


def test_colours_change_by_up_to_the_jitter_and_each_on_its_own() -> None:
    draw = Transform(jitter=0.4).draw(3000, generator(0, "t"), CPU)
    assert draw is not None
    assert draw.colours is not None
    factors = draw.colours.flatten(1)
    assert factors.shape == (3, 3000)
    assert (float(factors.min()), float(factors.max())) == (
        pytest.approx(0.6, abs=1e-2),
        pytest.approx(1.4, abs=1e-2),
    )
    assert float((torch.corrcoef(factors) - torch.eye(3)).abs().max()) < 0.06
    assert torch.equal(draw.maps, torch.eye(2, 3).expand(3000, 2, 3))
    x = torch.rand(3000, 3, 4, 4, generator=generator(1)) * 0.3 + 0.3
    out = Transform(jitter=0.4)(x, 4, draw)
    for i in range(5):
        brightness, contrast, saturation = factors[:, i].tolist()
        wanted = (x[i] * brightness).clamp(0, 1)
        wanted = (wanted - wanted.mean()) * contrast + wanted.mean()
        grey = wanted.mean(0)
        wanted = ((wanted - grey) * saturation + grey).clamp(0, 1)
        assert torch.allclose(out[i], wanted, atol=1e-5)
    assert Transform().draw(3, generator(0), CPU) is None
    plain = Transform("flip-crop").draw(3, generator(0), CPU)
    assert plain is not None
    assert plain.colours is None


# Schedules


def test_schedules_step_by_step() -> None:
    def rates(schedule: str, steps: int) -> list[float]:
        recipe = Recipe(lr=2.0, schedule=schedule)  # type: ignore[arg-type]
        return [recipe.rate(step, steps) for step in range(steps)]

    assert rates("constant", 3) == [2.0] * 3
    assert rates("cosine", 4) == pytest.approx([2.0, 1 + 0.5**0.5, 1.0, 1 - 0.5**0.5])
    assert rates("steps", 20) == pytest.approx([2.0] * 15 + [0.2] * 3 + [0.02] * 2)
    warm = [2 * (step + 1) / 3 for step in range(2)]
    cosine = [1 + math.cos(math.pi * step / 8) for step in range(8)]
    assert rates("onecycle", 10) == pytest.approx(warm + cosine)
    # all of one step is the largest rate
    assert rates("cosine", 1) == [2.0]


def test_an_order_is_drawn_from_its_generator() -> None:
    found = [torch.cat(list(batches(30, 10, generator(seed)))).tolist() for seed in (0, 0, 1)]
    assert found[0] == found[1] != found[2] != list(range(30))
    assert found[0] == torch.randperm(30, generator=generator(0)).tolist()


def test_an_attack_starts_at_random_and_climbs_from_there() -> None:
    data = labelled(12)
    model, x, y = VICTIM.build(3, 0).double(), data.pixels.double() / 255 * 0.5 + 0.25, data.labels
    start = attack(model, x, y, 8, 2, 0, generator(5), DOUBLE)
    wanted = x + (2 * torch.rand(x.shape, generator=generator(5)).double() - 1) * 8 / 255
    assert torch.allclose(start, wanted, atol=1e-7)
    assert not torch.equal(start, attack(model, x, y, 8, 2, 0, generator(6), DOUBLE))
    model.eval()
    at = start.clone()
    for _ in range(3):
        at = at.detach().requires_grad_(True)
        gradient = torch.autograd.grad(F.cross_entropy(model(at), y, reduction="sum"), at)[0]
        at = torch.clamp(at + 3 / 255 * gradient.sign(), x - 8 / 255, x + 8 / 255).clamp(0, 1)
    found = attack(model, x, y, 8, 3, 3, generator(5), DOUBLE)
    assert float((found - at).abs().gt(1e-6).double().mean()) < 1e-3
    assert float((found - x).abs().max()) == pytest.approx(8 / 255, abs=1e-9)
