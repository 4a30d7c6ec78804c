"""The dependencies of a result besides the description of its cell: data, and revisions of code."""

from __future__ import annotations

from unlearnable import countermeasures, methods, models
from unlearnable.cells.spec import Cell, Data, Search
from unlearnable.models.starts import models_of

CELL = 1  # revision of ``cell_runner.py``: raised when the same description gives another result


def revisions(cell: Cell) -> dict[str, int]:
    """Return the revisions of every method, model and countermeasure of a cell, and of the cell runner."""
    found = {"cell": CELL, f"model {_name(cell.victim.model)}": models.revision(cell.victim.model)}
    found |= {
        f"countermeasure {name}": number
        for name, number in countermeasures.create(cell.countermeasure).revisions.items()
    }
    if cell.poison is not None:
        found |= search_revisions(cell.poison.search)
    if cell.start is not None:
        found |= revisions(cell.start)
    return found


def search_revisions(search: Search) -> dict[str, int]:
    """Return the revisions of the method and of the surrogate of a search, and of the one it begins with."""
    method = methods.create(search.method, dict(search.settings))
    found = {f"method {search.method}": method.revision}
    if search.start is not None:
        found |= search_revisions(search.start)
    networks = models_of(getattr(method.config, "surrogate", ""))
    return found | {f"model {_name(network)}": models.revision(network) for network in networks}


def data_of(cell: Cell) -> list[Data]:
    """Return every set of images that a cell uses."""
    found = [cell.data]
    search = None if cell.poison is None else cell.poison.search
    while search is not None:
        found.append(search.data)
        search = search.start
    if cell.start is not None:
        found += data_of(cell.start)
    return sorted(set(found), key=lambda data: data.text)


def _name(spec: str) -> str:
    return spec.partition(":")[0]
