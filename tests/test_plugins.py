"""A plugin is a full citizen: every command runs it by name, and one that fails stops nobody else."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import unlearnable as un
from unlearnable import countermeasures, experiments, methods, models, plugins, registry
from unlearnable.cli.app import app
from unlearnable.errors import UsageError
from unlearnable.registry import Registry

ROOT = Path(__file__).resolve().parent.parent
STRIPES, BLURRED = re.findall(
    r"(?ms)^```python plugin\n(.*?)^```", (ROOT / "CONTRIBUTING.md").read_text("utf-8")
)
QUICK = 'surrogate = "cnn:width=8,depth=2"\ntrain_batches = 1\nsteps = 1\nmax_rounds = 1\n'
GRID = '''
from unlearnable.experiments.base import Entry, experiment
from unlearnable.experiments.profile import WORDS


@experiment(title="Plugged in", rows="method")
def plugged(p):
    """Do methods of plugins run, with the settings of a profile and of another budget?"""
    for name, form in (("stripes", "samplewise"), ("stripes", "classwise"), ("blurred", "classwise")):
        poison = p.poison("cifar10", form, 0, method=name, **p.budget("cifar10", form, 4))
        yield Entry(name, WORDS[form], p.cell("cifar10", 0, poison, model="cnn", train={"epochs": 1}))


@experiment(title="A grid that raises", rows="method")
def raising(p):
    """Does it stop the others?"""
    yield Entry("row", "column", p.cell("cifar11", 0))


@experiment(title="Cells that raise", rows="method")
def failing(p):
    """Do they stop the others?"""
    for model in ("boom", "nowhere", "cnn"):
        poison = p.poison("cifar10", "classwise", 0, method="random")
        yield Entry(model, "column", p.cell("cifar10", 0, poison, model=model, train={"epochs": 1}))
'''
BOOM = '''
from torch import nn
from unlearnable.models import register


class Boom(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, x):
        return self.layer(x)


@register
def boom(classes):
    """Raise an error in training."""
    return Boom()
'''
EVERY_KIND = {
    "method": STRIPES.replace('"stripes"', '"mine"'),
    "model": "from unlearnable.models import create, register\n\n\n@register\ndef mine(classes):\n"
    '    """Mine."""\n    return create("cnn:width=8,depth=2", classes)\n',
    "countermeasure": "from dataclasses import dataclass\nfrom typing import ClassVar\n"
    "from unlearnable.countermeasures import Countermeasure, register\n\n\n@register\n"
    '@dataclass(frozen=True)\nclass Mine(Countermeasure):\n    """Mine."""\n\n'
    '    name: ClassVar[str] = "mine"\n',
    "experiment": "from unlearnable.experiments.base import experiment\n\n\n"
    '@experiment(title="Mine", rows="row")\ndef mine(p):\n    """Mine?"""\n    yield from ()\n',
}
NAMES = {
    "method": methods.names,
    "model": models.names,
    "countermeasure": countermeasures.names,
    "experiment": experiments.names,
}


def unload() -> None:
    """Forget every plugin, as a new process would."""
    for module in list(plugins._LOADED):
        plugins._forget(module)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    for name, text in (("stripes", STRIPES), ("blurred", BLURRED), ("grid", GRID), ("boom", BOOM)):
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "quick.toml").write_text(QUICK)
    yield tmp_path
    unload()


def call(*words: object, code: int = 0) -> Any:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    return result


@pytest.mark.parametrize("form", ["samplewise", "classwise"])
@pytest.mark.parametrize("name", ["stripes", "blurred"])
def test_the_plugins_of_the_docs_protect_and_extend(name: str, form: str, photos: Path, place: Path) -> None:
    run, how = place / "run", ["--plugin", f"{name}.py"]
    more = ["--config", "quick.toml"] if name == "blurred" else []
    assert name in json.loads(call("methods", "--json", *how).stdout)
    call("fit", photos, run, "--method", name, "--form", form, *how, *more)
    unload()
    new = photos / "cats" / "new.png"
    new.write_bytes((photos / "cats" / "p0.png").read_bytes() + b"\0")
    apply = ["apply", run, photos, "out", "--workers", 1, "--missing", "extend"]
    if form == "samplewise":
        assert f"--plugin {place / name}.py" in call(*apply, code=2).stderr
    assert json.loads(call(*apply, *how, "--json").stdout)["written"] == 19
    protect = ["protect", photos, "own", "--run", run, "--method", name, "--form", form, *more]
    unload()
    assert f"--plugin {place / name}.py" in call(*protect, code=2).stderr


def test_a_surrogate_of_a_plugin_is_named_too(photos: Path, place: Path) -> None:
    (place / "mine.py").write_text(EVERY_KIND["model"])
    settings = ["--config", "quick.toml", "--set", "surrogate=mine", "--form", "samplewise"]
    call("fit", photos, "run", *settings, "--plugin", "mine.py")
    unload()
    (photos / "cats" / "new.png").write_bytes((photos / "cats" / "p0.png").read_bytes() + b"\0")
    refused = call("apply", "run", photos, "out", "--missing", "extend", code=2).stderr
    assert "was made by the surrogate 'mine', which is not loaded" in refused
    assert f"--plugin {place / 'mine.py'}" in refused


def test_in_experiments_they_run_and_what_fails_stops_no_other(place: Path) -> None:
    files = [word for name in ("stripes", "blurred", "grid", "boom") for word in ("--plugin", f"{name}.py")]
    folders = ["--profile", "smoke", "--results", "results", "--cache", "cache", "--device", "cpu"]
    done = call("experiment", "plugged", "raising", "failing", *folders, *files, "--json", code=1)
    record = json.loads(done.stdout)
    assert len(record["tables"]["plugged"]) == 3
    assert [row["row"] for row in record["tables"]["failing"]] == ["cnn"]
    assert "plugged" not in record["problems"]
    assert "called 'cifar11'. Did you mean 'cifar101'?" in record["problems"]["raising"][0]
    boom, nowhere = record["problems"]["failing"]
    # the mistake shows inside of PyTorch, and is in line 12 of the plugin
    assert "boom / column / seed 0: RuntimeError" in boom
    assert boom.endswith("in boom.py at line 12")
    assert "There is no model 'nowhere'" in nowhere
    assert "2 cells failed" in done.stderr
    assert record["missing"] == 2
    page = (place / "results" / "smoke" / "index.html").read_text("utf-8")
    assert all(title in page for title in ("Plugged in", "A grid that raises", "Cells that raise"))
    assert page.count("<b>Failed</b>") == 3


def test_a_setting_that_no_method_has_is_a_mistake_of_the_grid() -> None:
    from unlearnable.experiments.profiles import SMOKE

    with pytest.raises(UsageError, match=r"random: stepsize is not a setting.\n.*'step_size'"):
        SMOKE.search("cifar10", "classwise", 0, method="random", stepsize=3)
    assert SMOKE.search("cifar10", "classwise", 0, method="random", step_size=3).settings == {
        "form": "classwise"
    }


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["shar"], "Did you mean 'share'?"),
        (["share", "--profile", "smok"], "Did you mean 'smoke'?"),
        (["share", "--profile", "smoke", "--only", "sample wise"], "Did you mean 'sample-wise'?"),
        (["share", "--profile", "smoke", "--seed", "7"], "The seeds of smoke: 0."),
    ],
)
def test_a_name_in_an_experiment_that_there_is_not(words: list[str], remedy: str) -> None:
    assert remedy in call("experiment", *words, "--list", code=2).stderr


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_a_plugin_registers_every_kind_and_a_failure_leaves_nothing(kind: str, place: Path) -> None:
    file = place / "mine.py"
    file.write_text(f"{EVERY_KIND[kind]}\n1 / 0\n")
    for _ in range(2):
        with pytest.raises(UsageError, match="ZeroDivisionError") as caught:
            un.load_plugin(file)
        assert f"at line {len(file.read_text().splitlines())}" in caught.value.remedy
        assert "mine" not in NAMES[kind]()
    file.write_text(EVERY_KIND[kind])
    un.load_plugin(file)
    un.load_plugin(str(file))
    assert "mine" in NAMES[kind]()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import nowhere\n", "nowhere"),
        ("raise SystemExit(3)\n", "SystemExit"),
    ],
)
def test_whatever_a_plugin_raises_names_the_plugin(text: str, reason: str, place: Path) -> None:
    (place / "mine.py").write_text(text)
    with pytest.raises(UsageError, match=r"mine\.py cannot be imported") as caught:
        un.load_plugin("mine.py")
    assert reason in caught.value.problem


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_a_name_that_is_taken_is_refused_with_its_place(kind: str, place: Path) -> None:
    known = next(iter(NAMES[kind]()))
    text = EVERY_KIND[kind].replace('"mine"', f'"{known}"').replace("def mine", f"def {known}")
    (place / "mine.py").write_text(text)
    before = NAMES[kind]()
    taken = rf"mine\.py cannot be loaded\. There is already a {kind} called '{known}'"
    with pytest.raises(UsageError, match=taken) as caught:
        un.load_plugin("mine.py")
    assert caught.value.remedy == "Give yours another name."
    assert NAMES[kind]() == before


def test_a_plugin_that_changed_or_moved_is_replaced_and_another_of_its_name_refused(place: Path) -> None:
    un.load_plugin("stripes.py")
    (place / "stripes.py").write_text(STRIPES.replace("Stripes of the", "Changed: stripes of the"))
    un.load_plugin("stripes.py")
    assert methods.names()["stripes"].startswith("Changed")
    (place / "stripes.py").rename(place / "moved.py")
    un.load_plugin("moved.py")
    assert plugins.file_of(methods.get("stripes")) == place / "moved.py"
    (place / "other.py").write_text(STRIPES)
    with pytest.raises(UsageError, match=re.escape(str(place / "moved.py"))):
        un.load_plugin("other.py")


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        (STRIPES.replace('    name = "stripes"\n', ""), "name"),
        (STRIPES.replace("def finish", "def finished"), "finish"),
        (STRIPES.replace("def start", "def begin"), "start"),
    ],
)
def test_a_method_that_lacks_a_part_is_refused_at_once(text: str, lacks: str, place: Path) -> None:
    (place / "mine.py").write_text(text)
    with pytest.raises(UsageError, match=f"Stripes has no {lacks}"):
        un.load_plugin("mine.py")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('return state["noise"]', 'return state["noise"].numpy()', "but must be a tensor"),
        ('return state["noise"]', 'return state["noise"][0]', "but must be a tensor"),
        ("return Progress(1, 1, round_ended=True)", "return None", "A step is None"),
    ],
)
def test_a_method_that_returns_something_else_is_told(
    old: str, new: str, words: str, images: un.ImageSet, place: Path
) -> None:
    (place / "mine.py").write_text(STRIPES.replace(old, new))
    un.load_plugin("mine.py")
    with pytest.raises(un.UnlearnableError, match=words):
        un.fit(images, "stripes", compute="cpu")


@pytest.fixture
def offered(place: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[Any]:
    """A registry, with entry points of an installed package: sound, broken, and without a registration."""
    made: Registry[Any] = Registry("method")
    monkeypatch.setattr(registry, "REGISTRIES", registry.REGISTRIES[:-1])
    monkeypatch.setattr(sys.modules[__name__], "OFFERED", made, raising=False)
    monkeypatch.setitem(sys.modules, "offering", sys.modules[__name__])
    monkeypatch.syspath_prepend(str(place))
    register = "from offering import OFFERED\nOFFERED.add('sound', object(), __name__)\n"
    points = []
    for name, text in (("broken", "import nowhere_at_all"), ("empty", ""), ("sound", register)):
        (place / f"offered_{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, f"offered_{name}", raising=False)
        points.append(EntryPoint(name, f"offered_{name}", made.group))
    monkeypatch.setattr(registry, "entry_points", lambda group: [one for one in points if one.group == group])
    return made


def test_an_entry_point_that_fails_is_a_warning_and_the_others_are_loaded(offered: Registry[Any]) -> None:
    with pytest.warns(RuntimeWarning) as caught:
        assert list(offered.summaries()) == ["sound"]
    broken, empty = (str(one.message) for one in caught)
    assert "offers the method 'broken', but it cannot be loaded (ModuleNotFoundError" in broken
    assert "offered_empty does not register that name" in empty
    with pytest.raises(UsageError, match="There is no method 'broken'") as refused:
        offered.find("broken")
    assert "nowhere_at_all" in refused.value.remedy


def test_an_entry_point_cannot_replace_what_is_built_in(offered: Registry[Any]) -> None:
    for name in ("broken", "empty", "sound"):
        offered.add(name, object(), "unlearnable.methods.random")
    before = dict(offered)
    with pytest.warns(RuntimeWarning, match="but there is one of that name already"):
        offered.complete()
    assert dict(offered) == before


def test_every_kind_is_offered_by_installed_packages() -> None:
    groups = {one.group for one in registry.REGISTRIES}
    assert groups >= {f"unlearnable.{kind}s" for kind in EVERY_KIND}
