"""Settings are typed: for `help()`, for notebooks, for mypy."""

from __future__ import annotations

import inspect
import pydoc
import re
from pathlib import Path
from typing import Any

import pytest
from mypy import api as mypy

import unlearnable as un
from quick import forms
from unlearnable import fields, methods

KINDS = [methods.get(name) for name in methods.names()]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_help_lists_every_setting_with_type_default_and_meaning(kind: type[un.Method[Any]]) -> None:
    text = pydoc.plain(pydoc.render_doc(kind))
    for name, field in kind.Config.model_fields.items():
        what = re.escape(f"{name} ({', '.join(fields.allowed(field))}; default {field.default!r}):")
        assert re.search(what.replace(r"\ ", r"[\s|]+") + r"[\s|]+[`\w]", text), name
    assert methods.names()[kind.name].endswith(".")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_notebook_completes_every_setting(kind: type[un.Method[Any]]) -> None:
    parameters = inspect.signature(kind).parameters
    assert {name: one.default for name, one in parameters.items()} == {
        name: field.default for name, field in kind.Config.model_fields.items()
    }
    choices = ("auto", *forms(kind.name))
    assert f"Literal{list(choices)}" in str(parameters["form"])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_configuration_has_every_setting_of_its_bases(kind: type[un.Method[Any]]) -> None:
    for base in kind.Config.__mro__:
        assert getattr(base, "model_fields", {}).keys() <= kind.Config.model_fields.keys(), base.__name__


def test_a_method_has_settings_of_what_it_does_only() -> None:
    rounds = {"min_rounds", "max_rounds", "stop_error", "patience"}
    training = {"lr", "weight_decay", "clip"}
    assert rounds | training <= un.Bait.Config.model_fields.keys()
    assert rounds <= un.FeatureShift.Config.model_fields.keys()
    assert not training & un.FeatureShift.Config.model_fields.keys()
    assert not (rounds | training) & un.Gratings.Config.model_fields.keys()


def test_a_method_of_a_plugin_shows_its_own_settings() -> None:
    class OwnConfig(methods.SurrogateConfig):
        """Settings.

        Attributes:
            depth: How deep it goes.
        """

        depth: int = 3

    class Own(methods.ErrorMinimizing):
        """A method of one's own."""

        Config = OwnConfig

    assert "depth" in inspect.signature(Own).parameters
    assert "depth (whole number; default 3): How deep it goes." in str(inspect.getdoc(Own))
    assert "train_batches" not in inspect.signature(Own).parameters
    assert Own(depth=4).config.depth == 4  # type: ignore[call-arg]


@pytest.mark.slow
def test_mypy_finds_misspelt_settings_and_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = Path(un.__file__).parent
    assert (package / "py.typed").exists()
    monkeypatch.setenv("MYPYPATH", str(package.parent))
    right = [
        'un.ErrorMinimizing(epsilon=8, form="samplewise", max_rounds="auto", lr=1)',
        "un.Random(patience=2)",
        'un.ErrorMaximizing(target="next")',
        "un.RobustErrorMinimizing(adversarial_steps=3)",
    ]
    wrong = {
        "un.ErrorMinimizing(epsilom=8)": 'did you mean "epsilon"',
        'un.Random(form="class-wise")': "incompatible type \"Literal['class-wise']\"",
        'un.RobustErrorMinimizing(adversarial_epsilon="4")': 'incompatible type "str"',
        "un.ErrorMaximizing(epsilon=8 / 255)": 'incompatible type "float"',
    }
    (tmp_path / "mine.py").write_text("\n".join(["import unlearnable as un", *right, *wrong]))
    monkeypatch.chdir(tmp_path)
    told = mypy.run(["--strict", "--follow-imports=silent", "--cache-dir=cache", "mine.py"])[0]
    errors = [line for line in told.splitlines() if ": error:" in line]
    assert len(errors) == len(wrong), told
    for number, (error, words) in enumerate(zip(errors, wrong.values(), strict=True), len(right) + 2):
        assert error.startswith(f"mine.py:{number}:")
        assert words in error
