"""Fine-tuning of a recogniser: all of its layers train, on clean or on protected crops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.events import Event
from unlearnable.faces import fine_tuning
from unlearnable.faces.fine_tuning import RECIPE, Tuned, fine_tuned
from unlearnable.faces.recogniser import Recogniser
from unlearnable.training.compute import Compute
from unlearnable.training.margin_head import CosineHead

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
CPU = Compute()
PEOPLE, EACH, SIDE = 4, 12, 16


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fine_tuning, "SIDE", SIDE)


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory: pytest.TempPathFactory) -> Recogniser:
    """A convolution with batch normalisation, whose embedding is the mean of eight channels."""
    helper, rng = onnx.helper, np.random.default_rng(0)
    drawn = {
        "w": rng.normal(size=(8, 3, 3, 3)) / 5,
        "s": np.ones(8),
        "t": np.zeros(8),
        "m": np.zeros(8),
        "v": np.ones(8),
    }
    tensors = [onnx.numpy_helper.from_array(v.astype(np.float32), k) for k, v in drawn.items()]
    nodes = [
        helper.make_node("Conv", ["in", "w"], ["c"], kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("BatchNormalization", ["c", "s", "t", "m", "v"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["g"]),
        helper.make_node("Flatten", ["g"], ["out"]),
    ]
    given = helper.make_tensor_value_info("in", onnx.TensorProto.FLOAT, [1, 3, SIDE, SIDE])
    found = helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [1, 8])
    graph = helper.make_graph(nodes, "test", [given], [found], tensors)
    path = tmp_path_factory.mktemp("net") / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return Recogniser(path, 127.5, 127.5)


COLOURS = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200], [190, 190, 60]])


def crops(shift: int = 0) -> ImageSet:
    """People who have a colour each; with a shift, the colour of the next person."""
    rng, labels = np.random.default_rng(0), np.repeat(np.arange(PEOPLE), EACH)
    noise = rng.integers(-50, 51, (len(labels), SIDE, SIDE, 3))
    pixels = COLOURS[(labels + shift) % PEOPLE][:, None, None] + noise
    ids = [f"p{label}/{number}" for number, label in enumerate(labels)]
    return arrays(np.clip(pixels, 0, 255).astype(np.uint8), [f"p{label}" for label in labels], ids=ids)


def test_clean_photos_teach_and_misleading_ones_mislead(recogniser: Recogniser) -> None:
    events: list[Event] = []
    found = fine_tuned(recogniser, crops(), crops(1), None, (0, 1), CPU, events.append)
    assert found.clean.value > 0.9
    assert found.protected.value < 0.1
    assert found.verdict == "protected"
    assert [event.done for event in events] == list(range(1, 2 * 2 * RECIPE.epochs + 1))
    assert {event.total for event in events} == {20}


def test_photos_that_teach_the_same_are_no_protection(recogniser: Recogniser) -> None:
    found = fine_tuned(recogniser, crops(), crops(), None, (0,), CPU)
    assert found.protected.value == found.clean.value > 0.9
    # three photos of each person are held out of one seed
    assert found.verdict == "not protected"


def test_one_person_is_told_apart_from_a_context(recogniser: Recogniser) -> None:
    whole = crops()
    alone, others = (
        whole.subset([id for id in whole.ids if (id[:2] == "p0") == own]) for own in (True, False)
    )
    misleading = crops(1).subset(alone.ids)
    found = fine_tuned(recogniser, alone, misleading, others, (0, 1), CPU)
    assert found.clean.value > 0.9
    assert found.protected.value < 0.5
    # guessing among four people: all of the gain is a share of 1 - 1/4
    assert found.retained.value == pytest.approx(
        (found.protected.value - 1 / 4) / (found.clean.value - 1 / 4)
    )


def test_every_layer_trains_and_running_statistics_stay(recogniser: Recogniser) -> None:
    images = crops()
    pixels = torch.from_numpy(images.view(SIDE).pixels)
    training = fine_tuning._training(recogniser, pixels, torch.from_numpy(images.labels), 0, CPU)
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    training.epoch(0)
    after = training.model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    parameters = {name for name, _ in training.model.named_parameters()}
    assert moved == parameters
    assert len(parameters) == 4
    assert len(before) > len(parameters)


def test_the_head_starts_at_the_people_s_embeddings() -> None:
    centres = torch.eye(3, 5)
    model = Tuned(torch.nn.Identity(), centres)
    assert isinstance(model.head, CosineHead)
    assert torch.allclose(model(4 * centres), 16 * torch.eye(3))
