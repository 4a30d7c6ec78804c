"""The tables and figures of the paper, and others. Each is one file in ``grids``, found without a list."""

from importlib import import_module
from pkgutil import iter_modules

from unlearnable.experiments import grids
from unlearnable.experiments.base import Below, Entry, Experiment, experiment, get, names

__all__ = ["Below", "Entry", "Experiment", "experiment", "get", "names"]

for _module in iter_modules(grids.__path__):  # importing them registers them
    import_module(f"{grids.__name__}.{_module.name}")
