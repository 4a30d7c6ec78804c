"""The unit of an experiment: one training, described whole; what it needs is made once and kept, what it found is a small file."""

from unlearnable.cells.spec import Cell, Data, Poison, Search
from unlearnable.training.victim import Victim

__all__ = ["Cell", "Data", "Poison", "Search", "Victim"]
