"""The checkpoint of a search, of one process or of several.

checkpoint.safetensors     everything that all processes have in common, and class-wise noise
checkpoint.parts/          sample-wise noise of several processes: a file of each of them

A checkpoint names its parts. They are written under names of their own, and before it; the parts of the one
before it are deleted after it. So whenever processes are killed, the checkpoint and the parts that it names
are of the same step. A search may resume with another number of processes: each reads the rows of the images
that it owns now, from all parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from unlearnable.errors import DataError
from unlearnable.hashing import digest
from unlearnable.methods.fitted import load_state, load_tensors, save_state, save_tensors
from unlearnable.methods.steps import State
from unlearnable.training.ranks import ALONE, Ranks

# the entry of a checkpoint's identity that names its parts
NAMES = "parts"


@dataclass(frozen=True)
class Checkpoint:
    """The checkpoint of a search in a run folder.

    Args:
        path: The file.
        identity: The search that it belongs to.
        ids: Ids of all rows of sample-wise noise, in order; empty for class-wise noise.
        held: Ids of the rows that this process holds, in order.
        ranks: The processes.
    """

    path: Path
    identity: dict[str, Any]
    ids: Sequence[str] = ()
    held: Sequence[str] = ()
    ranks: Ranks = field(default=ALONE)

    @property
    def parts(self) -> Path:
        """The folder of the parts."""
        return self.path.with_suffix(".parts")

    def save(self, state: State) -> None:
        """Save the state between two steps; every process calls it at the same one.

        Raises:
            UnlearnableError: If the states that should be the same in all processes are not.
            OSError: If a file cannot be written, by any process.
        """
        parted = self.ranks.several and bool(self.ids)
        common = {key: value for key, value in state.items() if key != "noise"} if parted else state
        self.ranks.require_same("The weights of the surrogate, or the noise,", _bits(common))
        names: list[str] = []
        with self.ranks.together():
            if parted:
                start = f"{state['round']}.{state['step']}"
                names = [
                    f"{start}.{rank}of{self.ranks.count}.safetensors" for rank in range(self.ranks.count)
                ]
                mine = self.parts / names[self.ranks.rank]
                save_tensors(mine, {"noise": state["noise"]}, {"ids": list(self.held)})
        with self.ranks.together():
            if self.ranks.first:
                save_state(self.path, common, {**self.identity, NAMES: names} if names else self.identity)
                self._delete(names)

    def load(self) -> State | None:
        """Return the state, with the rows of noise that this process holds now.

        Returns:
            None if there is no checkpoint, or it belongs to another search.

        Raises:
            DataError: If a file is damaged or missing.
        """
        state = load_state(self.path, self.identity, also=NAMES)
        if state is None:
            return None
        names = state.pop(NAMES, [])
        if names:
            state["noise"] = self._joined([self.parts / name for name in names])
        elif self.ranks.several and self.ids:
            row = {id: row for row, id in enumerate(self.ids)}
            state["noise"] = state["noise"][[row[id] for id in self.held]]
        return state

    def delete(self) -> None:
        """Delete the checkpoint and its parts."""
        self.path.unlink(missing_ok=True)
        self._delete([])

    def _joined(self, paths: Sequence[Path]) -> torch.Tensor:
        held = self.held if self.ranks.several else self.ids
        wanted = {id: row for row, id in enumerate(held)}
        noise, found = None, 0
        for path in paths:
            tensors, record = load_tensors(path)
            rows = [(row, wanted[id]) for row, id in enumerate(record["ids"]) if id in wanted]
            part = tensors["noise"]
            noise = part.new_zeros((len(held), *part.shape[1:])) if noise is None else noise
            if rows:
                source, target = zip(*rows, strict=True)
                noise[list(target)] = part[list(source)]
            found += len(rows)
        if noise is None or found != len(held):
            raise DataError(
                f"The parts of {self.path} hold {found} of {len(held)} images.",
                "Delete it to start the search again.",
            )
        return noise

    def _delete(self, but: Sequence[str]) -> None:
        if self.parts.is_dir():
            for path in self.parts.iterdir():
                if path.name not in but:
                    path.unlink(missing_ok=True)
            if not but:
                self.parts.rmdir()


def _bits(state: State) -> str:
    """A hash of sums of the bits of all tensors, which is enough to notice processes that drift apart."""
    sums = []
    for key, value in sorted(state.items()):
        if isinstance(value, torch.Tensor):
            whole = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[value.element_size()]
            flat = value.detach().contiguous().reshape(-1)
            sums.append([key, int(flat.view(whole).sum(dtype=torch.int64))])
        else:
            sums.append([key, value])
    return digest(sums)
