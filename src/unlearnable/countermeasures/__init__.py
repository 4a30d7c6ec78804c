"""Countermeasures: ways to train on protected images despite the noise.

There is one file for each, and a chain of them is written by name: ``jpeg:10+cutout``.
"""

from importlib import import_module
from pkgutil import iter_modules

from unlearnable.countermeasures.base import Augmentation, Countermeasure, setting
from unlearnable.countermeasures.chain import Chain
from unlearnable.countermeasures.registry import alternatives, create, names, register, unlisted

__all__ = [
    "Augmentation",
    "Chain",
    "Countermeasure",
    "alternatives",
    "create",
    "names",
    "register",
    "setting",
    "unlisted",
]

# Every module of this package is imported, so that a new file registers its countermeasure without any list.
for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
