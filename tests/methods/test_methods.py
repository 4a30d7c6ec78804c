"""Searches: what single settings do, when a search stops, and how rounds are counted."""

from __future__ import annotations

import numpy as np
import pytest

from quick import fit, make
from unlearnable import methods, presets
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UsageError
from unlearnable.methods import Context
from unlearnable.methods.config import Config
from unlearnable.methods.fitted import load_state, save_state
from unlearnable.methods.search_loop import stop_reason
from unlearnable.plugins import load_plugin

# Settings of a quick search, whatever the method: those that it has.


def test_surrogate_batches_that_are_counted_do_not_grow_with_the_images() -> None:
    counted, epochs = (
        make("error_minimizing", train_batches=3),
        make("error_minimizing", train_batches=0, passes=2),
    )
    assert work(counted) == {"train": (24, 3), "move": (1000, 125), "measure": (1000, 1)}
    assert work(epochs) == {"train": (1000, 125), "move": (2000, 250), "measure": (1000, 1)}
    assert work(make("error_minimizing", "classwise", share=0.2))["move"] == (200, 25)


def work(method: methods.Method) -> dict[str, tuple[int, int]]:
    """Images and steps of each kind in a round of a search on 1,000 images."""
    return {part.kind: (part.images, part.count) for part in method.round_steps(1, 1000)}


def test_the_training_error_costs_no_pass_and_survives_a_checkpoint(images: ImageSet, tmp_path) -> None:
    method, view, ctx, path = (
        make("error_minimizing", measure="training"),
        images.view(16),
        Context(1),
        tmp_path / "checkpoint",
    )
    assert set(work(method)) == {"train", "move"}
    whole = method.fit(view, ctx)
    state = method.start(view, ctx)
    for _ in range(2):  # in the middle of a round
        method.advance(state, view, ctx)
    assert not method.advance(state, view, ctx).round_ended
    save_state(path, state, {})
    again = method.fit(view, Context(1), state=load_state(path, {}))
    assert again.log == whole.log
    assert np.array_equal(again.noise.bank, whole.noise.bank)
    assert np.array_equal(
        whole.noise.bank, make("error_minimizing", measure="before").fit(view, Context(1)).noise.bank
    )
    assert all(error is not None and round(error * 24) == pytest.approx(error * 24) for error in whole.log)


def test_unknown_settings_are_named() -> None:
    with pytest.raises(UsageError, match="stepz is not a setting"):
        methods.create("error_minimizing", {"stepz": 3})
    with pytest.raises(UsageError, match="epsilon"):
        methods.create("random", {"epsilon": 0})
    with pytest.raises(UsageError, match="no method 'nose'"):
        methods.create("nose")


def test_noise_that_the_surrogate_is_sure_of_is_left_alone_and_the_rest_moves(images: ImageSet) -> None:
    method, view, ctx = (
        make("error_minimizing", skip_below=0.01, batch=4, max_rounds=8, min_rounds=8, train_batches=6),
        images.view(16),
        Context(1),
    )
    state, moved, left = method.start(view, ctx), [], 0
    for _ in range(8):
        before, progress = state["noise"].clone(), None
        while progress is None or not progress.round_ended:
            progress = method.advance(state, view, ctx)
        active = set(state["active"].tolist())
        assert len(active) % 4 == 0  # batches keep one shape
        changed = {int(row) for row in (state["noise"] != before).flatten(1).any(1).nonzero()[:, 0]}
        assert changed <= active
        moved.append(len(active))
        left += len(view.ids) - len(active)
        assert progress.error == state["error"]
    assert moved[0] == 24  # a surrogate that knows nothing yet is sure of nothing
    assert left > 0
    assert list(work(method)) == ["train", "measure", "move"]


def test_classwise_noise_has_nothing_to_leave_alone(images: ImageSet) -> None:
    every, settled = (
        fit("error_minimizing", images.view(16), "classwise", skip_below=loss).noise.bank
        for loss in (0.0, 0.01)
    )
    assert np.array_equal(every, settled)


def test_one_class_is_refused(images: ImageSet) -> None:
    with pytest.raises(DataError, match="one class only"):
        fit("error_minimizing", images.relabel(lambda id, old: "all").view(16))


def test_reasons_to_stop() -> None:
    config = Config(min_rounds=2, max_rounds=6, stop_error=0.05, patience=2)
    assert stop_reason(config, [0.01]) == ""
    assert "below 5.0%" in stop_reason(config, [0.5, 0.01])
    assert "not fallen for 2 rounds" in stop_reason(config, [0.5, 0.3, 0.4, 0.3])
    assert stop_reason(config, [0.5, 0.3, 0.4, 0.2]) == ""
    assert "6 rounds" in stop_reason(config, [0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    assert stop_reason(Config(max_rounds=2, stop_error=0.0), [0.0]) == ""
    assert "reached 5.0%" in stop_reason(config, [0.0, 0.1], rises=True)


def test_cosine_steps_shorten_from_the_whole_to_a_twentieth_and_move_the_noise_by_that(
    images: ImageSet,
) -> None:
    constant, cosine = (
        make("error_minimizing"),
        make("error_minimizing", step_schedule="cosine", step_size=2.0),
    )
    assert {constant.step_length(round, 9) for round in range(9)} == {0.8}
    lengths = [cosine.step_length(round, 9) for round in range(10)]
    assert (lengths[0], lengths[-1]) == (2.0, pytest.approx(0.1))
    assert lengths == sorted(lengths, reverse=True)
    method = make("error_minimizing", step_schedule="cosine", step_size=2.0, steps=1, transforms="flip-crop")
    view, ctx, state, moved = images.view(16), Context(1), {}, []
    state = method.start(view, ctx)
    while len(moved) < 3:
        before = state["noise"].clone()
        while not method.advance(state, view, ctx).round_ended:
            pass
        moved.append(
            float((state["noise"] - before).abs().median())
        )  # where clipping ate noise it moves further
    assert moved == pytest.approx(
        [method.step_length(round, 3) for round in range(3)], abs=0.005
    )  # half precision


@pytest.mark.parametrize(
    ("count", "samplewise", "classwise"),
    [(40, 300, 300), (150, 300, 200), (500, 180, 60), (3000, 60, 60), (50_000, 60, 60)],
)
def test_fewer_photos_are_gone_over_more_often(count: int, samplewise: int, classwise: int) -> None:
    for form, rounds in (("samplewise", samplewise), ("classwise", classwise), ("auto", classwise)):
        merged = presets.merge(presets.read("laptop"), None, {"form": form})
        method = methods.create("error_minimizing", merged).resolve((375, 500), count)
        assert method.config.max_rounds == rounds


def test_noise_steps_are_counted_and_not_rounds() -> None:
    for given, rounds in (
        ({}, 180),
        ({"steps": 3}, 60),
        ({"steps": 2, "passes": 3}, 30),
        ({"max_rounds": 7, "steps": 3}, 7),
    ):
        merged = presets.merge(presets.read("laptop"), None, {"form": "samplewise", **given})
        assert methods.create("error_minimizing", merged).resolve((375, 500), 500).config.max_rounds == rounds


@pytest.mark.parametrize("name", presets.names())
def test_search_fast_is_a_table_of_the_preset_under_what_is_given(name: str, tmp_path) -> None:
    preset = presets.read(name)
    exact, fast = (
        presets.merge(preset, None, {"form": "samplewise", "search": search}) for search in ("exact", "fast")
    )
    assert exact == presets.merge(preset, None, {"form": "samplewise"})
    assert fast == {**exact, **presets.fast(preset, "samplewise")}
    assert exact != fast
    for merged in (exact, fast):
        methods.create("error_minimizing", merged)
    file = tmp_path / "own.toml"
    file.write_text('search = "fast"\nsteps = 9\n[fast]\nbatch = 7\n')
    own = presets.merge(preset, file, {"form": "samplewise"})
    assert own == {**fast, "batch": 7, "steps": 9}  # what is said of a setting itself comes last
    assert presets.merge(preset, file, {"form": "samplewise", "search": "exact"}) == {**exact, "steps": 9}
    with pytest.raises(UsageError, match="no search 'quick'"):
        presets.merge(preset, None, {"search": "quick"})
    with pytest.raises(UsageError, match="known to make this classwise search fast"):
        presets.merge({"fast": {"samplewise": {"steps": 2}}}, None, {"search": "fast"})


def test_a_plugin_is_one_file(tmp_path, images: ImageSet) -> None:
    file = tmp_path / "stripes.py"
    file.write_text(
        "import torch\n"
        "from unlearnable.methods import Config, Method, Progress, register\n"
        "@register\n"
        "class Stripes(Method[Config]):\n"
        "    '''Stripes far outside the budget.'''\n"
        "    name = 'stripes'\n"
        "    Config = Config\n"
        "    def start(self, view, ctx): return {'n': torch.full((len(self.keys(view)), 3, 16, 16), 99.0)}\n"
        "    def advance(self, state, view, ctx): return Progress(1, 1, round_ended=True)\n"
        "    def finish(self, state): return state['n']\n"
    )
    load_plugin(file)
    try:
        noise = fit("stripes", images.view(16), "classwise").noise
    finally:
        methods.registry._METHODS.pop("stripes")
    assert set(np.unique(noise.bank)) == {8}  # a method is not trusted to obey the budget
