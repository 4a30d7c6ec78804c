"""Simple networks, fitted in closed form and tested on images they were not fitted to.

Two networks: a linear one, and a convolutional one with a random first layer. Their only trained layer is
fitted by ridge regression, which takes seconds for a data set and needs no learning rate.

Sources: Zhu et al., "Detection and defense of unlearnable examples", AAAI 2024, Algorithm 1 (simple networks
fit a held-out part of protected data); Coates and Ng, "Learning feature representations with k-means", 2012
(whitened patches of the images as the first layer); Liu et al., ICML 2023, arXiv:2301.13838 (grey and blur
destroy the noise).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from unlearnable.countermeasures.blur import matrix
from unlearnable.training.randomness import generator

# standard deviations in pixels: of the blur whose remainder is the fine part, and of the coarse part
FINE_SIGMA, COARSE_SIGMA = 1.0, 1.5
# levels; budgets of published methods are 8 and 16, edges and textures of photos are stronger
LIMIT = 8.0
FOLDS = 5
# weight of the ridge penalty, as a share of the mean squared norm of the features
PENALTY = 0.1
FILTERS, PATCH, POOLS, PATCHES = 64, 5, 4, 10_000
# pixels; larger images are convolved at every second pixel
DENSE = 40
# added to the variances of the patches, as a share of their mean, before whitening
WHITENING = 0.1
# activations below this are cut off; a whitened patch has a standard deviation of about 1 per filter
THRESHOLD = 0.5
# images convolved at a time
CHUNK = 100

Network = Callable[[torch.Tensor, int], torch.Tensor]


def fine(pixels: torch.Tensor) -> torch.Tensor:
    """Return the fine part of images: each image less its blurred self, limited to +-8 levels.

    Args:
        pixels: float (N, 3, S, S) in levels, 0 to 255.
    """
    return (pixels - _blurred(pixels, FINE_SIGMA)).clamp(-LIMIT, LIMIT)


def coarse(pixels: torch.Tensor) -> torch.Tensor:
    """Return the coarse part of images, grey and blurred, float (N, 1, S, S): content with little noise.

    Args:
        pixels: float (N, 3, S, S) in levels.
    """
    return _blurred(pixels.mean(1, keepdim=True), COARSE_SIGMA)


def linear(images: torch.Tensor, seed: int) -> torch.Tensor:
    """Return the features of the linear network, float (N, D): the pixels."""
    return images.flatten(1)


def convolutional(images: torch.Tensor, seed: int) -> torch.Tensor:
    """Return the features of the convolutional network, float (N, D), each of mean 0 and deviation 1.

    The first layer's filters are patches of the images themselves, whitened. Both signs of each activation
    are cut off below a threshold and averaged over a grid of 4 by 4 fields.

    Args:
        images: float (N, C, S, S), S at least 5.
        seed: Seed of the choice of patches.
    """
    filters, bias = _filters(images, seed)
    found = []
    for chunk in torch.split(images, CHUNK):
        active = F.conv2d(chunk, filters, bias, stride=1 if images.shape[-1] <= DENSE else 2)
        both = torch.cat([F.relu(active - THRESHOLD), F.relu(-active - THRESHOLD)], 1)
        found.append(F.adaptive_avg_pool2d(both, POOLS).flatten(1))
    features = torch.cat(found)
    return (features - features.mean(0)) / features.std(0).clamp_min(1e-6)


NETWORKS: dict[str, Network] = {"linear": linear, "convolutional": convolutional}


def kernel(features: torch.Tensor) -> torch.Tensor:
    """Return the inner products of centred features, float (N, N), divided by their mean squared norm."""
    centred = features - features.mean(0)
    products = centred @ centred.T
    return products / products.diagonal().mean().clamp_min(1e-12)


def held_out_scores(products: torch.Tensor, labels: torch.Tensor, folds: torch.Tensor) -> torch.Tensor:
    """Return the scores of every image by a network that was fitted to the other folds.

    Args:
        products: float (N, N), from ``kernel``.
        labels: int64 (N,), 0 to K - 1.
        folds: int64 (N,): the fold of each image.

    Returns:
        float (N, K); the prediction is the largest.
    """
    classes = int(labels.max()) + 1
    one_hot = torch.eye(classes, device=products.device)[labels]
    scores = torch.zeros_like(one_hot)
    for fold in range(int(folds.max()) + 1):
        test, train = folds == fold, folds != fold
        targets = one_hot[train]
        # all classes weigh the same, however many images they have
        weight = (1 / targets.sum(0).clamp_min(1))[labels[train]].sqrt().unsqueeze(1)
        weight = weight / weight.mean()
        ridge = weight * products[train][:, train] * weight.T
        ridge.diagonal().add_(PENALTY)
        solved = torch.linalg.solve(ridge, weight * (targets - 1 / classes))
        scores[test] = products[test][:, train] @ (weight * solved)
    return scores


def stratified_folds(
    labels: np.ndarray[Any, np.dtype[np.int64]], digests: Sequence[str], seed: int
) -> torch.Tensor:
    """Return the fold of each image, int64 (N,): every class is spread evenly, equal images share a fold."""
    rng = np.random.default_rng(seed)
    fold_of: dict[str, int] = {}
    for label in range(int(labels.max()) + 1):
        mine = dict.fromkeys(digests[int(i)] for i in np.flatnonzero(labels == label))
        new = [digest for digest in mine if digest not in fold_of]
        for position, index in enumerate(rng.permutation(len(new))):
            # the next class begins at another fold, so that folds have about the same size
            fold_of[new[index]] = (position + label) % FOLDS
    return torch.tensor([fold_of[digest] for digest in digests])


def _blurred(images: torch.Tensor, sigma: float) -> torch.Tensor:
    blur = matrix(images.shape[-1], sigma).to(images)
    return blur @ images @ blur


def _filters(images: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return filters, float (F, C, 5, 5), and their biases, float (F,)."""
    rng, free = generator(seed, "patches"), images.shape[-1] - PATCH + 1
    rows = torch.randint(len(images), (PATCHES,), generator=rng)
    top, left = torch.randint(free, (2, PATCHES), generator=rng)
    windows = images.unfold(2, PATCH, 1).unfold(3, PATCH, 1)
    patches = windows[rows, :, top, left].flatten(1)
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov((patches - mean).T))
    scale = (values.clamp_min(0) + WHITENING * values.mean().clamp_min(1e-6)).rsqrt()
    whiten = vectors @ torch.diag(scale) @ vectors.T
    chosen = F.normalize((patches[:FILTERS] - mean) @ whiten, dim=1) @ whiten
    return chosen.view(FILTERS, images.shape[1], PATCH, PATCH), -(chosen @ mean)
