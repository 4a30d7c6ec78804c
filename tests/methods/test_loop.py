"""The loop and the contract of every method: settings, keys, rounding, events, checkpoints, errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from unlearnable import methods
from unlearnable.assignment import Assignment
from unlearnable.data.image_set import ImageSet
from unlearnable.data.view import View
from unlearnable.errors import DataError, UnlearnableError, UsageError
from unlearnable.events import Event
from unlearnable.methods import Config, Context, Method, NoiseConfig, Progress, bank, search_loop
from unlearnable.methods.config import rounds_for
from unlearnable.methods.context import Context as FullContext
from unlearnable.methods.fitted import Fitted, load_state, load_tensors, save_state, save_tensors
from unlearnable.methods.search_loop import require_resolved, stop_reason
from unlearnable.noise import Noise
from unlearnable.training.compute import Compute
from unlearnable.training.recipe import Recipe
from unlearnable.version import __version__


class Counting(Method[Config]):
    """A method that counts: three steps a round, errors from a list, noise beyond the budget."""

    name = "counting"
    Config = Config
    errors: tuple[float | None, ...] = (0.9, 0.5, 0.4, 0.3, 0.2)

    def start(self, view: View, ctx: Context) -> methods.State:
        return {"noise": torch.zeros(len(self.keys(view)), 3, 4, 4), "steps": 0}

    def advance(self, state: methods.State, view: View, ctx: Context) -> Progress:
        state["steps"] += 1
        number, done = divmod(state["steps"] - 1, 3)
        state["noise"] += 1.4
        return Progress(done + 1, 3, done == 2, self.errors[number] if done == 2 else None)

    def finish(self, state: methods.State) -> torch.Tensor:
        return state["noise"]


def counting(**settings: object) -> Counting:
    given = {"form": "samplewise", "resolution": 16, "grid": 4, "max_rounds": 3, "stop_error": 0.0}
    return Counting(Config(**{**given, **settings}))


@pytest.fixture
def view(images: ImageSet) -> View:
    """24 images, of which the ants are context, in an order that is not that of their ids."""
    whole = images.view(16)
    return replace(whole, own=whole.labels != 0)


# Settings


@pytest.mark.parametrize(
    ("frame", "resolution"),
    [((32, 32), 32), ((40, 28), 40), ((28, 40), 40), ((41, 30), 64), ((375, 500), 64), ((300, 20), 64)],
)
def test_auto_is_the_size_of_small_images_and_64_for_photos(frame: tuple[int, int], resolution: int) -> None:
    found = Counting(Config(max_rounds="auto")).resolved(frame, 500)
    assert found == {
        "form": "classwise",
        "resolution": resolution,
        "grid": resolution,
        "max_rounds": 180,
    }
    given = Config(form="samplewise", resolution=24, grid=12, max_rounds=7)
    kept = {"form": "samplewise", "resolution": 24, "grid": 12, "max_rounds": 7}
    assert Counting(given).resolved(frame, 500) == kept
    assert Counting(given).resolve(frame, 500).config == given
    assert Counting(Config(resolution=24)).resolve(frame, 5).config.grid == 24


@pytest.mark.parametrize(
    ("count", "steps", "rounds"),
    [(1, 1, 300), (300, 1, 300), (301, 1, 299), (1499, 1, 60), (1500, 1, 60), (10**6, 1, 60), (500, 7, 26)],
)
def test_rounds_are_those_of_90_000_noise_steps_between_60_and_300(
    count: int, steps: int, rounds: int
) -> None:
    assert rounds_for(count, steps) == rounds
    assert rounds_for(10**6, 1000) == 1
    assert rounds_for(count) == rounds_for(count, 1)


def test_auto_follows_the_setting_of_all_noise_steps() -> None:
    assert rounds_for(500, in_all=30_000) == 60
    given = {"form": "classwise", "max_rounds": "auto", "auto_steps": 50_000, "steps": 2}
    method = methods.create("error_minimizing", given).resolve((16, 16), 500)
    assert method.config.max_rounds == 50
    assert Counting(Config(max_rounds="auto", auto_steps=50_000)).resolve((16, 16), 500).most_rounds == 100


def test_settings_that_are_still_auto_are_refused() -> None:
    fine = {"form": "samplewise", "resolution": 16, "grid": 4, "max_rounds": 3}
    require_resolved(Config(**fine))
    for name, value in (("form", "auto"), ("resolution", "auto"), ("max_rounds", "auto"), ("grid", 0)):
        with pytest.raises(UsageError) as raised:
            require_resolved(Config(**{**fine, name: value}))
        assert raised.value.problem == "A setting is still auto."


def test_the_side_and_the_assignment_follow_from_the_settings() -> None:
    assert Config(grid=16).side == 16
    assert Config(grid=16, tile=5).side == 5
    assert Config(epsilon=5).budget.epsilon == 5
    assert Config(grid=16).assignment(7) == Assignment()
    assert Config(grid=16, tile=16, offset="random").assignment(7) == Assignment()
    assert Config(grid=16, tile=5, offset="random").assignment(7) == Assignment(offset="random", seed=7)
    assert Config(grid=16, tile=5, offset="centre").assignment(7) == Assignment(offset="centre")
    several = Config(form="classwise", patterns_per_class=3, grid=16)
    assert several.assignment(7) == Assignment(patterns_per_class=3, seed=7)
    one_each = several.model_copy(update={"form": "samplewise"})
    assert one_each.assignment(7) == Assignment()


def test_a_configuration_is_given_once_and_of_its_own_kind() -> None:
    with pytest.raises(UsageError, match="both given"):
        Counting(Config(), epsilon=4)
    with pytest.raises(UsageError) as raised:
        Counting(3)  # type: ignore[arg-type]
    assert raised.value.problem == "config is 3, but must be of type Config."
    assert raised.value.remedy == 'Give settings by name, such as Counting(form="samplewise").'
    assert Counting(epsilon=4).config == Config(epsilon=4)
    with pytest.raises(UsageError, match="counting"):
        Counting(size=4)
    assert Counting().zoom == 1.0
    assert Counting().surrogate({}) == {}
    assert Counting().round_steps(0, 10) == ()
    assert [Counting(Config(form=form)).form for form in ("samplewise", "classwise", "auto")] == [
        "samplewise",
        "classwise",
        "classwise",
    ]


# When a search stops


@pytest.mark.parametrize(
    ("log", "more", "reason"),
    [
        ([], {}, ""),
        ([0.04], {}, ""),
        ([0.5, 0.04], {}, "the error, 4.0%, is below 5.0%"),
        ([0.04, 0.05], {}, ""),
        ([0.5, 0.05], {}, ""),
        ([None, 0.01], {}, "the error, 1.0%, is below 5.0%"),
        ([None, None], {}, ""),
        ([None] * 6, {}, "6 rounds are done"),
        ([0.5, 0.3, 0.3, 0.4], {"patience": 2}, "the error has not fallen for 2 rounds"),
        ([0.5, 0.3, 0.4, 0.29], {"patience": 2}, ""),
        ([0.3, 0.4], {"patience": 2}, ""),
        ([0.3, 0.4, 0.5], {"patience": 2}, "the error has not fallen for 2 rounds"),
        ([0.3, 0.4, 0.5], {"patience": 0}, ""),
        ([0.5] * 6, {}, "6 rounds are done"),
        ([0.5] * 5, {}, ""),
        ([0.5], {"min_rounds": 1, "max_rounds": 1}, "1 round is done"),
    ],
)
def test_a_search_stops_for_a_reason(log: list[float | None], more: dict, reason: str) -> None:
    config = Config(**{"min_rounds": 2, "max_rounds": 6, "stop_error": 0.05, **more})
    assert stop_reason(config, log) == reason


@pytest.mark.parametrize(
    ("log", "more", "reason"),
    [
        ([0.2, 0.8], {}, "the error, 80.0%, has reached 80.0%"),
        ([0.9, 0.79], {}, ""),
        ([0.9], {}, ""),
        ([0.5, 0.4, 0.5], {"patience": 2}, "the error has not risen for 2 rounds"),
        ([0.5, 0.4, 0.51], {"patience": 2}, ""),
        ([0.1, 0.2, 0.3], {"patience": 2}, ""),
    ],
)
def test_a_search_that_raises_the_error_stops_when_it_is_high(log: list, more: dict, reason: str) -> None:
    config = Config(**{"min_rounds": 2, "max_rounds": 6, "stop_error": 0.8, **more})
    assert stop_reason(config, log, rises=True) == reason


class Once(Method[NoiseConfig]):
    """A method whose settings have no rounds."""

    name = "once"
    Config = NoiseConfig

    def start(self, view: View, ctx: Context) -> methods.State:
        return {"steps": 0}

    def advance(self, state: methods.State, view: View, ctx: Context) -> Progress:
        state["steps"] += 1
        # an error is no reason to stop
        return Progress(state["steps"], 2, state["steps"] == 2, 0.0)

    def finish(self, state: methods.State) -> torch.Tensor:
        return torch.full((2, 3, 16, 16), float(state["steps"]))


def test_a_method_without_settings_of_rounds_has_one_round(view: View) -> None:
    with pytest.raises(UsageError, match="max_rounds is not a setting"):
        Once(max_rounds=2)
    with pytest.raises(UsageError, match="still auto"):
        Once().fit(view, Context(0))
    assert Once().resolved((16, 16), 24) == {"form": "classwise", "resolution": 16, "grid": 16}
    said: list[Event] = []
    once = Once().resolve((16, 16), 24)
    fitted = once.fit(view, Context(0), said.append)
    assert [(one.done, one.total) for one in said] == [(1, 2), (2, 2)]
    assert (fitted.log, fitted.reason) == ((0.0,), "1 round is done")
    assert (fitted.noise.bank == 2).all()
    assert (once.most_rounds, once.may_stop_early, once.stop_reason([])) == (1, False, "")


def test_a_method_stops_as_its_settings_of_rounds_say() -> None:
    assert (counting(max_rounds=3).most_rounds, counting(max_rounds=1).most_rounds) == (3, 1)
    assert not counting(stop_error=0.0, patience=0).may_stop_early
    assert counting(stop_error=0.1).may_stop_early
    assert counting(patience=2).may_stop_early
    assert "is below" in counting(stop_error=0.6).stop_reason([0.5])

    class Rising(Counting):
        rises = True

    assert "has reached" in Rising(counting(stop_error=0.4).config).stop_reason([0.5])


# Keys and rows


def test_context_has_no_key_and_no_row(view: View) -> None:
    sample = counting()
    assert sample.keys(view) == tuple(id for id, own in zip(view.ids, view.own, strict=True) if own)
    rows, next_row = sample.rows(view).tolist(), 0
    for row, own in zip(rows, view.own, strict=True):
        assert row == (next_row if own else -1)
        next_row += bool(own)
    by_class = counting(form="classwise")
    assert by_class.keys(view) == ("bee", "cat")
    assert by_class.rows(view).tolist() == [-1, 0, 1] * 8
    assert by_class.rows(view).dtype == torch.int64


def test_several_patterns_of_a_class_have_a_row_each(view: View) -> None:
    method = counting(form="classwise", patterns_per_class=3)
    keys = method.keys(view)
    assert keys == tuple(f"{name}\0{number}" for name in ("bee", "cat") for number in range(3))
    for seed in (0, 5):
        assignment = Assignment(patterns_per_class=3, seed=seed)
        wanted = [
            keys.index(assignment.key(id, view.classes[label])) if own else -1
            for id, label, own in zip(view.ids, view.labels, view.own, strict=True)
        ]
        assert method.rows(view, seed).tolist() == wanted
    assert method.rows(view).tolist() == method.rows(view, 0).tolist() != method.rows(view, 5).tolist()


# Rounding


@pytest.mark.parametrize("chunk", [1, 3, 256])
def test_patterns_become_noise_that_is_projected_rounded_and_described(
    chunk: int, view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bank, "CHUNK", chunk)
    patterns = torch.linspace(-12, 12, 16 * 3 * 4 * 4).view(16, 3, 4, 4).requires_grad_(True)
    method = counting(interpolation="nearest")
    noise = method.to_noise(patterns, view, 5)
    assert np.array_equal(noise.bank, patterns.detach().double().numpy().round().clip(-8, 8))
    own = [row for row, own in enumerate(view.own) if own]
    assert noise.keys == tuple(view.ids[row] for row in own)
    assert noise.digests == tuple(view.digests[row] for row in own)
    assert noise.classes == tuple(view.classes[view.labels[row]] for row in own)
    assert (noise.form, noise.grid, noise.interpolation) == ("samplewise", (4, 4), "nearest")
    assert noise.budget.epsilon == 8
    assert noise.provenance == {
        "method": "counting",
        "config": method.config.model_dump(mode="json"),
        "fingerprint": view.fingerprint,
        "version": __version__,
        "seed": 5,
    }
    by_class = counting(form="classwise", tile=2, offset="random").to_noise(patterns[:2, :, :2, :2], view, 5)
    assert (by_class.digests, by_class.classes, by_class.keys) == ((), (), ("bee", "cat"))
    assert by_class.assignment == Assignment(offset="random", seed=5)


@pytest.mark.parametrize("wrong", [np.zeros((16, 3, 4, 4)), torch.zeros(16, 4, 4), None])
def test_a_method_whose_noise_is_no_tensor_of_patterns_is_named(wrong: object, view: View) -> None:
    with pytest.raises(UnlearnableError, match=r"The noise of counting is .* must be a tensor"):
        counting().to_noise(wrong, view, 0)  # type: ignore[arg-type]


# The loop


def test_events_count_every_step_and_name_the_last_error(view: View) -> None:
    said: list[Event] = []
    fitted = counting().fit(view, Context(2), said.append)
    assert [(one.stage, one.done, one.total) for one in said] == [
        ("searching", number, 9) for number in range(1, 10)
    ]
    assert [one.text for one in said] == [""] * 3 + ["round 1: error 90.0%"] * 3 + [
        "round 2: error 50.0%"
    ] * 3
    assert fitted.log == (0.9, 0.5, 0.4)
    assert fitted.reason == "3 rounds are done"
    assert fitted.surrogate == {}
    assert fitted.classes == view.classes
    # nine steps of 1.4 levels, projected
    assert (fitted.noise.bank == 8).all()
    assert fitted.noise.provenance["seed"] == 2
    assert (counting(max_rounds=1).fit(view, Context(2)).noise.bank == 4).all()
    early = counting(stop_error=0.6, max_rounds=5).fit(view, Context(0))
    assert early.log == (0.9, 0.5)


def test_a_search_resumes_from_its_log_and_its_last_error(view: View) -> None:
    said: list[Event] = []
    state = {"noise": torch.zeros(16, 3, 4, 4), "steps": 4, "log": [-1.0]}
    fitted = counting().fit(view, Context(0), said.append, state=state)
    assert fitted.log == (None, 0.5, 0.4)
    assert [one.done for one in said] == [5, 6, 7, 8, 9]
    assert [one.text for one in said] == [""] * 2 + ["round 2: error 50.0%"] * 3
    # the caller's state stays as it was, apart from the tensors' own steps
    assert state["steps"] == 4
    done = {"noise": torch.full((16, 3, 4, 4), 3.0), "steps": 9, "log": [0.9, 0.5, 0.4]}
    said.clear()
    assert (counting().fit(view, Context(0), said.append, state=done).noise.bank == 3).all()
    assert not said


def test_a_state_is_saved_between_steps_with_its_log_and_not_at_the_end(
    view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[dict] = []
    counting().fit(view, Context(0), save=lambda state: saved.append(dict(state)), every=0.0)
    # every step but the last, after which the search is finished
    assert [one["steps"] for one in saved] == list(range(1, 9))
    assert [one.get("log") for one in saved] == [None] * 2 + [[0.9]] * 3 + [[0.9, 0.5]] * 3
    saved.clear()
    counting().fit(view, Context(0), save=lambda state: saved.append(state))
    assert not saved
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(search_loop.time, "monotonic", lambda: float(next(clock)))
    counting(max_rounds=2).fit(view, Context(0), save=lambda state: saved.append(state), every=15.0)
    # saving takes 10 s by this clock, so the next one waits for 190 s
    assert len(saved) == 1


def test_a_method_that_returns_no_progress_is_named(view: View) -> None:
    class Wrong(Counting):
        name = "wrong"

        def advance(self, state: methods.State, view: View, ctx: Context) -> Progress:
            return 3  # type: ignore[return-value]

    with pytest.raises(UnlearnableError) as raised:
        Wrong(counting().config).fit(view, Context(0))
    assert raised.value.problem == "A step is 3, but must be a Progress."
    assert raised.value.remedy == "Correct what wrong.advance returns."


def test_one_class_is_enough_without_a_surrogate(view: View) -> None:
    one = replace(view, classes=("all",), labels=view.labels * 0)
    assert counting().fit(one, Context(0)).noise.keys == tuple(sorted(counting().keys(view)))
    with pytest.raises(UsageError, match="still auto"):
        Counting(Config()).fit(view, Context(0))


def test_new_images_get_noise_of_their_own_and_new_classes_none(view: View) -> None:
    sample, by_class = counting(), counting(form="classwise")
    fitted = sample.fit(view, Context(0))
    again = sample.extend(fitted, view, Context(0))
    assert again.keys == fitted.noise.keys
    found = by_class.fit(view, Context(0))
    assert by_class.extend(found, view, Context(0)) is found.noise
    every = replace(view, own=np.ones(24, bool))
    with pytest.raises(DataError) as raised:
        by_class.extend(found, every, Context(0))
    assert raised.value.problem == (
        "The noise of this run does not cover class 'ant', and counting cannot extend it."
    )
    assert raised.value.remedy == "Find new noise with `unlearnable protect --refit`."

    class Trained(Counting):
        name = "trained"

        def surrogate(self, state: methods.State) -> dict[str, torch.Tensor]:
            return {"w": torch.ones(2, requires_grad=True) * 2}

    trained = Trained(counting().config)
    fitted = trained.fit(view, Context(0))
    assert torch.equal(fitted.surrogate["w"], torch.tensor([2.0, 2.0]))
    assert not fitted.surrogate["w"].requires_grad
    with pytest.raises(DataError, match="does not cover images that came later, and trained cannot extend"):
        trained.extend(fitted, view, Context(0))


def test_random_noise_is_uniform_on_whole_levels_and_belongs_to_its_key(view: View) -> None:
    for form in ("samplewise", "classwise"):
        method = methods.create(
            "random", {"form": form, "epsilon": 3, "resolution": 16, "grid": 16, "max_rounds": 1}
        )
        noise = method.fit(view, Context(4)).noise
        values, counts = np.unique(noise.bank, return_counts=True)
        assert values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
        assert counts.min() > 0.8 * counts.max()
        for row, key in enumerate(noise.keys):
            drawn = torch.randint(
                -3, 4, (3, 16, 16), generator=Context(4).rng("noise", key), dtype=torch.int8
            )
            assert np.array_equal(noise.bank[row], drawn)
        more = method.extend(Fitted(noise, {}, (), (), ""), view, Context(4))
        assert np.array_equal(more.bank, noise.bank)
        assert more.provenance["seed"] == 4


# Files


def test_a_checkpoint_belongs_to_its_search(tmp_path) -> None:
    path = tmp_path / "state.safetensors"
    state = {
        "noise": torch.arange(6.0).view(2, 3),
        "half": torch.ones(2).half(),
        "round": 3,
        "log": [-1.0, 0.5],
    }
    save_state(path, state, {"run": 1})
    found = load_state(path, {"run": 1})
    assert found is not None
    assert {key: value for key, value in found.items() if not isinstance(value, torch.Tensor)} == {
        "round": 3,
        "log": [-1.0, 0.5],
    }
    assert torch.equal(found["noise"], state["noise"])
    assert found["half"].dtype == torch.float16
    assert load_state(path, {"run": 2}) is None
    assert load_state(tmp_path / "none", {"run": 1}) is None
    # a search that began under an old name of a setting is the same search
    save_state(path, state, {"settings": {"several": 2}})
    assert load_state(path, {"settings": {"patterns_per_class": 2}}) is not None
    assert load_state(path, {"settings": {"patterns_per_class": 3}}) is None
    path.write_bytes(b"x" * 99)
    with pytest.raises(DataError, match=r"state\.safetensors is damaged or missing"):
        load_state(path, {"run": 1})


def test_tensors_are_saved_as_they_are_seen(tmp_path) -> None:
    base = torch.arange(12.0).view(3, 4)
    save_tensors(tmp_path / "t", {"a": base.T, "b": base[1:].requires_grad_(True)}, {"é": [1, None]})
    tensors, meta = load_tensors(tmp_path / "t")
    assert torch.equal(tensors["a"], base.T)
    assert torch.equal(tensors["b"], base[1:])
    assert meta == {"é": [1, None]}


def test_a_finished_search_is_found_in_its_folder(tmp_path) -> None:
    noise = Noise(np.ones((1, 3, 2, 2), np.int8), ("a",), "classwise", counting().config.budget, (2, 2))
    whole = Fitted(noise, {"w": torch.ones(2)}, ("a", "b"), (0.5, None), "because")
    whole.save(str(tmp_path / "new" / "run"))
    again = Fitted.load(str(tmp_path / "new" / "run"))
    assert (again.classes, again.log, again.reason) == (("a", "b"), (0.5, None), "because")
    assert torch.equal(again.surrogate["w"], torch.ones(2))
    assert again.noise.keys == ("a",)
    with pytest.raises(DataError) as raised:
        Fitted.load(tmp_path)
    assert raised.value.problem == f"{tmp_path} holds no finished search: noise.safetensors is missing."


# The surroundings


def test_a_surrogate_is_bound_to_its_state_and_draws_nothing_else() -> None:
    ctx, recipe = FullContext(3), Recipe(momentum=0.9)
    state: dict = {}
    first = ctx.surrogate(state, "cnn:width=8,depth=2", 4, recipe)
    assert ctx.surrogate(state, "cnn:width=8,depth=2", 4, recipe) is first
    names = list(first.model.state_dict())
    parameters = dict(first.model.named_parameters())
    assert set(state) == {f"model.{name}" for name in names} | {f"momentum.{name}" for name in parameters}
    for name, parameter in parameters.items():
        assert state[f"model.{name}"].data_ptr() == parameter.data_ptr()
        buffer = first.optimizer.state[parameter]["momentum_buffer"]
        assert buffer is state[f"momentum.{name}"]
        assert not buffer.any()
        buffer.fill_(0.25)
    # a saved state gives its weights and its momentum to a new model
    saved = {key: value.clone() + 1 for key, value in state.items()}
    again = FullContext(99).surrogate(dict(saved), "cnn:width=8,depth=2", 4, recipe)
    for name, parameter in again.model.named_parameters():
        assert torch.equal(parameter, saved[f"model.{name}"])
        assert torch.equal(again.optimizer.state[parameter]["momentum_buffer"], saved[f"momentum.{name}"])
    one, two, other = (
        FullContext(seed).model("cnn:width=8,depth=2", 4, number).state_dict()
        for seed, number in ((3, 0), (3, 0), (3, 1))
    )
    assert all(torch.equal(one[name], two[name]) for name in names)
    assert any(not torch.equal(one[name], other[name]) for name in names)


def test_the_cache_of_a_context_holds_one_owner_per_name() -> None:
    ctx, made = FullContext(0, Compute()), []

    def make() -> int:
        made.append(len(made))
        return len(made)

    owner, other = [1], [1]
    assert [ctx.keep("a", owner, make), ctx.keep("a", owner, make)] == [1, 1]
    # by identity: an equal owner is another one
    assert ctx.keep("a", other, make) == 2
    assert ctx.keep("b", owner, make) == 3
    assert ctx.keep("a", owner, make) == 4
    assert ctx.keep("b", owner, make) == 3


def test_what_a_caller_passes_as_a_method() -> None:
    assert methods.registry.given(None) is None
    assert methods.registry.given("random") == "random"
    method = methods.create("random")
    assert methods.registry.given(method) is method
    with pytest.raises(UsageError) as raised:
        methods.registry.given(methods.get("random"))
    assert raised.value.problem == "method is the class Random, but must be a method."
    assert raised.value.remedy == "Call the class, with or without settings: Random()."
    with pytest.raises(UsageError) as raised:
        methods.registry.given(3)
    assert raised.value.problem == "method is 3, but must be a method."
    assert raised.value.remedy == ('Give a method, such as un.Random(form="classwise"), or the name of one.')
    with pytest.raises(UsageError, match="There is no method 'nothing'"):
        methods.registry.given("nothing")
    assert methods.create("error_minimizing", {"settled": 0.5}).config.skip_below == 0.5


def test_a_method_without_a_part_of_the_contract_is_refused() -> None:
    class Half(Method[Config]):
        """Half."""

        def start(self, view: View, ctx: Context) -> methods.State:
            return {}

    with pytest.raises(UsageError) as raised:
        methods.register(Half)
    assert raised.value.problem == "The method Half has no name, Config, advance, finish."
