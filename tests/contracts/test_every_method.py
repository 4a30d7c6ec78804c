"""The contract of every method. New ones are tested without being listed here."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from quick import fit, forms, make
from unlearnable import methods
from unlearnable.data.arrays import arrays
from unlearnable.data.decoding import decode
from unlearnable.data.encoding import Encoding, encode
from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Photo
from unlearnable.methods import Context
from unlearnable.methods.fitted import load_state, save_state

EVERY = [(name, form) for name in methods.names() for form in forms(name)]


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_budget_is_exact_in_integers_and_used(name: str, form: str, images: ImageSet) -> None:
    fitted = fit(name, images.view(16), form)
    assert fitted.noise.bank.dtype == np.int8
    assert 0 < int(np.abs(fitted.noise.bank.astype(int)).max()) <= 8
    protected = images.with_noise(fitted.noise)
    change = max(
        int(np.abs(protected.photo(i).pixels.astype(int) - images.photo(i).pixels).max()) for i in images.ids
    )
    assert 0 < change <= 8


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_same_seed_equal_other_seed_different(name: str, form: str, images: ImageSet) -> None:
    view = images.view(16)
    first, again, other = (fit(name, view, form, seed).noise.bank for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_order_of_the_files_does_not_matter(name: str, form: str, images: ImageSet) -> None:
    backwards = images.ids[::-1]
    shuffled = arrays(
        [images.photo(i).pixels for i in backwards], [images.class_of[i] for i in backwards], ids=backwards
    )
    assert np.array_equal(
        fit(name, images.view(16), form).noise.bank, fit(name, shuffled.view(16), form).noise.bank
    )


@pytest.mark.parametrize(
    ("name", "form", "more"),
    [*((*one, {}) for one in EVERY), ("error_minimizing", "samplewise", {"skip_below": 0.01})],
)
def test_resumed_search_equals_an_uninterrupted_one(
    name: str, form: str, more: dict[str, object], images: ImageSet, tmp_path
) -> None:
    view, whole = images.view(16), fit(name, images.view(16), form, **more)
    method, path = make(name, form, **more), tmp_path / "checkpoint.safetensors"
    for stop in (1, 7, 11):

        class Killed(Exception):
            pass

        def save(state: methods.State, left: list[int] = [stop]) -> None:  # noqa: B006
            save_state(path, state, {"run": 1})
            left[0] -= 1
            if left[0] == 0:
                raise Killed

        path.unlink(missing_ok=True)
        try:
            result = method.fit(view, Context(1), save=save, every=-1.0)
        except Killed:
            result = method.fit(view, Context(1), state=load_state(path, {"run": 1}))
        assert np.array_equal(result.noise.bank, whole.noise.bank), stop
        assert result.log == whole.log


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_what_a_round_costs_is_counted_before_it_is_run(name: str, form: str, images: ImageSet) -> None:
    view, method, context = images.view(16), make(name, form), Context(1)
    state = method.start(view, context)
    for number in range(2):
        taken, progress = [], None
        while progress is None or not progress.round_ended:
            progress = method.advance(state, view, context)
            taken.append(progress.kind)
        planned = [part.kind for part in method.round_steps(number, len(images)) for _ in range(part.count)]
        # a method without rounds has steps without a kind
        assert planned == [kind for kind in taken if kind]
        assert progress.done == progress.total == len(taken)


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_context_is_never_given_noise(name: str, form: str, images: ImageSet) -> None:
    other = arrays(np.full((6, 16, 16, 3), 90, np.uint8), ["zebra"] * 6, ids=[f"z{i}" for i in range(6)])
    joined = images.join(other)
    noise = fit(name, joined.view(16), form).noise
    keys = {key for class_name in images.classes for key in noise.assignment.keys(class_name)}
    assert set(noise.keys) == (set(images.ids) if form == "samplewise" else keys)
    assert all(noise.row(i, joined.class_of[i]) is None for i in joined.ids if joined.class_of[i] == "zebra")


@pytest.mark.parametrize("name", [name for name in methods.names() if "samplewise" in forms(name)])
def test_noise_keeps_to_its_image_when_others_come_and_go(name: str, images: ImageSet) -> None:
    noise = fit(name, images.view(16)).noise
    fewer = images.subset(images.ids[5:9])
    for id in fewer.ids:
        assert np.array_equal(
            fewer.with_noise(noise).photo(id).pixels, images.with_noise(noise).photo(id).pixels
        )
    changed = arrays(
        255 - np.stack([images.photo(i).pixels for i in images.ids]), ["ant"] * 24, ids=images.ids
    )
    for id in changed.ids:  # another content under a known id: no noise rather than a wrong one
        assert np.array_equal(changed.with_noise(noise).photo(id).pixels, changed.photo(id).pixels)


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_grey_images_stay_grey(name: str, form: str) -> None:
    grey = arrays(
        np.random.default_rng(0).integers(0, 256, (24, 16, 16), dtype=np.uint8), ["a", "b", "c"] * 8
    )
    noise = fit(name, grey.view(16), form).noise
    protected = grey.with_noise(noise)
    assert all(protected.photo(i).pixels.ndim == 2 for i in grey.ids)


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_grey_images_in_a_coloured_class_get_half_of_the_noise_of_the_others(
    name: str, form: str, images: ImageSet
) -> None:
    mixed = arrays(
        [
            images.photo(i).pixels[..., 0] if i in images.ids[:6] else images.photo(i).pixels
            for i in images.ids
        ],
        [images.class_of[i] for i in images.ids],
        ids=images.ids,
    )
    noise = fit(name, mixed.view(16), form).noise
    change = {}
    for id in mixed.ids:
        slot = noise.slot(id, mixed.class_of[id])
        assert slot is not None
        # on middle grey, where no pixel is clipped
        before = Photo(np.full((16, 16) if id in mixed.ids[:6] else (16, 16, 3), 128, np.uint8))
        after = decode(encode(Photo(noise.add(before.pixels, slot)), Encoding("png")), id)
        change[id] = np.abs(after.rgb().astype(int) - before.rgb()).mean()
    for name in mixed.classes:
        grey, others = (
            np.mean(
                [
                    change[id]
                    for id in mixed.ids
                    if mixed.class_of[id] == name and (id in mixed.ids[:6]) == is_grey
                ]
            )
            for is_grey in (True, False)
        )
        assert others > 0
        # of less than a level, rounding to whole levels may lose more than half
        assert grey >= 0.5 * others or others < 1


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_a_fitted_run_survives_the_disk(name: str, form: str, images: ImageSet, tmp_path) -> None:
    fitted = fit(name, images.view(16), form)
    fitted.save(tmp_path)
    again = methods.Fitted.load(tmp_path)
    assert np.array_equal(again.noise.bank, fitted.noise.bank)
    assert dataclasses.replace(again.noise, bank=fitted.noise.bank) == dataclasses.replace(
        fitted.noise, bank=fitted.noise.bank
    )
    assert again.log == fitted.log
    assert all(torch.equal(again.surrogate[key], value) for key, value in fitted.surrogate.items())


@pytest.mark.parametrize("name", methods.names())
def test_extend_covers_images_that_came_later(name: str, images: ImageSet) -> None:
    old, new = images.subset(images.ids[:18]), images.subset(images.ids[18:])
    for form in forms(name):
        method = make(name, form)
        fitted = method.fit(old.view(16), Context(3))
        noise = fitted.noise.joined(method.extend(fitted, new.view(16), Context(3)))
        assert all(
            noise.row(id, images.class_of[id], images.source.load(id)[1]) is not None for id in images.ids
        )
        for id in old.ids:
            assert np.array_equal(
                old.with_noise(noise).photo(id).pixels, old.with_noise(fitted.noise).photo(id).pixels
            )


@pytest.mark.parametrize("name", methods.names())
def test_every_method_has_a_revision(name: str) -> None:
    assert methods.get(name).revision >= 1
