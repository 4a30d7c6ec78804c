"""A victim learns in one way, from fresh or given weights, with all of its layers or the last one."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from conftest import pixels
from unlearnable import countermeasures, models
from unlearnable.errors import DataError, UsageError
from unlearnable.training.compute import Compute
from unlearnable.training.victim import Labelled, Learned, Victim, learn
from unlearnable.training.weights import read_weights

CPU = Compute()
SPEC = "cnn:width=8,depth=2"
VICTIM = Victim(model=SPEC, size=16, epochs=2, batch=8, lr=0.05)


def labelled(count: int = 24, classes: int = 3) -> Labelled:
    images = torch.from_numpy(pixels(count, 16).transpose(0, 3, 1, 2).copy())
    return Labelled(images, torch.arange(count) % 3, classes)


@pytest.fixture
def start(tmp_path: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """A file of weights, and the weights."""
    torch.manual_seed(5)
    weights = models.create(SPEC, 3).state_dict()
    save_file(weights, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors", weights


def parameters(victim: Victim, classes: int = 3) -> dict[str, torch.Tensor]:
    data = labelled(classes=classes)
    return {name: p.detach() for name, p in learn(victim, data, data, 0, CPU).model.named_parameters()}


def test_a_description_leaves_out_what_is_at_its_default() -> None:
    assert Victim(model=SPEC).text == f'{{"model":"{SPEC}"}}'
    assert Victim(model=SPEC, start="fresh", trains="all").text == Victim(model=SPEC).text
    assert len({VICTIM, VICTIM.model_copy(), VICTIM.model_copy(update={"epochs": 3})}) == 2


def test_training_starts_from_given_weights_and_renews_a_head_of_another_size(
    start: tuple[Path, dict[str, torch.Tensor]],
) -> None:
    path, weights = start
    still = Victim(model=SPEC, size=16, epochs=1, batch=8, lr=0.0, start=str(path))
    assert all(torch.equal(p, weights[name]) for name, p in parameters(still).items())
    other = parameters(still, classes=5)
    fresh = parameters(still.model_copy(update={"start": "fresh"}), classes=5)
    changed = [
        name
        for name, p in other.items()
        if p.shape != weights[name].shape or not torch.equal(p, weights[name])
    ]
    assert len(changed) == 2
    assert all(torch.equal(other[name], fresh[name]) for name in changed)


class Trap:
    """A pickle that would make a file if it were read as code."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.made,)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.pth", "there is no such file"),
        ("folder.pth", "is a folder"),
        ("empty.pth", "is empty, damaged or of another kind"),
        ("text.pth", "is empty, damaged or of another kind"),
        ("cut.pth", "is empty, damaged or of another kind"),
        ("list.pth", "holds no weights by name"),
        ("numbers.pth", "holds 'epoch', which is not a tensor"),
        ("trap.pth", "could run code"),
        ("text.safetensors", "is empty, damaged or of another kind"),
    ],
)
def test_a_bad_file_of_weights_is_named_with_a_reason_of_ours(
    name: str, reason: str, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    path, made = tmp_path / name, tmp_path / "made"
    (tmp_path / "folder.pth").mkdir()
    for file, content in (("empty.pth", b""), ("text.pth", b"hello"), ("text.safetensors", b"hello")):
        (tmp_path / file).write_bytes(content)
    torch.save({"a": torch.ones(50)}, tmp_path / "cut.pth")
    (tmp_path / "cut.pth").write_bytes((tmp_path / "cut.pth").read_bytes()[:200])
    torch.save([torch.ones(2)], tmp_path / "list.pth")
    torch.save({"epoch": 3}, tmp_path / "numbers.pth")
    (tmp_path / "trap.pth").write_bytes(pickle.dumps(Trap(made)))
    with pytest.raises(DataError) as error:
        read_weights(path)
    assert str(path) in str(error.value)
    assert reason in str(error.value)
    assert "weights_only" not in str(error.value)
    assert not made.exists()
    assert not recwarn.list


@pytest.mark.parametrize("model", ["cnn:width=16,depth=2", "resnet18:width=16"])
def test_weights_of_another_model_are_refused(
    start: tuple[Path, dict[str, torch.Tensor]], model: str
) -> None:
    with pytest.raises(UsageError, match=r"not those of a model .* \((they lack|.* has shape|the model has)"):
        parameters(Victim(model=model, size=16, epochs=1, start=str(start[0])))


def test_a_file_that_holds_no_weights_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.safetensors").write_text("none")
    for name in ("notes.safetensors", "missing.safetensors"):
        with pytest.raises(DataError, match=name):
            parameters(VICTIM.model_copy(update={"start": str(tmp_path / name)}))


@pytest.mark.parametrize("model", [SPEC, "resnet18:width=16", "vgg11:width=16", "densenet121:width=16"])
def test_a_head_trains_alone_and_nothing_else_moves(model: str, tmp_path: Path) -> None:
    victim = Victim(model=model, size=32, epochs=2, batch=8, lr=0.05, trains="head")
    before = victim.build(3, 0).state_dict()
    after = learn(victim, labelled(), labelled(), 0, CPU).model.state_dict()
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert moved == list(before)[-2:]  # weight and bias of the last layer, and no running statistic
    everything = learn(victim.model_copy(update={"trains": "all"}), labelled(), labelled(), 0, CPU).model
    assert sum(not torch.equal(before[name], value) for name, value in everything.state_dict().items()) > 6


def test_a_tested_epoch_has_answers_and_their_accuracy() -> None:
    reported: list[int] = []
    data = labelled()
    epochs = learn(
        VICTIM.model_copy(update={"epochs": 5}),
        data,
        data,
        0,
        CPU,
        None,
        lambda epoch: reported.append(epoch.number),
        test_every=2,
    ).epochs
    assert [epoch.number for epoch in epochs] == reported == [2, 4, 5]
    for epoch in epochs:
        assert epoch.test_accuracy == pytest.approx(float((epoch.answers == data.labels).double().mean()))


def test_words_say_how_a_victim_differs() -> None:
    assert Victim(model=SPEC).words == "shifts and flips, 32 px, 60 epochs"
    more = Victim(model=SPEC, transform="photo", jitter=0.4, start="a/b.safetensors", trains="head").words
    assert "crops of 35% to 100%" in more
    assert "colour jitter 0.4" in more
    assert "from the weights in b.safetensors, the last layer only" in more


@pytest.mark.parametrize("test_every", [1, 2])
@pytest.mark.parametrize("chain", ["none", "mixup", "adversarial:4,2"])
def test_a_training_goes_on_from_a_checkpoint_to_the_same_weights(test_every: int, chain: str) -> None:
    victim = VICTIM.model_copy(update={"epochs": 5, "schedule": "onecycle", "model": "resnet18:width=16"})
    used, data, kept = countermeasures.create(chain), labelled(), list[dict[str, Any]]()

    def go(**more: Any) -> Learned:
        return learn(victim, data, data, 3, CPU, used, test_every=test_every, every=0.0, **more)

    whole = go(save=lambda state: kept.append(copy.deepcopy(state)))
    assert [state["finished"] for state in kept] == [1, 2, 3, 4]
    assert any(float(state["momentum/0"].abs().sum()) > 0 for state in kept)
    for state in kept:
        rest = go(state=state)
        weights = rest.model.state_dict()
        assert all(torch.equal(value, weights[name]) for name, value in whole.model.state_dict().items())
        assert [(e.number, e.train_accuracy) for e in rest.epochs] == [
            (e.number, e.train_accuracy) for e in whole.epochs
        ]
        assert all(torch.equal(a.answers, b.answers) for a, b in zip(rest.epochs, whole.epochs, strict=True))
