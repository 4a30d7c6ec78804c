"""Networks of timm, with a stand-in for timm and for Hugging Face, which the tests do not install."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from unlearnable import models
from unlearnable.errors import DataError, UsageError
from unlearnable.models import from_timm, pretrained
from unlearnable.training.victim import Victim
from unlearnable.training.weights import split

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)


class Small(nn.Module):
    """A network whose head is not its last layer with weights."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(3, classes)
        self.before = nn.Conv2d(3, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.before(x).mean((2, 3)))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The stand-ins; ``cached`` is the file on this machine, ``asked`` what was asked of Hugging Face."""
    state: dict[str, Any] = {"cached": None, "asked": []}
    config = SimpleNamespace(
        classifier="head", mean=MEAN, std=STD, hf_hub_id="timm/small", hf_hub_filename=None, license="mit"
    )
    twice = SimpleNamespace(**{**vars(config), "classifier": ("head", "other")})

    def create_model(name: str, num_classes: int, **more: Any) -> nn.Module:
        if more:
            raise TypeError(f"unexpected {more}")
        return Small(num_classes)

    def fetched(repository: str, file: str) -> str:
        state["asked"].append((repository, file))
        return str(tmp_path / "downloaded.safetensors")

    timm, client = ModuleType("timm"), ModuleType("huggingface_hub")
    for name, value in {
        "is_model": lambda name: name in ("small", "twice"),
        "get_pretrained_cfg": lambda name: twice if name == "twice" else config,
        "create_model": create_model,
    }.items():
        setattr(timm, name, value)
    entry = SimpleNamespace(
        rfilename="model.safetensors", lfs=SimpleNamespace(size=3 * 2**20, sha256="ab" * 32)
    )
    info = SimpleNamespace(siblings=[entry])
    for name, value in {
        "try_to_load_from_cache": lambda repository, file: state["cached"],
        "hf_hub_download": fetched,
        "HfApi": lambda: SimpleNamespace(model_info=lambda repository, files_metadata: info),
    }.items():
        setattr(client, name, value)
    monkeypatch.setitem(sys.modules, "timm", timm)
    monkeypatch.setitem(sys.modules, "huggingface_hub", client)
    return state


def test_a_network_normalises_and_starts_as_its_weights_do(hub: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(3)
    source = Small(1000)
    save_file(source.state_dict(), tmp_path / "model.safetensors")
    hub["cached"] = str(tmp_path / "model.safetensors")
    x = torch.rand(2, 3, 8, 8)
    built = Victim(model="timm/small", start="pretrained").build(1000, 0)
    normal = (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    assert torch.allclose(built(x), source(normal), atol=1e-6)
    assert hub["asked"] == []
    fewer = Victim(model="timm/small", start="pretrained").build(4, 0)
    assert torch.equal(fewer.network.before.weight, source.before.weight)
    backbone, head = split(fewer)
    assert torch.allclose(head(backbone(x)), fewer(x))
    save_file(fewer.state_dict(), tmp_path / "tuned.safetensors")
    again = Victim(model="timm/small", start=str(tmp_path / "tuned.safetensors")).build(4, 9)
    assert torch.equal(again(x), fewer(x))


def test_weights_that_are_not_here_are_not_downloaded_unasked(hub: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not on this machine") as caught:
        Victim(model="timm/small", start="pretrained").build(3, 0)
    assert caught.match("unlearnable models --download timm/small")
    assert hub["asked"] == []
    described = pretrained.describe("timm/small")
    assert described == (
        f"model.safetensors, 3.0 MiB, mit, SHA-256 {'ab' * 32}, from https://huggingface.co/timm/small"
    )
    assert pretrained.download("timm/small") == tmp_path / "downloaded.safetensors"
    assert hub["asked"] == [("timm/small", "model.safetensors")]


def test_networks_that_there_are_not_or_with_two_heads_are_refused(hub: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="no network 'none'"):
        models.create("timm/none", 3)
    with pytest.raises(UsageError, match="several last layers"):
        models.create("timm/twice", 3)


def test_without_timm_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(DataError, match="not installed") as caught:
        models.parse("timm/resnet18")
    assert caught.match(r'pip install "unlearnable\[timm\]"')


@pytest.mark.parametrize("act", [from_timm.path, from_timm.describe, from_timm.download, from_timm.builder])
def test_without_timm_every_door_says_how_to_install_it(
    act: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("timm", "huggingface_hub"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DataError, match=r"unlearnable\[timm\]"):
        act("timm/resnet18")
