"""Write the tables of docs/cli.md.

Options come from the commands, settings and their ranges from the code, presets from their files.

python docs/reference.py
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from unlearnable import presets
from unlearnable.cli.app import app
from unlearnable.fields import allowed, meanings
from unlearnable.methods.settings import ErrorMinimizingConfig

PAGE = Path(__file__).with_name("cli.md")


def render(text: str) -> str:
    """Return the page with the first table of every section replaced by what the code says."""
    parts = re.split(r"(?m)^(?=## )", text)
    return "".join([parts[0], *(_section(part) for part in parts[1:])])


def commands() -> dict[str, Any]:
    """Return the commands by name; those of a group are called ``faces protect``."""
    found: dict[str, Any] = {}
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        group = getattr(command, "commands", None)
        found |= {name: command} if group is None else {f"{name} {verb}": group[verb] for verb in group}
    return found


def _section(text: str) -> str:
    name = text.partition("\n")[0].removeprefix("## ")
    rows = (
        _settings() if name == "Settings" else _presets() if name == "Presets" else _options(commands()[name])
    )
    head, *body = [[cell.replace("``", "`").replace("|", "\\|") for cell in row] for row in rows]
    table = "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *body))
    found = re.compile(r"(?m)(^\|.*\n)+")
    if not found.search(text):
        return f"{text.rstrip()}\n\n{table}\n"
    return found.sub(lambda _: table, text, count=1)


def _options(command: Any) -> list[list[str]]:
    rows = [["", "", "default"]]
    for parameter in command.params:
        if "--help" in parameter.opts:
            continue
        if parameter.param_type_name == "argument":
            rows.append([f"`{parameter.name.upper()}`", parameter.help or "", ""])
            continue
        named = ", ".join(f"`{name}`" for name in parameter.opts)
        shown = parameter.show_default if isinstance(parameter.show_default, str) else parameter.default
        rows.append([named, parameter.help or "", "" if shown in (None, False, "") else f"`{shown}`"])
    return rows


def _settings() -> list[list[str]]:
    rows = [["setting", "meaning", "allowed", "default"]]
    for name, meaning in meanings(ErrorMinimizingConfig).items():
        field = ErrorMinimizingConfig.model_fields[name]
        rows.append([f"`{name}`", meaning, ", ".join(allowed(field, "`")), f"`{field.default}`"])
    return rows


def _presets() -> list[list[str]]:
    names = presets.names()
    tables = {name: presets.read(name) for name in names}
    rows = [["setting", *(f"`{name}`" for name in names)]]
    for setting in ErrorMinimizingConfig.model_fields:
        values = [
            [_value(tables[name], form, setting) for form in ("samplewise", "classwise")] for name in names
        ]
        if any(value != "" for pair in values for value in pair):
            cells = [pair[0] if pair[0] == pair[1] else f"{pair[0]} / {pair[1]}" for pair in values]
            rows.append([f"`{setting}`", *cells])
    fast = [[_changes(presets.fast(tables[name], form)) for form in presets.FORMS] for name in names]
    return [
        *rows,
        ["with `--search fast`", *(pair[0] if pair[0] == pair[1] else " / ".join(pair) for pair in fast)],
    ]


def _changes(settings: dict[str, Any]) -> str:
    return ", ".join(f"`{name} = {value}`" for name, value in settings.items()) or "-"


def _value(table: dict[str, Any], form: str, setting: str) -> str:
    merged = {**table, **table.get(form, {})}
    return str(merged.get(setting, ErrorMinimizingConfig.model_fields[setting].default))


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text("utf-8")), "utf-8")
