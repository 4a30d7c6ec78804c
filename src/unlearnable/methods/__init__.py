"""Ways of making noise, one file each, by name."""

from unlearnable.methods import error_maximizing as _error_maximizing
from unlearnable.methods import error_minimizing as _error_minimizing
from unlearnable.methods import random as _random
from unlearnable.methods.base import Method, Progress, State
from unlearnable.methods.config import Config
from unlearnable.methods.context import Context
from unlearnable.methods.fitted import Fitted
from unlearnable.methods.registry import create, get, names, register

__all__ = [
    "Config",
    "Context",
    "Fitted",
    "Method",
    "Progress",
    "State",
    "create",
    "get",
    "names",
    "register",
]
_BUILT_IN = (_error_maximizing, _error_minimizing, _random)  # importing them registers them
