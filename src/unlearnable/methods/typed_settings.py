"""The settings of a method in the type of its ``__init__``."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from unlearnable.methods.base import Method
from unlearnable.methods.config import NoiseConfig

P = ParamSpec("P")


def takes(
    config: Callable[P, NoiseConfig],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, P], None]]:
    """Give the ``__init__`` of a method the settings of its configuration, for editors and type checkers.

    It replaces ``def __init__(self, **settings): ...``, which has no body of its own. A method without it
    takes the same settings, unchecked until it is called.

    Args:
        config: The class of the configuration.
    """

    def typed(init: Callable[..., None]) -> Callable[Concatenate[Any, P], None]:
        @wraps(init)
        def given(self: Any, config: Any = None, **settings: Any) -> None:
            Method.__init__(self, config, **settings)

        return cast(Callable[Concatenate[Any, P], None], given)

    return typed
