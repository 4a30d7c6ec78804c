"""Ways of making noise, one file each, by name. A plugin needs no other module of this package."""

from importlib import import_module
from pkgutil import iter_modules

from unlearnable.methods.base import Method
from unlearnable.methods.by_surrogate import BySurrogate
from unlearnable.methods.computed import Computed
from unlearnable.methods.config import Config, NoiseConfig
from unlearnable.methods.context import Context
from unlearnable.methods.error_minimizing import ErrorMinimizing
from unlearnable.methods.fitted import Fitted
from unlearnable.methods.registry import create, get, given, names, register
from unlearnable.methods.search_plan import Batch, NoiseStep, SearchPlan
from unlearnable.methods.settings import ErrorMinimizingConfig, SurrogateConfig
from unlearnable.methods.steps import Progress, State, Steps
from unlearnable.methods.typed_settings import takes
from unlearnable.training.pgd import attack
from unlearnable.training.transforms import Draw
from unlearnable.training.transforms import Name as TransformName

__all__ = [
    "Batch",
    "BySurrogate",
    "Computed",
    "Config",
    "Context",
    "Draw",
    "ErrorMinimizing",
    "ErrorMinimizingConfig",
    "Fitted",
    "Method",
    "NoiseConfig",
    "NoiseStep",
    "Progress",
    "SearchPlan",
    "State",
    "Steps",
    "SurrogateConfig",
    "TransformName",
    "attack",
    "create",
    "get",
    "given",
    "names",
    "register",
    "takes",
]

# Importing a module registers its method. The names above exist by then, so a plugin's file can move here
# unchanged.
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
