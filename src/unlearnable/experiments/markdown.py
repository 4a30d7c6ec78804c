"""A table in Markdown, with what it takes to believe it: seeds, machine, dates, command, claims kept and missed."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from unlearnable.experiments.table import Table, Verdict, text


def section(table: Table, figure: str = "", gallery: str = "") -> str:
    """Write the section of an experiment.

    Args:
        table: Its table.
        figure: Address of its picture; empty for none.
        gallery: Address of a picture of its noise; empty for none.
    """
    experiment = table.experiment
    lines = [f"### {experiment.title}", "", experiment.question, ""]
    lines += [
        grid(
            [f"{experiment.rows} \\ {experiment.columns}", *table.columns],
            [[row, *(_cell(table, row, column) for column in table.columns)] for row in table.rows],
        )
    ]
    if figure and table.places:
        lines += [f"![{experiment.title}]({figure})", ""]
    if gallery:
        lines += [f"![Patterns of the noise, magnified; grey is no change]({gallery})", ""]
    lines += [*(f"- {claim(verdict)}" for verdict in table.verdicts), ""] if experiment.claims else []
    lines += [about(table), ""]
    return "\n".join(lines)


def _cell(table: Table, row: str, column: str) -> str:
    place = table.places.get((row, column))
    published = table.experiment.published.get((row, column)) if table.profile.name == "paper" else None
    if published is None:
        return text(place)
    try:
        gap = f", difference {100 * mean(place.last) - float(published):+.1f}" if place else ""
    except ValueError:  # published in words
        gap = ""
    return f"{text(place)} [published: {published}{gap}]".strip()


def claim(verdict: Verdict) -> str:
    """Write what became of a claim, with its numbers."""
    of = " at the best epoch" if verdict.claim.measure == "peak" else ""
    word = verdict.word.capitalize()
    if verdict.lower is None or verdict.upper is None:
        return f"{word}: {verdict.claim.text}."
    seeds = "one seed" if verdict.seeds == 1 else f"{verdict.seeds} seeds"
    return f"**{word}**: {verdict.claim.text} ({100 * verdict.lower:.1f} against {100 * verdict.upper:.1f}{of}, {seeds})."


def about(table: Table) -> str:
    """Write where the numbers come from."""
    command = f"`unlearnable experiment {table.experiment.name} --profile {table.profile.name}`"
    results = table.results
    if not results:
        return f"Not run yet: {command}."
    seeds = sorted({len(place.last) for place in table.places.values()})
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
    missing = (
        f" {table.wanted - len(results) - table.stale} of {table.wanted} cells of these seeds have not been run."
        if table.wanted > len(results)
        else ""
    )
    stale = (
        f" {table.stale} results are left out: they belong to an older revision or to other data."
        if table.stale
        else ""
    )
    return (
        f"{many.capitalize()}; {_count(len(results), 'training')} and {_count(len(searches), 'search')}, {minutes:.0f} min of one process "
        f"({'; '.join(machines)}; {' to '.join(dict.fromkeys([days[0], days[-1]]))}). {command}.{missing}{stale}"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "es" if what.endswith("ch") else "s")


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table."""
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        + "\n"
    )
