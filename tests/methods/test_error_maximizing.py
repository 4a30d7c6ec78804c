"""Noise that maximises the error: does it, in both aims and forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unlearnable import methods
from unlearnable.data.digits import digits
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import UsageError
from unlearnable.methods import Context, Fitted, Method, by_surrogate
from unlearnable.methods.error_maximizing import ErrorMaximizingConfig
from unlearnable.methods.fitted import load_state, save_state
from unlearnable.methods.search_loop import stop_reason
from unlearnable.training.loop import predict

SURROGATE = "cnn:width=16,depth=2"
SETTINGS = {"surrogate": SURROGATE, "batch": 32, "pretrain_epochs": 12.0, "max_rounds": 4}
STEPS = {"samplewise": 10, "classwise": 3}
FORMS = ("samplewise", "classwise")


@pytest.fixture(scope="module")
def scans() -> ImageSet:
    """450 digits of 16 px, drawn so that a trained network reads them under random noise."""
    whole = digits(16, 64)
    return whole.subset(whole.ids[::4])


def make(name: str, form: str, **more: object) -> Method:
    return methods.create(
        name, {**({} if name == "random" else SETTINGS | {"steps": STEPS[form]}), "form": form, **more}
    ).resolve((16, 16), 450)


def answers(fitted: Fitted, images: ImageSet) -> torch.Tensor:
    """What the surrogate of a search says of images, int64 (N,)."""
    ctx = Context(1)
    model = ctx.model(SURROGATE, len(images.classes))
    model.load_state_dict(fitted.surrogate)
    return predict(model, torch.from_numpy(images.view(16).pixels), 16, ctx.compute)


@pytest.mark.parametrize("form", FORMS)
def test_the_surrogate_errs_on_it_and_not_on_random_noise(form: str, scans: ImageSet) -> None:
    view = scans.view(16)
    fitted, random = (make(name, form).fit(view, Context(1)) for name in ("error_maximizing", "random"))
    sets = (scans, scans.with_noise(random.noise), scans.with_noise(fitted.noise))
    clean, drawn, found = (
        float((answers(fitted, one) != torch.from_numpy(scans.labels)).double().mean()) for one in sets
    )
    assert clean < 0.1
    assert found > drawn + 0.4
    assert fitted.log[-1] == pytest.approx(found, abs=0.05)  # rounding to levels


@pytest.mark.parametrize("form", FORMS)
def test_targeted_noise_makes_it_answer_the_next_class(form: str, scans: ImageSet) -> None:
    fitted = make("error_maximizing", form, target="next").fit(scans.view(16), Context(1))
    said = answers(fitted, scans.with_noise(fitted.noise))
    assert float((said == (torch.from_numpy(scans.labels) + 1) % 10).double().mean()) > 0.6


@pytest.mark.parametrize(
    ("shift", "classes", "expected"), [(1, 10, [1, 2, 0]), (3, 10, [3, 4, 2]), (0, 4, [2, 3, 1])]
)
def test_the_other_class_is_as_many_further_as_the_shift_says(
    shift: int, classes: int, expected: list[int]
) -> None:
    method = make("error_maximizing", "samplewise", target="next", shift=shift)
    found = method.target(torch.tensor([0, 1, classes - 1]), classes)
    assert found.tolist() == expected
    assert make("error_maximizing", "samplewise", shift=shift).target(found, classes) is found


def test_a_shift_that_leaves_the_classes_as_they_are_is_refused_before_the_search(images: ImageSet) -> None:
    view, seen = images.view(16), []
    with pytest.raises(UsageError, match="with 3 classes") as caught:
        make("error_maximizing", "samplewise", target="next", shift=6).fit(view, Context(1), seen.append)
    assert "--" not in caught.value.remedy
    assert not seen
    # without a target, it is no other class, and nothing is refused
    make("error_maximizing", "samplewise", shift=6).start(view, Context(1))


def test_it_stops_when_the_error_is_high_enough_and_trains_only_in_the_first_round(images: ImageSet) -> None:
    method, view, ctx = (
        make("error_maximizing", "samplewise", pretrain_epochs=3.0),
        images.view(16),
        Context(1),
    )
    state = method.start(view, ctx)
    kinds: list[set[str]] = []
    for _ in range(2):
        kinds.append(set())
        ended = False
        while not ended:
            progress = method.advance(state, view, ctx)
            kinds[-1].add(progress.kind)
            ended = progress.round_ended
    assert kinds == [{"train", "move", "measure"}, {"move", "measure"}]
    config = ErrorMaximizingConfig(max_rounds=5, stop_error=0.8, patience=2)
    assert method.rises
    assert stop_reason(config, [0.1, 0.5], rises=True) == ""
    assert "has reached 80.0%" in stop_reason(config, [0.1, 0.8], rises=True)
    assert "not risen for 2 rounds" in stop_reason(config, [0.5, 0.4, 0.5], rises=True)
    assert "5 rounds" in stop_reason(config, [0.1, 0.2, 0.3, 0.4, 0.5], rises=True)


@pytest.mark.parametrize("stop", [1, 4, 6, 9])
def test_resumed_in_the_middle_of_training_or_moving_equals_uninterrupted(
    stop: int, images: ImageSet, tmp_path
) -> None:
    small = {
        "surrogate": "cnn:width=8,depth=2",
        "batch": 8,
        "pretrain_epochs": 1.7,
        "steps": 2,
        "max_rounds": 2,
        "stop_error": 1.0,
    }
    method = methods.create("error_maximizing", {**small, "form": "samplewise", "resolution": 16}).resolve(
        (16, 16), 24
    )
    view, path = images.view(16), tmp_path / "checkpoint"
    whole = method.fit(view, Context(1))
    ctx = Context(1)
    state = method.start(view, ctx)
    log: list[float] = []
    for _ in range(stop):
        progress = method.advance(state, view, ctx)
        log += [progress.error] if progress.round_ended and progress.error is not None else []
    save_state(path, {**state, "log": log}, {})
    again = method.fit(view, Context(1), state=load_state(path, {}))
    assert again.log == whole.log
    assert np.array_equal(again.noise.bank, whole.noise.bank)
    assert all(torch.equal(again.surrogate[name], value) for name, value in whole.surrogate.items())


@pytest.mark.parametrize("name", ["auto", "none", "flip-crop"])
def test_the_surrogate_may_see_other_transformations_than_the_noise(
    name: str, images: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The paper's sees crops and flips of clean images; the noise steps see the images as they are."""
    trained: list[torch.Tensor] = []
    drawn: list[object] = []
    step, loss = by_surrogate.train_step, by_surrogate.BySurrogate.noise_loss
    monkeypatch.setattr(
        by_surrogate,
        "train_step",
        lambda model, o, x, *rest, **more: trained.append(x.clone()) or step(model, o, x, *rest, **more),
    )
    monkeypatch.setattr(
        by_surrogate.BySurrogate,
        "noise_loss",
        lambda self, step, d: drawn.append(step.draw) or loss(self, step, d),
    )
    settings = {"batch": 12, "pretrain_epochs": 2.0, "steps": 1, "max_rounds": 1, "init": "uniform"}
    view = images.view(16)
    method = make("error_maximizing", "samplewise", pretrain_transforms=name, **settings)
    method.fit(view, Context(1))
    clean = torch.from_numpy(view.pixels).float() / 255
    unchanged = [any(torch.allclose(one, image) for image in clean) for x in trained for one in x]
    assert len(unchanged) == 48
    # a flip or a shift leaves about one image in a hundred as it is
    assert all(unchanged) if name != "flip-crop" else sum(unchanged) < 10
    assert drawn
    assert set(drawn) == {None}
