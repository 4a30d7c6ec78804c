"""Which image gets which pattern, and where: by hash, the same in the search and when it is published."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from unlearnable import methods
from unlearnable.assignment import Assignment
from unlearnable.budget import Budget
from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UnlearnableError, UsageError
from unlearnable.methods import BySurrogate, Context
from unlearnable.methods.search_plan import NoiseStep
from unlearnable.noise import Noise, Slot
from unlearnable.noise_file import FORMAT
from unlearnable.worker import LEFT_OUT

IDS = [f"train/{number:05d}" for number in range(4000)]
SEARCH = {
    "surrogate": "cnn:width=8,depth=2",
    "batch": 8,
    "train_batches": 2,
    "steps": 2,
    "min_rounds": 2,
    "max_rounds": 2,
    "stop_error": 0.0,
    "resolution": 16,
}
FORMS = ("samplewise", "classwise")


def patterns(count: int = 2, side: int = 4) -> np.ndarray:
    signs = np.random.default_rng(0).choice([-8, 8], (count, 3, side, side))
    return signs.astype(np.int8)


def banked(keys: tuple[str, ...], assignment: Assignment, side: int = 4) -> Noise:
    return Noise(patterns(len(keys), side), keys, "classwise", Budget(8), (16, 16), assignment=assignment)


def test_shares_are_nested_and_met_on_average() -> None:
    before: set[str] = set()
    for share in (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0):
        assignment = Assignment(share=share, seed=7)
        now = {id for id in IDS if assignment.covers(id, "a")}
        assert before <= now
        assert abs(len(now) / len(IDS) - share) < 0.03
        before = now
    assert len(before) == len(IDS)
    other = {id for id in IDS if Assignment(share=0.5, seed=8).covers(id, "a")}
    mine = {id for id in IDS if Assignment(share=0.5, seed=7).covers(id, "a")}
    assert abs(len(mine & other) / len(IDS) - 0.25) < 0.03


def test_one_of_several_is_drawn_evenly_and_apart_from_the_share() -> None:
    assignment = Assignment(share=0.5, patterns_per_class=2)
    keys = [assignment.key(id, "a") for id in IDS]
    assert set(keys) == set(assignment.keys("a"))
    assert abs(keys.count(keys[0]) / len(keys) - 0.5) < 0.03
    covered = [key for id, key in zip(IDS, keys, strict=True) if assignment.covers(id, "a")]
    assert abs(covered.count(keys[0]) / len(covered) - 0.5) < 0.04
    assert not set(Assignment(patterns_per_class=11).keys("a")) & set(
        Assignment(patterns_per_class=11).keys("a1")
    )


def test_random_places_are_all_of_them_and_the_centre_is_the_middle() -> None:
    corners = {Assignment(offset="random").top_left(id, (4, 5), (8, 8)) for id in IDS}
    assert corners == {(top, left) for top in range(5) for left in range(4)}
    assert Assignment(offset="centre").top_left("x", (4, 5), (8, 8)) == (2, 1)
    assert Assignment(offset="random").top_left("x", (8, 8), (8, 8)) == (0, 0)
    assert Assignment().top_left("x", (4, 4), (8, 8)) is None


@pytest.mark.parametrize(
    "wrong", [{"share": 1.1}, {"share": -0.1}, {"patterns_per_class": 0}, {"offset": "corner"}]
)
def test_what_is_out_of_range_is_refused(wrong: dict) -> None:
    with pytest.raises(UsageError):
        Assignment(**wrong)


def test_noise_refuses_assignments_that_make_no_sense() -> None:
    with pytest.raises(UnlearnableError, match="one pattern per image"):
        Noise(
            patterns(1), ("a",), "samplewise", Budget(8), (4, 4), assignment=Assignment(patterns_per_class=2)
        )
    with pytest.raises(UnlearnableError, match="does not fit"):
        Noise(patterns(1), ("a",), "classwise", Budget(8), (3, 3), assignment=Assignment(offset="random"))


def test_only_some_classes_and_classes_mapped_onto_others() -> None:
    noise = banked(
        ("boat", "ship"), Assignment(classes=("vessel", "ship"), mapped={"vessel": "boat", "tank": "ship"})
    )
    assert noise.slot("1", "vessel") == Slot(0)
    assert noise.slot("1", "ship") == Slot(1)
    assert noise.slot("1", "boat") is None
    assert noise.slot("1", "tank") is None  # mapped, but not of the classes


@pytest.mark.parametrize("place", ["centre", "random"])
def test_a_patch_lies_at_its_place_and_nowhere_else(place: str, images: ImageSet) -> None:
    noise = banked(images.classes, Assignment(offset=place, seed=3))  # type: ignore[arg-type]
    grey = arrays(
        np.full((24, 16, 16, 3), 100, np.uint8), [images.class_of[i] for i in images.ids], ids=images.ids
    )
    protected, corners = grey.with_noise(noise), set()
    for row, id in enumerate(grey.ids):
        change = protected.photo(id).pixels.astype(int) - 100
        top, left = noise.assignment.top_left(id, (4, 4), (16, 16)) or (-1, -1)
        inside = np.zeros((16, 16), bool)
        inside[top : top + 4, left : left + 4] = True
        assert not change[~inside].any(), row
        assert np.array_equal(
            change[inside].reshape(4, 4, 3).transpose(2, 0, 1),
            noise.bank[images.classes.index(grey.class_of[id])],
        )
        corners.add((top, left))
    assert len(corners) > 10 if place == "random" else corners == {(6, 6)}


def test_a_patch_on_a_larger_photo_is_lifted_with_the_grid() -> None:
    noise = banked(("a",), Assignment(offset="centre"))
    out = noise.add(np.full((64, 32, 3), 100, np.uint8), Slot(0, (6, 6))).astype(int) - 100
    moved = np.argwhere(out.any(-1))
    assert moved.min(0).tolist() == pytest.approx([24, 12], abs=2)
    assert moved.max(0).tolist() == pytest.approx([39, 19], abs=2)


def test_an_assignment_survives_the_disk_and_is_not_misread(tmp_path) -> None:
    path = tmp_path / "noise.safetensors"
    plain = banked(("a", "b"), Assignment())
    plain.save(path)
    with safe_open(str(path), framework="np") as file:
        meta = json.loads(file.metadata()["unlearnable"])
    assert meta["format"] == FORMAT  # as before there were assignments, so that every version reads it
    assert "assignment" not in meta
    assert Noise.load(path).assignment == Assignment()
    chosen = Assignment(0.4, ("a", "b"), 2, "random", {"x": "a"}, 5)
    keys = (*chosen.keys("a"), *chosen.keys("b"))
    banked(keys, chosen).save(path)
    again = Noise.load(path)
    assert (again.assignment, again.keys) == (chosen, keys)
    with safe_open(str(path), framework="np") as file:
        meta = json.loads(file.metadata()["unlearnable"])
    assert meta["format"] != FORMAT
    tensors = load_file(path)
    save_file(tensors, path, metadata={"unlearnable": json.dumps({**meta, "assignment": {"shade": 1}})})
    with pytest.raises(DataError, match="not a readable noise file"):
        Noise.load(path)


def test_joined_noise_keeps_who_is_left_out_and_refuses_another_place() -> None:
    first = banked(("a",), Assignment(share=0.5, offset="random", seed=1))
    second = banked(("b",), Assignment(offset="random", seed=1))
    assert first.joined(second).assignment == first.assignment
    for other in (
        Assignment(offset="random", seed=2),
        Assignment(offset="centre"),
        Assignment(patterns_per_class=2, offset="random", seed=1),
    ):
        with pytest.raises(UnlearnableError, match="cannot be joined: form, grid"):
            first.joined(dataclasses.replace(second, assignment=other))


def test_photos_that_are_left_out_are_listed_and_not_extended(photos, tmp_path) -> None:
    import unlearnable
    from unlearnable.api import apply
    from unlearnable.data.folder import folder

    images = folder(photos).readable()
    fitted = unlearnable.fit(images, methods.create("random", {"resolution": 16}), seed=1)
    noise = dataclasses.replace(fitted.noise, assignment=Assignment(classes=("cats",)))
    run = tmp_path / "run"
    dataclasses.replace(fitted, noise=noise).save(run)
    settings = fitted.noise.provenance["config"]
    (run / "run.json").write_text(
        json.dumps({"method": "random", "settings": settings, "seed": 1, "searched": True})
    )
    published = apply(run, photos, tmp_path / "out", extend=True, workers=1)
    dogs = {id for id in images.ids if images.class_of[id] == "dogs"}
    assert dict.fromkeys(dogs, LEFT_OUT) == dict(published.skipped)
    assert published.written == len(images) - len(dogs)


SMALLER = [
    {"tile": 5, "offset": "random"},
    {"tile": 5, "offset": "centre"},
    {"tile": 5},
    {"tile": 5, "offset": "random", "patterns_per_class": 2},
]


def search(form: str, more: dict, images: ImageSet, name: str = "error_minimizing") -> BySurrogate:
    given = {} if name == "random" else SEARCH
    made = methods.create(name, {**given, "form": form, **more})
    return made.resolve((16, 16), len(images))  # type: ignore[return-value]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("more", [*SMALLER, {"patterns_per_class": 3}], ids=str)
def test_the_search_sees_what_is_published(form: str, more: dict, images: ImageSet) -> None:
    method, view, ctx = search(form, more, images), images.view(16), Context(9)
    noise = method.fit(view, ctx).noise
    assert noise.bank.any()
    plan = method.plan(view, ctx)
    batch = plan.batch_of(torch.arange(24))
    seen = plan.show(batch, plan.noise_of(batch.rows, torch.from_numpy(noise.bank)), None) * 255
    published = images.with_noise(noise).view(16).pixels
    assert np.array_equal(seen.round().numpy().astype(np.uint8), published)
    changed = (published != view.pixels).any(1).sum((1, 2))
    if more.get("offset", "tile") == "tile":
        assert changed.min() > 25
    else:
        assert 0 < changed.max() <= 25


@pytest.mark.parametrize("form", FORMS)
def test_gradients_of_a_patch_are_those_of_its_place(form: str, images: ImageSet) -> None:
    method, view, ctx = search(form, {"tile": 5, "offset": "random"}, images), images.view(16), Context(9)
    plan = method.plan(view, ctx)
    batch = plan.batch_of(torch.arange(24))
    d = (torch.randn(24, 3, 5, 5) * 4).requires_grad_(True)
    weights = torch.randn(24, 3, 16, 16)
    gradient = torch.autograd.grad((plan.show(batch, d, None) * weights).sum(), d)[0] * 255
    under = plan.under(batch, d)
    assert under is not None
    for i, id in enumerate(view.ids):
        top, left = method.config.assignment(9).top_left(id, (5, 5), (16, 16)) or (-1, -1)
        assert torch.allclose(gradient[i], weights[i, :, top : top + 5, left : left + 5], atol=1e-5)
        assert torch.equal(
            under[i], torch.from_numpy(view.pixels)[i, :, top : top + 5, left : left + 5].float()
        )


def test_a_class_wise_patch_moves_by_the_mean_in_its_own_coordinates(images: ImageSet) -> None:
    method, view, ctx = (
        search("classwise", {"tile": 5, "offset": "random", "patterns_per_class": 2}, images),
        images.view(16),
        Context(9),
    )
    state = method.start(view, ctx)
    plan = method.plan(view, ctx)
    method.train(plan, state, 0)
    order = torch.randperm(24, generator=ctx.rng("noise order", 0, 0))[:8]
    batch = plan.batch_of(order)
    d = plan.noise_of(batch.rows, state["noise"])
    copies = method.sign_steps(NoiseStep(plan, plan.frozen(state), batch, ctx.rng("any")), d, 0)
    method.move(plan, state, 0)
    for row in range(len(state["noise"])):
        mine = copies[batch.rows == row]
        assert torch.allclose(
            state["noise"][row], mine.mean(0) if len(mine) else torch.zeros(3, 5, 5), atol=1e-5
        )


@pytest.mark.parametrize("name", ["random", "error_minimizing", "error_maximizing"])
def test_several_noises_per_class_are_shared_out_evenly(name: str) -> None:
    rng = np.random.default_rng(0)
    many = arrays(
        rng.integers(0, 256, (200, 16, 16, 3), dtype=np.uint8),
        ["a", "b"] * 100,
        ids=[f"{i:03d}" for i in range(200)],
    )
    more = (
        {}
        if name == "random"
        else {key: value for key, value in SEARCH.items() if key != "train_batches"} | {"max_rounds": 1}
    )
    more |= {"min_rounds": 1, "patterns_per_class": 2, "form": "classwise"} | (
        {"pretrain_epochs": 0.1} if name == "error_maximizing" else {}
    )
    noise = methods.create(name, more).resolve((16, 16), 200).fit(many.view(16), Context(2)).noise
    assert len(noise.bank) == 4
    assert not np.array_equal(noise.bank[0], noise.bank[1])
    rows = [noise.row(id, many.class_of[id]) for id in many.ids]
    assert all(35 <= rows.count(row) <= 65 for row in range(4))


@pytest.mark.parametrize(
    ("form", "more"),
    [("samplewise", {"tile": 5, "offset": "random"}), ("classwise", {"patterns_per_class": 2, "tile": 5})],
)
@pytest.mark.parametrize("name", ["random", "error_minimizing"])
def test_what_comes_later_gets_its_noise_likewise(name: str, form: str, more: dict, images: ImageSet) -> None:
    old, new = images.subset(images.ids[:18]), images.subset(images.ids[18:])
    method = search(form, more, images, name)
    fitted = method.fit(old.view(16), Context(3))
    noise = fitted.noise.joined(method.extend(fitted, new.view(16), Context(3)))
    assert all(
        noise.slot(id, images.class_of[id], images.source.load(id)[1]) is not None for id in images.ids
    )
    for id in old.ids:
        assert np.array_equal(
            old.with_noise(noise).photo(id).pixels, old.with_noise(fitted.noise).photo(id).pixels
        )
