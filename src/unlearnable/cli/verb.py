"""Checks before every command runs: options of earlier versions, and words that cannot be paths."""

from __future__ import annotations

import re
import sys
import typing
from pathlib import Path
from typing import Any

from typer.core import TyperCommand, TyperGroup

from unlearnable.cli import group
from unlearnable.cli.console import Console
from unlearnable.errors import UsageError

# old option: option today, and what its value begins with there
OLD_OPTIONS = {
    "--surrogate": ("--set", "surrogate="),
    "--resolution": ("--set", "resolution="),
    "--transforms": ("--set", "transforms="),
    "--stop-error": ("--set", "stop_error="),
    "--rounds": ("--set", "max_rounds="),
    "--steps": ("--set", "steps="),
    "--step-size": ("--set", "step_size="),
    "--budget": ("--time-limit", ""),
}
# options whose earlier values must not be dropped
GOALS = frozenset({"--require"})
ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")


class Verb(TyperCommand):
    """A verb that still takes the options of earlier versions, and checks its paths."""

    # whether a word that is no value of an option may be an address
    addresses = False
    # whether several processes that torchrun started can run it together
    shared = False

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; a switch has no value to be shown in the help."""
        return without_values(super().get_params(ctx))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line."""
        args = to_current(args, {name for parameter in self.params for name in parameter.opts})
        if not ctx.resilient_parsing:
            with Console().errors():
                if not self.shared:
                    group.require_alone(self.name or "")
                self._note_repeated(args)
                self._check_paths(args)
        return super().parse_args(ctx, args)

    def _note_repeated(self, args: list[str]) -> None:
        """Say which value of an option counts that is given twice: the last, as in most programs.

        Raises:
            UsageError: If it is a goal, because nobody would notice that one is not looked at.
        """
        takes_value = {
            name: parameter
            for parameter in self.params
            for name in parameter.opts
            if name.startswith("-") and not getattr(parameter, "is_flag", False)
        }
        given: dict[str, list[str]] = {}
        words = iter(args)
        for word in words:
            if word == "--":
                break
            name, equals, value = word.partition("=")
            parameter = takes_value.get(name)
            if parameter is not None:
                value = value if equals else next(words, "")
                if not getattr(parameter, "multiple", False):
                    given.setdefault(parameter.opts[0], []).append(value)
        for name, values in given.items():
            if len(values) > 1 and name in GOALS:
                raise UsageError(f"{name} is given twice, and only one goal can count.", "Give it once.")
            if len(values) > 1 and not {"--quiet", "-q"} & {*args}:
                print(f"{name} is given {len(values)} times; {values[-1]} counts", file=sys.stderr)

    def _check_paths(self, args: list[str]) -> None:
        """Refuse words that would be taken for paths and are none."""
        hints = typing.get_type_hints(self.callback)
        # True for an option that takes a path, False for one that takes something else
        options = {
            name: _is_path(hints.get(parameter.name or ""))
            for parameter in self.params
            for name in parameter.opts
            if name.startswith("-") and not getattr(parameter, "is_flag", False)
        }
        before = ""
        for word in args:
            name, equals, value = word.partition("=")
            if before in options:
                if options[before]:
                    require_path(word, before)
            elif equals and options.get(name):
                require_path(value, name)
            elif not word.startswith("-"):
                require_path(word, "An argument", self.addresses)
            before = "" if before in options else word


class Addressed(Verb):
    """A verb whose arguments may be addresses; it checks itself which of them."""

    addresses = True


class Shared(Verb):
    """A verb that several processes can run together."""

    shared = True


class Program(TyperGroup):
    """The program, whose own options are shown like those of its verbs."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; a switch has no value to be shown in the help."""
        return without_values(super().get_params(ctx))


def to_current(args: list[str], known: set[str]) -> list[str]:
    """Return a command line with options of earlier versions replaced by today's, and a remark on stderr.

    Args:
        args: The words after the verb.
        known: The options of the verb.
    """
    words: list[str] = []
    waiting = list(args)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            return [*words, word, *waiting]
        name, equals, value = word.partition("=")
        option, start = OLD_OPTIONS.get(name, ("", ""))
        if name in known or option not in known or not (equals or waiting):
            words.append(word)
            continue
        value = start + (value if equals else waiting.pop(0))
        words += [option, value]
        if not {"--quiet", "-q"} & {*args}:
            print(f"{name} is now {option} {value}", file=sys.stderr)
    return words


def require_path(text: str, name: str, addresses: bool = False) -> None:
    """Refuse a word that cannot be the path of a local file.

    Args:
        text: The word.
        name: The option it was given for.
        addresses: Whether an address is allowed.

    Raises:
        UsageError: If the word is empty, which would stand for the current folder, or an address.
    """
    if not text.strip():
        raise UsageError(f"{name} is empty.", "Give a path; a dot stands for the current folder.")
    if not addresses and ADDRESS.match(text):
        raise UsageError(
            f"{text} is an address, but only local files and folders are read.",
            "Download or mount it, then give the local path.",
        )


def _is_path(hint: Any) -> bool:
    return hint is Path or any(map(_is_path, typing.get_args(hint)))


def without_values(parameters: list[Any]) -> list[Any]:
    """Return parameters whose switches have an empty metavar; typer would show ``<bool>``."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False) and parameter.metavar is None:
            parameter.metavar = ""
    return parameters
