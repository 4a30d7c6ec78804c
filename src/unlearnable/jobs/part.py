"""A part of the shards, as one task of a job array has it: ``3/64``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from unlearnable.errors import UsageError


@dataclass(frozen=True)
class Part:
    """Every shard whose position, counted from 0, leaves ``number - 1`` when divided by ``of``.

    Args:
        number: Which part, from 1.
        of: Number of parts.
    """

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str | None) -> Part:
        """Return the part that a text such as ``3/64`` names; the whole work for None.

        Raises:
            UsageError: If it names none.
        """
        if text is None:
            return cls()
        match = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", text)
        number, of = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= number <= of:
            raise UsageError(
                f"--part {text} is not a part.",
                "Give --part 1/64 for the first of 64 parts, and --part 64/64 for the last.",
            )
        return cls(number, of)

    def owns(self, position: int) -> bool:
        """Return whether a shard is in this part.

        Args:
            position: Its position among all shards, from 0.
        """
        return position % self.of == self.number - 1

    def __str__(self) -> str:
        return f"part {self.number} of {self.of}"
