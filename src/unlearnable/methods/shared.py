"""Which searches several processes can share, so that a search is refused before it begins."""

from __future__ import annotations

from typing import Any

from unlearnable.data.view import View
from unlearnable.errors import UsageError
from unlearnable.hashing import digest
from unlearnable.methods.base import Method
from unlearnable.methods.pretrained_surrogates import build
from unlearnable.methods.registry import get, names
from unlearnable.methods.settings import SearchConfig
from unlearnable.training.randomness import seeded
from unlearnable.training.ranks import Ranks
from unlearnable.training.whole_batch import unshareable

ONE = "Run the command without torchrun"


def can_be_shared(method: type[Method[Any]]) -> bool:
    """Return whether a method says of itself, and not of a method that it derives from, that it is shared."""
    return bool(vars(method).get("shared", False))


def require_shareable(method: Method[Any], classes: int, ranks: Ranks) -> None:
    """Refuse a search whose result would depend on the number of processes, if there are several.

    Args:
        method: The method.
        classes: Number of classes, context included.
        ranks: The processes.

    Raises:
        UsageError: If processes cannot share the search.
    """
    if not ranks.several:
        return
    config = method.config
    if not can_be_shared(type(method)):
        shared = ", ".join(name for name in names() if can_be_shared(get(name)))
        raise UsageError(
            f"Several processes cannot search together by {method.name}.",
            f"{ONE}, or use one of these methods: {shared}.",
        )
    if not isinstance(config, SearchConfig):
        return
    if config.countermeasures != "none":
        raise UsageError(
            f"Several processes cannot search under countermeasures ({config.countermeasures}).",
            f"{ONE}, or set countermeasures=none.",
        )
    # the result of a layer that draws is not needed, so the seed does not matter
    with seeded(0, "layers"):
        layer = unshareable(build(config.surrogate, classes))
    if layer:
        raise UsageError(
            f"Several processes cannot train {config.surrogate} together: it has a layer {layer}, which "
            "knows the images of one process only.",
            f"{ONE}, or set another surrogate, such as resnet18.",
        )


def require_same_request(ranks: Ranks, method: Method[Any], view: View) -> None:
    """Refuse processes that search for the noise of other photos, or in another way.

    Raises:
        UnlearnableError: If the photos, the method or its settings differ.
    """
    if ranks.several:
        settings = method.config.model_dump(mode="json")
        ranks.require_same("The photos or the settings", digest(view.fingerprint, method.name, settings))
