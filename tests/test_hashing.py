"""The same image has the same hash whatever it comes from, and a draw belongs to its name."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

import unlearnable
from conftest import pixels
from unlearnable import hashing
from unlearnable.data.arrays import arrays
from unlearnable.data.benchmarks import BenchmarkSource
from unlearnable.data.datasets import dataset
from unlearnable.data.encoding import Encoding, encode
from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet, from_entries
from unlearnable.data.joining import join
from unlearnable.noise import Noise
from unlearnable.worker import Task, make

SHAPES = [(8, 8, 3), (6, 10, 3), (9, 7)]


def sources(shape: tuple[int, ...]) -> dict[str, ImageSet]:
    """Four images of one shape through every source that holds them as pixels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, *shape), dtype=np.uint8)
    names, ids = ["ant", "bee"] * 2, [f"{i:05d}" for i in range(4)]
    plain = arrays(images, names, ids=ids)
    benchmark = from_entries(zip(ids, names, strict=True), BenchmarkSource(images, ("ant", "bee")))
    return {
        "arrays": plain,
        "dataset": dataset(list(zip(images, names, strict=True))),
        "benchmark": benchmark,
        "joined": join({"": plain.subset(ids[:2]), "_": benchmark.subset(ids[2:])}),
        "changed": plain.changed(lambda id, photo, digest: photo),
    }


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_an_image_has_one_hash_through_every_source(shape: tuple[int, ...]) -> None:
    found = {
        name: [images.source.load(id)[1] for id in images.ids] for name, images in sources(shape).items()
    }
    assert len({tuple(sorted(digests)) for digests in found.values()}) == 1, found
    assert len(set(found["arrays"])) == 4
    for images in sources(shape).values():
        assert list(images.view(8).digests) == [images.about(id).digest for id in images.ids]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["arrays", "dataset", "benchmark", "joined", "changed"])
def test_sample_wise_noise_is_found_again_in_a_worker(
    shape: tuple[int, ...], name: str, tmp_path: Path
) -> None:
    images = sources(shape)[name]
    view = images.view(8)
    bank = np.full((4, 3, 8, 8), 5, np.int8)
    noise = Noise(bank, images.ids, "samplewise", unlearnable.Budget(8), (8, 8), digests=view.digests)
    noise.save(tmp_path / "noise.safetensors")
    for id in images.ids:
        output = tmp_path / f"{id}.png"
        task = Task(id, images.class_of[id], images.source.origin(id), output, Encoding(), 10**6)
        made = make(task, tmp_path / "noise.safetensors")
        assert not made.reason
        assert made.digest == images.about(id).digest
        assert made.largest == 5


def test_a_file_is_hashed_by_its_bytes_and_noise_for_it_is_found_again(tmp_path: Path) -> None:
    photos = arrays(pixels(2), ["a", "b"], ids=["1", "2"])
    for id in photos.ids:
        path = tmp_path / "photos" / photos.class_of[id] / f"{id}.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(encode(photos.photo(id)))
        assert hashing.of_file(path) == hashing.of_bytes(path.read_bytes())
    images = folder(tmp_path / "photos")
    for id in images.ids:
        origin = images.source.origin(id)
        assert isinstance(origin, Path)
        assert images.about(id).digest == hashing.of_file(origin)


def test_draws_belong_to_their_names_and_fill_their_range() -> None:
    assert hashing.draw(1, "share", "a") == hashing.draw(1, "share", "a")
    assert (
        len({hashing.draw(1, "a"), hashing.draw(2, "a"), hashing.draw(1, "b"), hashing.draw(1, "a", 0)}) == 4
    )
    drawn = np.array([hashing.draw(0, "x", index) for index in range(4000)])
    assert 0 <= drawn.min() < 0.01
    assert 0.99 < drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 0.02
    assert 0 <= hashing.derive(3, "a") < 2**63


def test_canonical_json_has_one_form() -> None:
    assert hashing.canonical({"b": [1, 0.5, None], "a": "é"}) == '{"a":"é","b":[1,0.5,null]}'
    assert hashing.digest({"a": 1, "b": 2}) == hashing.digest({"b": 2, "a": 1})
    assert hashing.digest(1, 2) != hashing.digest([1, 2])


def test_run_folders_of_earlier_versions_are_recognised() -> None:
    """Values of the first version, which run folders hold."""
    images = arrays(np.zeros((1, 2, 2, 3), np.uint8), ["é"], ids=["a/1.jpg"])
    zeros = "15ec7bf0b50732b49f8228e07d24365338f9e3ab994b00af08e5a3bffe55fd8b"
    assert images.about("a/1.jpg").digest == zeros
    row = f'[["a/1.jpg", "é", "{zeros}"]]'
    assert images.stamp == hashing.of_bytes(row.encode())
    listed = f'[["a/1.jpg"], ["é"], ["{zeros}"]]'
    assert images.view(8).fingerprint == hashing.of_bytes(listed.encode())


def test_nothing_else_imports_hashlib() -> None:
    """But for published checksums, which are MD5."""
    root = Path(unlearnable.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import) and any(alias.name == "hashlib" for alias in node.names)
    }
    assert found == {"hashing.py", "data/benchmarks.py"}
