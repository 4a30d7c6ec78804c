"""Make a result file of the JSON of ``faces protect`` and ``faces verify``, without pictures and paths.

unlearnable faces protect PHOTOS PROTECTED --json > protect.json
unlearnable faces verify PHOTOS PROTECTED --recogniser FILE.onnx --json > verify.json
python benchmarks/faces.py protect.json verify.json --data "12 people of LFW" --command "..." --out FILE
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from report_card import row

from unlearnable.files import write


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("protect", type=Path, help="The output of faces protect.")
    parser.add_argument("verify", type=Path, help="The output of faces verify.")
    parser.add_argument("--data", required=True, help="The photos, in a few words.")
    parser.add_argument("--about", default="", help="The command that protected them.")
    parser.add_argument("--command", required=True, help="The command that verified them, without paths.")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    made, found = (json.loads(path.read_text("utf-8")) for path in (given.protect, given.verify))
    file = result(made, found) | {"data": given.data, "about": given.about, "command": given.command}
    write(given.out, (json.dumps(file, indent=1) + "\n").encode())


def result(made: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Return the result file of the records of the two commands."""
    return {
        "kind": "faces",
        **{key: made[key] for key in ("epsilon", "form", "rounds", "written", "seconds", "visibility")},
        **{key: found[key] for key in ("faces", "landmark_shift", "noise_correlation", "recognisers")},
        "lost": len(found["lost"]),
        "rows": [row(trial) for trial in found["trials"]],
        "seeds": [curve["seed"] for curve in found["trials"][0]["arms"][0]["curves"]],
        **{key: found[key] for key in ("classes", "environment", "version", "date")},
    }


if __name__ == "__main__":
    main()
