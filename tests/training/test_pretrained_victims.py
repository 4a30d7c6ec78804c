"""Victims that start from given weights: head and nearest neighbour on features, and three recipes."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from conftest import pixels
from unlearnable import models
from unlearnable.countermeasures import create
from unlearnable.errors import DataError, UsageError
from unlearnable.models import pretrained
from unlearnable.training.compute import Compute
from unlearnable.training.finetuning import recipes
from unlearnable.training.loop import Training
from unlearnable.training.victim import Epoch, Labelled, Victim, learn
from unlearnable.training.weights import freeze_all_but_head

CPU = Compute()
SPEC = "cnn:width=16,depth=2"
HEAD = Victim(model=SPEC, size=16, epochs=3, batch=8, lr=0.2, transform="none", trains="head")
NEAREST = HEAD.model_copy(update={"trains": "nearest"})


def labelled(count: int = 24, seed: int = 0) -> Labelled:
    images = torch.from_numpy(pixels(count, 16, seed).transpose(0, 3, 1, 2).copy())
    return Labelled(images, torch.arange(count) % 3, 3)


def features(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The input of the last layer of a Sequential."""
    with torch.no_grad():
        return model.eval()[:-1](images / 255)  # type: ignore[index]


@pytest.mark.parametrize("model", [SPEC, "cct:width=16,depth=1", "mobilenet-v2:width=16"])
def test_a_head_on_features_is_the_head_of_a_frozen_network(model: str) -> None:
    """Computing the features once gives the weights, the accuracies and the answers of a whole training."""
    victim, train, test = HEAD.model_copy(update={"model": model}), labelled(), labelled(9, 5)
    learned = learn(victim, train, test, 0, CPU)
    whole = CPU.to_device(victim.build(3, 0))
    training = Training(
        whole, victim.recipe, 16, train.pixels, train.labels, 3, 0, CPU, None, freeze_all_but_head(whole)
    )
    for epoch in learned.epochs:
        assert training.epoch(epoch.number - 1) == epoch.train_accuracy
        assert torch.equal(training.predict(test.pixels), epoch.answers)
    moved = learned.model.state_dict()
    for name, value in whole.state_dict().items():
        assert torch.allclose(value, moved[name], atol=1e-5)
    start = victim.build(3, 0).state_dict()
    assert sum(not torch.equal(start[name], moved[name]) for name in start) == 2


@pytest.mark.parametrize("change", [{"transform": "flip-crop"}, {"jitter": 0.2}, {"rotation": 5.0}])
def test_features_are_computed_at_every_step_where_images_change(change: dict[str, object]) -> None:
    assert HEAD.frozen_features()
    assert not HEAD.model_copy(update=change).frozen_features()
    assert not HEAD.frozen_features({"prepare", "batch"})
    assert HEAD.frozen_features({"photo", "prepare"})
    assert NEAREST.model_copy(update=change).frozen_features()


def test_a_chain_that_changes_batches_reaches_a_head() -> None:
    plain, mixed = (
        learn(HEAD, labelled(), labelled(), 0, CPU, chain) for chain in (None, create("cutout:8"))
    )
    names = list(plain.model.state_dict())[-2:]
    assert not any(
        torch.equal(plain.model.state_dict()[name], mixed.model.state_dict()[name]) for name in names
    )


def test_a_head_on_features_goes_on_from_a_checkpoint_to_the_same_weights() -> None:
    saved: list[dict[str, Any]] = []
    data = (HEAD, labelled(), labelled(9, 5), 0, CPU)
    whole = learn(*data, save=lambda state: saved.append(copy.deepcopy(state)), every=0.0)
    assert [state["finished"] for state in saved] == [1, 2]
    rest = learn(*data, state=saved[0])
    ended = rest.model.state_dict()
    assert all(torch.equal(value, ended[name]) for name, value in whole.model.state_dict().items())
    assert [epoch.train_accuracy for epoch in rest.epochs] == [epoch.train_accuracy for epoch in whole.epochs]


def test_the_nearest_neighbour_is_the_one_with_the_most_similar_features() -> None:
    train, test, reported = labelled(), labelled(30, 7), list[Epoch]()
    learned = learn(NEAREST, train, test, 4, CPU, on_epoch=reported.append)
    network = NEAREST.build(3, 4)
    bank, asked = features(network, train.pixels), features(network, test.pixels)
    similar = F.cosine_similarity(asked[:, None], bank[None], dim=2)
    answers = train.labels[similar.argmax(1)]
    assert len(answers.unique()) == 3
    (epoch,) = learned.epochs
    assert reported == [epoch]
    assert epoch.number == 1
    assert torch.equal(epoch.answers, answers)
    assert epoch.test_accuracy == pytest.approx(float((answers == test.labels).double().mean()))
    others = F.cosine_similarity(bank[:, None], bank[None], dim=2).fill_diagonal_(-2).argmax(1)
    expected = float((train.labels[others] == train.labels).double().mean())
    assert epoch.train_accuracy == pytest.approx(expected)
    with torch.no_grad():
        assert torch.equal(learned.model(test.pixels / 255).argmax(1), answers)


def test_a_training_image_is_its_own_nearest_neighbour_whatever_the_precision() -> None:
    train = labelled(60)
    for precision in ("float32", "bfloat16", "float64"):
        (epoch,) = learn(NEAREST, train, train, 0, Compute("cpu", precision)).epochs
        assert epoch.test_accuracy == 1.0


def test_a_class_without_training_images_is_never_the_answer() -> None:
    train = labelled()
    few = Labelled(train.pixels[train.labels != 1], train.labels[train.labels != 1], 3)
    (epoch,) = learn(NEAREST, few, labelled(30, 7), 0, CPU).epochs
    assert set(epoch.answers.tolist()) == {0, 2}


def test_a_chain_reaches_the_nearest_neighbour_or_is_refused() -> None:
    train, test = labelled(), labelled(30, 7)
    plain, blurred = (learn(NEAREST, train, test, 0, CPU, chain).model for chain in (None, create("blur:2")))
    assert not torch.allclose(plain.bank, blurred.bank)
    for spec in ("cutout:8", "adversarial:2,1"):
        with pytest.raises(UsageError, match="does not train"):
            learn(NEAREST, train, test, 0, CPU, create(spec))


def test_weights_in_a_torch_file_start_a_victim_as_those_in_safetensors(tmp_path: Path) -> None:
    weights = models.create(SPEC, 3).state_dict()
    for name, content in (
        ("plain.pth", weights),
        ("checkpoint.pt", {"epoch": 3, "state_dict": {f"module.{key}": one for key, one in weights.items()}}),
    ):
        torch.save(content, tmp_path / name)
        built = HEAD.model_copy(update={"start": str(tmp_path / name)}).build(3, 9).state_dict()
        assert all(torch.equal(built[key], value) for key, value in weights.items())


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("raise SystemExit('executed')",)


def test_nothing_in_a_torch_file_is_executed(tmp_path: Path) -> None:
    torch.save({"0.weight": Harmful()}, tmp_path / "harmful.pth")
    (tmp_path / "text.pth").write_text("text")
    torch.save([1, 2], tmp_path / "list.pt")
    for name in ("harmful.pth", "text.pth", "missing.pth", "list.pt"):
        with pytest.raises(DataError, match=name):
            HEAD.model_copy(update={"start": str(tmp_path / name)}).build(3, 0)


def test_there_are_three_recipes_and_each_trains_as_it_says() -> None:
    found = recipes("efficientnet-lite0:width=16", "fresh", size=32)
    assert {name: victim.trains for name, victim in found.items()} == {
        "fine-tuned": "all",
        "linear head": "head",
        "nearest neighbour": "nearest",
    }
    train = labelled(16)
    moved = {}
    for name, victim in found.items():
        short = victim.model_copy(update={"epochs": 1, "batch": 8})
        start, end = short.build(3, 0).state_dict(), learn(short, train, train, 0, CPU).model.state_dict()
        moved[name] = sum(key in end and not torch.equal(value, end[key]) for key, value in start.items())
        assert victim.words
    assert moved["fine-tuned"] > 100
    assert moved["linear head"] == 2
    assert moved["nearest neighbour"] == 0
    assert recipes("efficientnet-lite0")["fine-tuned"].start == "pretrained"


def test_words_name_the_recipe_and_the_weights() -> None:
    words = {name: victim.words for name, victim in recipes("mobilenet-v2").items()}
    assert "8 epochs, from published ImageNet weights" in words["fine-tuned"]
    assert words["linear head"].endswith("from published ImageNet weights, the last layer only")
    assert (
        words["nearest neighbour"]
        == "nearest neighbour on its features, 128 px, from published ImageNet weights"
    )


def test_a_head_of_published_weights_learns_from_few_images() -> None:
    """With fresh weights it does not: the features know shapes and colours that these classes differ in."""
    if "efficientnet-lite0" not in pretrained.at_hand():
        pytest.skip("the weights are not installed")
    rng = torch.Generator().manual_seed(0)
    rows = torch.arange(64)
    waves = torch.stack([torch.sin(rows / 2).expand(64, 64), torch.sin(rows[:, None] / 2).expand(64, 64)])
    labels = torch.arange(24) % 2
    base = 128 + 50 * waves[labels][:, None] + 40 * torch.randn(24, 3, 64, 64, generator=rng)
    data = Labelled(base.clamp(0, 255).to(torch.uint8), labels, 2)
    train, test = Labelled(data.pixels[:12], labels[:12], 2), Labelled(data.pixels[12:], labels[12:], 2)
    found = recipes("efficientnet-lite0", size=64)
    for name in ("linear head", "nearest neighbour"):
        assert learn(found[name], train, test, 0, CPU).epochs[-1].test_accuracy == 1.0
