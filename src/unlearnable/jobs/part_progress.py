"""Progress of a part of the shards, as events."""

from __future__ import annotations

from collections.abc import Sequence

from unlearnable.events import Event, OnProgress
from unlearnable.jobs.shard import Result, Shard
from unlearnable.words import counted

STAGE = "writing"


class PartProgress:
    """Events of a part. They count photos of a folder; of tar or Parquet files, they count shards."""

    def __init__(self, shards: Sequence[Shard], on_progress: OnProgress) -> None:
        self._weights = {shard.name: shard.photos for shard in shards}
        self._total = sum(self._weights.values())
        self._on_progress = on_progress
        self._done = 0
        self._in_shard = 0
        self._waits = False
        on_progress(Event(STAGE, 0, self._total or len(shards)))

    def photo(self) -> None:
        """Report one photo of a shard that this process makes."""
        self._in_shard += 1
        if self._total:
            self._on_progress(Event(STAGE, self._done + self._in_shard, self._total))

    def shard(self, result: Result) -> None:
        """Report a finished shard."""
        self._done += self._weights[result.shard] if self._total else 1
        self._in_shard = 0
        self._on_progress(Event(STAGE, self._done, self._total or len(self._weights)))

    def wait(self, count: int) -> None:
        """Report once that another process makes shards of this part."""
        if not self._waits:
            self._waits = True
            text = f"another process is making {counted(count, 'shard')} of this part; waiting for it"
            self._on_progress(Event(STAGE, text=text))
