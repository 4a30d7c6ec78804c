"""Linear separability of noise: how well a linear classifier tells the classes from the noise alone.

Noise that a linear classifier separates is a shortcut that networks learn first (Yu et al., "Availability
attacks create shortcuts", KDD 2022, arXiv:2111.00898).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from unlearnable.evaluation.pairs import Pairs

FOLDS = 5
# images beyond this number change the result little, and the time grows with its cube
MOST = 2000


def separability(pairs: Pairs) -> float | None:
    """Return the balanced accuracy of logistic regression on the noise, cross-validated, in [0, 1].

    The noise is the difference of the protected and the clean squares, at their size.

    Args:
        pairs: The images.

    Returns:
        None if a class has fewer than two images, or there is only one class.
    """
    noise = pairs.protected_view.pixels.astype(np.float32) - pairs.clean_view.pixels
    return of_noise(noise.reshape(len(noise), -1), pairs.clean_view.labels)


def of_noise(noise: Any, labels: Any) -> float | None:
    """Return the balanced accuracy of logistic regression on noise, as ``separability`` does.

    The L2-regularised classifier depends on inner products of images only, so it is fitted in the coordinates
    of their span, which gives the same classifier in fewer dimensions.

    Args:
        noise: float (N, D).
        labels: int (N,).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    noise, labels = _sample(np.asarray(noise), np.asarray(labels))
    counts = np.unique(labels, return_counts=True)[1]
    if len(counts) < 2 or counts.min() < 2:
        return None
    folds = StratifiedKFold(min(FOLDS, int(counts.min())), shuffle=True, random_state=0)
    with warnings.catch_warnings():
        # classes that cannot be separated need more steps, which change nothing worth a warning
        warnings.simplefilter("ignore")
        answers = cross_val_predict(LogisticRegression(max_iter=300), _coordinates(noise), labels, cv=folds)
    return float(np.mean([(answers[labels == label] == label).mean() for label in np.unique(labels)]))


def _sample(noise: Any, labels: Any) -> tuple[Any, Any]:
    if len(noise) <= MOST:
        return noise, labels
    rows = np.sort(np.random.default_rng(0).permutation(len(noise))[:MOST])
    return noise[rows], labels[rows]


def _coordinates(noise: Any) -> Any:
    """Return the images in an orthonormal basis of their span, float (N, N), with a mean length of 1 each."""
    products = (noise @ noise.T).astype(np.float64)
    values, vectors = np.linalg.eigh(products)
    coordinates = vectors * np.sqrt(np.maximum(values, 0))
    return coordinates / max(float(np.linalg.norm(coordinates, axis=1).mean()), 1e-12)
