"""Translates the keys of published state dicts: every library names the same layers differently."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch

from unlearnable.models.mobile import EFFICIENTNET_LITE0, MOBILENET_V2
from unlearnable.models.parts import IMAGENET

Weights = dict[str, torch.Tensor]
PARTS = ("first", "second", "third")


def translated(weights: Mapping[str, torch.Tensor]) -> Weights:
    """Return weights under our names, with the normalisation they were trained with.

    Known are the names of torchvision's (and timm's) ResNet-18, 34 and 50, torchvision's MobileNetV2, and
    EfficientNet-PyTorch's EfficientNet-Lite0. All other weights are returned as they are.

    Args:
        weights: A state dict.
    """
    if {"conv1.weight", "layer1.0.conv1.weight", "fc.weight"} <= weights.keys():
        blocks = {key.rsplit(".", 2)[0] for key in weights if re.match(r"layer\d+\.\d+\.conv1\.", key)}
        found, layer, design = _resnet(blocks), "0", IMAGENET
    elif {"_conv_stem.weight", "_fc.weight"} <= weights.keys():
        found, layer, design = LITE0, "normalise", (EFFICIENTNET_LITE0.mean, EFFICIENTNET_LITE0.std)
    elif {"features.0.0.weight", "classifier.1.weight"} <= weights.keys():
        found, layer, design = MOBILE2, "normalise", (MOBILENET_V2.mean, MOBILENET_V2.std)
    else:
        return dict(weights)
    renamed = {_renamed(key, found): value for key, value in weights.items()}
    for key in [key for key in renamed if key.endswith(".running_mean")]:
        # files of before PyTorch 0.4.1 do not count batches
        renamed.setdefault(f"{key.rpartition('.')[0]}.num_batches_tracked", torch.tensor(0))
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in design)
    return {f"{layer}.mean": mean, f"{layer}.std": std, **renamed}


Rules = list[tuple[str, str]]


def _renamed(key: str, rules: Rules) -> str:
    """Return a key by the first rule that matches its beginning; a key without a rule stays as it is."""
    for pattern, replacement in rules:
        renamed, count = re.subn(rf"^{pattern}(?=\.)", replacement, key)
        if count:
            return renamed
    return key


def _resnet(blocks: set[str]) -> Rules:
    """Return the rules for a ResNet: blocks are numbered within each stage there, and throughout here."""
    ordered = sorted(blocks, key=lambda name: tuple(map(int, re.findall(r"\d+", name))))
    rules = [("conv1", "1.0"), ("bn1", "1.1"), ("fc", str(len(ordered) + 4))]
    for number, name in enumerate(ordered, 2):
        block = re.escape(name)
        for index, part in enumerate(PARTS, 1):
            rules += [
                (rf"{block}\.conv{index}", f"{number}.{part}.0"),
                (rf"{block}\.bn{index}", f"{number}.{part}.1"),
            ]
        rules.append((rf"{block}\.downsample", f"{number}.shortcut"))
    return rules


LITE0: Rules = [
    ("_conv_stem", "stem.0"),
    ("_bn0", "stem.1"),
    (r"_blocks\.(\d+)\._expand_conv", r"block\1.expand.0"),
    (r"_blocks\.(\d+)\._bn0", r"block\1.expand.1"),
    (r"_blocks\.(\d+)\._depthwise_conv", r"block\1.depthwise.0"),
    (r"_blocks\.(\d+)\._bn1", r"block\1.depthwise.1"),
    (r"_blocks\.(\d+)\._project_conv", r"block\1.project.0"),
    (r"_blocks\.(\d+)\._bn2", r"block\1.project.1"),
    ("_conv_head", "last.0"),
    ("_bn1", "last.1"),
    ("_fc", "head"),
]
MOBILE2: Rules = [
    (r"features\.0", "stem"),
    # the first block does not expand
    (r"features\.1\.conv\.0", "block0.depthwise"),
    (r"features\.1\.conv\.1", "block0.project.0"),
    (r"features\.1\.conv\.2", "block0.project.1"),
    *(
        (rf"features\.{block + 1}\.conv\.{index}", f"block{block}.{part}")
        for block in range(1, 17)
        for index, part in enumerate(("expand", "depthwise", "project.0", "project.1"))
    ),
    (r"features\.18", "last"),
    (r"classifier\.1", "head"),
]
