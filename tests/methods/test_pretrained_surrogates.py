"""The settings of searches against pretrained networks: sizes, and the record of their weights."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from quick import drawn, make
from unlearnable import hashing, methods
from unlearnable.cli.app import app
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UsageError
from unlearnable.methods import Context
from unlearnable.opening import PhotoOptions, open_photos
from unlearnable.preparation import Request, prepare
from unlearnable.training.compute import Compute

NAMES = ["feature_shift", "bait"]


def file_of(spec: str) -> Path:
    return Path(spec.rpartition("=")[2])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("frame", "given", "resolution", "grid"),
    [
        ((375, 500), {}, 128, 128),
        ((375, 500), {"grid": 32}, 128, 32),
        ((32, 32), {}, 128, 32),
        ((32, 32), {"resolution": 64}, 64, 32),
        ((375, 500), {"resolution": 96}, 96, 96),
    ],
)
def test_noise_of_small_images_changes_single_pixels_at_the_size_that_the_network_needs(
    name: str, frame: tuple[int, int], given: dict[str, int], resolution: int, grid: int
) -> None:
    config = methods.create(name, {"surrogate": drawn(), **given}).resolve(frame, 100).config
    assert (config.resolution, config.grid) == (resolution, grid)


def test_the_digests_of_the_files_are_recorded_under_their_absolute_paths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = [file_of(drawn(seed)) for seed in (0, 1)]
    monkeypatch.chdir(files[0].parent)
    spec = "+".join(f"cnn:width=8,depth=2={file.name}" for file in files)
    config = methods.create("feature_shift", {"surrogate": spec}).resolve((16, 16), 24).config
    assert config.weights == "+".join(hashing.of_file(file) for file in files)
    monkeypatch.chdir("/")
    # resolved once, it names the same files from any folder
    again = methods.create("feature_shift", config.model_dump()).resolve((16, 16), 24).config
    assert again == config


@pytest.mark.parametrize("name", NAMES)
def test_a_search_refuses_weights_that_changed_since_it_began(
    name: str, images: ImageSet, tmp_path: Path
) -> None:
    copy = tmp_path / "w.safetensors"
    copy.write_bytes(file_of(drawn(0)).read_bytes())
    method = make(name, surrogate=f"cnn:width=8,depth=2={copy}")
    copy.write_bytes(file_of(drawn(1)).read_bytes())
    with pytest.raises(DataError, match="not the file that the noise was found with"):
        method.start(images.view(16), Context(1))


def test_noise_for_later_photos_is_found_against_the_same_weights(images: ImageSet, tmp_path: Path) -> None:
    old, new = images.subset(images.ids[:18]), images.subset(images.ids[18:])
    copy = tmp_path / "w.safetensors"
    copy.write_bytes(file_of(drawn(0)).read_bytes())
    made = make("feature_shift", surrogate=f"cnn:width=8,depth=2={copy}")
    fitted = made.fit(old.view(16), Context(3))
    recorded = fitted.noise.provenance["config"]
    assert recorded["weights"] == hashing.of_file(copy)
    later = methods.create("feature_shift", recorded)
    later.extend(fitted, new.view(16), Context(3))
    copy.write_bytes(file_of(drawn(1)).read_bytes())
    with pytest.raises(DataError, match="not the file that the noise was found with"):
        methods.create("feature_shift", recorded).extend(fitted, new.view(16), Context(3))


def test_missing_weights_are_refused_before_a_photo_is_read(photos: Path, tmp_path: Path) -> None:
    missing = tmp_path / "none.pth"
    read: list[object] = []
    request = Request("feature_shift", settings={"surrogate": f"cnn={missing}"})
    with pytest.raises(DataError, match="no such file of weights"):
        prepare(open_photos(photos), request, on_progress=read.append)
    assert not read


@pytest.mark.parametrize("name", NAMES)
def test_networks_that_do_not_fit_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="without weights"):
        methods.create(name, {"surrogate": "resnet18"})
    if name == "bait":
        with pytest.raises(UsageError, match="trains one network"):
            methods.create(name, {"surrogate": f"{drawn(0)}+{drawn(1)}"})
    with pytest.raises(DataError, match="1 digests for 2 networks"):
        methods.create("feature_shift", {"surrogate": f"{drawn(0)}+{drawn(1)}", "weights": "ab"}).resolve(
            (16, 16), 24
        ).start(None, Context(0))  # type: ignore[arg-type]


def test_a_size_that_a_network_does_not_take_is_refused(images: ImageSet) -> None:
    # three convolutions with pooling leave nothing of 8 pixels
    spec = drawn(0, "cnn:width=8,depth=5")
    with pytest.raises(UsageError, match="no images of 8 pixels") as caught:
        make("feature_shift", surrogate=spec, resolution=8).fit(images.view(8), Context(1))
    assert "resolution=224" in caught.value.remedy


def test_one_class_alone_is_protected_and_extended_from_the_command_line(
    photos: Path, tmp_path: Path
) -> None:
    """The option --surrogate, several networks, no context; then a photo that comes later."""
    cats, protected, run = photos / "cats", tmp_path / "protected", tmp_path / "run"
    later = photos / "dogs" / "p1.jpg"
    command = [
        *("protect", str(cats), str(protected), "--run", str(run), "--class", "mine", "--workers", "1"),
        *("--method", "feature_shift", "--form", "samplewise", "--surrogate", f"{drawn(0)}+{drawn(1)}"),
        *("--set", "resolution=16", "--set", "max_rounds=2", "--seed", "5", "--device", "cpu"),
    ]
    first = CliRunner().invoke(app, command)
    assert first.exit_code == 0, first.output
    record = json.loads((run / "run.json").read_text("utf-8"))
    assert record["settings"]["weights"].count("+") == 1
    before = {file.name: file.read_bytes() for file in protected.iterdir()}
    (cats / "later.jpg").write_bytes(later.read_bytes())
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0, again.output
    after = {file.name: file.read_bytes() for file in protected.iterdir()}
    assert "later.png" in after.keys() - before.keys()
    assert all(after[name] == content for name, content in before.items() if name.endswith(".png"))


def test_a_method_that_tells_classes_apart_refuses_one_class_before_it_is_read(photos: Path) -> None:
    read: list[object] = []
    alone = open_photos(photos / "cats", options=PhotoOptions(class_name="mine"))
    for name, settings in (("error_minimizing", {}), ("bait", {"surrogate": drawn()})):
        with pytest.raises(DataError, match="one class only") as caught:
            prepare(alone, Request(name, settings=settings), on_progress=read.append)
        assert "--context" in caught.value.remedy
    assert not read


@pytest.mark.parametrize("name", NAMES)
def test_the_normalisation_of_the_weights_is_used_and_survives_a_checkpoint(
    name: str, images: ImageSet, tmp_path: Path
) -> None:
    weights = load_file(file_of(drawn(0)))
    own = {"0.mean": torch.full((3, 1, 1), 0.4), "0.std": torch.full((3, 1, 1), 0.1)}
    save_file(weights | own, tmp_path / "own.safetensors")
    spec = f"cnn:width=8,depth=2={tmp_path / 'own.safetensors'}"
    view, saved = images.view(16), []
    method = make(name, surrogate=spec)
    whole = method.fit(view, Context(1), save=lambda state: saved.append(copy.deepcopy(state)), every=-1.0)
    assert not np.array_equal(whole.noise.bank, make(name).fit(view, Context(1)).noise.bank)
    again = method.fit(view, Context(1), state=saved[len(saved) // 2])
    assert np.array_equal(again.noise.bank, whole.noise.bank)


@pytest.mark.parametrize(
    ("name", "precision"), [("feature_shift", "bfloat16"), ("feature_shift", "float32"), ("bait", "float32")]
)
def test_small_images_are_enlarged_for_a_mobile_network(name: str, precision: str, images: ImageSet) -> None:
    network = "mobilenet-v2:width=8"
    method = make(name, "classwise", surrogate=drawn(0, network), resolution=40, max_rounds=3)
    assert method.config.grid == 16
    few = images.subset(images.ids[:9]).view(40)
    fitted = method.fit(few, Context(1, Compute("cpu", precision)))
    assert fitted.noise.bank.shape == (3, 3, 16, 16)
    assert np.abs(fitted.noise.bank).max(axis=(1, 2, 3)).min() > 0
