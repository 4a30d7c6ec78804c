"""The unit of an experiment: one training, completely described.

Noise and weights are made once and cached. A result is a small file.
"""

from unlearnable.cells.spec import Cell, Data, Poison, Search
from unlearnable.training.victim import Victim

__all__ = ["Cell", "Data", "Poison", "Search", "Victim"]
