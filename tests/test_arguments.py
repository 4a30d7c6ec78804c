"""The door: every ordinary mistake is an error of ours that names what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pydantic
import pytest
import torch

import unlearnable as un
from conftest import pixels
from unlearnable import countermeasures, models
from unlearnable.cells import Data, Poison
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UnlearnableError, UsageError

METHOD = un.Random(form="classwise")
ARRAY = np.zeros((4, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def some() -> ImageSet:
    return un.load(pixels(6), ["ant", "bee"] * 3)


@pytest.fixture(scope="module")
def fitted(some: ImageSet) -> un.Fitted:
    return un.fit(some, METHOD, seed=0, compute="cpu")


def refused(call: Callable[[], Any], *words: str, kind: type[UnlearnableError] = UsageError) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.remedy, caught.value
    for word in words:
        assert word in str(caught.value), str(caught.value)


SETTINGS: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"epsilon": 8 / 255}, ("levels of 1/255: 8, not 0.0314",)),
    ({"epsilon": np.float32(16 / 255)}, ("levels of 1/255: 16",)),
    ({"epsilon": "8"}, ("Write epsilon = 8, without quotes",)),
    ({"epsilon": 8.0}, ("Write epsilon = 8.",)),
    ({"epsilon": 300}, ("epsilon is 300", "a whole number from 1 to 127")),
    ({"epsilon": -1}, ("epsilon is -1",)),
    ({"epsilon": 7.5}, ("epsilon is 7.5",)),
    ({"epsilon": True}, ("epsilon is True",)),
    ({"epsilon": None}, ("epsilon is None",)),
    ({"form": "sample-wise"}, ("Did you mean 'samplewise'?",)),
    ({"form": "Class_Wise"}, ("Did you mean 'classwise'?",)),
    ({"form": 3}, ("form is 3", "auto, samplewise or classwise")),
    ({"epsilom": 8}, ("error_minimizing: epsilom is not a setting", "Did you mean 'epsilon'?")),
    ({"learning_rate": 0.1}, ("learning_rate is not a setting", "Its settings: form, epsilon")),
    ({"place": "centre"}, ("It is called offset now",)),
    ({"lr": "fast"}, ("a number over 0", "The default is 0.1")),
    ({"lr": float("nan")}, ("lr is nan",)),
    ({"step_size": float("inf")}, ("step_size is inf",)),
    ({"max_rounds": 0}, ("a whole number from 1 or auto",)),
    ({"transforms": "flipcrop"}, ("Did you mean 'flip-crop'?",)),
    ({"surrogate": "resnet-18"}, ("Did you mean 'resnet18'?",)),
    ({"surrogate": 18}, ("surrogate is 18", "a text")),
    ({"surrogate": "resnet18:width=abc"}, ("width must be a whole number",)),
]


@pytest.mark.parametrize(("settings", "words"), SETTINGS, ids=[str(settings) for settings, _ in SETTINGS])
def test_a_wrong_setting_is_named_with_the_right_one(
    settings: dict[str, Any], words: tuple[str, ...]
) -> None:
    refused(lambda: un.ErrorMinimizing(**settings), *words)


@pytest.mark.parametrize(
    "kind", [un.ErrorMinimizing, un.ErrorMaximizing, un.RobustErrorMinimizing, un.Random]
)
def test_every_method_and_its_configuration_refuse_alike(kind: type[un.Method[Any]]) -> None:
    refused(lambda: kind(epsilon=0.03), kind.name, "levels")
    refused(lambda: kind.Config(epsilon=0.03), "levels")
    refused(lambda: kind.Config.model_validate({"form": "class-wise"}), "Did you mean 'classwise'?")
    refused(lambda: kind({"epsilon": 8}), "Give settings by name")
    refused(lambda: kind(kind.Config(), epsilon=8), "both given")


def test_the_cause_is_kept_and_numbers_of_numpy_count() -> None:
    with pytest.raises(UsageError) as caught:
        un.Random(epsilon=0)
    assert isinstance(caught.value.__cause__, pydantic.ValidationError)
    assert type(un.Random(epsilon=np.int16(4)).config.epsilon) is int
    assert un.Random(stop_error=np.float64(0.5)).config.stop_error == 0.5


def test_a_check_of_a_configuration_of_a_plugin_is_an_error_of_ours() -> None:
    class Own(un.Random.Config):
        low: int = 1
        high: int = 2

        @pydantic.model_validator(mode="after")
        def _ordered(self) -> Own:
            if self.low > self.high:
                raise ValueError("low is above high")
            return self

    refused(lambda: Own(low=3), "Own: low is above high")
    assert Own(low=2).low == 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Data(nam="digits"), ("Data: nam is not a setting", "Did you mean 'name'?")),
        (lambda: Data(), ("Data: name is missing",)),
        (lambda: Poison(search=3), ("Search: Input should be a valid dictionary",)),
    ],
    ids=["typo", "missing", "type"],
)
def test_a_wrong_description_is_an_error_of_ours_too(call: Callable[[], Any], words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        call()
    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize("value", [0, -3, 200, 8 / 255, "8", None, True, float("nan"), 2.5])
def test_a_budget_is_in_levels(value: Any) -> None:
    refused(lambda: un.Budget(value), "a whole number of levels from 1 to 127")


FIT: list[tuple[str, Callable[[ImageSet], Any], tuple[str, ...]]] = [
    ("array", lambda _: un.fit(ARRAY), ("shape (4, 8, 8, 3)", "un.load(array, labels)")),
    ("table", lambda _: un.fit(SimpleNamespace(shape=(4, 2), features={})), ("un.load(...)", "a data set")),
    ("tensor", lambda _: un.fit(torch.zeros(2, 3, 8, 8)), ("un.load(array, labels)",)),
    ("folder", lambda _: un.fit("photos"), ("un.load('photos')",)),
    ("path", lambda _: un.fit(Path("photos")), ("un.load('photos')",)),
    ("none", lambda _: un.fit(None), ("un.load(",)),
    ("class", lambda s: un.fit(s, un.ErrorMinimizing), ("ErrorMinimizing()",)),
    ("name", lambda s: un.fit(s, "randon"), ("Did you mean 'random'?",)),
    ("config", lambda s: un.fit(s, METHOD.config), ("un.Random(",)),
    ("seed text", lambda s: un.fit(s, METHOD, seed="x"), ("seed is 'x'",)),
    ("seed below", lambda s: un.fit(s, METHOD, seed=-1), ("seed is -1",)),
    ("seed float", lambda s: un.fit(s, METHOD, seed=1.5), ("seed is 1.5",)),
    ("seed bool", lambda s: un.fit(s, METHOD, seed=True), ("seed is True",)),
    ("seed large", lambda s: un.fit(s, METHOD, seed=2**54), ("from 0 to",)),
    ("device", lambda s: un.fit(s, METHOD, compute="gpu"), ("There is no device 'gpu'", "cuda")),
    ("compute", lambda s: un.fit(s, METHOD, compute=1), ('compute="cpu"',)),
    ("progress", lambda s: un.fit(s, METHOD, on_progress="yes"), ("on_progress is 'yes'",)),
    ("request", lambda s: un.prepare(s, {"preset": "paper"}), ("un.Request(",)),
    ("preset", lambda s: un.prepare(s, un.Request(preset="laptp")), ("Did you mean 'laptop'?",)),
    ("setting", lambda s: un.prepare(s, un.Request(settings={"step": 3})), ("Did you mean 'steps'?",)),
    ("settings", lambda s: un.prepare(s, un.Request(settings=["steps=3"])), ("settings by name",)),
    ("search", lambda s: un.prepare(s, un.Request(settings={"search": "quick"})), ("exact, fast",)),
    ("config", lambda s: un.prepare(s, un.Request(config="none.toml")), ("none.toml is not a file",)),
    ("method", lambda s: un.prepare(s, un.Request(un.Random)), ("by its name",)),
    ("view text", lambda s: s.view("32"), ("size is '32'",)),
    ("view zero", lambda s: s.view(0), ("size is 0",)),
    ("view float", lambda s: s.view(31.5), ("size is 31.5",)),
    ("split", lambda s: s.split(1.5, 0), ("share is 1.5",)),
    ("split all", lambda s: s.split(1, 0), ("share is 1",)),
    ("photo", lambda s: s.photo("nowhere"), ("There is no image 'nowhere'",)),
    ("subset", lambda s: s.subset("ab"), ("['ab']",)),
    ("join", lambda s: s.join(ARRAY), ("un.load(",)),
    ("noise none", lambda s: s.with_noise(None), ("un.Noise.load",)),
    ("noise array", lambda s: s.with_noise(ARRAY), ("but must be a Noise",)),
]


@pytest.mark.parametrize(("call", "words"), [row[1:] for row in FIT], ids=[row[0] for row in FIT])
def test_images_and_methods(some: ImageSet, call: Callable[[ImageSet], Any], words: tuple[str, ...]) -> None:
    refused(lambda: call(some), *words)


def test_noise_is_added_to_pixels_with_a_slot(fitted: un.Fitted, some: ImageSet) -> None:
    noise, image = fitted.noise, pixels(1)[0]
    slot = noise.slot("any", "ant")
    assert noise.add(image, slot).shape == image.shape
    refused(lambda: noise.add(image / 255, slot), "uint8")
    refused(lambda: noise.add(pixels(3), slot), "shape (3, 16, 16, 3)")
    refused(lambda: noise.add(torch.zeros(16, 16, 3), slot), "uint8")
    refused(lambda: noise.add(image, 0), "noise.slot(id, class_name)")
    refused(lambda: noise.add(image, noise.slot("any", "zebra")), "gets no noise")
    refused(lambda: some.with_noise(fitted), "fitted.noise")


FOLDERS: list[tuple[str, Callable[[Path, Path], Any], tuple[str, ...], type[UnlearnableError]]] = [
    ("limit text", lambda p, q: un.protect(p, q, METHOD, time_limit="2m"), ("time_limit=120",), UsageError),
    ("limit below", lambda p, q: un.protect(p, q, METHOD, time_limit=-1), ("time_limit is -1",), UsageError),
    ("limit nan", lambda p, q: un.apply("r", p, q, time_limit=float("nan")), ("is nan",), UsageError),
    ("workers", lambda p, q: un.protect(p, q, METHOD, workers=-1), ("workers is -1",), UsageError),
    ("workers text", lambda p, q: un.apply("r", p, q, workers="2"), ("workers is '2'",), UsageError),
    ("format", lambda p, q: un.protect(p, q, METHOD, encoding="gif"), ("png, webp, jpeg",), UsageError),
    ("encoding", lambda p, q: un.protect(p, q, METHOD, encoding=95), ('encoding="jpeg"',), UsageError),
    ("quality", lambda p, q: un.Encoding("jpeg", "95"), ("quality is '95'",), UsageError),
    ("same", lambda p, q: un.protect(p, p, METHOD), ("inside PHOTOS",), UsageError),
    ("bytes", lambda p, q: un.protect(bytes(p), q, METHOD), ("but must be a folder",), UsageError),
    ("empty", lambda p, q: un.protect("", q, METHOD), ("photos is an empty string",), UsageError),
    ("none", lambda p, q: un.protect(p, None, METHOD), ("protected is None",), UsageError),
    ("context", lambda p, q: un.protect(p, q, METHOD, context=7), ("context is 7",), UsageError),
    ("options", lambda p, q: un.protect(p, q, METHOD, options={}), ("PhotoOptions",), UsageError),
    ("images", lambda p, q: un.protect(p, q, METHOD, images=ARRAY), ("un.load(",), UsageError),
    ("missing", lambda p, q: un.protect(p / "x", q, METHOD), ("is not a folder",), DataError),
    ("run", lambda p, q: un.apply(q / "run", p, q / "out"), ("is not a run folder",), UsageError),
    ("seeds", lambda p, q: un.verify(p, q, seeds=3), ("seeds=(0, 1, 2)",), UsageError),
    ("seeds text", lambda p, q: un.verify(p, q, seeds="012"), ("seeds is '012'",), UsageError),
    ("seed below", lambda p, q: un.verify(p, q, seeds=[-1]), ("A seed is -1",), UsageError),
    ("target", lambda p, q: un.verify(p, q, targets="resnet-18"), ("'resnet18'",), UsageError),
    ("targets", lambda p, q: un.verify(p, q, targets=[18]), ("One of targets is 18",), UsageError),
    ("chain", lambda p, q: un.verify(p, q, countermeasures="gray"), ("'grey'",), UsageError),
    ("test", lambda p, q: un.verify(p, q, test=ARRAY), ("test = un.load(array",), UsageError),
    ("verified", lambda p, q: un.verify(p, p), ("are the same images",), UsageError),
    ("verified arrays", lambda p, q: un.verify(ARRAY, ARRAY), ("un.load(array",), UsageError),
    ("fitted", lambda p, q: un.Fitted.load(p), ("holds no finished search",), DataError),
    ("fitted text", lambda p, q: un.Fitted.load("nowhere"), ("holds no finished search",), DataError),
    ("noise", lambda p, q: un.Noise.load(q / "no"), ("There is no noise file",), DataError),
    ("noise none", lambda p, q: un.Noise.load(None), ("path is None",), UsageError),
    ("plugin", lambda p, q: un.load_plugin(q / "no.py"), ("is not a Python file",), UsageError),
]


@pytest.mark.parametrize(
    ("call", "words", "kind"), [row[1:] for row in FOLDERS], ids=[row[0] for row in FOLDERS]
)
def test_folders(
    photos: Path,
    tmp_path: Path,
    call: Callable[[Path, Path], Any],
    words: tuple[str, ...],
    kind: type[UnlearnableError],
) -> None:
    refused(lambda: call(photos, tmp_path / "out"), *words, kind=kind)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("vgg", "Did you mean 'vgg11'?"),
        ("ResNet_18", "Did you mean 'resnet18'?"),
        ("resnet18:", "no setting ''"),
        ("resnet18:widht=8", "Did you mean 'width'?"),
        ("resnet18:width", "width has no value"),
        ("resnet18:width=0", "a whole number from 1"),
        ("resnet18:width=8,width=9", "width is given twice"),
        ("resnet18:stem=none", "There is no stem 'none'"),
        (None, "given as a string"),
    ],
)
def test_a_model_that_there_is_not(spec: Any, words: str) -> None:
    refused(lambda: models.create(spec, 4), words)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("grey+", "Write 'grey'."),
        ("+shrink:2+", "Write 'shrink:2'."),
        ("jpeg:", "Write jpeg:10, for example."),
        ("jpeg:200", "must be between 1 and 100"),
        ("jpeg:x", "must be a whole number, not 'x'"),
        ("noise:nan", "epsilon is nan"),
        ("grey:1", "grey has no settings"),
        ("JPG:75", "Did you mean 'jpeg'?"),
        (["grey"], "given as a string"),
    ],
)
def test_a_chain_that_there_is_not(spec: Any, words: str) -> None:
    refused(lambda: countermeasures.create(spec), words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("gpu",), "There is no device 'gpu'"),
        (("cuda:x",), "There is no device 'cuda:x'"),
        ((None,), "There is no device None"),
        (("cpu", "float16"), "There is no precision 'float16'"),
    ],
)
def test_a_device_that_there_is_not(arguments: tuple[Any, ...], words: str) -> None:
    refused(lambda: un.Compute.choose(*arguments), words)
    refused(lambda: un.Compute(*arguments), words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epsilon = = 3", "is not TOML"),
        ("samplewise = 3", "samplewise is a table of settings"),
        ("epsilom = 3", "Did you mean 'epsilon'?"),
        ("[fats]\nsteps = 1", "fats is not a setting"),
        ("epsilon = '8'", "without quotes"),
    ],
)
def test_a_file_of_settings_that_is_wrong(some: ImageSet, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    refused(lambda: un.prepare(some, un.Request(config=tmp_path / "mine.toml")), words)
    refused(lambda: un.prepare(some, un.Request(config=str(tmp_path / "mine.toml"))), words)


def test_what_is_unambiguous_is_accepted(some: ImageSet, photos: Path, tmp_path: Path) -> None:
    """A name for a method, a device or a format, None for no progress, one network for several."""
    first, second = (
        un.fit(some, method, seed=3, compute="cpu", on_progress=None) for method in ("random", un.Random())
    )
    assert (first.noise.bank == second.noise.bank).all()
    done = un.protect(photos, tmp_path / "out", "random", encoding="webp", workers=1, on_progress=None)
    assert done.written == len(list((tmp_path / "out").rglob("*.webp"))) == 18
    found = un.verify(
        photos, tmp_path / "out", seeds=[0], targets="cnn:width=8,depth=2", countermeasures=(), time_limit=1
    )
    assert found.comparisons[0].trial.victim.model == "cnn:width=8,depth=2"


def test_a_misspelt_name_of_the_library_is_an_attribute_error_with_the_nearest() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'protcet'. Did you mean 'protect'\?"):
        un.protcet  # noqa: B018
    assert not hasattr(un, "nothing_like_it")
