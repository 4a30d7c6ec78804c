"""Parquet shards in the layout of Hugging Face: the contracts of tar shards, and `datasets` reads them."""

from __future__ import annotations

import io
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("pyarrow")

import pyarrow as pa
import pyarrow.parquet as pq

from parquets import IMAGE, LABEL, NAMES, PHOTOS, metadata, photo, rows, sample, write
from publishing import call, tree
from shards import begin, pack, png, run_of, samples, unpacked
from unlearnable import DataError, Noise, UsageError, apply_shards, shard_status
from unlearnable.jobs import parquet, parquet_writer
from unlearnable.jobs.folders import manifests_of
from unlearnable.jobs.places import place


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of(tmp_path_factory.mktemp("run"), 3)[1]


def levels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=int)


def test_every_photo_gets_the_noise_of_its_class_and_its_row_stays_the_same(
    run: Path, tmp_path: Path
) -> None:
    captions = [f"caption {index}" for index in range(9)]
    sample(tmp_path / "in" / "a.parquet", 0, 9, caption=captions, number=[1.5 * n for n in range(9)])
    sample(tmp_path / "in" / "b.parquet", 9, 4, caption=captions[:4], number=[0.5] * 4)
    applied = apply_shards(run, tmp_path / "in", tmp_path / "out", workers=1)
    assert (applied.shards, applied.written, applied.skipped) == (2, 13, {})
    before, after = rows(tmp_path / "in" / "a.parquet"), rows(tmp_path / "out" / "a.parquet")
    noise = Noise.load(run / "noise.safetensors")
    for number, (old, new) in enumerate(zip(before, after, strict=True)):
        slot = noise.slot(f"{number:06d}.jpg", NAMES[number % 2])
        expected = noise.add(np.asarray(Image.open(io.BytesIO(old["image"]["bytes"]))), slot)
        assert (levels(new["image"]["bytes"]) == expected).all()
        assert 4 < abs(levels(new["image"]["bytes"]) - levels(old["image"]["bytes"])).max() <= 8
        assert new["image"]["path"] == f"{number:06d}.png"
        assert (new["label"], new["caption"], new["number"]) == (number % 2, captions[number], 1.5 * number)
    schemas = [pq.read_schema(tmp_path / one / "a.parquet") for one in ("in", "out")]
    assert schemas[0].equals(schemas[1], check_metadata=True)


def test_datasets_reads_what_it_wrote_with_its_features(run: Path, tmp_path: Path) -> None:
    hf = pytest.importorskip("datasets")
    features = hf.Features(
        {"image": hf.Image(), "label": hf.ClassLabel(names=NAMES), "text": hf.Value("string")}
    )
    pictures = [Image.open(io.BytesIO(png(index))) for index in range(5)]
    data = hf.Dataset.from_dict(
        {"image": pictures, "label": [0, 1, 1, 0, 1], "text": list("abcde")}, features=features
    )
    (tmp_path / "in").mkdir()
    data.to_parquet(tmp_path / "in" / "train-00000-of-00001.parquet")
    call("apply", run, tmp_path / "in", tmp_path / "out", "--workers", 1)
    found = hf.load_dataset(
        "parquet",
        data_files=str(tmp_path / "out" / "*.parquet"),
        split="train",
        cache_dir=str(tmp_path / "hf"),
    )
    assert found.features == features
    assert found["label"][:] == [0, 1, 1, 0, 1]
    assert list(found["text"]) == list("abcde")
    for index, row in enumerate(found):
        assert 4 < abs(np.asarray(row["image"], int) - levels(png(index))).max() <= 8


def test_parts_a_pattern_and_a_file_name_shards(run: Path, tmp_path: Path) -> None:
    for number in range(3):
        sample(tmp_path / "in" / f"train-{number:05d}-of-00003.parquet", 3 * number, 3)
    sample(tmp_path / "in" / "test.parquet", 90, 2)
    pattern = str(tmp_path / "in" / "train-{00000..00002}-of-00003.parquet")
    for part in ("2/2", "1/2"):
        apply_shards(run, pattern, tmp_path / "out", part=part, workers=1)
    assert len(tree(tmp_path / "out")) == 3
    status = json.loads(call("apply", run, "--status", tmp_path / "out", "--json").stdout)
    assert (status["shards"], status["finished"], status["written"]) == (3, 3, 9)
    again = apply_shards(run, pattern, tmp_path / "out", workers=2)
    assert (again.shards, again.finished) == (0, 3)
    apply_shards(run, tmp_path / "in" / "test.parquet", tmp_path / "one", workers=1)
    assert list(tree(tmp_path / "one")) == ["test.parquet"]


def test_shards_go_through_addresses(run: Path, tmp_path: Path) -> None:
    file = sample(tmp_path / "in" / "a.parquet", 0, 6)
    apply_shards(run, tmp_path / "in", tmp_path / "out", workers=1)
    place("memory://hub/in").write("a.parquet", lambda stream: stream.write(file.read_bytes()))
    words = ("memory://hub/in", "memory://hub/out", "--manifests", "memory://hub-private/x")
    call("apply", run, *words, "--workers", 1)
    with place("memory://hub/out").reading("a.parquet") as stream:
        assert stream.read() == (tmp_path / "out" / "a.parquet").read_bytes()


def test_what_cannot_be_protected_is_left_out_and_named(run: Path, tmp_path: Path) -> None:
    photos: list[Any] = [photo(index) for index in range(8)]
    photos[1] = None
    photos[2] = {"bytes": None, "path": "https://example.org/2.jpg"}
    photos[3]["bytes"] = b"\xff\xd8\xff\xe0 no photo"
    photos[4]["bytes"] = b""
    photos[7]["path"] = photos[0]["path"]
    labels = [0, 1, 0, 1, 0, None, -1, 1]
    write(tmp_path / "a.parquet", photos, labels, text=list("abcdefgh"))
    applied = apply_shards(run, tmp_path / "a.parquet", tmp_path / "out", workers=1)
    found = rows(tmp_path / "out" / "a.parquet")
    assert [row["text"] for row in found] == ["a", "h"]
    reasons = {
        "a/000001": "the entry is empty",
        "https://example.org/2.jpg": "nothing is downloaded",
        "000003.jpg": "cannot be read as an image",
        "000004.jpg": "the entry is empty",
        "000005.jpg": "it has no class",
        "000006.jpg": "it has no class",
    }
    assert applied.skipped.keys() == reasons.keys()
    assert all(reason in applied.skipped[id] for id, reason in reasons.items())
    assert [row["label"] for row in found] == [0, 1]
    (manifest,) = Path(applied.manifests).glob("a.json")
    records = json.loads(manifest.read_bytes())["photos"]
    assert {id: one["output"] for id, one in records.items()} == {"000000.jpg": "row 0", "a/000007": "row 1"}
    assert applied.written == 2


def test_photos_that_nobody_protects_are_not_published(run: Path, tmp_path: Path) -> None:
    """Whatever may hold a picture is left out, with its feature; everything else is copied."""
    raw = png(1)
    hidden = {
        "mask": pa.array([photo(9)] * 2, PHOTOS),
        "thumbnail": pa.array([raw] * 2),
        "crops": pa.array([[raw]] * 2),
        "inside": pa.array([{"name": "x", "file": raw}] * 2),
        "pixels": pa.array([[[1, 2], [3, 4]]] * 2),
        "flat": pa.array([[1, 2, 3]] * 2, pa.list_(pa.uint8())),
        "tensor": pa.array([[[[0.5]]]] * 2),
    }
    shown = {
        "text": pa.array(["a", None]),
        "words": pa.array([["a", "b"], []]),
        "boxes": pa.array([[[0.5, 1.5]], []]),
        "when": pa.array([1, 2], pa.timestamp("us")),
        "kind": pa.array(["x", "y"]).dictionary_encode(),
        "facts": pa.array([{"size": 1}] * 2),
    }
    meta = metadata(image=IMAGE, label=LABEL, mask=IMAGE, text={"_type": "Value", "dtype": "string"})
    path = sample(tmp_path / "a.parquet", 0, 2, meta=meta, **hidden, **shown)
    with pytest.raises(UsageError, match="several columns of photos: image and mask"):
        apply_shards(run, path, tmp_path / "out", workers=1)
    said = []
    apply_shards(
        run,
        path,
        tmp_path / "out",
        columns=("image", "label"),
        workers=1,
        on_progress=lambda event: said.append(event.text),
    )
    found = pq.read_table(tmp_path / "out" / "a.parquet")
    assert found.column_names == ["image", "label", *shown]
    source = pq.read_table(path)
    assert all(found[name].equals(source[name]) for name in shown)
    features = json.loads(found.schema.metadata[b"huggingface"])["info"]["features"]
    assert features.keys() == {"image", "label", "text"}
    remark = next(text for text in said if text)
    assert "copied unchanged: text, words, boxes, when, kind, facts" in remark
    assert (
        "left out, because they may hold pictures: mask, thumbnail, crops, inside, pixels, flat, tensor"
        in remark
    )


@pytest.mark.parametrize("keep", [False, True])
def test_embedded_metadata_is_treated_as_in_other_files(run: Path, tmp_path: Path, keep: bool) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    exif.get_ifd(0x8825)[1] = "N"
    file = io.BytesIO()
    Image.open(io.BytesIO(png(1))).save(file, "jpeg", exif=exif)
    write(tmp_path / "a.parquet", [{"bytes": file.getvalue(), "path": "1.jpg"}], [0])
    pack(tmp_path / "b.tar", {"1.jpg": file.getvalue(), "1.cls": b"cats"})
    more = ["--keep-metadata"] if keep else []
    for name in ("a.parquet", "b.tar"):
        call("apply", run, tmp_path / name, tmp_path / f"out-{name}", "--workers", 1, *more)
    (row,) = rows(tmp_path / "out-a.parquet" / "a.parquet")
    assert row["image"]["bytes"] == unpacked(tmp_path / "out-b.tar" / "b.tar")["1.png"]
    found = Image.open(io.BytesIO(row["image"]["bytes"])).getexif()
    assert (found.get(0x010E), dict(found.get_ifd(0x8825))) == (
        ("a description", {1: "N"}) if keep else (None, {})
    )


def test_classes_may_be_names_numbers_or_given(run: Path, tmp_path: Path) -> None:
    photos = [photo(index) for index in range(3)]
    cases = {
        "names": pa.array(["cats", " dogs ", "birds"]),
        "categories": pa.array(["cats", "dogs", "birds"]).dictionary_encode(),
        "large": pa.array(["cats", "dogs", "birds"], pa.large_string()),
    }
    for name, labels in cases.items():
        write(tmp_path / f"{name}.parquet", photos, labels, meta={})
        applied = apply_shards(run, tmp_path / f"{name}.parquet", tmp_path / name, workers=1)
        assert list(applied.skipped) == ["000002.jpg"]
        assert "no noise for class 'birds'" in applied.skipped["000002.jpg"]
    write(tmp_path / "numbers.parquet", photos, [0, 1, 2], meta={})
    applied = apply_shards(run, tmp_path / "numbers.parquet", tmp_path / "numbers", workers=1)
    assert "no noise for class '1'" in applied.skipped["000001.jpg"]
    assert not (tmp_path / "numbers" / "numbers.parquet").exists()
    call("apply", run, tmp_path / "numbers.parquet", tmp_path / "all", "--class", "dogs", "--workers", 1)
    assert len(rows(tmp_path / "all" / "numbers.parquet")) == 3


def test_photos_of_one_path_in_several_shards_are_counted_each(run: Path, tmp_path: Path) -> None:
    photos = [photo(0), {"bytes": b"text", "path": "broken.jpg"}]
    for name in ("a", "b", "c"):
        write(tmp_path / "in" / f"{name}.parquet", photos)
    applied = apply_shards(run, tmp_path / "in", tmp_path / "out", workers=1)
    assert set(applied.skipped) == {"broken.jpg", "b/broken.jpg", "c/broken.jpg"}
    status = shard_status(applied.manifests)
    assert (status.written, dict(status.skipped)) == (3, applied.skipped)


def test_rows_of_views_are_left_out_and_copied_like_others(run: Path, tmp_path: Path) -> None:
    captions = pa.array([f"a caption that is long, {index}" for index in range(4)], pa.string_view())
    photos = [photo(0), None, photo(2), photo(3)]
    write(tmp_path / "in" / "a.parquet", photos, caption=captions)
    assert apply_shards(run, tmp_path / "in", tmp_path / "out", workers=1).written == 3
    left = [captions[index].as_py() for index in (0, 2, 3)]
    assert [row["caption"] for row in rows(tmp_path / "out" / "a.parquet")] == left
    assert pq.read_schema(tmp_path / "out" / "a.parquet").field("caption").type == pa.string_view()


WRONG = [
    ({"label": pa.array([0.5] * 2)}, {}, DataError, "'label' of a.parquet is of the type double"),
    ({"label": None, "score": pa.array([1] * 2)}, {}, UsageError, "no column that is known to hold classes"),
    ({"image": pa.array(["https://x/1.jpg"] * 2)}, {}, DataError, "no column of photos"),
    ({"image": pa.array([b"x"] * 2)}, {"columns": ("image", "label")}, DataError, "is of the type binary"),
    (
        {"image": pa.array(["https://x/1.jpg"] * 2)},
        {"columns": ("image", "label")},
        DataError,
        "holds text, such as paths or addresses",
    ),
    ({}, {"columns": ("img", "label")}, UsageError, r"no column 'img'. Its columns are: image \(struct"),
    ({}, {"columns": ("image", "label", "more")}, UsageError, "names of one or two columns"),
    (
        {"image": pa.array([{"bytes": None, "path": "1.jpg"}] * 2, PHOTOS)},
        {},
        DataError,
        "holds only the paths of its photos",
    ),
]


@pytest.mark.parametrize(("changed", "more", "kind", "problem"), WRONG, ids=[case[3] for case in WRONG])
def test_columns_that_cannot_be_meant_are_refused_before_work(
    run: Path, tmp_path: Path, changed: dict[str, Any], more: dict[str, Any], kind: type, problem: str
) -> None:
    columns = {
        "image": pa.array([photo(0), photo(1)], PHOTOS),
        "label": pa.array([0, 1]),
        **changed,
    }
    table = pa.table({name: one for name, one in columns.items() if one is not None})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(kind, match=problem):
        apply_shards(run, tmp_path / "a.parquet", tmp_path / "out", workers=1, **more)
    assert not (tmp_path / "out").exists()
    assert not Path(manifests_of(run, str(tmp_path / "out"))).exists()


def test_kinds_of_input_are_not_mixed(run: Path, tmp_path: Path) -> None:
    sample(tmp_path / "in" / "a.parquet", 0, 2)
    apply_shards(run, tmp_path / "in", tmp_path / "out", workers=1)
    pack(tmp_path / "in" / "b.tar", samples(0, 2))
    with pytest.raises(UsageError, match="holds tar and Parquet files"):
        apply_shards(run, tmp_path / "in", tmp_path / "new", workers=1)
    with pytest.raises(UsageError, match="was made from Parquet files"):
        apply_shards(run, tmp_path / "in" / "b.tar", tmp_path / "out", workers=1)
    with pytest.raises(UsageError, match="--columns is for Parquet files"):
        apply_shards(run, tmp_path / "in" / "b.tar", tmp_path / "new", columns=("image",), workers=1)
    with pytest.raises(UsageError, match="--columns is for Parquet files"):
        apply_shards(run, run.parent / "photos", tmp_path / "new", columns=("image",), workers=1)


def cut_group(data: bytes) -> bytes:
    """The bytes of a file of 64 photos in which a page of its last row group is damaged."""
    column = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(3).column(0)
    start = column.data_page_offset
    return data[:start] + b"\xff" * 40 + data[start + 40 :]


@pytest.mark.parametrize(
    ("damage", "left"),
    [
        (cut_group, 48),
        (lambda data: data[: len(data) // 2], 0),
        (lambda data: data[:-6] + b"\xff\xff" + data[-4:], 0),
        (lambda data: b"", 0),
        (lambda data: b"<html>404 not found</html>" * 99, 0),
    ],
    ids=["in a row group", "cut", "footer", "empty", "no Parquet"],
)
def test_a_damaged_shard_is_named_and_the_others_are_made(
    run: Path, tmp_path: Path, damage: Callable[[bytes], bytes], left: int
) -> None:
    whole = sample(tmp_path / "a.parquet", 0, 64, group=16).read_bytes()
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.parquet").write_bytes(damage(whole))
    sample(tmp_path / "in" / "b.parquet", 20, 2)
    applied = apply_shards(run, tmp_path / "in", tmp_path / "out", workers=1)
    assert list(applied.skipped) == ["a.parquet"]
    assert "damaged" in applied.skipped["a.parquet"]
    assert applied.written == left + 2
    assert (tmp_path / "out" / "a.parquet").exists() == (left > 0)
    (tmp_path / "in" / "a.parquet").write_bytes(whole)
    again = apply_shards(run, tmp_path / "in", tmp_path / "out", workers=1)
    assert (again.shards, again.written, again.skipped) == (1, 66, {})


def test_a_shard_with_other_columns_than_the_first_is_named(run: Path, tmp_path: Path) -> None:
    sample(tmp_path / "in" / "a.parquet", 0, 2)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "in" / "b.parquet")
    applied = apply_shards(run, tmp_path / "in", tmp_path / "out", workers=1)
    assert list(applied.skipped) == ["b.parquet"]
    assert "no column of photos" in applied.skipped["b.parquet"]
    assert list(tree(tmp_path / "out")) == ["a.parquet"]


def test_a_shard_is_never_held_whole(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow holds no more for 1,000 photos in one row group of small pages than for 200 of them."""
    monkeypatch.setattr(parquet_writer, "GROUP_BYTES", 1 << 18)
    draws, peaks = np.random.default_rng(0), []
    for count in (200, 1000):
        photos = [{"bytes": draws.bytes(20_000), "path": f"{index}.bmp"} for index in range(count)]
        path = write(tmp_path / f"{count}.parquet", photos, group=count, page=8)
        del photos
        before, most = pa.total_allocated_bytes(), 0
        with open(path, "rb") as source, open(tmp_path / "out", "wb") as stream:
            found = parquet.Rows(source, path.name, (), None)
            with parquet_writer.RowWriter(stream, found.schema, "image") as writer:
                for batch, some in found:
                    writer.add(batch, range(len(some)), [(row.data, row.path) for row in some])
                    most = max(most, pa.total_allocated_bytes() - before)
                writer.close()
            assert writer.rows == count
        peaks.append(most)
        # the file is written so that it can be read in the same way
        written = pq.ParquetFile(tmp_path / "out").metadata
        assert written.row_group(0).num_rows < count
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 0.5 * 1000 * 20_000


def test_a_kill_and_a_second_command_leave_whole_shards(run: Path, tmp_path: Path) -> None:
    for number in range(5):
        sample(tmp_path / "in" / f"{number}.parquet", 5 * number, 5)
    apply_shards(run, tmp_path / "in", tmp_path / "whole", workers=1)
    words = ("apply", run, tmp_path / "in", tmp_path / "out", "--workers", 1)
    with begin(*words) as killed:
        while killed.poll() is None and not list((tmp_path / "out").glob("*.parquet")):
            time.sleep(0.002)
        time.sleep(random.Random(0).uniform(0, 0.01))
        killed.kill()
    assert len(tree(tmp_path / "out")) < 5
    call(*words)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
    assert len(list(Path(manifests_of(run, str(tmp_path / "out"))).glob("?.json"))) == 5


def test_a_failed_attempt_leaves_nothing(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sample(tmp_path / "a.parquet", 0, 3)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parquet_writer.RowWriter, "add", full)
    with pytest.raises(OSError, match="No space left"):
        apply_shards(run, path, tmp_path / "out", workers=1)
    assert tree(tmp_path / "out") == {}


def test_without_pyarrow_the_extra_is_named(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sample(tmp_path / "a.parquet", 0, 2)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match=r"unlearnable\[hub\]"):
        apply_shards(run, path, tmp_path / "out", workers=1)
