"""The front door: public names, plugins, time limits, settings on the command line, ``python -m``."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import unlearnable as un
from unlearnable import duration, methods, models, presets
from unlearnable.cli import options
from unlearnable.cli.app import app
from unlearnable.cli.options import settings
from unlearnable.countermeasures import registry as countermeasures
from unlearnable.errors import Unfinished, UsageError
from unlearnable.events import Event
from unlearnable.experiments import base as experiments

QUICK = {"surrogate": "cnn:width=8,depth=2", "resolution": 16, "batch": 8, "train_batches": 2, "steps": 1}
STRIPES = """
import torch

from unlearnable.methods import Config, Method, Progress, register


@register
class Stripes(Method[Config]):
    \"\"\"Stripes, one direction per image.\"\"\"

    name = "stripes"
    Config = Config

    def start(self, view, ctx):
        return {"n": torch.full((len(self.keys(view)), 3, self.config.grid, self.config.grid), 8.0)}

    def advance(self, state, view, ctx):
        return Progress(1, 1, round_ended=True)

    def finish(self, state):
        return state["n"]

    def extend(self, fitted, view, ctx):
        return self.to_noise(self.finish(self.start(view, ctx)), view, ctx.seed)
"""
EVERYTHING = """
from dataclasses import dataclass
from typing import ClassVar

from unlearnable import countermeasures, models
from unlearnable.countermeasures import Countermeasure
from unlearnable.experiments.base import Entry, experiment
from unlearnable.models import create


@countermeasures.register
@dataclass(frozen=True)
class Nothing(Countermeasure):
    \"\"\"Do nothing.\"\"\"

    name: ClassVar[str] = "nothing"


@models.register
def tiny(classes):
    \"\"\"A very small network.\"\"\"
    return create("cnn:width=8,depth=2", classes)


@experiment(title="Plugged in", rows="row", columns="column")
def plugged(p):
    \"\"\"Does an experiment of a plugin run?\"\"\"
    more = {"model": "tiny", "countermeasure": "nothing", "train": {"epochs": 1}}
    yield Entry("row", "clean", p.cell("cifar10", 0, **more))
    poison = p.poison("cifar10", "classwise", 0, method="stripes")
    yield Entry("row", "stripes", p.cell("cifar10", 0, poison, **more))
"""


def call(*words: object, code: int = 0) -> typing.Any:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    return result


@pytest.fixture
def stripes(tmp_path: Path) -> Iterator[Path]:
    """A plugin; its method is gone after the test."""
    file = tmp_path / "stripes.py"
    file.write_text(STRIPES)
    yield file
    methods.registry._METHODS.pop("stripes", None)


def unload() -> None:
    """Forget the method, as a new process would."""
    methods.registry._METHODS.pop("stripes", None)


def test_python_m_runs_the_command() -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "unlearnable", *words], capture_output=True, text=True, check=False
        )

    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"unlearnable {un.__version__}\n")
    assert "unlearnable protect" in run("protect", "--help").stdout
    missing = run("inspect", "nowhere")
    assert missing.returncode == 3
    assert missing.stderr.startswith("error: nowhere does not exist.")


def test_every_class_in_a_public_signature_is_public() -> None:
    public = {id(getattr(un, name)) for name in un.__all__}
    for name in un.__all__:
        function = getattr(un, name)
        if not inspect.isfunction(function):
            continue
        for parameter, hint in typing.get_type_hints(function).items():
            for kind in classes_of(hint):
                assert id(kind) in public, f"{name}, {parameter}: {kind}"


def classes_of(hint: typing.Any) -> Iterator[type]:
    """Our own classes in an annotation, however deep."""
    for part in typing.get_args(hint):
        yield from classes_of(part)
    origin = typing.get_origin(hint) or hint
    if isinstance(origin, type) and origin.__module__.startswith("unlearnable."):
        yield origin


def test_the_library_protects_and_verifies_without_the_command_line(photos: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    code = f"""
import sys
import unlearnable as un
from unlearnable import report

seen = []
images = un.open_photos({str(photos)!r}, options=un.PhotoOptions(max_pixels=10**6))
request = un.Request("random", settings={{"form": "classwise"}})
prepared = un.prepare(
    images, request, compute=un.Compute.choose("cpu", "float32"), on_progress=seen.append
)
assert prepared.estimate() == 0.0
how = dict(images=prepared.images, compute=prepared.compute, workers=1, on_progress=seen.append)
done = un.protect({str(photos)!r}, {out!r}, prepared.method, **how)
assert done.written == 18
found = un.verify({str(photos)!r}, {out!r}, seeds=(0,), time_limit=1, targets=["cnn:width=8,depth=2"])
record = un.Record.of(found, "photos", "out")
path = report.save(record, done.run)
assert path.is_file() and (done.run / "report.json").is_file()
assert {{event.stage for event in seen}} >= {{"checking", "reading", "writing"}}
assert not [name for name in sys.modules if name.startswith(("unlearnable.cli", "typer"))]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_lengths_of_time_are_read_and_written() -> None:
    assert [duration.parse(text) for text in ("90s", "10m", " 1.5 h ", "0.5s")] == [90, 600, 5400, 0.5]
    for wrong in ("soon", "15", "-3s", "1d", "0s", "0.0h"):
        with pytest.raises(UsageError, match=f"--time-limit '{wrong}' is not a length of time"):
            duration.parse(wrong)
    assert [duration.words(seconds) for seconds in (0.2, 89, 90, 150, 569, 571, 5399, 5400)] == [
        "1 s",
        "89 s",
        "1.5 min",
        "2.5 min",
        "9.5 min",
        "10 min",
        "90 min",
        "1.5 h",
    ]


@pytest.mark.parametrize(
    ("item", "value"),
    [
        ("x=3", 3),
        ("x = 0.5", 0.5),
        ("x=true", True),
        ('x="3"', "3"),
        ("x=cnn:width=8,depth=2", "cnn:width=8,depth=2"),
        ("x=auto", "auto"),
        ("x=1\ny=2", "1\ny=2"),
    ],
)
def test_a_setting_is_toml_or_else_text(item: str, value: object) -> None:
    assert settings({"form": None}, [item]) == {"x": value}


@pytest.mark.parametrize("item", ["x", "=3", "x="])
def test_what_is_no_setting_is_refused(item: str) -> None:
    with pytest.raises(UsageError, match="is not KEY=VALUE"):
        settings({}, [item])


def test_an_option_and_a_setting_for_the_same_thing_are_refused(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="epsilon is given twice"):
        settings({"epsilon": 4}, ["epsilon=8"])
    wrong = call("fit", photos, tmp_path / "run", "--method", "random", "--set", "no_such=3", code=2)
    assert "random: no_such is not a setting" in wrong.stderr
    assert "Its settings: form, epsilon" in wrong.stderr


def test_a_seed_is_a_whole_number_that_json_keeps(photos: Path, tmp_path: Path) -> None:
    command = ["fit", photos, tmp_path / "run", "--method", "random", "--seed"]
    assert "is not between" in call(*command, options.LARGEST_SEED + 1, code=2).stderr
    call(*command, options.LARGEST_SEED)


def test_a_search_that_runs_out_of_time_resumes_and_ends_the_same(photos: Path, tmp_path: Path) -> None:
    method = methods.create("error_minimizing", {**QUICK, "form": "classwise", "max_rounds": 4, "grid": 16})
    whole = un.protect(photos, tmp_path / "whole", method, seed=3, workers=1)
    seen: list[Event] = []
    with pytest.raises(Unfinished, match="the search is saved"):
        un.protect(photos, tmp_path / "cut", method, seed=3, workers=1, time_limit=0, on_progress=seen.append)
    assert not (tmp_path / "cut").exists()
    limits = 0
    while True:
        try:
            cut = un.protect(
                photos, tmp_path / "cut", method, workers=1, time_limit=None if limits > 2 else 0
            )
            break
        except Unfinished:
            limits += 1
    assert limits > 0
    assert cut.fitted is not None
    assert whole.fitted is not None
    assert (cut.fitted.noise.bank == whole.fitted.noise.bank).all()


def test_files_are_written_until_the_time_is_up(photos: Path, tmp_path: Path) -> None:
    call("fit", photos, tmp_path / "run", "--method", "random")
    command = ["apply", tmp_path / "run", photos, tmp_path / "out", "--workers", 1]
    stopped = call(*command, "--time-limit", "0.001s", code=6)
    assert "The time is up: 1 of 18 photos are done." in stopped.stderr
    assert "error" not in stopped.stderr
    done = json.loads(call(*command, "--json").stdout)
    assert (done["written"], done["retained"]) == (17, 1)


def test_a_run_names_the_plugin_it_needs(photos: Path, tmp_path: Path, stripes: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    words = ["--method", "stripes", "--plugin", stripes, "--form", "samplewise"]
    call("fit", photos, run, *words)
    unload()
    assert json.loads((run / "run.json").read_text())["plugin"] == str(stripes)
    # Known noise needs no method.
    call("apply", run, photos, out)
    (photos / "cats" / "new.png").write_bytes((photos / "cats" / "p0.png").read_bytes() + b"\0")
    refused = call("apply", run, photos, out, "--missing", "extend", code=2).stderr
    assert "was made by the method 'stripes', which is not loaded" in refused
    assert f"--plugin {stripes}" in refused
    # A new process would load the file again.
    again = tmp_path / "again.py"
    again.write_text(STRIPES)
    done = call("apply", run, photos, out, "--missing", "extend", "--plugin", again, "--json")
    assert json.loads(done.stdout)["written"] == 1


def test_an_entry_point_that_is_gone_is_named_too(photos: Path, tmp_path: Path, stripes: Path) -> None:
    run = tmp_path / "run"
    call("fit", photos, run, "--method", "stripes", "--plugin", stripes, "--form", "samplewise")
    unload()
    record = json.loads((run / "run.json").read_text())
    # An older run, or a method of an installed package.
    del record["plugin"]
    (run / "run.json").write_text(json.dumps(record))
    (photos / "cats" / "new.png").write_bytes((photos / "cats" / "p0.png").read_bytes() + b"\0")
    refused = call("apply", run, photos, tmp_path / "out", "--missing", "extend", code=2).stderr
    assert "Install the package that registers it" in refused


def test_a_plugin_brings_models_countermeasures_and_experiments(tmp_path: Path, stripes: Path) -> None:
    file = tmp_path / "everything.py"
    file.write_text(EVERYTHING)
    try:
        assert "tiny" in json.loads(call("models", "--plugin", file, "--json").stdout)
        assert "nothing" in json.loads(call("countermeasures", "--plugin", file, "--json").stdout)
        plugins = ["--plugin", file, "--plugin", stripes]
        folders = ["--results", tmp_path / "results", "--cache", tmp_path / "cache"]
        done = call("experiment", "plugged", "--profile", "smoke", *plugins, *folders, "--json")
        assert json.loads(done.stdout)["missing"] == 0
    finally:
        models.registry._BUILDERS.pop("tiny", None)
        countermeasures._COUNTERMEASURES.pop("nothing", None)
        experiments._EXPERIMENTS.pop("plugged", None)


def test_a_plugin_that_cannot_be_loaded_is_a_clear_error(tmp_path: Path) -> None:
    assert "is not a Python file" in call("methods", "--plugin", tmp_path / "none.py", code=2).stderr
    broken = tmp_path / "broken.py"
    broken.write_text("raise RuntimeError('oh')\n")
    for _ in range(2):
        # A file that failed is run again.
        assert "cannot be imported (RuntimeError: oh)" in call("methods", "--plugin", broken, code=2).stderr


@pytest.mark.parametrize("rounds", ["auto", "many", "0"])
def test_rounds_that_are_no_number_are_checked_like_any_setting(rounds: str) -> None:
    merged = presets.merge(presets.read("laptop"), None, {"max_rounds": settings({}, [f"x={rounds}"])["x"]})
    if rounds == "auto":
        assert methods.create("error_minimizing", merged).config.max_rounds == "auto"
        return
    with pytest.raises(UsageError, match="max_rounds"):
        methods.create("error_minimizing", merged)
