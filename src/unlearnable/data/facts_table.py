"""Facts of many photos in 41 bytes each, beside the ids."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping

from unlearnable.data.id_rows import Rows
from unlearnable.data.source import Facts

DIGEST = 32
# height, width, flags
PACKED = struct.Struct("<IIB")
KNOWN, GREY, ALPHA = 1, 2, 4
_SHA256 = re.compile("[0-9a-f]{64}")


def packed(facts: Facts) -> bytes:
    """Return everything but the content hash in 9 bytes."""
    return PACKED.pack(*facts.size, KNOWN | GREY * facts.grey | ALPHA * facts.has_alpha)


class FactsTable(Mapping[str, Facts]):
    """Facts by id. Ids without facts are not in it.

    Args:
        rows: Ids that may get facts.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._digests = bytearray(DIGEST * len(rows))
        self._packed = bytearray(PACKED.size * len(rows))
        # content hashes of other forms than SHA-256
        self._others: dict[int, str] = {}
        self._count = 0

    def put(self, row: int, facts: Facts) -> None:
        """Set the facts of a row, which has none yet."""
        if _SHA256.fullmatch(facts.digest):
            self.put_packed(row, bytes.fromhex(facts.digest), packed(facts))
        else:
            self.put_packed(row, bytes(DIGEST), packed(facts))
            self._others[row] = facts.digest

    def put_packed(self, row: int, digest: bytes, rest: bytes) -> None:
        """Set the facts of a row, which has none yet: SHA-256, and what ``packed`` returns."""
        self._digests[DIGEST * row : DIGEST * (row + 1)] = digest
        self._packed[PACKED.size * row : PACKED.size * (row + 1)] = rest
        self._count += 1

    def __getitem__(self, id: str) -> Facts:
        row = self._rows.row(id)
        height, width, flags = (
            (0, 0, 0) if row is None else PACKED.unpack_from(self._packed, PACKED.size * row)
        )
        if row is None or not flags:
            raise KeyError(id)
        digest = self._others.get(row) if self._others else None
        digest = digest or self._digests[DIGEST * row : DIGEST * (row + 1)].hex()
        return Facts((height, width), bool(flags & GREY), bool(flags & ALPHA), digest)

    def __contains__(self, id: object) -> bool:
        row = self._rows.row(id)
        return row is not None and self._has(row)

    def _has(self, row: int) -> bool:
        # the flags are the last of the bytes of a row
        return self._packed[PACKED.size * (row + 1) - 1] != 0

    def __iter__(self) -> Iterator[str]:
        return (id for row, id in enumerate(self._rows.ids) if self._has(row))

    def __len__(self) -> int:
        return self._count
