"""Run the demo for several seeds.

python benchmarks/demo.py --out benchmarks/results/demo.json --seeds 0 1 2 3 4
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from shared import head

from unlearnable.data.digits import INK
from unlearnable.demo import SETTINGS, demo
from unlearnable.training.compute import Compute

WANTED = (
    "Wanted at the best epoch, for each seed: clean at least 97%, sample-wise at most 20%, "
    "class-wise at most 30%, in at most 3 minutes."
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--ink", type=int, default=INK)
    args = parser.parse_args()
    compute = Compute.choose()
    result = head("demo", compute, {}) | {
        "about": WANTED if args.ink == INK else "",
        "data": f"scikit-learn's digits, {args.ink} levels from paper to ink",
        "samplewise": SETTINGS.samplewise,
        "classwise": SETTINGS.classwise,
        "seeds": {},
    }
    for seed in args.seeds:
        record = demo(seed, compute, ink=args.ink)
        arms = {
            arm.name: {"peak": round(arm.peak.value, 4), "last": round(arm.last, 4)}
            for arm in record.trials[0].arms
        }
        result["date"], result["seeds"][seed] = record.date, {"seconds": round(record.seconds, 1), **arms}
        args.out.write_text(json.dumps(result, indent=1) + "\n")
        print(seed, json.dumps(result["seeds"][seed]), flush=True)


if __name__ == "__main__":
    main()
