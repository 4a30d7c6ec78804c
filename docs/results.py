"""Render docs/results.md from the result files.

python docs/results.py
"""

from __future__ import annotations

import json
import textwrap
from dataclasses import replace
from pathlib import Path

from measurements import KINDS, walk_in_words

from unlearnable import experiments
from unlearnable.cells.results import Results
from unlearnable.experiments import profiles
from unlearnable.experiments.markdown import WIDTH, grid, section
from unlearnable.experiments.pages import gallery
from unlearnable.experiments.profile import Profile
from unlearnable.experiments.table import Table, tabulate

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
# the README's paragraph below this comment is rendered too
MEASURED = "<!-- rendered by docs/results.py -->"
CPU = ROOT / "results" / "cpu"

INTRO = """# Results

`make results` renders this page from result files. No number is typed by hand, and a test compares the page
with the files. All runs but those [with the paper's settings](#with-the-papers-data-and-settings) are on two
CPU cores, which other processes share, so times are upper bounds. All of these but [the demo's](#demo) have
one thread. The line below each table names the precision.

- [The experiments](#the-experiments), from `results/cpu/cells/`
- [On a processor without bfloat16](#on-a-processor-without-bfloat16), from `results/avx2/cpu/cells/`
- [With the paper's data and settings](#with-the-papers-data-and-settings), from `results/paper/cells/`
- [Speed of writing files, and the demo](#speed-of-writing-files-and-the-demo), from `benchmarks/results/`
- [Earlier measurements](#earlier-measurements), from `results/earlier/`

## How to read the numbers

**Accuracy** is balanced accuracy, the mean recall over the classes, on clean test images that no training
has seen. It is given in percent at the **last epoch**, ± the sample standard deviation if there is more than
one seed, and in brackets at the **best epoch**. The best epoch is chosen on the test images, so it is the
most that early stopping could reach. If the result file does not have the best epoch, the brackets are left
out.

A **seed** is one noise and one training. With one seed there is no deviation, and a few points mean nothing.
Most settings were chosen on seeds and images of these tables, so they look a little better here than they
are; [one table](#the-presets-on-fresh-seeds-and-classes) has other seeds and classes.

A **claim** *holds* if it is true of the means over two or more seeds. *Within the spread* means that the gap
is smaller than the standard deviation of the difference of two seeds. If one of the two positions has only
one seed, the spread is unknown, and the claim is *seen once* or *not seen*.

**†** marks noise whose search ended at its cap of rounds before its error reached the goal. A sentence below
the table gives the error that the search reached.
"""
EXPERIMENTS = """## The experiments

[How to run them](experiments.md).
{about}

The numbers are therefore not those of the paper, but you can compare their order with the paper's.
`make results` also writes every table into `results/cpu/`: one HTML page with everything, and CSV files with
a line for each seed.
"""
SLOWER = """## On a processor without bfloat16

The experiment [What a search costs](#what-a-search-costs), in float32 on a processor that has AVX2, but no
instructions for bfloat16, as most laptops. The files are in `results/avx2/cpu/cells/`. On such a processor,
`unlearnable experiment cost --profile cpu --precision float32 --results results/avx2` adds to them.
"""
PAPER = """## With the paper's data and settings

All of these need hours on a GPU, so few are done; the tables have only the rows of which something is. Each
command resumes where it stopped. `--time-limit 10m` stops it after ten minutes, and `--seed 0` runs one seed
only.
"""
TOOL = """## Speed of writing files, and the demo

Each file holds the command, the settings, the seeds, the versions and every repetition.
"""
CARDS = """## Report cards

The accuracy that [each way to train](report-card.md) on published photos reaches, at the last epoch and, in
brackets, at the best one. The retained share is that of the best epochs.
"""
FACES = """## Faces in full photos

Photos protected by `unlearnable faces protect`, in which a trainer finds and aligns the faces
[afresh](faces.md). Networks from scratch: last epoch (best epoch). Recognisers that exist already have a
gallery of clean or of protected photos and are asked for clean ones.
"""
EARLIER = """## Earlier measurements

These files were made by scripts that experiments have since replaced; [their
README](../results/earlier/README.md) lists the scripts. The mean over the second half of the epochs, where
given, varies less than the accuracy at the last epoch.
"""


def render() -> str:
    """Return the page."""
    found = Results(CPU / "cells").all()
    tables = [tabulate(experiments.get(name), profiles.CPU, found) for name in experiments.names()]
    return "\n".join(
        [
            INTRO,
            EXPERIMENTS.format(about=textwrap.fill(profiles.CPU.about, WIDTH, break_on_hyphens=False)),
            *(experiment(table) for table in tables),
            SLOWER,
            *partial(ROOT / "results" / "avx2" / "cpu", profiles.CPU, "{} in float32"),
            PAPER,
            *partial(ROOT / "results" / "paper", profiles.PAPER),
            commands(),
            TOOL,
            *measurements(ROOT / "benchmarks" / "results"),
            *cards(ROOT / "results" / "report-card"),
            FACES,
            *measurements(ROOT / "results" / "faces"),
            EARLIER,
            *measurements(ROOT / "results" / "earlier"),
        ]
    )


def experiment(table: Table) -> str:
    """Return the section of an experiment, with the addresses of its figures as seen from this page."""
    noise = gallery(table, CPU)
    folder = f"../{CPU.relative_to(ROOT).as_posix()}"
    return section(table, f"{folder}/{table.experiment.name}.svg", noise and f"{folder}/{noise}")


def partial(folder: Path, profile: Profile, title: str = "{}") -> list[str]:
    """Return the tables with at least one result, without empty rows and without repeated results.

    Args:
        folder: The folder of a profile's results.
        profile: The profile.
        title: A format string for the title; ``{}`` becomes that of the experiment.
    """
    found, shown, sections = Results(folder / "cells").all(), set[str](), []
    for name in experiments.names():
        table = tabulate(experiments.get(name), profile, found)
        new = {result.hash for result in table.results if result.cell.poison} - shown
        if new:
            shown |= new
            rows = {row for row, _ in table.measured}
            called = replace(table.experiment, title=title.format(table.experiment.title))
            measured = tuple(row for row in table.rows if row in rows)
            sections.append(section(replace(table, experiment=called, rows=measured)))
    return sections


def commands() -> str:
    """Return the table of commands that run the experiments with the paper's data and settings."""
    rows = []
    for name, title in experiments.names().items():
        cells = {entry.cell for entry in experiments.get(name).entries(profiles.PAPER)}
        rows.append([title, str(len(cells)), f"`unlearnable experiment {name} --profile paper`"])
    return grid(["experiment", "trainings", "command"], rows)


def measurements(folder: Path) -> list[str]:
    """Return a section for every file of a folder whose kind this page renders."""
    sections = []
    for path in sorted(folder.glob("*.json")):
        file = json.loads(path.read_text("utf-8"))
        if file["kind"] not in KINDS:  # docs/performance.md renders the others
            continue
        parts = [
            f"### {path.stem}",
            f"{file['data']}. {file['about']}".strip(),
            f"File: `{path.relative_to(ROOT).as_posix()}`; command: `{file['command']}`.",
            *([file["note"]] if "note" in file else []),
            KINDS[file["kind"]](file),
        ]
        sections.append("\n\n".join(parts))
    return sections


def cards(folder: Path) -> list[str]:
    """Return the report cards of a folder under their heading; nothing if none is there."""
    found = measurements(folder)
    return [CARDS, *found] if found else []


def readme(text: str) -> str:
    """Return the README with the paragraph of the demo's walk as its result file has it."""
    file = json.loads((ROOT / "benchmarks" / "results" / "demo.json").read_text("utf-8"))
    words = textwrap.fill(walk_in_words(file), WIDTH, break_on_hyphens=False)
    before, _, after = text.partition(f"{MEASURED}\n")
    rest = after.partition("\n\n")[2]
    return f"{before}{MEASURED}\n{words}\n\n{rest}"


if __name__ == "__main__":
    (DOCS / "results.md").write_text(render(), "utf-8")
    page = ROOT / "README.md"
    page.write_text(readme(page.read_text("utf-8")), "utf-8")
