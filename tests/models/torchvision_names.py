"""State dicts under the names of other libraries, and their networks as plain functions of these."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

Weights = dict[str, torch.Tensor]


class Maker:
    """Random weights of every layer that is asked for, float64, so scaled that activations stay about 1."""

    def __init__(self) -> None:
        self.rng, self.weights = torch.Generator().manual_seed(0), dict[str, torch.Tensor]()

    def normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self.rng, dtype=torch.double)

    def conv(self, name: str, inputs: int, outputs: int, kernel: int, groups: int = 1) -> None:
        fan = kernel * kernel * inputs // groups
        self.weights[f"{name}.weight"] = self.normal(outputs, inputs // groups, kernel, kernel) * math.sqrt(
            2 / fan
        )

    def norm(self, name: str, channels: int) -> None:
        for part, value in (
            ("weight", 1 + 0.2 * self.normal(channels)),
            ("bias", 0.3 * self.normal(channels)),
            ("running_mean", 0.2 * self.normal(channels)),
            ("running_var", 1 + self.normal(channels) ** 2),
        ):
            self.weights[f"{name}.{part}"] = value

    def linear(self, name: str, inputs: int, outputs: int) -> None:
        self.weights[f"{name}.weight"] = self.normal(outputs, inputs) / math.sqrt(inputs)
        self.weights[f"{name}.bias"] = self.normal(outputs)


RESNETS = {
    "resnet18": ((2, 2, 2, 2), False),
    "resnet34": ((3, 4, 6, 3), False),
    "resnet50": ((3, 4, 6, 3), True),
}


def resnet_weights(name: str, classes: int) -> Weights:
    """As torchvision publishes them: no counts of batches, which its files are too old for."""
    make, (depths, bottleneck), inputs = Maker(), RESNETS[name], 64
    make.conv("conv1", 3, 64, 7)
    make.norm("bn1", 64)
    for stage, depth in enumerate(depths):
        width = 64 * 2**stage
        shapes = ((1, width), (3, width), (1, 4 * width)) if bottleneck else ((3, width), (3, width))
        for block in range(depth):
            name, start = f"layer{stage + 1}.{block}", inputs
            for number, (kernel, outputs) in enumerate(shapes, 1):
                make.conv(f"{name}.conv{number}", inputs, outputs, kernel)
                make.norm(f"{name}.bn{number}", outputs)
                inputs = outputs
            if block == 0 and (stage or bottleneck):
                make.conv(f"{name}.downsample.0", start, inputs, 1)
                make.norm(f"{name}.downsample.1", inputs)
    make.linear("fc", inputs, classes)
    return make.weights


class Reader:
    """Layers of a state dict, in eval mode."""

    def __init__(self, weights: Weights, epsilon: float) -> None:
        self.weights, self.epsilon = weights, epsilon

    def conv(
        self, x: torch.Tensor, name: str, stride: int = 1, padding: int | None = None, groups: int = 1
    ) -> torch.Tensor:
        weight = self.weights[f"{name}.weight"]
        return F.conv2d(
            x, weight, None, stride, weight.shape[-1] // 2 if padding is None else padding, 1, groups
        )

    def norm(self, x: torch.Tensor, name: str) -> torch.Tensor:
        parts = [self.weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *parts, eps=self.epsilon)


def resnet(name: str, weights: Weights, x: torch.Tensor) -> torch.Tensor:
    """Logits for images in [0, 1] (He et al., Table 1; torchvision normalises with ImageNet's statistics)."""
    read, (depths, bottleneck) = Reader(weights, 1e-5), RESNETS[name]
    mean, std = torch.tensor([0.485, 0.456, 0.406]).double(), torch.tensor([0.229, 0.224, 0.225]).double()
    x = (x - mean[:, None, None]) / std[:, None, None]
    x = F.max_pool2d(F.relu(read.norm(read.conv(x, "conv1", 2), "bn1")), 3, 2, 1)
    for stage, depth in enumerate(depths):
        for block in range(depth):
            key, stride, before = f"layer{stage + 1}.{block}", 2 if stage and not block else 1, x
            last = 3 if bottleneck else 2
            for number in range(1, last + 1):
                strided = number == (2 if bottleneck else 1)
                x = read.norm(
                    read.conv(x, f"{key}.conv{number}", stride if strided else 1), f"{key}.bn{number}"
                )
                x = F.relu(x) if number < last else x
            if f"{key}.downsample.0.weight" in weights:
                before = read.norm(read.conv(before, f"{key}.downsample.0", stride), f"{key}.downsample.1")
            x = F.relu(x + before)
    return F.linear(x.mean((2, 3)), weights["fc.weight"], weights["fc.bias"])


# expansion, channels, blocks, stride, kernel
LITE0 = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
MOBILE2 = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 32, 3, 2, 3),
    (6, 64, 4, 2, 3),
    (6, 96, 3, 1, 3),
    (6, 160, 3, 2, 3),
    (6, 320, 1, 1, 3),
)


def lite0_names(block: int, expands: bool) -> dict[str, tuple[str, str]]:
    key = f"_blocks.{block}."
    return {
        "expand": (f"{key}_expand_conv", f"{key}_bn0"),
        "depthwise": (f"{key}_depthwise_conv", f"{key}_bn1"),
        "project": (f"{key}_project_conv", f"{key}_bn2"),
    }


def mobile2_names(block: int, expands: bool) -> dict[str, tuple[str, str]]:
    key, at = f"features.{block + 1}.conv.", int(expands)
    return {
        "expand": (f"{key}0.0", f"{key}0.1"),
        "depthwise": (f"{key}{at}.0", f"{key}{at}.1"),
        "project": (f"{key}{at + 1}", f"{key}{at + 2}"),
    }


MOBILES = {
    "efficientnet-lite0": (LITE0, lite0_names, ("_conv_stem", "_bn0"), ("_conv_head", "_bn1"), "_fc"),
    "mobilenet-v2": (
        MOBILE2,
        mobile2_names,
        ("features.0.0", "features.0.1"),
        ("features.18.0", "features.18.1"),
        "classifier.1",
    ),
}


def mobile_weights(name: str, classes: int) -> Weights:
    stages, names, stem, last, head = MOBILES[name]
    make, inputs, number = Maker(), 32, 0

    def layer(keys: tuple[str, str], before: int, after: int, kernel: int, groups: int = 1) -> None:
        make.conv(keys[0], before, after, kernel, groups)
        make.norm(keys[1], after)

    layer(stem, 3, 32, 3)
    for expansion, outputs, blocks, _, kernel in stages:
        for _ in range(blocks):
            keys, inside = names(number, expansion > 1), inputs * expansion
            if expansion > 1:
                layer(keys["expand"], inputs, inside, 1)
            layer(keys["depthwise"], inside, inside, kernel, inside)
            layer(keys["project"], inside, outputs, 1)
            inputs, number = outputs, number + 1
    layer(last, inputs, 1280, 1)
    make.linear(head, 1280, classes)
    return make.weights


def mobile(name: str, weights: Weights, x: torch.Tensor) -> torch.Tensor:
    """Logits for images in [0, 1]; their sides are multiples of 32."""
    stages, names, stem, last, head = MOBILES[name]
    lite = name == "efficientnet-lite0"
    read, number = Reader(weights, 1e-3 if lite else 1e-5), 0

    def layer(x: torch.Tensor, keys: tuple[str, str], stride: int = 1, groups: int = 1) -> torch.Tensor:
        kernel = weights[f"{keys[0]}.weight"].shape[-1]
        if lite and stride == 2:
            # TensorFlow's SAME: kernel - 2 in all, one more at the end
            low = (kernel - 2) // 2
            x = F.pad(x, (low, kernel - 2 - low, low, kernel - 2 - low))
            return read.norm(read.conv(x, keys[0], stride, 0, groups), keys[1])
        return read.norm(read.conv(x, keys[0], stride, None, groups), keys[1])

    if lite:
        x = (x * 255 - 127) / 128
    else:
        mean, std = torch.tensor([0.485, 0.456, 0.406]).double(), torch.tensor([0.229, 0.224, 0.225]).double()
        x = (x - mean[:, None, None]) / std[:, None, None]
    x = F.relu6(layer(x, stem, 2))
    for expansion, _, blocks, first, _ in stages:
        for block in range(blocks):
            keys, before, stride = names(number, expansion > 1), x, 1 if block else first
            if expansion > 1:
                x = F.relu6(layer(x, keys["expand"]))
            x = F.relu6(layer(x, keys["depthwise"], stride, x.shape[1]))
            x = layer(x, keys["project"])
            x = x + before if block else x
            number += 1
    x = F.relu6(layer(x, last)).mean((2, 3))
    return F.linear(x, weights[f"{head}.weight"], weights[f"{head}.bias"])
