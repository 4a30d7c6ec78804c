"""Benchmarks by name: tiny files in the published formats, and the real ones where they are at hand."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

import unlearnable as un
from unlearnable.data.benchmark_table import PublishedFile
from unlearnable.data.benchmarks import BENCHMARKS, BenchmarkSource, benchmark
from unlearnable.errors import DataError, UsageError

LABELS = [3, 0, 9, 3]
RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (4, 28, 28), dtype=np.uint8)


def records(label_bytes: int) -> bytes:
    rows = [
        bytes([1] * (label_bytes - 1) + [label]) + image.transpose(2, 0, 1).tobytes()
        for label, image in zip(LABELS, COLOUR, strict=True)
    ]
    return b"".join(rows)


def tar(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in contents.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def idx(array: np.ndarray) -> bytes:
    return b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def mat() -> bytes:
    buffer = io.BytesIO()
    savemat(
        buffer,
        {
            "X": COLOUR.transpose(1, 2, 3, 0),
            "y": np.array([label or 10 for label in LABELS], np.uint8)[:, None],
        },
    )
    return buffer.getvalue()


def contents(name: str) -> dict[str, bytes]:
    """The published files of the training part, four images small."""
    outside = {"../outside.bin": b"never looked at", "/absolute.bin": b"neither"}
    return {
        "cifar10": lambda: {
            "cifar-10-binary.tar.gz": tar({**outside, "cifar-10-batches-bin/data_batch_1.bin": records(1)})
        },
        "cifar100": lambda: {"cifar-100-binary.tar.gz": tar({"cifar-100-binary/train.bin": records(2)})},
        "svhn": lambda: {"train_32x32.mat": mat()},
        "fashion-mnist": lambda: {
            "train-images-idx3-ubyte.gz": gzip.compress(idx(GREY)),
            "train-labels-idx1-ubyte.gz": gzip.compress(idx(np.array(LABELS, np.uint8))),
        },
    }[name]()


@pytest.fixture(params=sorted(BENCHMARKS))
def small(request, monkeypatch, tmp_path: Path) -> tuple[str, Path]:
    """A benchmark whose training part is four images, and the folder of its files."""
    name = request.param
    files = []
    for file, content in contents(name).items():
        (tmp_path / file).write_bytes(content)
        files.append(PublishedFile(file, len(content), hashlib.md5(content).hexdigest()))
    found = BENCHMARKS[name]
    part = replace(
        found.parts["train"], files=tuple(files), count=4, members=found.parts["train"].members[:1]
    )
    monkeypatch.setitem(BENCHMARKS, name, replace(found, parts={"train": part}))
    return name, tmp_path


def test_files_in_the_published_formats_are_read(small: tuple[str, Path]) -> None:
    name, folder = small
    images = benchmark(name, data_dir=folder)
    assert images.ids == tuple(f"train/{i:05d}" for i in range(4))
    classes = BENCHMARKS[name].classes
    assert [images.class_of[id] for id in images.ids] == [classes[label] for label in LABELS]
    expected = GREY if name == "fashion-mnist" else COLOUR
    assert all(
        np.array_equal(images.photo(id).pixels, image) for id, image in zip(images.ids, expected, strict=True)
    )
    view = images.view(expected.shape[1])
    assert view.pixels.shape == (4, 3, *expected.shape[1:3])
    assert view.grey.all() == (name == "fashion-mnist")
    assert len(set(view.digests)) == 4
    assert [path.name for path in folder.parent.rglob("outside.bin")] == []


def test_another_file_under_a_published_name_is_refused_and_left_alone(small: tuple[str, Path]) -> None:
    name, folder = small
    path = folder / BENCHMARKS[name].parts["train"].files[0].name
    path.write_bytes(b"something else")
    with pytest.raises(DataError, match="not the published file") as error:
        benchmark(name, data_dir=folder, download=True)
    assert str(path) in str(error.value)
    assert path.read_bytes() == b"something else"


def test_a_missing_file_is_named_with_its_size_checksum_and_place(small: tuple[str, Path]) -> None:
    name, folder = small
    file = BENCHMARKS[name].parts["train"].files[0]
    (folder / file.name).unlink()
    with pytest.raises(DataError, match="nothing is downloaded without being asked") as error:
        benchmark(name, data_dir=folder)
    for part in (
        f"Put into {folder}",
        BENCHMARKS[name].base + file.name,
        f"{file.size:,} bytes",
        file.md5,
        "--data-dir",
        "--download",
    ):
        assert part in str(error.value)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    root = tmp_path / "server"
    root.mkdir()

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(root))) as served:
        thread = threading.Thread(target=served.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{served.server_address[1]}/", root
        served.shutdown()
        thread.join()


@pytest.mark.parametrize("small", ["fashion-mnist"], indirect=True)
def test_downloads_are_verified_and_happen_once(small, server, monkeypatch, tmp_path: Path, capfd) -> None:
    name, folder = small
    base, root = server
    monkeypatch.setitem(BENCHMARKS, name, replace(BENCHMARKS[name], base=base))
    for file in BENCHMARKS[name].parts["train"].files:
        (root / file.name).write_bytes((folder / file.name).read_bytes())
    target = tmp_path / "downloads"
    assert len(benchmark(name, data_dir=target, download=True)) == 4
    assert capfd.readouterr() == ("", "")
    for path in root.iterdir():
        path.write_bytes(b"tampered with")
    assert len(benchmark(name, data_dir=target, download=True)) == 4
    with pytest.raises(DataError, match="cannot be downloaded"):
        benchmark(name, data_dir=tmp_path / "second", download=True)


@pytest.mark.parametrize("small", ["svhn"], indirect=True)
def test_no_network_says_which_files_go_where(small, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setitem(BENCHMARKS, "svhn", replace(BENCHMARKS["svhn"], base="http://127.0.0.1:9/"))
    with pytest.raises(DataError, match=r"cannot be downloaded(.|\n)*Put into .*empty: .*train_32x32\.mat"):
        benchmark("svhn", data_dir=tmp_path / "empty", download=True)


@pytest.mark.parametrize("small", ["cifar10"], indirect=True)
def test_unpacked_cifar_is_checked_by_size_and_labels(small, tmp_path: Path) -> None:
    unpacked = tmp_path / "unpacked" / "cifar-10-batches-bin" / "data_batch_1.bin"
    unpacked.parent.mkdir(parents=True)
    unpacked.write_bytes(records(1))
    images = benchmark("cifar10", data_dir=tmp_path / "unpacked")
    assert np.array_equal(images.photo("train/00002").pixels, COLOUR[2])
    assert isinstance(images.source, BenchmarkSource)
    assert images.source.files == {"data_batch_1.bin": hashlib.sha256(records(1)).hexdigest()}
    for broken in (records(1)[:-1], records(1)[:-3073], b"\x0b" + records(1)[1:]):
        unpacked.write_bytes(broken)
        with pytest.raises(DataError, match="do not have the published content"):
            benchmark("cifar10", data_dir=tmp_path / "unpacked")


@pytest.mark.parametrize("small", ["fashion-mnist"], indirect=True)
def test_a_file_packed_again_is_known_by_its_content(small, monkeypatch) -> None:
    name, folder = small
    files = tuple(
        replace(
            file,
            unpacked_sha256=hashlib.sha256(gzip.decompress((folder / file.name).read_bytes())).hexdigest(),
        )
        for file in BENCHMARKS[name].parts["train"].files
    )
    part = replace(BENCHMARKS[name].parts["train"], files=files)
    monkeypatch.setitem(BENCHMARKS, name, replace(BENCHMARKS[name], parts={"train": part}))
    for file in files:
        path = folder / file.name
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=1, mtime=7))
    assert len(benchmark(name, data_dir=folder)) == 4
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(DataError, match="not the published file"):
        benchmark(name, data_dir=folder)


def test_unknown_names_list_what_there_is() -> None:
    for name, part in (("mnist", "train"), ("cifar10", "validation")):
        with pytest.raises(UsageError, match="cifar10, cifar100, svhn, fashion-mnist; train and test"):
            benchmark(name, part)


def test_the_catalogue_names_as_many_classes_as_there_are() -> None:
    assert {name: len(set(found.classes)) for name, found in BENCHMARKS.items()} == {
        "cifar10": 10,
        "cifar100": 100,
        "svhn": 10,
        "fashion-mnist": 10,
    }


@pytest.mark.parametrize("small", ["cifar10"], indirect=True)
def test_load_opens_a_benchmark_a_folder_arrays_and_data_sets(small, tmp_path: Path, photos: Path) -> None:
    assert len(un.load("cifar10", data_dir=small[1])) == 4
    assert len(un.load("cifar10:train", data_dir=small[1])) == 4
    assert len(un.load(photos)) == 18
    assert un.load((COLOUR, ["a", "b", "a", "b"])).ids == un.load(COLOUR, ["a", "b", "a", "b"]).ids
    pairs = [(image, index % 2) for index, image in enumerate(COLOUR)]
    assert un.load(pairs).ids == ("00000", "00001", "00002", "00003")
    with pytest.raises(DataError, match="without labels"):
        un.load(COLOUR)
    with pytest.raises(DataError, match="is not a folder"):
        un.load(tmp_path / "cifar10")


def real(folder: str) -> Path:
    root = os.environ.get("UNLEARNABLE_DATA")
    if root is None or not (Path(root) / folder).exists():
        pytest.skip(f"UNLEARNABLE_DATA names no folder that holds {folder}")
    return Path(root)


@pytest.mark.needs_data
def test_real_cifar10() -> None:
    images = benchmark("cifar10", "test", data_dir=real("cifar-10-batches-bin"))
    assert len(images) == 10_000
    assert np.bincount(images.labels).tolist() == [1000] * 10
    assert [images.class_of[f"test/{i:05d}"] for i in range(4)] == ["cat", "ship", "ship", "airplane"]
    assert images.subset(images.ids[:3]).view(32).pixels.shape == (3, 3, 32, 32)


@pytest.mark.needs_data
def test_real_fashion_mnist() -> None:
    images = benchmark("fashion-mnist", "test", data_dir=real("t10k-images-idx3-ubyte.gz"))
    assert len(images) == 10_000
    assert [images.class_of[f"test/{i:05d}"] for i in range(3)] == ["Ankle boot", "Pullover", "Trouser"]
