"""Settings in words: for errors, for ``help()``, and for the tables of the docs."""

from __future__ import annotations

import inspect
import re
import textwrap
import types
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError, ValidationInfo
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from unlearnable.arguments import nearest, shown
from unlearnable.budget import in_levels
from unlearnable.errors import UsageError
from unlearnable.renamed import RENAMED

SIGNS = {"gt": "over", "ge": "from", "lt": "under", "le": "to"}
NOUNS = {int: "whole number", float: "number", str: "text"}
WIDTH = 106


class Checked(BaseModel):
    """Frozen settings. One that is wrong is an error of ours, however it is given; pydantic's is its cause.

    Raises:
        UsageError: If a setting is unknown, or a value is of another type or out of range.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Put our errors around every check, those of a subclass included, which a validator cannot."""

        def checked(values: Any, check: Callable[[Any], Any], info: ValidationInfo) -> Any:
            if isinstance(values, Mapping):
                # numbers that NumPy has computed
                values = {
                    key: one.item() if isinstance(one, np.generic) else one for key, one in values.items()
                }
            try:
                return check(values)
            except ValidationError as error:
                raise refusal(cls, error, (info.context or {}).get("name", cls.__name__)) from error

        return core_schema.with_info_wrap_validator_function(checked, handler(source))


def meanings(config: type[BaseModel]) -> dict[str, str]:
    """Return the meaning of every setting, from the sections ``Attributes`` of the docstrings."""
    found: dict[str, str] = {}
    for kind in reversed(config.__mro__):
        listed = inspect.cleandoc((kind.__doc__ or "").partition("Attributes:")[2])
        found |= {
            name: " ".join(words.split())
            for name, words in re.findall(r"(?ms)^(\w+): (.+?)(?=^\w+: |\Z)", listed)
        }
    return {name: found.get(name, "") for name in config.model_fields}


def allowed(field: FieldInfo, quote: str = "") -> list[str]:
    """Return what a setting may be: kinds of numbers with their limits, and words.

    Args:
        field: The setting.
        quote: A mark on both sides of a word.
    """
    words = []
    for kind in _kinds(field):
        if get_origin(kind) is Literal:
            words += [f"{quote}{value}{quote}" for value in get_args(kind)]
            continue
        limited = get_args(kind)[1].metadata if get_origin(kind) is Annotated else field.metadata
        bounds = {sign: getattr(bound, sign) for bound in limited for sign in SIGNS if hasattr(bound, sign)}
        limits = " ".join(f"{SIGNS[sign]} {bounds[sign]:g}" for sign in SIGNS if sign in bounds)
        limits += "".join(f"of the form {one.pattern}" for one in limited if getattr(one, "pattern", None))
        plain = _plain(kind)
        words.append(f"{NOUNS.get(plain, getattr(plain, '__name__', str(plain)))} {limits}".strip())
    return words


def signature(config: type[BaseModel]) -> inspect.Signature:
    """Return the signature of a method: a keyword for every setting, with its type and its default."""
    return inspect.Signature(
        [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=Union[tuple(_plain(kind) for kind in _kinds(field))],  # noqa: UP007
            )
            for name, field in config.model_fields.items()
        ]
    )


def table(config: type[BaseModel]) -> str:
    """Return every setting with what it may be, its default and its meaning: a section of a docstring."""
    lines = ["Settings:"]
    for name, meaning in meanings(config).items():
        field = config.model_fields[name]
        kind = f"{name} ({', '.join(allowed(field))}; default {field.default!r}):"
        whole = f"{kind} {meaning.replace('``', '`')}"
        lines.append(textwrap.fill(whole, WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 8))
    return "\n".join(lines)


def refusal(config: type[BaseModel], error: ValidationError, owner: str) -> UsageError:
    """Return the error for settings that pydantic has refused: the first of them, and what to write.

    Args:
        config: The configuration.
        error: The error of pydantic.
        owner: The thing that has the settings, to begin with.
    """
    fields = config.model_fields
    # a name that is not known explains one that is missing
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    # settings are flat: the rest of the location names a kind of value
    name, value = str(next(iter(first["loc"]), "")), first.get("input")
    listed = f"Its settings: {', '.join(fields)}."
    if first["type"] == "extra_forbidden":
        near = f"It is called {RENAMED[name]} now." if name in RENAMED else nearest(name, fields)
        return UsageError(f"{owner}: {name} is not a setting.", f"{near} {listed}".strip())
    if first["type"] == "missing":
        return UsageError(f"{owner}: {name} is missing.", listed)
    if name not in fields or first["type"] in ("value_error", "assertion_error"):
        # a check of the configuration's own
        reason = first["msg"].partition(", ")[2] or first["msg"]
        given = f"{name} {shown(value)}: " if name in fields else ""
        return UsageError(f"{owner}: {given}{reason}.", listed)
    problem = f"{owner}: {name} is {shown(value)}, but must be {_either(allowed(fields[name]))}."
    return UsageError(problem, _remedy(name, value, fields[name]))


def _remedy(name: str, value: Any, field: FieldInfo) -> str:
    if name == "epsilon" and (levels := in_levels(value)):
        return levels
    if isinstance(value, float) and value.is_integer() and int in map(_plain, _kinds(field)):
        return f"Write {name} = {int(value)}."
    choices = [word for kind in _kinds(field) if get_origin(kind) is Literal for word in get_args(kind)]
    if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value.strip()):
        return f"Write {name} = {value.strip()}, without quotes."
    if isinstance(value, str) and (near := nearest(value, choices)):
        return near
    return "" if field.is_required() else f"The default is {field.get_default(call_default_factory=True)!r}."


def _kinds(field: FieldInfo) -> tuple[Any, ...]:
    union = get_origin(field.annotation) in (types.UnionType, typing.Union)
    return get_args(field.annotation) if union else (field.annotation,)


def _plain(kind: Any) -> Any:
    """Return a kind of value without its limits."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _either(words: list[str]) -> str:
    words = [f"a {word}" if word.startswith(tuple(NOUNS.values())) else word for word in words]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
