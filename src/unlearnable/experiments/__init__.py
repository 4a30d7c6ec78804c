"""Every table and figure of the paper. Each is a file of ``grids``; nothing else has to know of it."""

from importlib import import_module
from pkgutil import iter_modules

from unlearnable.experiments import grids
from unlearnable.experiments.base import Below, Entry, Experiment, experiment, get, names

__all__ = ["Below", "Entry", "Experiment", "experiment", "get", "names"]

for _module in iter_modules(grids.__path__):  # importing them registers them
    import_module(f"{grids.__name__}.{_module.name}")
