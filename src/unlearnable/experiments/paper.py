"""The profile ``paper``: the data, networks and settings of every experiment of the paper.

Source: Huang et al., "Unlearnable Examples", ICLR 2021, arXiv:2101.04898, and where its text gives no number,
its authors' scripts. docs/experiments.md names every difference between the two and this profile.
"""

from __future__ import annotations

from unlearnable.cells import Data
from unlearnable.experiments.profile import Profile, Settings
from unlearnable.experiments.profile_parts import (
    FIVE,
    OTHER_FIVE,
    PHOTOS,
    fast_of,
    maximizing,
    of_photos,
    of_preset,
    searches,
    without,
)

_IMAGENET100 = ("imagenet100", "imagenet100, 20%")
# shared by the paper's searches on ImageNet
_IMAGENET: Settings = {"epsilon": 16, "step_size": 1.6, "batch": 32, "stop_error": 0.1}
_IMAGENET_VICTIM: Settings = {
    "epochs": 100,
    "clip": 5.0,
    "weight_decay": 5e-5,
    "size": 224,
    "transform": "photo",
    "crop_min": 0.08,
    "jitter": 0.4,
    "hue": 0.2,
}

PAPER = Profile(
    name="paper",
    about=(
        "The paper's data, networks and settings, on a GPU. docs/experiments.md names the differences "
        "between the paper, its authors' code and this profile."
    ),
    seeds=(0, 1, 2),
    sets={
        "cifar10": Data(name="cifar10"),
        "cifar100": Data(name="cifar100"),
        "svhn": Data(name="svhn"),
        "imagenet100": Data(name="imagenet100"),
        "imagenet100, 20%": Data(name="imagenet100", share=0.2),
        "imagenet32": Data(name="imagenet"),
        "cifar101": Data(
            name="cifar100", plus=(Data(name="cifar10", per_class=500, tests=100, classes=("ship",)),)
        ),
        "other": Data(name="svhn"),
        **dict.fromkeys(("photos", "more-photos"), Data(name="imagenette")),
        "five-classes": Data(name="imagenette", classes=FIVE),
        "other-five-classes": Data(name="imagenette", classes=OTHER_FIVE),
        "faces": Data(name="faces"),
    },
    main=("svhn", "cifar10", "cifar100", *_IMAGENET100),
    # sample-wise noise for all images would take 39 GB; the paper finds it for a fifth, and trains on these
    forms={"imagenet100": ("classwise",), "imagenet100, 20%": ("samplewise",)},
    models={
        "resnet18": "resnet18:width=64",
        "vgg11": "vgg11:width=64",
        "resnet50": "resnet50:width=64",
        "densenet121": "densenet121:width=32",
        "cnn": "cnn:width=64",
        "recogniser": "inception_resnet_v1",
    },
    stems={
        "": "cifar",
        **dict.fromkeys(_IMAGENET100, "imagenet"),
        **dict.fromkeys(PHOTOS, "half"),
    },
    victims={
        "": {"epochs": 60, "clip": 5.0},
        "cifar100": {"epochs": 100, "clip": 5.0, "weight_decay": 5e-5, "rotation": 20.0},
        "cifar101": {"epochs": 100, "clip": 5.0, "weight_decay": 5e-5, "rotation": 20.0},
        "svhn": {"epochs": 30, "clip": 5.0, "transform": "none"},
        "other": {"epochs": 30, "clip": 5.0, "transform": "none"},
        **dict.fromkeys(_IMAGENET100, _IMAGENET_VICTIM),
        **of_photos({"epochs": 60, "size": 64, "zoom": 1.5, "transform": "photo"}),
        "adversarial": {"epochs": 100, "schedule": "steps"},
        "faces": {"epochs": 60, "clip": 5.0, "size": 112},
    },
    searches=searches(
        lambda form: of_preset("paper", form),
        lambda form: maximizing(
            form, batch=512, pretrain_epochs=60, pretrain_transforms="flip-crop", max_rounds=50
        ),
    ),
    by_set={
        "cifar100": {"samplewise": {"train_batches": 20}},
        "imagenet100": _IMAGENET | {"train_batches": 100, "resolution": 224},
        # the set is a fifth already
        "imagenet100, 20%": _IMAGENET | {"train_batches": 100, "resolution": 224},
        "imagenet32": _IMAGENET | {"train_batches": 250, "resolution": 32},
        **of_photos(without(of_preset("gpu", "classwise"), "form", "step_size", "auto_steps")),
        "faces": {"resolution": 112, "batch": 128},
    },
    by_experiment={"patches": {"steps": 1, "stop_error": 0.1}, "several": {"stop_error": 0.1}},
    found_on={("error_maximizing", "classwise"): 0.2},
    unlifted=frozenset({"imagenet32"}),
    fast=fast_of("paper", 0),
    pgd="adversarial:8,10",
    rounds=100,
    epsilons=(2, 4, 16, 24),
    patches=(8, 16, 24),
    moved=(("cifar10", "imagenet32"),),
    added_from="cifar10",
)
