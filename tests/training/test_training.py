"""Training, transformations, randomness, models: the parts that surrogates and targets share."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from unlearnable import models
from unlearnable.errors import UsageError
from unlearnable.training import precision_probe
from unlearnable.training.compute import Compute
from unlearnable.training.loop import batches, predict
from unlearnable.training.randomness import derive, generator, seeded
from unlearnable.training.recipe import Recipe
from unlearnable.training.transforms import Transform
from unlearnable.training.victim import Labelled, Victim, learn


@pytest.mark.parametrize("name", models.names())
def test_every_model_maps_images_to_logits_at_several_sizes(name: str) -> None:
    model = models.create(f"{name}:width=8", classes=7).eval()
    for side in (32, 64):
        assert model(torch.rand(2, 3, side, side)).shape == (2, 7)


def test_resnet18_has_the_published_number_of_parameters() -> None:
    count = sum(p.numel() for p in models.create("resnet18:width=64,stem=cifar", 10).parameters())
    assert count == 11_173_962
    count = sum(p.numel() for p in models.create("resnet18:width=64,stem=imagenet", 1000).parameters())
    assert count == 11_689_512


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("vgg99", "no model 'vgg99'"),
        ("resnet18:depth=3", "no setting 'depth'"),
        ("cnn:width=wide", "whole number"),
        ("resnet18:stem=x", "no stem"),
    ],
)
def test_bad_model_specifications_are_named(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        models.create(spec, 10)


def test_draws_depend_on_seed_and_name_and_on_nothing_else() -> None:
    assert derive(1, "a", 2) == derive(1, "a", 2)
    assert len({derive(1, "a"), derive(2, "a"), derive(1, "b"), derive(1, "a", 0)}) == 4
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    with seeded(3, "init"):
        torch.rand(10)
    assert torch.equal(torch.rand(1), expected)  # the global state is left as it was


def test_flip_crop_is_shift_and_flip_by_whole_pixels() -> None:
    x = torch.rand(64, 3, 32, 32)
    transform = Transform("flip-crop")
    out = transform(x, 32, transform.draw(64, generator(0, "t"), Compute()))
    padded = F.pad(x, (4, 4, 4, 4))
    for image, source in zip(out, padded, strict=True):
        crops = [source[:, i : i + 32, j : j + 32] for i in range(9) for j in range(9)]
        crops += [crop.flip(2) for crop in crops]
        assert min(float((crop - image).abs().max()) for crop in crops) < 1e-4


def test_rotation_turns_the_frame_about_its_centre_by_at_most_its_angle() -> None:
    draw = Transform("none", rotation=20).draw(4000, generator(0, "t"), Compute())
    assert draw is not None
    angles = torch.rad2deg(torch.atan2(draw.maps[:, 1, 0], draw.maps[:, 0, 0]))
    assert float(angles.min()) < -19
    assert 19 < float(angles.max()) <= 20.001
    assert torch.allclose(
        draw.maps[:, :, :2] @ draw.maps[:, :, :2].mT, torch.eye(2).expand(4000, 2, 2), atol=1e-6
    )
    dot = torch.zeros(1, 1, 33, 33)
    dot[0, 0, 16, 28] = 1.0  # to the right of the centre
    turned = Transform(rotation=20)(dot.expand(4000, -1, -1, -1), 33, draw)
    row, column = (turned.sum(axis).flatten(1).argmax(1) for axis in (3, 2))
    assert ((row - 16).abs() <= 5).all()  # 12 sin 20 is 4.1
    assert (column >= 27).all()
    assert set((row - 16).sign().tolist()) == {-1, 0, 1}
    both = Transform("flip-crop", rotation=20).draw(64, generator(0, "t"), Compute())
    assert both is not None
    assert torch.equal(
        both.maps[:, :, 2], Transform("flip-crop").draw(64, generator(0, "t"), Compute()).maps[:, :, 2]
    )  # type: ignore[union-attr]


def test_photo_crops_keep_to_their_scale_and_stay_inside_the_frame() -> None:
    draw = Transform("photo", (0.35, 1.0)).draw(4000, generator(0, "t"), Compute())
    assert draw is not None
    maps = draw.maps
    width, height = maps[:, 0, 0].abs(), maps[:, 1, 1]
    area = width * height
    assert (
        0.25 < float(area.min()) < 0.4
    )  # a little below 0.35 where the aspect ratio is cut off at the frame
    assert float(area.max()) <= 1.0
    assert float((maps[:, 0, 2].abs() + width).max()) <= 1 + 1e-5
    assert float((maps[:, 1, 2].abs() + height).max()) <= 1 + 1e-5
    assert 0.45 < float((maps[:, 0, 0] < 0).float().mean()) < 0.55


def test_the_fixed_look_is_the_whole_frame() -> None:
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(Transform("photo")(x, 32, None), x)
    assert Transform("photo")(torch.full((1, 3, 48, 48), 0.3), 32, None).allclose(torch.tensor(0.3))


def test_an_epoch_sees_each_image_at_most_once_in_batches_of_one_shape() -> None:
    found = list(batches(50, 16, generator(0, "x")))
    assert [len(b) for b in found] == [16, 16, 16]
    assert len(set(torch.cat(found).tolist())) == 48
    assert [len(b) for b in batches(5, 16, generator(0, "x"))] == [5]


def test_schedules() -> None:
    recipe = Recipe(lr=0.1, schedule="onecycle")
    rates = [recipe.rate(step, 100) for step in range(100)]
    assert max(rates) == pytest.approx(0.1, rel=0.05)
    assert rates[0] < 0.01
    assert rates[-1] < 0.001
    assert {Recipe(lr=0.1, schedule="constant").rate(step, 100) for step in (0, 99)} == {0.1}
    assert Recipe(lr=0.1, schedule="cosine").rate(0, 100) == 0.1


def test_training_learns_repeats_and_depends_on_its_seed() -> None:
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(rng.integers(0, 2, 64))
    pixels = torch.from_numpy(rng.integers(0, 100, (64, 3, 16, 16), dtype=np.uint8)) + (
        labels * 100
    ).byte().view(-1, 1, 1, 1)
    data = Labelled(pixels, labels, 2)
    victim = Victim(model="cnn:width=8,depth=2", size=16, epochs=4, batch=16, lr=0.05, transform="none")

    def train(seed: int) -> torch.Tensor:
        model, epochs = (learned := learn(victim, data, data, seed, Compute())).model, learned.epochs
        assert epochs[-1].test_accuracy > 0.95
        assert torch.equal(predict(model, pixels, 16, Compute()) == labels, epochs[-1].correct)
        return torch.cat([p.flatten() for p in model.parameters()])

    first, again, other = train(0), train(0), train(1)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_devices_that_are_not_there_are_named() -> None:
    with pytest.raises(UsageError, match="no device 'tpu'"):
        Compute.choose("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="No CUDA device"):
            Compute.choose("cuda")
    assert Compute.choose("cpu").precision in ("float32", "bfloat16")


def test_precision_is_found_by_a_short_probe_that_moves_no_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    state = torch.get_rng_state()
    started = time.perf_counter()
    assert precision_probe.advantage.__wrapped__("cpu") > 0
    assert time.perf_counter() - started < 5  # under a second where nothing else runs
    assert torch.equal(torch.get_rng_state(), state)
    for advantage, expected in ((3.0, "bfloat16"), (1.0, "float32"), (0.0, "float32")):
        monkeypatch.setattr(precision_probe, "advantage", lambda device, found=advantage: found)
        assert Compute.choose("cpu") == Compute("cpu", expected)
        assert Compute.choose("cpu").found
    assert Compute.choose("cpu", "bfloat16") == Compute("cpu", "bfloat16")
    assert not Compute.choose("cpu", "bfloat16").found
    with pytest.raises(UsageError, match="no precision 'half'"):
        Compute.choose("cpu", "half")


def test_a_probe_of_a_device_without_bfloat16_says_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> torch.Tensor:
        raise RuntimeError("not implemented for 'BFloat16'")

    monkeypatch.setattr(precision_probe.F, "conv2d", refused)
    assert precision_probe.advantage.__wrapped__("cpu") == 0
