"""A table in Markdown, with what a reader needs to judge it: seeds, machine, dates, command, claims."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from statistics import mean

from unlearnable.cells.results import Result
from unlearnable.experiments.claims import ClaimOutcome
from unlearnable.experiments.front import points
from unlearnable.experiments.measured import CAPPED, goal
from unlearnable.experiments.table import Table, number, text
from unlearnable.words import counted

WIDTH = 110  # of a line of prose
EPOCHS = {"last": "at the last epoch", "peak": "at the best epoch"}


def section(table: Table, figure: str = "", gallery: str = "") -> str:
    """Return the section of an experiment; without results, it has the question and the command only.

    Args:
        table: Its table.
        figure: Address of its figure; empty for none.
        gallery: Address of a picture of its noise; empty for none.
    """
    experiment = table.experiment
    lines = [f"### {experiment.title}", "", _filled(experiment.question), ""]
    problems = [*(f"- **Failed**: {problem}" for problem in table.problems), ""] if table.problems else []
    if not table.begun:
        return "\n".join([*lines, *problems, about(table), ""])
    lines += [
        caption(table),
        "",
        grid(
            [f"{experiment.rows} \\ {experiment.columns}", *table.columns],
            [[row, *(_cell(table, row, column) for column in table.columns)] for row in table.rows],
        ),
    ]
    if experiment.figure == "front":
        lines += _costs(table)
    lines += [line for note in notes(table) for line in (_filled(note), "")]
    if figure:
        lines += [f"![{experiment.title}]({figure})", ""]
    if gallery:
        lines += [f"![Patterns of the noise, magnified; grey is no change]({gallery})", ""]
    lines += [*(f"- {claim(outcome)}" for outcome in table.outcomes), ""] if experiment.claims else []
    lines += [*problems, about(table), ""]
    return "\n".join(lines)


def _costs(table: Table) -> list[str]:
    """Return a table of the cost and the mean retained share of each search, cheapest first."""
    found = points(table)
    minutes = {
        one.row: mean([other.minutes for some in found.values() for other in some if other.row == one.row])
        for some in found.values()
        for one in some
    }
    if not minutes:
        return []
    shares = {name: {one.row: one.retained for one in some} for name, some in found.items()}
    rows = [
        [
            row,
            f"{minutes[row]:.1f}",
            *(
                f"{number(some[row])}, {counted(len(some[row]), 'seed')}" if row in some else ""
                for some in shares.values()
            ),
        ]
        for row in sorted(minutes, key=minutes.__getitem__)
    ]
    heads = [f"{name}: retained share" for name in shares]
    words = (
        "CPU minutes of a search, and how much of what clean photos teach is still learned at the last "
        "epoch, in percent, mean over the trainers:"
    )
    return [_filled(words), "", grid([table.experiment.rows, "CPU minutes", *heads], rows)]


def _filled(words: str) -> str:
    return textwrap.fill(words, WIDTH, break_long_words=False, break_on_hyphens=False)


def notes(table: Table) -> list[str]:
    """Return the notes below a table: the experiment's own, seconds, and searches that ended at their cap."""
    found = [table.experiment.note(table.profile)] if table.experiment.note else []
    if table.experiment.timed and (seconds := _seconds(table)):
        found.append(f"Seconds of one search, mean over the seeds: {seconds}.")
    shown, ends = set[str](), []
    for (row, column), one in table.measured.items():
        # the same noise may be at many positions
        new = [result for result in one.capped if result.artefacts["noise"] not in shown]
        shown |= {result.artefacts["noise"] for result in new}
        if new:
            ends.append(f"{row} / {column} {_end(new)}")
    if ends:
        found.append(f"{CAPPED} The search ended at its cap of rounds, before its goal: {'; '.join(ends)}.")
    return found


def _seconds(table: Table) -> str:
    """Return the mean seconds of a search of each column, as text; the same noise counts once."""
    columns: dict[str, dict[str, float]] = {}
    for (_, column), one in table.measured.items():
        found = {
            each.artefacts["noise"]: float(each.search["seconds"]) for each in one.results if each.search
        }
        columns.setdefault(column, {}).update(found)
    return ", ".join(f"{name} {mean(found.values()):.0f}" for name, found in columns.items() if found)


def _end(results: Sequence[Result]) -> str:
    searches = [result.search for result in results if result.search]
    errors = sorted({f"{float(search['error']):.2f}" for search in searches})
    rounds = sorted({int(search["rounds"]) for search in searches})
    return f"at an error of {_from_to(errors)}, not {goal(results[0]):g}, after {_from_to(rounds)} rounds"


def _from_to(found: Sequence[object]) -> str:
    return " to ".join(dict.fromkeys((str(found[0]), str(found[-1]))))


def caption(table: Table) -> str:
    """Return the measure of a table's numbers, as its caption."""
    best = " (in brackets: best epoch)" if any(one.peak for one in table.measured.values()) else ""
    return f"Accuracy in percent, last epoch{best}:"


def _cell(table: Table, row: str, column: str) -> str:
    measured = table.measured.get((row, column))
    published = table.experiment.published.get((row, column)) if table.profile.name == "paper" else None
    if published is None:
        return text(measured)
    try:
        gap = f", difference {100 * mean(measured.last) - float(published):+.1f}" if measured else ""
    except ValueError:  # the published figure is in words, such as "below 23"
        gap = ""
    return f"{text(measured)} [published: {published}{gap}]".strip()


def claim(outcome: ClaimOutcome) -> str:
    """Return the outcome of a claim as text, with its numbers and their epoch."""
    lower, upper = (EPOCHS[one or outcome.claim.measure] for one in ("", outcome.claim.upper_measure))
    word = outcome.word.capitalize()
    if outcome.lower is None or outcome.upper is None:
        return f"{word}: {outcome.claim.text}."
    seeds = "one seed" if outcome.seeds == 1 else f"{outcome.seeds} seeds"
    at = f" {lower}" if lower != upper else ""
    numbers = f"{100 * outcome.lower:.1f}{at} against {100 * outcome.upper:.1f} {upper}, {seeds}"
    return f"**{word}**: {outcome.claim.text} ({numbers})."


def command(table: Table) -> str:
    """Return the command that runs an experiment."""
    return f"`unlearnable experiment {table.experiment.name} --profile {table.profile.name}`"


def about(table: Table) -> str:
    """Return the origin of the numbers as text: seeds, trainings, searches, time, machine, dates, command."""
    results = table.results
    if not table.begun:
        return f"Not run yet: {command(table)}."
    seeds = sorted({len(one.last) for one in table.measured.values()})
    many = (
        f"{seeds[0]} to {seeds[-1]} seeds"
        if len(seeds) > 1
        else "one seed"
        if seeds == [1]
        else f"{seeds[0]} seeds"
    )
    machines = sorted(
        {
            f"{result.machine}, {result.environment['precision']}, torch {result.environment['torch']}"
            for result in results
        }
    )
    days = sorted({result.date for result in results})
    searches = {result.artefacts["noise"]: result.search["seconds"] for result in results if result.search}
    minutes = (sum(result.seconds for result in results) + sum(searches.values())) / 60
    left = table.wanted - len(results) - table.stale
    missing = (
        f" {left} of {table.wanted} cells of these seeds have not been run."
        if table.wanted > len(results)
        else ""
    )
    stale = (
        f" {table.stale} results are left out: they belong to an older revision or to other data."
        if table.stale
        else ""
    )
    dates = " to ".join(dict.fromkeys([days[0], days[-1]]))
    return (
        f"{many.capitalize()}; {counted(len(results), 'training')} and {counted(len(searches), 'search')}, "
        f"{minutes:.0f} min of one process ({'; '.join(machines)}; {dates}). "
        f"{command(table)}.{missing}{stale}"
    )


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        + "\n"
    )
