"""The three sizes of the experiments: smoke, cpu and paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from unlearnable import presets
from unlearnable.arguments import unknown
from unlearnable.cells import Data
from unlearnable.experiments.profile import FORMS, Profile, Settings
from unlearnable.noise import Form


def _preset(name: str, form: Form, **changes: Any) -> Settings:
    """Return the settings of a preset without its surrogate, which a profile chooses."""
    merged = presets.merge(presets.read(name), None, {"form": form, **changes})
    return {key: value for key, value in merged.items() if key != "surrogate"}


def _searches(
    minimizing: Callable[[Form], Settings], maximizing: Callable[[Form], Settings]
) -> dict[tuple[str, Form], Settings]:
    return {
        **{("error_minimizing", form): minimizing(form) for form in FORMS},
        **{("error_maximizing", form): maximizing(form) for form in FORMS},
        **{("random", form): {} for form in FORMS},
    }


def _maximizing(form: Form, **more: Any) -> Settings:
    """Return the paper's settings of error-maximizing noise.

    The search stops once the surrogate misclassifies 90% of the images, or 80% for class-wise noise.
    """
    return (
        {"steps": 20, "stop_error": 0.9, **more}
        if form == "samplewise"
        else {"steps": 1, "stop_error": 0.8, **more}
    )


def _fast(name: str, rounds: int) -> Settings:
    """Return the settings that make a preset fast, with as many noise steps as ``rounds`` of one step."""
    table = presets.fast(presets.read(name), "samplewise")
    return {**table, "max_rounds": rounds // table["steps"]} if "steps" in table else table


def _without(settings: Settings, *names: str) -> Settings:
    return {key: value for key, value in settings.items() if key not in names}


def _photos(settings: Settings) -> dict[str, Settings]:
    """Return the same settings for every set of photos."""
    return dict.fromkeys(_PHOTOS, settings)


# the sets that are trained on as photos
_PHOTOS = ("photos", "more-photos", "five-classes")
_DIGITS = Data(name="digits", per_class=40, tests=20)
# half of the classes of Imagenette, to choose settings on
_FIVE = ("cassette_player", "chain_saw", "church", "english_springer", "french_horn")
_NO_SHIP = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "truck")

SMOKE = Profile(
    name="smoke",
    about=(
        "scikit-learn's digits and tiny networks: seconds per cell, to see that everything runs. "
        "The numbers mean nothing."
    ),
    seeds=(0,),
    sets={
        "cifar10": _DIGITS,
        "cifar101": Data(
            name="digits",
            per_class=40,
            tests=20,
            classes=tuple("012345678"),
            plus=(Data(name="digits", per_class=40, tests=20, classes=("9",)),),
        ),
        "other": Data(name="digits", per_class=30, tests=20),
        "photos": _DIGITS,
        "more-photos": Data(name="digits", per_class=60, tests=20),
        "five-classes": Data(name="digits", per_class=40, tests=20, classes=tuple("01234")),
    },
    main=("cifar10",),
    models={name: f"{name}:width=16" for name in ("resnet18", "resnet50", "vgg11", "densenet121")}
    | {"cnn": "cnn:width=8"},
    stems={"": "imagenet"},
    victims={
        "": {"epochs": 2, "batch": 64},
        **_photos({"epochs": 2, "batch": 64, "size": 16}),
        "adversarial": {"schedule": "steps"},
    },
    searches=_searches(
        lambda form: _preset("small", form, batch=64, min_rounds=1, max_rounds=2),
        lambda form: {"steps": 2, "batch": 64, "pretrain_epochs": 1, "max_rounds": 1},
    ),
    by_set=_photos({"resolution": 16}),
    fast=_fast("small", 2),
    pgd="adversarial:8,1",
    rounds=2,
    epsilons=(4,),
    patches=(16,),
)

CPU = Profile(
    name="cpu",
    about=(
        "4,000 training and 2,000 test images, and narrow networks that halve the image first, for two cores "
        "of a CPU. The search for error-minimizing noise is that of the preset `small`, in 30 rounds; the "
        "search for error-maximizing noise has the paper's settings. Tables of photos use 500 to 3,000 "
        "photos of Imagenette, and the preset `laptop` in 60 rounds."
    ),
    seeds=(0, 1, 2),
    sets={
        "cifar10": Data(name="cifar10", per_class=400, tests=200),
        "fashion-mnist": Data(name="fashion-mnist", per_class=400, tests=200),
        "cifar101": Data(
            name="cifar10",
            per_class=400,
            tests=200,
            classes=_NO_SHIP,
            plus=(Data(name="cifar10", per_class=400, tests=200, classes=("ship",)),),
        ),
        "other": Data(name="fashion-mnist", per_class=400, tests=200),
        "photos": Data(name="imagenette", per_class=60, tests=40),
        "more-photos": Data(name="imagenette", per_class=300, tests=100),
        "five-classes": Data(name="imagenette", per_class=100, tests=100, classes=_FIVE),
    },
    main=("cifar10", "fashion-mnist"),
    models={
        "resnet18": "resnet18:width=16",
        "vgg11": "vgg11:width=16",
        "resnet50": "resnet50:width=8",
        "densenet121": "densenet121:width=8",
        "cnn": "cnn:width=32",
    },
    stems={"": "half"},
    victims={
        "": {"epochs": 15, "batch": 64, "schedule": "onecycle"},
        "fashion-mnist": {"epochs": 15, "batch": 64, "schedule": "onecycle", "size": 28},
        "other": {"epochs": 15, "batch": 64, "schedule": "onecycle", "size": 28},
        **_photos(
            {
                "epochs": 40,
                "batch": 64,
                "schedule": "onecycle",
                "size": 64,
                "zoom": 1.5,
                "transform": "photo",
            },
        ),
        "adversarial": {"schedule": "steps"},
    },
    searches=_searches(
        lambda form: _preset("small", form, batch=128, max_rounds=30),
        lambda form: _maximizing(
            form, batch=128, pretrain_epochs=15, max_rounds=4 if form == "samplewise" else 25
        ),
    ),
    by_set=_photos(_without(_preset("laptop", "classwise", max_rounds=60), "form", "step_size")),
    fast=_fast("small", 30),
    pgd="adversarial:8,3",
    rounds=30,
    epsilons=(2, 4, 16),
    patches=(8, 16, 24),
)

PAPER = Profile(
    name="paper",
    about="The paper's data, networks and settings, on a GPU.",
    seeds=(0, 1, 2),
    sets={
        "cifar10": Data(name="cifar10"),
        "cifar100": Data(name="cifar100"),
        "svhn": Data(name="svhn"),
        "imagenet100": Data(name="imagenet100"),
        "cifar101": Data(
            name="cifar100", plus=(Data(name="cifar10", per_class=500, tests=100, classes=("ship",)),)
        ),
        "other": Data(name="svhn"),
        **dict.fromkeys(("photos", "more-photos"), Data(name="imagenette")),
        "five-classes": Data(name="imagenette", classes=_FIVE),
    },
    main=("svhn", "cifar10", "cifar100", "imagenet100"),
    models={
        "resnet18": "resnet18:width=64",
        "vgg11": "vgg11:width=64",
        "resnet50": "resnet50:width=64",
        "densenet121": "densenet121:width=32",
        "cnn": "cnn:width=64",
    },
    stems={"": "cifar", "imagenet100": "imagenet", **dict.fromkeys(_PHOTOS, "half")},
    victims={
        "": {"epochs": 60, "clip": 5.0},
        "cifar100": {"epochs": 100, "clip": 5.0, "weight_decay": 5e-5, "rotation": 20.0},
        "cifar101": {"epochs": 100, "clip": 5.0, "weight_decay": 5e-5, "rotation": 20.0},
        "svhn": {"epochs": 30, "clip": 5.0, "transform": "none"},
        "other": {"epochs": 30, "clip": 5.0, "transform": "none"},
        "imagenet100": {
            "epochs": 100,
            "clip": 5.0,
            "weight_decay": 5e-5,
            "size": 224,
            "transform": "photo",
            "crop_min": 0.08,
            "jitter": 0.4,
        },
        **_photos({"epochs": 60, "size": 64, "zoom": 1.5, "transform": "photo"}),
        "adversarial": {"epochs": 100, "schedule": "steps"},
    },
    searches=_searches(
        lambda form: _preset("paper", form),
        lambda form: _maximizing(
            form, batch=512, max_rounds=50, **({} if form == "samplewise" else {"share": 0.2})
        ),
    ),
    by_set={
        "imagenet100": {
            "epsilon": 16,
            "step_size": 1.6,
            "train_batches": 100,
            "batch": 32,
            "stop_error": 0.1,
            "resolution": 224,
            "share": 0.2,
        },
        **_photos(_without(_preset("gpu", "classwise"), "form", "step_size")),
    },
    fast=_fast("paper", 0),
    pgd="adversarial:8,10",
    rounds=100,
    epsilons=(2, 4, 16, 24),
    patches=(8, 16, 24),
)

PROFILES = {profile.name: profile for profile in (SMOKE, CPU, PAPER)}


def get(name: str) -> Profile:
    """Return a profile.

    Raises:
        UsageError: If there is none of that name.
    """
    if name not in PROFILES:
        raise unknown("profile", name, PROFILES)
    return PROFILES[name]
