"""Computed noise: a rule from a class and an image's id to a pattern, applied without a search."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import torch

from unlearnable.assignment import SEPARATOR
from unlearnable.data.view import View
from unlearnable.errors import DataError
from unlearnable.methods.bank import CHUNK
from unlearnable.methods.base import Method
from unlearnable.methods.config import NoiseConfig
from unlearnable.methods.context import Context
from unlearnable.methods.fitted import Fitted
from unlearnable.methods.steps import Progress, State
from unlearnable.noise import Form, Noise

C = TypeVar("C", bound=NoiseConfig)


class Computed(Method[C]):
    """Noise that follows from the seed of the run, a class name and an image's id.

    A subclass gives two rules. ``motifs`` says what the patterns of a class have in common, and ``patterns``
    turns a motif into a pattern for each key. Neither looks at pixels, so one class alone has noise, and so
    have photos and classes that come later: ``extend`` applies the same rules, and old patterns stay.
    """

    # the form that ``auto`` stands for
    usual: ClassVar[Form] = "classwise"

    @abstractmethod
    def motifs(
        self, names: tuple[str, ...], ctx: Context, earlier: Noise | None = None
    ) -> dict[str, torch.Tensor]:
        """Return the motif of every class.

        Args:
            names: The classes, in code-point order.
            ctx: The seed.
            earlier: Noise of the run, which these classes extend. Classes that it covers keep their motif.
        """

    @abstractmethod
    def patterns(self, motif: torch.Tensor, keys: tuple[str, ...], ctx: Context) -> torch.Tensor:
        """Return the patterns of one class, float (keys, 3, h, w), in levels.

        Args:
            motif: The motif of the class.
            keys: Keys of rows: ids (sample-wise), or ``assignment.keys`` of the class (class-wise).
            ctx: The seed.
        """

    def resolved(self, frame: tuple[int, int], count: int) -> dict[str, Any]:
        """Return the settings that ``auto`` stands for; arguments are those of ``Method.resolved``."""
        form = self.usual if self.config.form == "auto" else self.config.form
        return {**super().resolved(frame, count), "form": form}

    def start(self, view: View, ctx: Context) -> State:
        """Compute all the noise: there is nothing to search for."""
        return {"noise": self._bank(view, ctx)}

    def advance(self, state: State, view: View, ctx: Context) -> Progress:
        """End the only round."""
        return Progress(1, 1, round_ended=True)

    def finish(self, state: State) -> torch.Tensor:
        """Return the patterns."""
        noise: torch.Tensor = state["noise"]
        return noise

    def extend(self, fitted: Fitted, view: View, ctx: Context) -> Noise:
        """Return noise for images or classes that come later, by the same rules and the seed of the run."""
        return self.to_noise(self._bank(view, ctx, fitted.noise), view, ctx.seed)

    def _bank(self, view: View, ctx: Context, earlier: Noise | None = None) -> torch.Tensor:
        """Return the pattern of every key, int8 (rows, 3, h, w): a byte a value, for banks of many images."""
        keys, side = self.keys(view), self.config.side
        bank = torch.empty(len(keys), 3, side, side, dtype=torch.int8)
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(self._classes(keys, view)):
            rows.setdefault(name, []).append(row)
        for name, motif in self.motifs(tuple(sorted(rows)), ctx, earlier).items():
            for start in range(0, len(rows[name]), CHUNK):
                some = rows[name][start : start + CHUNK]
                patterns = self.patterns(motif, tuple(keys[row] for row in some), ctx)
                bank[some] = torch.from_numpy(self.config.budget.round(patterns.double().numpy()))
        return bank

    def _classes(self, keys: tuple[str, ...], view: View) -> list[str]:
        """Return the class of every key."""
        if self.form == "classwise":
            return [key.partition(SEPARATOR)[0] for key in keys]
        class_of = {id: view.classes[label] for id, label in zip(view.ids, view.labels, strict=True)}
        return [class_of[key] for key in keys]


class Numbered(Computed[C]):
    """Computed noise whose motifs are a list; the motif of a class is that of its number.

    Classes are numbered in code-point order. Classes that come later take the lowest number that the fewest
    others have, so none shares a motif while others are free. The noise of a run is the record of the
    numbers: the number of a class is that of the motif in its first row.
    """

    @abstractmethod
    def listed(self, count: int, ctx: Context) -> Sequence[torch.Tensor]:
        """Return the first ``count`` motifs, or all where there are fewer; a longer list begins alike."""

    @abstractmethod
    def matching(self, row: torch.Tensor, motifs: Sequence[torch.Tensor]) -> int | None:
        """Return the number of the motif of a row, float (3, h, w) in levels; None if it has none of them."""

    def motifs(
        self, names: tuple[str, ...], ctx: Context, earlier: Noise | None = None
    ) -> dict[str, torch.Tensor]:
        """Return the motif of every class; arguments are those of ``Computed.motifs``.

        Raises:
            DataError: If the earlier noise has other motifs, such as those of another version.
        """
        rows = {} if earlier is None else _first_rows(earlier)
        motifs = self.listed(len(rows.keys() | set(names)), ctx)
        numbers: dict[str, int] = {}
        for name, row in rows.items():
            number = self.matching(row, motifs)
            if number is None:
                raise DataError(
                    f"The noise of class {name!r} is not what this version of {self.name} computes.",
                    "Make new noise with `unlearnable protect --refit`.",
                )
            numbers[name] = number
        users = [list(numbers.values()).count(number) for number in range(len(motifs))]
        for name in names:
            if name not in numbers:
                numbers[name] = users.index(min(users))
                users[numbers[name]] += 1
        return {name: motifs[numbers[name]] for name in names}


def _first_rows(noise: Noise) -> dict[str, torch.Tensor]:
    """Return a row of the bank for each class of noise, float (3, h, w)."""
    found: dict[str, int] = {}
    for row, key in enumerate(noise.keys):
        name = key.partition(SEPARATOR)[0] if noise.form == "classwise" else noise.class_at(row)
        found.setdefault(name, row)
    return {name: torch.from_numpy(noise.bank[row].astype("float32")) for name, row in found.items()}
