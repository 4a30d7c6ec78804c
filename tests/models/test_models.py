"""The architectures: as many parameters as the published ones, any size of image, and safe to freeze."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from unlearnable import models
from unlearnable.errors import UsageError
from unlearnable.training.compute import Compute
from unlearnable.training.frozen import freeze

PAPER = ("densenet121", "resnet18", "resnet34", "resnet50", "vgg11")
STEMS = ("cifar", "half", "imagenet")

# A convolution of k x k from a to b channels has k*k*a*b weights and no bias, batch normalisation of b
# channels 2b, a linear layer a*b + b.
#
# ImageNet, 1000 classes: the counts of torchvision's models, which follow the papers' tables.
# CIFAR, 10 classes: the same blocks with another stem and head.
# ResNet: the 7x7 convolution gives way to a 3x3 one, -3*64*(49 - 9) = -7,680, and 990 classes go, -990*(d +
# 1) for d features, which are 512 (-507,870) or, for ResNet-50, 2048 (-2,028,510): 11,689,512 - 7,680 -
# 507,870 = 11,173,962, and so on. DenseNet-121: the same convolution, -7,680, with no batch normalisation of
# its 64 channels, -128, and -990*1025 = -1,014,750. VGG-11: 9*(3*64 + 64*128 + 128*256 + 256*256 + 256*512 +
# 3*512*512) = 9,217,728 of convolutions, 2*2,752 of batch normalisation for 64 + 128 + 2*256 + 4*512 = 2,752
# channels, and 512*10 + 10 = 5,130 of the linear layer. The usual 9,231,114 has a bias in front of each batch
# normalisation, +2,752.
COUNTS = {
    "densenet121": 6_956_298,
    "densenet121:stem=imagenet": 7_978_856,
    "resnet18": 11_173_962,
    "resnet18:stem=imagenet": 11_689_512,
    "resnet34": 21_282_122,
    "resnet34:stem=imagenet": 21_797_672,
    "resnet50": 23_520_842,
    "resnet50:stem=imagenet": 25_557_032,
    "vgg11": 9_231_114 - 2_752,
    # the paper's recogniser: 23,482,624 without the classifier
    "inception_resnet_v1": 23_482_624 + 512 * 10 + 10,
}


def size(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("spec", COUNTS)
def test_as_many_parameters_as_published(spec: str) -> None:
    with torch.device("meta"):
        assert size(models.create(spec, 1000 if "imagenet" in spec else 10)) == COUNTS[spec]


def test_the_published_vgg11_is_ours_with_its_own_classifier() -> None:
    """132,863,336 parameters for ImageNet (Simonyan and Zisserman, Table 2: 133 million), and 2*2,752 more
    with batch normalisation.
    """
    with torch.device("meta"):
        head = [nn.Linear(7 * 7 * 512, 4096), nn.Linear(4096, 4096), nn.Linear(4096, 1000)]
        convolutions = models.create("vgg11:stem=imagenet", 1000)[:-1]  # type: ignore[index]
    assert size(convolutions) + 2_752 + sum(map(size, head)) == 132_863_336 + 2 * 2_752


def test_every_architecture_of_the_paper_is_listed_with_a_line_of_its_own() -> None:
    listed = models.names()
    assert set(PAPER) <= set(listed)
    assert len(set(listed.values())) == len(listed)


@pytest.mark.parametrize("members", [2, 3])
def test_an_ensemble_adds_the_logits_of_its_members(members: int) -> None:
    torch.manual_seed(0)
    beside, head = models.create(f"ensemble:members={members},width=4", 7).eval()  # type: ignore[misc]
    x = torch.rand(3, 3, 33, 47)
    features = [member(x) for member in beside.members]
    assert len(features) == members
    parts = head.weight.split([one.shape[1] for one in features], dim=1)
    logits = sum(one @ part.T for one, part in zip(features, parts, strict=True)) + head.bias
    assert torch.allclose(head(beside(x)), logits, atol=1e-6)


def test_the_revision_of_an_ensemble_is_that_of_its_members() -> None:
    members = [models.revision(name) for name in ("cnn", "resnet18", "vgg11")]
    assert models.revision("ensemble") - 1 == sum(one - 1 for one in members)


@pytest.mark.parametrize("members", [1, 4])
def test_an_ensemble_of_one_or_of_families_that_there_are_not_is_refused(members: int) -> None:
    with pytest.raises(UsageError, match=f"2 or 3 members, not {members}"):
        models.create(f"ensemble:members={members}", 7)


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("name", PAPER)
def test_every_size_of_image_from_28_pixels_up(name: str, stem: str) -> None:
    model = models.create(f"{name}:width=2,stem={stem}", 7).eval()
    with torch.inference_mode():
        for height, width in ((28, 28), (32, 32), (64, 64), (33, 47), (112, 112), (224, 224)):
            logits = model(torch.rand(1, 3, height, width))
            assert logits.shape == (1, 7)
            assert logits.isfinite().all()


@pytest.mark.parametrize(("stem", "side"), [("cifar", 32), ("imagenet", 224)])
@pytest.mark.parametrize("name", PAPER)
def test_sides_shrink_as_published(name: str, stem: str, side: int) -> None:
    with torch.device("meta"):
        model = models.create(f"{name}:width=2,stem={stem}", 7)
        last = model[:-3](torch.rand(1, 3, side, side))  # type: ignore[index]
    assert last.shape[2:] == ((7, 7) if stem == "imagenet" else (1, 1) if name == "vgg11" else (4, 4))


@pytest.mark.parametrize("name", PAPER)
def test_a_stem_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no stem 'x'"):
        models.create(f"{name}:stem=x", 10)


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("name", PAPER)
def test_a_frozen_copy_gives_the_same_logits_and_gradient(name: str, stem: str) -> None:
    torch.manual_seed(0)
    model = models.create(f"{name}:width=2,stem={stem}", 5).double()
    model(torch.rand(4, 3, 32, 32).double())
    for module in model.modules():  # so that folding has something to get wrong
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    frozen, x, y = (
        freeze(model.eval(), Compute("cpu", "float64")),
        torch.rand(2, 3, 28, 28).double().requires_grad_(True),
        torch.tensor([0, 1]),
    )
    logits = [one(x) for one in (frozen, model)]
    gradients = [torch.autograd.grad(F.cross_entropy(one, y), x)[0] for one in logits]
    assert torch.allclose(*logits, rtol=1e-9, atol=1e-9)
    assert torch.allclose(*gradients, rtol=1e-9, atol=1e-12)
    assert float(gradients[0].abs().max()) > 1e-8
    kept = [module for module in frozen.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(kept) == (
        58 + 3 + 1 if name == "densenet121" else 0
    )  # one at the head of each layer and transition, and the last


def test_a_network_too_large_for_memory_is_named_in_words_of_ours() -> None:
    with pytest.raises(UsageError, match="'cnn:width=1000000' needs more memory than there is"):
        models.create("cnn:width=1000000", 10)
