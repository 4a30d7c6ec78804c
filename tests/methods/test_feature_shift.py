"""feature_shift: its loss and steps against loops from the formula, and its effect on views it never saw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from quick import drawn, fit
from unlearnable import methods
from unlearnable.data.image_set import ImageSet
from unlearnable.data.view import View
from unlearnable.errors import DataError
from unlearnable.methods import Context
from unlearnable.methods.feature_centres import scrambled
from unlearnable.methods.feature_shift import FeatureShift
from unlearnable.methods.fitted import load_state, save_state
from unlearnable.methods.pretrained_surrogates import backbones
from unlearnable.methods.search_plan import NoiseStep
from unlearnable.training.compute import Compute
from unlearnable.training.transforms import Transform

TWO = f"{drawn(0)}+{drawn(1)}"
PLAIN = {"resolution": 16, "zoom": 1.0, "transforms": "none", "batch": 8, "init": "uniform"}


def make(**more: object) -> FeatureShift:
    given = {"surrogate": drawn(0), "form": "samplewise", **PLAIN, **more}
    made = methods.create("feature_shift", given).resolve((16, 16), 24)
    assert isinstance(made, FeatureShift)
    return made


def context() -> Context:
    return Context(4, Compute("cpu", "float64"))


def centred(method: FeatureShift, view: View, ctx: Context):
    """A search after its clean images are measured: (plan, state)."""
    state, kinds = method.start(view, ctx), ["centre"]
    batches = -(-len(view.ids) // method.config.batch)
    for _ in range(batches):
        kinds.append(method.advance(state, view, ctx).kind)
    assert set(kinds) == {"centre"}
    return ctx.keep("plan", view, lambda: None), state


def features(number: int, x: torch.Tensor) -> torch.Tensor:
    """The input of the last layer of a drawn network, which is a Sequential."""
    return backbones(drawn(number))[0].double().eval()(x)


def reference(view: View, number: int, x: torch.Tensor, labels: torch.Tensor, away: float) -> torch.Tensor:
    """-cos(z, centre of the next class) + away cos(z, own centre), image by image."""
    clean = features(number, torch.from_numpy(view.pixels).double() / 255)
    mean, losses = clean.mean(0), []
    centres = [clean[torch.from_numpy(view.labels) == one].mean(0) - mean for one in range(len(view.classes))]
    for z, y in zip(features(number, x) - mean, labels.tolist(), strict=True):
        own, following = centres[y], centres[(y + 1) % len(centres)]
        losses.append(away * F.cosine_similarity(z, own, 0) - F.cosine_similarity(z, following, 0))
    return torch.stack(losses).sum()


@pytest.fixture
def view(images: ImageSet) -> View:
    return images.view(16).in_order_of_ids()


def test_the_loss_is_that_of_the_formula_and_several_networks_add_up(view: View) -> None:
    found = {}
    for name, spec in (("first", drawn(0)), ("second", drawn(1)), ("both", TWO)):
        method, ctx = make(surrogate=spec, away=0.7), context()
        plan, state = centred(method, view, ctx)
        batch = plan.batch_of(torch.arange(5, 17))
        d = plan.noise_of(batch.rows, state["noise"]).requires_grad_(True)
        loss = method.noise_loss(NoiseStep(plan, method.frozen(plan, state), batch, ctx.rng("x")), d)
        found[name] = loss, torch.autograd.grad(loss, d)[0]
    for name, numbers in (("first", [0]), ("second", [1]), ("both", [0, 1])):
        at = d.detach().requires_grad_(True)
        x = (batch.x.double() + at).clamp(0, 255) / 255
        wanted = sum(reference(view, number, x, batch.y, 0.7) for number in numbers)
        # inside the range of a pixel, where clipping has no say
        inside = (batch.x + d > 0) & (batch.x + d < 255)
        gradient = torch.autograd.grad(wanted, at)[0]
        assert torch.allclose(found[name][0], wanted, atol=1e-9)
        assert torch.allclose(found[name][1][inside], gradient[inside], atol=1e-12)
    first, second, both = (found[name][1] for name in ("first", "second", "both"))
    assert torch.allclose(both, first + second, atol=1e-12)
    assert float((first - second).abs().max()) > 1e-4


def test_nothing_but_the_noise_has_a_gradient(view: View) -> None:
    method, ctx = make(surrogate=TWO), context()
    plan, state = centred(method, view, ctx)
    networks = method.frozen(plan, state).networks
    assert len(networks) == 2
    assert not any(
        one.requires_grad or network.training for network in networks for one in network.parameters()
    )
    before = {name: value.clone() for name, value in method.surrogate(state).items()}
    for _ in range(6):
        method.advance(state, view, ctx)
    assert set(before) == {"sums.0", "sums.1", "counts"}
    assert all(torch.equal(value, state[name]) for name, value in before.items())
    assert before["counts"].tolist() == [8, 8, 8]


@pytest.mark.parametrize("form", ["samplewise", "classwise"])
def test_a_step_adds_up_scaled_gradients_and_images_of_a_class_share_theirs(form: str, view: View) -> None:
    method, ctx = make(form=form, momentum=0.6, batch=24), context()
    plan, state = centred(method, view, ctx)
    noise, rows = state["noise"].clone(), plan.rows
    speed = torch.zeros_like(noise)
    for round in range(3):
        d = noise[rows].double().requires_grad_(True)
        pixels = torch.from_numpy(view.pixels).double()
        x = pixels + d
        # the gradient is taken at the clipped image, and passes through
        x = x + (x.clamp(0, 255) - x).detach()
        gradient = torch.autograd.grad(reference(view, 0, x / 255, torch.from_numpy(view.labels), 0.5), d)[0]
        wanted = noise.clone()
        for row in range(len(noise)):
            mine = [i for i in range(24) if rows[i] == row]
            scaled = [gradient[i] / gradient[i].abs().mean() for i in mine]
            speed[row] = 0.6 * speed[row] + torch.stack(scaled).mean(0)
            moved = [
                ((pixels[i] + noise[row]).clamp(0, 255) - pixels[i] - 2.0 * speed[row].sign()).clamp(-8, 8)
                for i in mine
            ]
            wanted[row] = torch.stack(moved).mean(0)
        method.move(plan, state, 0)
        assert torch.allclose(state["noise"], wanted, atol=1e-9), round
        assert torch.allclose(state["velocity"], speed, atol=1e-9)
        noise = wanted
        state["round"] += 1


def test_steps_are_long_in_the_first_half_of_the_rounds() -> None:
    method = make(step_size=2.0, late_step_size=0.8)
    assert [method.step_length(round, 5) for round in range(5)] == [2.0, 2.0, 2.0, 0.8, 0.8]
    cosine = make(step_size=2.0, step_schedule="cosine")
    assert cosine.step_length(0, 4) == 2.0
    assert cosine.step_length(3, 4) > 0


def cosines(fitted: methods.Fitted, images: ImageSet, number: int = 0) -> tuple[float, float]:
    """The mean cosine to the own centre and to the next one, under 20 crops that the search never drew."""
    compute = Compute("cpu", "float64")
    clean, view = (
        torch.from_numpy(one.view(24).pixels).double() / 255
        for one in (images, images.with_noise(fitted.noise))
    )
    labels = torch.from_numpy(images.labels)
    z = features(number, clean)
    mean = z.mean(0)
    centres = torch.stack([z[labels == one].mean(0) - mean for one in range(len(images.classes))])
    own, following = [], []
    crops, rng = Transform("photo", (0.5, 1.0)), torch.Generator().manual_seed(77)
    for _ in range(20):
        seen = features(number, crops(view, 24, crops.draw(len(view), rng, compute))) - mean
        own.append(F.cosine_similarity(seen, centres[labels]).mean())
        following.append(F.cosine_similarity(seen, centres[(labels + 1) % len(centres)]).mean())
    return float(torch.stack(own).mean()), float(torch.stack(following).mean())


@pytest.mark.parametrize("form", ["samplewise", "classwise"])
def test_it_moves_features_to_the_next_class_on_views_that_it_never_saw(form: str, scenes: ImageSet) -> None:
    given = {"form": form, "surrogate": TWO, "resolution": 24, "zoom": 1.0, "epsilon": 16, "max_rounds": 20}
    method = methods.create("feature_shift", given).resolve((24, 24), 60)
    fitted = method.fit(scenes.view(24, method.zoom), Context(2))
    random = methods.create("random", {"form": form, "resolution": 24, "epsilon": 16}).resolve((24, 24), 60)
    drawn_noise = random.fit(scenes.view(24), Context(2))
    for number in (0, 1):
        own, following = cosines(fitted, scenes, number)
        own_before, following_before = cosines(drawn_noise, scenes, number)
        assert own < own_before - 0.3, number
        assert following > following_before + 0.3, number
    assert fitted.log[-1] > fitted.log[0]


@pytest.mark.parametrize("form", ["samplewise", "classwise"])
def test_a_class_alone_moves_towards_its_scrambled_images(form: str, scenes: ImageSet) -> None:
    alone = scenes.relabel(lambda id, old: "mine")
    method = methods.create(
        "feature_shift",
        {"form": form, "surrogate": drawn(0), "resolution": 24, "zoom": 1.0, "epsilon": 16, "max_rounds": 20},
    ).resolve((24, 24), 60)
    fitted = method.fit(alone.view(24, method.zoom), Context(2))
    assert set(fitted.noise.keys) == (set(scenes.ids) if form == "samplewise" else {"mine"})
    clean, moved = (
        features(0, torch.from_numpy(one.view(24).pixels).double() / 255)
        for one in (alone, alone.with_noise(fitted.noise))
    )
    sums, counts = fitted.surrogate["sums.0"].double(), fitted.surrogate["counts"]
    assert counts.tolist() == [60, 60]
    own, stranger = sums / 60
    middle = (own + stranger) / 2
    assert torch.allclose(own, clean.mean(0), atol=1e-4)
    before, after = (
        F.cosine_similarity(one - middle, (stranger - middle)[None]).mean() for one in (clean, moved)
    )
    assert after > before + 0.3


def test_scrambled_images_have_the_same_tiles_elsewhere() -> None:
    x = torch.rand(2, 3, 19, 19)
    mixed = scrambled(x, torch.Generator().manual_seed(1))
    assert mixed.shape == x.shape
    tile = 4
    even = torch.nn.functional.interpolate(mixed, (16, 16), mode="nearest")
    square = scrambled(x[..., :16, :16], torch.Generator().manual_seed(1))

    def tiles(image: torch.Tensor) -> set[bytes]:
        return {
            image[:, top : top + tile, left : left + tile].contiguous().numpy().tobytes()
            for top in range(0, 16, tile)
            for left in range(0, 16, tile)
        }

    assert tiles(square[0]) == tiles(x[0, :, :16, :16])
    assert not torch.equal(square, x[..., :16, :16])
    assert even.shape == square.shape


@pytest.mark.parametrize("form", ["samplewise", "classwise"])
@pytest.mark.parametrize("stop", [2, 4, 7])
def test_resumed_equals_uninterrupted_with_its_earlier_gradients(
    form: str, stop: int, images: ImageSet, tmp_path
) -> None:
    method = make(form=form, surrogate=TWO, momentum=0.9, max_rounds=3, transforms="photo")
    view, path = images.view(16), tmp_path / "checkpoint"
    whole = method.fit(view, Context(1))
    ctx = Context(1)
    state, log = method.start(view, ctx), []
    for _ in range(stop):
        progress = method.advance(state, view, ctx)
        log += [progress.error] if progress.round_ended else []
    save_state(path, {**state, "log": log}, {})
    again = method.fit(view, Context(1), state=load_state(path, {}))
    assert again.log == whole.log
    assert np.array_equal(again.noise.bank, whole.noise.bank)
    plain = make(form=form, surrogate=TWO, momentum=0.0, max_rounds=3, transforms="photo")
    assert not np.array_equal(plain.fit(view, Context(1)).noise.bank, whole.noise.bank)


def test_later_photos_take_the_same_steps_against_the_saved_centres(images: ImageSet) -> None:
    method = make(momentum=0.5, max_rounds=3, init="zero", batch=24)
    view = images.view(16).in_order_of_ids()
    fitted = method.fit(view, Context(1))
    # the photos of the search itself get their own noise again: same draws, same centres, same steps
    again = method.extend(fitted, view, Context(1))
    assert np.array_equal(again.bank, fitted.noise.bank)
    other = replace(view, classes=("ant", "bee", "dog"))
    with pytest.raises(DataError, match="does not know class 'dog'"):
        method.extend(fitted, other, Context(1))


def test_the_search_stops_when_enough_photos_left_their_class(images: ImageSet) -> None:
    fitted = fit("feature_shift", images.view(16), "samplewise", max_rounds=30, min_rounds=2, stop_error=0.3)
    assert 2 <= len(fitted.log) < 30
    assert fitted.log[-1] >= 0.3
    assert "has reached 30.0%" in fitted.reason


def test_recognisers_of_faces_are_surrogates_like_others(tmp_path: Path, scenes: ImageSet) -> None:
    pytest.importorskip("onnx")
    from onnx_files import recogniser

    paths = [recogniser(tmp_path / f"{seed}.onnx", seed) for seed in (0, 5)]
    spec = "+".join(f"recogniser={path},127.5,127.5" for path in paths)
    given = {
        "surrogate": spec,
        "resolution": 24,
        "grid": 24,
        "max_rounds": 15,
        "min_rounds": 15,
        "epsilon": 16,
    }
    method = methods.create("feature_shift", given).resolve((24, 24), 60)
    assert (method.config.transforms, method.config.form) == ("aligned", "samplewise")
    assert str(paths[1].resolve()) in method.config.surrogate
    fitted = method.fit(scenes.view(24), Context(2))
    views = [torch.from_numpy(one.view(24).pixels) / 255 for one in (scenes, scenes.with_noise(fitted.noise))]
    labels = torch.from_numpy(scenes.view(24).labels)
    rows, count = torch.arange(len(labels)), len(scenes.classes)
    for network in backbones(method.config.surrogate):
        with torch.no_grad():
            clean, moved = (network(x) for x in views)
        mean = clean.mean(0)
        centres = torch.stack([clean[labels == k].mean(0) - mean for k in range(count)])
        before, after = (
            F.cosine_similarity((z - mean)[:, None], centres[None], dim=2) for z in (clean, moved)
        )
        target = (labels + 1) % count
        assert (after > before)[rows, target].float().mean() > 0.85
        assert (after < before)[rows, labels].float().mean() > 0.85


def test_settings_for_recognisers_yield_to_those_given(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    from onnx_files import recogniser

    path = recogniser(tmp_path / "net.onnx")
    made = FeatureShift(surrogate=f"recogniser={path}", grid=40, countermeasures="none")
    assert (made.config.grid, made.config.countermeasures, made.config.resolution) == (40, "none", 112)
    assert FeatureShift(surrogate=drawn(0)).config.transforms == "photo"


def test_a_recogniser_of_other_content_than_the_runs_is_refused(tmp_path: Path, view: View) -> None:
    pytest.importorskip("onnx")
    from onnx_files import recogniser

    path = recogniser(tmp_path / "net.onnx")
    method = make(surrogate=f"recogniser={path}")
    recogniser(path, seed=7)
    with pytest.raises(DataError, match="is not the file that the noise was found with"):
        method.start(view, context())
