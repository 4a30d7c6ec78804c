"""A cluster that protects photos shard by shard, simulated event by event: kills, slow machines, lost work.

Nothing here runs `unlearnable`; the rates come from measurements. The shards are dealt out to parts, as
``--part K/N`` does. A free process takes the next part and makes its shards one after the other. A kill loses
the shard that the process was making; after a while, another process continues the part. With as many parts
as shards, the simulation is that of an engine with a queue of shards.
"""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass
from typing import Any

HOUR = 3600.0


@dataclass(frozen=True)
class Cluster:
    """The machines and their failures.

    Args:
        machines: Number of machines.
        cores: Processes on each, one a core.
        hours_between_kills: Mean hours between two kills of a process, exponential; 0 for none.
        new_seconds: Seconds from a kill to the start of another process, on a new machine or in a new pod.
        start_seconds: Seconds from the start of a process to its first photo.
        slow_share: Share of machines that are slow.
        slowdown: Time that a slow machine takes, as a multiple of the time of the others.
        spread: Standard deviation of the logarithm of a shard's time.
    """

    machines: int
    cores: int = 16
    hours_between_kills: float = 6.0
    new_seconds: float = 120.0
    start_seconds: float = 0.0
    slow_share: float = 0.05
    slowdown: float = 3.0
    spread: float = 0.1

    @property
    def processes(self) -> int:
        """Number of processes."""
        return self.machines * self.cores


def simulate(
    cluster: Cluster, photos: int, photos_a_shard: int, seconds_a_photo: float, parts: int = 0, seed: int = 0
) -> dict[str, Any]:
    """Simulate one job.

    Args:
        cluster: The machines.
        photos: Photos of the job.
        photos_a_shard: Photos of a shard.
        seconds_a_photo: Seconds of one core for a photo, its share of the manifest included.
        parts: Number of parts; 0 for as many as shards.
        seed: Seed of everything that is drawn.

    Returns:
        Hours of the clock, core-hours used and lost, number of kills, and the share of the work lost.
    """
    rng = random.Random(seed)
    shards = math.ceil(photos / photos_a_shard)
    parts = min(parts, shards) if parts else shards
    usual = photos_a_shard * seconds_a_photo
    slow = set(rng.sample(range(cluster.machines), round(cluster.slow_share * cluster.machines)))
    begun = done = kills = 0
    used = lost = ended = 0.0
    # (time at which a process is free, its number, shards left in its part)
    free = [(cluster.start_seconds, number, 0) for number in range(min(cluster.processes, parts))]
    heapq.heapify(free)
    while free:
        now, number, left = heapq.heappop(free)
        if not left:
            if begun == parts:
                continue
            left = len(range(begun, shards, parts))
            begun += 1
        pace = cluster.slowdown if number // cluster.cores in slow else 1.0
        took = usual * pace * math.exp(rng.gauss(0.0, cluster.spread))
        killed = cluster.hours_between_kills and rng.expovariate(1 / (cluster.hours_between_kills * HOUR))
        if killed and killed < took:
            kills += 1
            lost += killed
            used += killed
            again = now + killed + cluster.new_seconds + cluster.start_seconds
            heapq.heappush(free, (again, number, left))
            continue
        done += 1
        used += took
        ended = max(ended, now + took)
        heapq.heappush(free, (now + took, number, left - 1))
    assert done == shards, "every shard is made exactly once"
    return {
        "hours": round(ended / HOUR, 2),
        "core_hours": round(used / HOUR, 1),
        "lost_core_hours": round(lost / HOUR, 2),
        "lost_share": round(lost / used, 5),
        "kills": kills,
        "shards": shards,
    }
