"""Countermeasures: ways to train on protected images despite the noise.

One file each; chain them by name (``jpeg:10+cutout``).
"""

from importlib import import_module
from pkgutil import iter_modules

from unlearnable.countermeasures.base import Countermeasure, setting
from unlearnable.countermeasures.chain import Chain
from unlearnable.countermeasures.registry import create, names, register

__all__ = ["Chain", "Countermeasure", "create", "names", "register", "setting"]

# importing a module registers the countermeasure in it
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
