"""The three sizes of the experiments: smoke, cpu and paper."""

from __future__ import annotations

from unlearnable.arguments import unknown
from unlearnable.cells import Data
from unlearnable.experiments.paper import PAPER
from unlearnable.experiments.profile import Profile
from unlearnable.experiments.profile_parts import (
    FIVE,
    OTHER_FIVE,
    TWELVE,
    fast_of,
    maximizing,
    of_photos,
    of_preset,
    searches,
    without,
)
from unlearnable.methods.config import rounds_for

_DIGITS = Data(name="digits", per_class=40, tests=20)
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
        "other-five-classes": Data(name="digits", per_class=40, tests=20, classes=tuple("56789")),
        "faces": _DIGITS,
    },
    main=("cifar10",),
    models={name: f"{name}:width=16" for name in ("resnet18", "resnet50", "vgg11", "densenet121")}
    | dict.fromkeys(("cnn", "recogniser"), "cnn:width=8"),
    stems={"": "imagenet"},
    victims={
        "": {"epochs": 2, "batch": 64},
        **of_photos({"epochs": 2, "batch": 64, "size": 16}),
        "adversarial": {"schedule": "steps"},
    },
    searches=searches(
        lambda form: of_preset("small", form, batch=64, min_rounds=1, max_rounds=2),
        lambda form: {"steps": 2, "batch": 64, "pretrain_epochs": 1, "max_rounds": 1},
    ),
    by_set=of_photos({"resolution": 16}),
    fast=fast_of("small", 2),
    pgd="adversarial:8,1",
    rounds=2,
    people=("0", "1"),
    epsilons=(4,),
    patches=(16,),
)

CPU = Profile(
    name="cpu",
    about=(
        "4,000 training and 2,000 test images, and narrow networks that halve the image first, for two cores "
        "of a CPU. The search for error-minimizing noise is that of the preset `small`, in 30 rounds. The "
        "search for error-maximizing noise has the paper's steps and goals, a surrogate trained for 15 "
        "epochs without augmentation, and at most 4 rounds (class-wise: 25). Tables of photos use 500 to "
        "3,000 photos of Imagenette, and the preset `laptop` in 60 rounds."
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
        "five-classes": Data(name="imagenette", per_class=100, tests=100, classes=FIVE),
        "other-five-classes": Data(name="imagenette", per_class=100, tests=100, classes=OTHER_FIVE),
        "faces": Data(name="lfw"),
    },
    main=("cifar10", "fashion-mnist"),
    models={
        "resnet18": "resnet18:width=16",
        "vgg11": "vgg11:width=16",
        "resnet50": "resnet50:width=8",
        "densenet121": "densenet121:width=8",
        "cnn": "cnn:width=32",
        "recogniser": "cnn:width=32",
    },
    stems={"": "half"},
    victims={
        "": {"epochs": 15, "batch": 64, "schedule": "onecycle"},
        "fashion-mnist": {"epochs": 15, "batch": 64, "schedule": "onecycle", "size": 28},
        "other": {"epochs": 15, "batch": 64, "schedule": "onecycle", "size": 28},
        **of_photos(
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
        "faces": {
            "epochs": 30,
            "batch": 64,
            "lr": 0.05,
            "clip": 5.0,
            "schedule": "onecycle",
            "size": 40,
            "rotation": 5.0,
        },
    },
    searches=searches(
        lambda form: of_preset("small", form, batch=128, max_rounds=30),
        lambda form: maximizing(
            form, batch=128, pretrain_epochs=15, max_rounds=4 if form == "samplewise" else 25
        ),
    ),
    by_set={
        **of_photos(
            without(of_preset("laptop", "classwise", max_rounds=60), "form", "step_size", "auto_steps")
        ),
        "faces": without(of_preset("faces", "classwise", max_rounds=20), "form", "step_size"),
    },
    people=TWELVE,
    fast=fast_of("small", 30),
    pgd="adversarial:8,3",
    rounds=30,
    # as the preset `laptop` had it for 500 photos when the cheaper ones were chosen
    by_experiment={"cost": {"max_rounds": rounds_for(500)}},
    epsilons=(2, 4, 16),
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
