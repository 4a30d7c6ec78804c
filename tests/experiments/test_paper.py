"""The profile ``paper`` has the settings of the paper: its table of experiments, as literals.

One row of that table is missing: faces (50 protected identities among 10,575) have no experiment yet.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from unlearnable import countermeasures, experiments, methods
from unlearnable.cells import Data, Poison
from unlearnable.cells.poisoning import poisoned
from unlearnable.cells.sets import Sets, prefix
from unlearnable.data.benchmark_table import BENCHMARKS, class_names
from unlearnable.experiments import Entry, profiles
from unlearnable.methods.config import Config
from unlearnable.noise import Form
from unlearnable.training.recipe import Recipe

S, C = "sample-wise", "class-wise"
NETWORKS = ("resnet18", "vgg11", "resnet50", "densenet121")
# (experiment, row, column): data, side, epsilon, alpha, T, M, lambda, share of the images searched on
MIN_MIN: dict[tuple[str, str, str], tuple[str, int, int, float, int, int, float, float]] = {
    ("main", "cifar10, resnet18", S): ("cifar10", 32, 8, 0.8, 20, 10, 0.01, 1),
    ("main", "cifar10, resnet18", C): ("cifar10", 32, 8, 0.8, 1, 10, 0.01, 0.2),
    ("main", "cifar100, resnet18", S): ("cifar100", 32, 8, 0.8, 20, 20, 0.01, 1),
    ("main", "cifar100, resnet18", C): ("cifar100", 32, 8, 0.8, 1, 10, 0.01, 0.2),
    ("main", "svhn, resnet18", S): ("svhn", 32, 8, 0.8, 20, 10, 0.01, 1),
    ("main", "svhn, resnet18", C): ("svhn", 32, 8, 0.8, 1, 10, 0.01, 0.2),
    ("main", "imagenet100, 20%, resnet18", S): ("imagenet100", 224, 16, 1.6, 20, 100, 0.1, 0.2),
    ("main", "imagenet100, resnet18", C): ("imagenet100", 224, 16, 1.6, 1, 100, 0.1, 0.2),
    ("moved", "found on other data", "cifar10"): ("imagenet", 32, 16, 1.6, 1, 250, 0.1, 0.2),
    ("budgets", "16", S): ("cifar10", 32, 16, 1.6, 20, 10, 0.01, 1),
    ("budgets", "16", C): ("cifar10", 32, 16, 1.6, 1, 10, 0.01, 0.2),
    ("budgets", "24", S): ("cifar10", 32, 24, 2.4, 20, 10, 0.01, 1),
    ("budgets", "24", C): ("cifar10", 32, 24, 2.4, 1, 10, 0.01, 0.2),
    ("several", "2", "protected"): ("cifar10", 32, 8, 0.8, 1, 10, 0.1, 0.2),
    **{
        ("patches", f"{side} px", f"{form}, at a random spot of each image"): (
            *("cifar10", side, 8, 0.8, 1, 10, 0.1),
            share,
        )
        for side in (8, 16, 24)
        for form, share in ((S, 1), (C, 0.2))
    },
    ("added-class", "protected, sample-wise", "added class"): ("cifar10", 32, 8, 0.8, 20, 10, 0.01, 1),
}
# data: epochs, weight decay, side, transformation and its settings that differ from the default
TARGETS: dict[str, tuple[int, float, int, dict[str, Any]]] = {
    "cifar10": (60, 5e-4, 32, {"name": "flip-crop"}),
    "cifar100": (100, 5e-5, 32, {"name": "flip-crop", "rotation": 20.0}),
    "cifar101": (100, 5e-5, 32, {"name": "flip-crop", "rotation": 20.0}),
    "svhn": (30, 5e-4, 32, {"name": "none"}),
    **dict.fromkeys(
        ("imagenet100", "imagenet100, 20%"),
        (100, 5e-5, 224, {"name": "photo", "scale": (0.08, 1.0), "jitter": 0.4, "hue": 0.2}),
    ),
}


def entry(experiment: str, row: str, column: str) -> Entry:
    """The entry at a position, of seed 0."""
    entries = experiments.get(experiment).entries(profiles.PAPER, seeds=[0])
    return next(one for one in entries if (one.row, one.column) == (row, column))


def found(experiment: str, row: str, column: str) -> tuple[Poison, Any]:
    """The poison at a position, and the resolved settings of its search."""
    poison = entry(experiment, row, column).cell.poison
    assert poison is not None
    return poison, methods.create(poison.search.method, dict(poison.search.settings)).config


def searched(poison: Poison, config: Any) -> float:
    """The share of all training images whose noise the search moves."""
    share = config.share if config.form == "classwise" else 1.0
    return float(poison.search.data.share * poison.search.found_on * share)


@pytest.mark.parametrize("where", MIN_MIN, ids=" / ".join)
def test_searches_for_error_minimizing_noise(where: tuple[str, str, str]) -> None:
    data, side, epsilon, alpha, steps, batches, stop, share = MIN_MIN[where]
    poison, config = found(*where)
    photos = data.startswith("imagenet")
    assert (poison.search.method, poison.search.data.name) == ("error_minimizing", data)
    assert (config.epsilon, config.steps, config.train_batches) == (epsilon, steps, batches)
    assert config.step_size == pytest.approx(alpha)
    assert (config.stop_error, searched(poison, config)) == (stop, share)
    assert config.form == ("samplewise" if S in ", ".join(where) else "classwise")
    own = (375, 500) if photos else (32, 32)
    resolved: Config = (
        methods.create("error_minimizing", dict(poison.search.settings)).resolve(own, 10).config
    )
    assert resolved.side == side
    assert resolved.patterns_per_class == (2 if where[0] == "several" else 1)
    assert resolved.offset == ("random" if where[0] == "patches" else "tile")
    # Algorithm 1 and Section 4: no augmentation, a constant rate, clipped gradients, noise that starts at 0
    stem = "imagenet" if side == 224 else "cifar"
    assert config.surrogate == f"resnet18:width=64,stem={stem}"
    assert (config.transforms, config.init, config.step_schedule) == ("none", "zero", "constant")
    assert (config.lr, config.momentum, config.weight_decay, config.clip) == (0.1, 0.9, 5e-4, 5.0)
    assert config.batch == (32 if photos else 512)
    assert (config.measure, config.restart_error, config.skip_below, config.patience) == ("after", 0, 0, 0)


@pytest.mark.parametrize(("column", "steps", "stop", "share"), [(S, 20, 0.9, 1), (C, 1, 0.8, 0.2)])
def test_the_search_for_error_maximizing_noise(column: str, steps: int, stop: float, share: float) -> None:
    poison, config = found("methods", "error-maximizing", column)
    assert (config.epsilon, config.step_size, config.steps, config.stop_error) == (8, 0.8, steps, stop)
    assert searched(poison, config) == share
    # the surrogate sees crops and flips of the same images for 60 epochs; the noise steps see neither
    assert poison.search.found_on == share
    assert (config.pretrain_epochs, config.pretrain_transforms, config.transforms) == (
        60,
        "flip-crop",
        "none",
    )
    assert (config.batch, config.lr, config.weight_decay, config.clip) == (512, 0.1, 5e-4, 5.0)


@pytest.mark.parametrize("column", [S, C])
def test_random_noise_is_uniform_within_the_budget(column: str) -> None:
    poison, config = found("methods", "random", column)
    assert (poison.search.method, config.epsilon) == ("random", 8)


@pytest.mark.parametrize("data", TARGETS)
def test_targets(data: str) -> None:
    epochs, decay, size, transform = TARGETS[data]
    victim = profiles.PAPER.victim(data)
    recipe, usual = victim.recipe, Recipe()
    assert (recipe.epochs, recipe.weight_decay, victim.size) == (epochs, decay, size)
    assert (recipe.lr, recipe.momentum, recipe.batch, recipe.clip) == (0.1, 0.9, 128, 5.0)
    assert (recipe.schedule, victim.start) == ("cosine", "fresh")
    assert asdict(recipe.transform) == asdict(usual.transform) | transform


def test_noise_is_found_against_resnet18_and_shown_to_four_networks() -> None:
    for data in ("svhn", "cifar10", "cifar100", "imagenet100"):
        rows = {name: entry("main", f"{data}, {name}", C).cell for name in NETWORKS}
        assert len({cell.poison for cell in rows.values()}) == 1
        assert len({cell.victim.model for cell in rows.values()}) == 4


def test_imagenet_is_its_first_classes_and_sample_wise_targets_train_on_the_images_of_the_noise() -> None:
    assert len(class_names("imagenet")) == 1000
    assert class_names("imagenet100") == class_names("imagenet")[:100]
    assert list(class_names("imagenet")) == sorted(set(class_names("imagenet")))
    cell = entry("main", "imagenet100, 20%, resnet18", S).cell
    assert cell.poison is not None
    assert cell.data == cell.poison.search.data == Data(name="imagenet100", share=0.2)
    assert entry("main", "imagenet100, 20%, resnet18", "clean").cell.data == cell.data
    assert entry("main", "imagenet100, resnet18", C).cell.data == Data(name="imagenet100")


def test_the_noise_of_imagenet_moves_to_cifar10_class_by_class() -> None:
    cell = entry("moved", "found on other data", "cifar10").cell
    assert cell.data.name == "cifar10"
    assert cell.poison is not None
    assert not cell.poison.search.lifted  # the noise is found on images of 32 px
    assert len(cell.poison.mapped) == 10
    assert cell.poison.mapped["airplane"] == "n01440764"
    assert cell.poison.mapped["truck"] == "n01518878"


def test_cifar101_takes_the_noise_of_ships_from_cifar10() -> None:
    cell = entry("added-class", "protected, sample-wise", "added class").cell
    poison, _ = found("main", "cifar10, resnet18", S)
    assert cell.poison is not None
    assert cell.poison.search == poison.search, "the noise of the main table"
    (ships,) = cell.data.plus
    assert cell.data.name == "cifar100"
    assert (ships.name, ships.classes, ships.per_class, ships.tests) == ("cifar10", ("ship",), 500, 100)
    assert (cell.poison.classes, cell.poison.prefix) == (("ship",), prefix(ships))
    assert len(BENCHMARKS["cifar100"].classes) + 1 == 101


def test_noise_found_on_one_set_is_put_on_its_images_in_a_joined_set() -> None:
    whole = Data(name="digits", per_class=6, tests=2)
    nines = Data(name="digits", per_class=4, tests=2, classes=("9",))
    both = Data(name="digits", per_class=6, tests=2, classes=("0", "1"), plus=(nines,))
    sets = Sets()
    alone, joined = sets(whole)[0], sets(both)[0]
    method = methods.create("random", {"form": "samplewise", "resolution": 8}).resolve(
        alone.frame, len(alone)
    )
    noise = method.fit(alone.view(8), methods.Context(3)).noise
    assert noise.bank.any()
    poison = Poison(search=profiles.SMOKE.search("cifar10", "samplewise", 0), classes=("9",))
    for given, wanted in ((poison.model_copy(update={"prefix": prefix(nines)}), 4), (poison, 0)):
        moved = poisoned(noise, given, joined.class_of, 0)
        slots = {id: moved.slot(id, joined.class_of[id], joined.source.load(id)[1]) for id in joined.ids}
        protected = {id: slot for id, slot in slots.items() if slot is not None}
        assert len(protected) == wanted
        for id, slot in protected.items():
            own = noise.slot(id.removeprefix(prefix(nines)), "9")
            assert own is not None
            assert np.array_equal(moved.pattern(slot), noise.pattern(own))


def test_a_share_of_the_data_is_the_first_images_of_each_class_and_every_test_image() -> None:
    whole, half = (Sets()(Data(name="digits", per_class=10, share=share)) for share in (1.0, 0.5))
    assert len(half[0]) == len(whole[0]) / 2 == 50
    assert set(half[0].ids) < set(whole[0].ids)
    assert half[1].ids == whole[1].ids


def test_shares_and_classes_that_are_protected() -> None:
    rows = {one.row: one.cell for one in experiments.get("share").entries(profiles.PAPER) if one.column == S}
    shares = {row: cell.poison.share if cell.poison else 0.0 for row, cell in rows.items()}
    assert shares == {f"{percent}%": percent / 100 for percent in (0, 10, 20, 40, 60, 80, 100)}
    names = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
    for form in (S, C):
        for row, indices in (("one", (0,)), ("four", (0, 1, 8, 9))):
            poison, _ = found("classes", row, f"{form}, protected")
            assert poison.classes == tuple(names[index] for index in indices)


def test_augmentation_against_the_noise() -> None:
    rows = {one.row for one in experiments.get("augmentations").entries(profiles.PAPER)}
    assert {"cutout", "mixup", "cutmix", "fastautoaugment", "fixednoise:8"} <= rows
    assert countermeasures.create("cutout").spec == "cutout:16"
    assert countermeasures.create("cutmix").spec == "cutmix:0.5"


@pytest.mark.parametrize("form", [S, C])
@pytest.mark.parametrize("epsilon", [8, 16, 24])
def test_adversarial_training(epsilon: int, form: str) -> None:
    cell = entry("adversarial", f"adversarial training, {epsilon}", form).cell
    (attack,) = countermeasures.create(cell.countermeasure).members
    assert (attack.epsilon, attack.steps, 2.5 * attack.epsilon / attack.steps) == (8, 10, 2)  # type: ignore[attr-defined]
    recipe = cell.victim.recipe
    assert (recipe.epochs, recipe.clip) == (100, 5.0)
    rates = [recipe.rate(epoch, 100) for epoch in (0, 74, 75, 89, 90, 99)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


@pytest.mark.parametrize("form", ["samplewise", "classwise"])
def test_settings_of_one_form_do_not_reach_the_other(form: Form) -> None:
    """Neither in the profile nor in the settings of a set, whose tables are no settings."""
    settings = profiles.PAPER.search("cifar100", form, 0).settings
    assert settings.get("train_batches", 10) == (20 if form == "samplewise" else 10)
    assert "samplewise" not in settings
