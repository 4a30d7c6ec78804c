"""Tar shards in the layout of webdataset: streamed, protected within the budget, and nothing unprotected."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import tarfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from publishing import call
from shards import begin, pack, png, run_of, samples, unpacked
from unlearnable import DataError, Noise, UsageError, apply_shards
from unlearnable.jobs import file_shard, inputs
from unlearnable.jobs.folders import manifests_of
from unlearnable.jobs.places import place
from unlearnable.jobs.tars import Samples


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_of(tmp_path_factory.mktemp("run"), 3)[1]


def levels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=int)


def test_every_photo_gets_the_noise_of_its_class_and_keeps_its_key(run: Path, tmp_path: Path) -> None:
    members = samples(0, 5)
    pack(tmp_path / "in" / "a.tar", members)
    pack(tmp_path / "in" / "b.tar", samples(5, 4))
    applied = apply_shards(run, tmp_path / "in", tmp_path / "out", workers=1)
    assert (applied.shards, applied.written, applied.skipped) == (2, 9, {})
    found = unpacked(tmp_path / "out" / "a.tar")
    assert list(found) == [f"{index:06d}.{ending}" for index in range(5) for ending in ("png", "cls")]
    noise = Noise.load(run / "noise.safetensors")
    for index in range(5):
        class_name = ("cats", "dogs")[index % 2]
        assert found[f"{index:06d}.cls"].decode() == class_name
        before = np.asarray(Image.open(io.BytesIO(members[f"{index:06d}.jpg"])))
        slot = noise.slot(f"{index:06d}.jpg", class_name)
        assert (levels(found[f"{index:06d}.png"]) == noise.add(before, slot)).all()
        assert 4 < abs(levels(found[f"{index:06d}.png"]) - before).max() <= 8
    assert applied.others == {".json": 9}, "a record may hold what undoes the protection"


def test_records_and_captions_are_copied_if_they_are_asked_for(run: Path, tmp_path: Path) -> None:
    members = {**samples(0, 2), "000001.txt": b"a dog"}
    pack(tmp_path / "a.tar", members)
    call("apply", run, tmp_path / "a.tar", tmp_path / "out", "--keep-metadata", "--workers", 1)
    found = unpacked(tmp_path / "out" / "a.tar")
    assert found["000001.txt"] == b"a dog"
    assert found["000000.json"] == members["000000.json"]


def test_the_same_shard_gives_the_same_bytes_whoever_packed_it(run: Path, tmp_path: Path) -> None:
    members = samples(0, 4)
    pack(tmp_path / "one" / "a.tar", members)
    (tmp_path / "two").mkdir()
    with gzip.open(tmp_path / "two" / "a.tar.gz", "wb") as file:
        file.write((tmp_path / "one" / "a.tar").read_bytes())
    for name in ("one", "two"):
        apply_shards(run, tmp_path / name, tmp_path / f"{name}-out", workers=1)
    data = (tmp_path / "one-out" / "a.tar").read_bytes()
    assert data == (tmp_path / "two-out" / "a.tar").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        assert {(info.mtime, info.uid, info.uname) for info in tar} == {(0, 0, "")}


def test_shards_go_through_addresses(run: Path, tmp_path: Path) -> None:
    pack(tmp_path / "in" / "a.tar", samples(0, 3))
    pack(tmp_path / "in" / "b.tar", samples(3, 3))
    bucket = place("memory://bucket/in")
    for name in ("a.tar", "b.tar"):
        bucket.write(name, lambda file, name=name: file.write((tmp_path / "in" / name).read_bytes()))
    apply_shards(run, tmp_path / "in", tmp_path / "out", workers=1)
    words = ("memory://bucket/in", "memory://bucket/out", "--manifests", "memory://private/x")
    assert "Publish: memory://bucket/out" in call("apply", run, *words, "--workers", 1).stdout
    published = place("memory://bucket/out")
    assert published.names() == ["a.tar", "b.tar"]
    for name in published.names():
        with published.reading(name) as file:
            assert file.read() == (tmp_path / "out" / name).read_bytes()
    assert place("memory://private/x").names() == ["a.json", "b.json", "job.json"]
    again = json.loads(call("apply", run, *words, "--workers", 1, "--json").stdout)
    assert (again["shards"], again["finished"]) == (0, 2)
    status = call("apply", "--status", words[1], "--manifests", "memory://private/x", "--json")
    assert json.loads(status.stdout)["written"] == 6
    bucket.write("b.tar", lambda file: file.write((tmp_path / "in" / "a.tar").read_bytes()))
    again = json.loads(call("apply", run, *words, "--workers", 1, "--json").stdout)
    assert (again["shards"], again["finished"]) == (1, 1), "a shard that changed is made again"


def test_parts_and_patterns_name_shards(run: Path, tmp_path: Path) -> None:
    for number in range(4):
        pack(tmp_path / "in" / f"s-{number:03d}.tar", samples(3 * number, 3))
    pack(tmp_path / "in" / "other.tar", samples(90, 1))
    pattern = str(tmp_path / "in" / "s-{000..003}.tar")
    for part in ("2/3", "1/3"):
        apply_shards(run, pattern, tmp_path / "out", part=part, workers=1)
    names = ["s-000.tar", "s-001.tar", "s-003.tar"]
    assert place(str(tmp_path / "out")).names() == names
    call("apply", run, "--status", tmp_path / "out", code=6)
    apply_shards(run, pattern, tmp_path / "out", part="3/3", workers=1)
    call("apply", run, "--status", tmp_path / "out")


def test_a_shard_that_changed_or_whose_copy_is_gone_is_made_again(run: Path, tmp_path: Path) -> None:
    pack(tmp_path / "in" / "a.tar", samples(0, 3))
    pack(tmp_path / "in" / "b.tar", samples(3, 3))
    apply_shards(run, tmp_path / "in", tmp_path / "out", workers=1)
    before = (tmp_path / "out" / "b.tar").read_bytes()
    (tmp_path / "out" / "b.tar").unlink()
    pack(tmp_path / "in" / "a.tar", samples(0, 4))
    pack(tmp_path / "in" / "c.tar", samples(6, 1))
    applied = apply_shards(run, tmp_path / "in", tmp_path / "out", workers=1)
    assert (applied.shards, applied.written) == (3, 8)
    assert (tmp_path / "out" / "b.tar").read_bytes() == before
    assert len(unpacked(tmp_path / "out" / "a.tar")) == 8


def evil(*, name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    """A tar file whose first member is not what it should be, with a sound sample behind it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        data = png(7) if kind == tarfile.REGTYPE else b""
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
        for sound, data in samples(1, 1).items():
            info = tarfile.TarInfo(sound)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()


SOUND = {"000001.png", "000001.cls"}


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (evil(name="../000000.jpg"), "../000000.jpg", "leads out of the shard"),
        (evil(name="/etc/000000.jpg"), "/etc/000000.jpg", "leads out of the shard"),
        (evil(name="a/../../000000.jpg"), "a/../../000000.jpg", "leads out of the shard"),
        (evil(name="000000.jpg", kind=tarfile.SYMTYPE, link="/etc/passwd"), "000000.jpg", "never followed"),
        (evil(name="000000.jpg", kind=tarfile.LNKTYPE, link="000001.jpg"), "000000.jpg", "never followed"),
        (evil(name="000000.jpg", kind=tarfile.FIFOTYPE), "000000.jpg", "no regular file"),
        (evil(name="000000.jpg"), "000000.jpg", "it has no class"),
        (evil(name="000000.cr2"), "000000.cr2", "raw file of a camera"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_member_that_cannot_be_used_is_named_and_the_rest_protected(
    run: Path, tmp_path: Path, data: bytes, name: str, reason: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.tar").write_bytes(data)
    applied = apply_shards(run, tmp_path / "in", tmp_path / "out", workers=1)
    assert list(applied.skipped) == [name]
    assert reason in applied.skipped[name]
    assert unpacked(tmp_path / "out" / "a.tar").keys() == SOUND
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"], "nothing is unpacked"


@pytest.mark.parametrize(
    ("changed", "name", "reason"),
    [
        ({"000000.jpg": b"\xff\xd8\xff\xe0 no photo"}, "000000.jpg", "cannot be read as an image"),
        ({"000000.jpg": b""}, "000000.jpg", "is empty"),
        ({"000000.jpg": b"%PDF-1.7"}, "000000.jpg", "PDF"),
        ({"000000.cls": b"birds"}, "000000.jpg", "no noise for class 'birds'"),
        ({"000000.cls": b" \n"}, "000000.jpg", "it has no class"),
        ({"000000.cls": b"\xff\xfe"}, "000000.jpg", "it has no class"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nothing_of_a_sample_is_published_without_its_photo(
    run: Path, tmp_path: Path, changed: dict[str, bytes], name: str, reason: str
) -> None:
    pack(tmp_path / "a.tar", {**samples(0, 2), **changed})
    applied = apply_shards(run, tmp_path / "a.tar", tmp_path / "out", workers=1)
    assert list(applied.skipped) == [name]
    assert reason in applied.skipped[name]
    assert unpacked(tmp_path / "out" / "a.tar").keys() == SOUND


def test_no_photo_slips_through_under_another_name(run: Path, tmp_path: Path) -> None:
    """Each image of a sample is protected, whatever its role; what cannot be is left out."""
    members = [
        ("0.jpg", png(1, format="jpeg")),
        ("0.png", png(2)),
        ("0.left.JPG", png(3, format="jpeg")),
        ("0.thumb.npy", png(4)),
        ("0.cls", b"cats"),
        ("0.jpg", png(5, format="jpeg")),
        ("._0.jpg", png(6, format="jpeg")),
    ]
    pack(tmp_path / "a.tar", members)
    applied = apply_shards(run, tmp_path / "a.tar", tmp_path / "out", workers=1)
    found = unpacked(tmp_path / "out" / "a.tar")
    assert list(found) == ["0.png", "0.png.png", "0.left.png", "0.cls"]
    originals = {name: levels(data) for name, data in members[:3]}
    for name, source in (("0.png", "0.jpg"), ("0.png.png", "0.png"), ("0.left.png", "0.left.JPG")):
        assert 4 < abs(levels(found[name]) - originals[source]).max() <= 8
    assert "more than once" in applied.skipped["0.jpg"]
    assert applied.others == {".npy": 1}


def test_a_class_may_come_from_the_record_or_the_command(run: Path, tmp_path: Path) -> None:
    data = png(1)
    pack(tmp_path / "a.tar", {"0.png": data, "0.json": b'{"label": "dogs"}', "1.png": data})
    apply_shards(run, tmp_path / "a.tar", tmp_path / "out", workers=1)
    assert list(unpacked(tmp_path / "out" / "a.tar")) == ["0.png"]
    call("apply", run, tmp_path / "a.tar", tmp_path / "mine", "--class", "dogs", "--workers", 1)
    mine = unpacked(tmp_path / "mine" / "a.tar")
    assert mine.keys() == {"0.png", "1.png"}
    assert mine["0.png"] == unpacked(tmp_path / "out" / "a.tar")["0.png"]


def whole_and_cut(tmp_path: Path, cut: Callable[[bytes], bytes]) -> Path:
    (tmp_path / "in").mkdir()
    data = pack(tmp_path / "a.tar", samples(0, 4)).read_bytes()
    (tmp_path / "in" / "a.tar").write_bytes(cut(data))
    pack(tmp_path / "in" / "b.tar", samples(4, 2))
    return tmp_path / "in"


def header_of(data: bytes, name: bytes) -> int:
    return data.index(name + b"\0")


@pytest.mark.parametrize(
    ("cut", "left"),
    [
        (lambda data: data[: header_of(data, b"000002.jpg") + 700], 2),
        (lambda data: data[: header_of(data, b"000002.jpg") + 100], 2),
        (lambda data: data[: header_of(data, b"000002.jpg")], 2),
        (lambda data: data.replace(b"000002.jpg\0", b"000002.jpX\0"), 2),
        (lambda data: data[:300], 0),
        (lambda data: b"", 0),
        (lambda data: b"<html>404 not found</html>" * 99, 0),
    ],
    ids=["in a photo", "in a header", "between members", "bad header", "short", "empty", "no tar"],
)
def test_a_damaged_shard_is_named_and_the_others_are_made(
    run: Path, tmp_path: Path, cut: Callable[[bytes], bytes], left: int
) -> None:
    source = whole_and_cut(tmp_path, cut)
    applied = apply_shards(run, source, tmp_path / "out", workers=1)
    assert list(applied.skipped) == ["a.tar"]
    assert "damage" in applied.skipped["a.tar"]
    assert applied.written == left + 2
    assert (tmp_path / "out" / "a.tar").exists() == (left > 0)
    assert len(unpacked(tmp_path / "out" / "b.tar")) == 4
    call("apply", run, "--status", tmp_path / "out", code=4)
    # it is uploaded again
    pack(source / "a.tar", samples(0, 4))
    again = apply_shards(run, source, tmp_path / "out", workers=1)
    assert (again.shards, again.written, again.skipped) == (1, 6, {})


def test_what_is_no_input_of_shards_is_refused_before_work(run: Path, tmp_path: Path) -> None:
    pack(tmp_path / "in" / "a.tar", samples(0, 1))
    for source, problem in (
        (tmp_path / "in" / "s-{000..002}.tar", "s-000.tar and 2 more"),
        ("memory://nothing/here", "holds no tar shard"),
        ("nosuchprotocol://bucket/x", "cannot be opened"),
    ):
        with pytest.raises(DataError, match=problem):
            apply_shards(run, source, tmp_path / "out", workers=1)
    pack(tmp_path / "in" / "A.tar", samples(0, 1))
    with pytest.raises(UsageError, match="Two shards are called"):
        apply_shards(run, tmp_path / "in", tmp_path / "out", workers=1)
    pack(tmp_path / "a.tar", samples(0, 1))
    with pytest.raises(UsageError, match="inside"):
        apply_shards(run, tmp_path / "a.tar", tmp_path, workers=1)
    with pytest.raises(UsageError, match="inside"):
        apply_shards(run, tmp_path / "a.tar", run.parent, manifests=tmp_path / "m", workers=1)
    with pytest.raises(UsageError, match="inside"):
        apply_shards(run, "memory://b/in", "memory://b/in/out", manifests=tmp_path / "m", workers=1)
    with pytest.raises(UsageError, match="inside"):
        apply_shards(run, "memory://b/in", "memory://b/out", manifests="memory://b/out/m", workers=1)
    photos = run.parent / "photos"
    with pytest.raises(UsageError, match="only tar and Parquet shards are written"):
        apply_shards(run, photos, "memory://b/out", manifests=tmp_path / "m", workers=1)
    assert not (tmp_path / "out").exists()
    assert "An argument" not in call("apply", "s3://run", tmp_path / "in", tmp_path / "out", code=2).stderr


def test_brace_patterns_are_expanded_as_a_shell_does() -> None:
    assert inputs.expanded("a-{08..11}.tar") == ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
    assert inputs.expanded("{x,y}/{0..1}") == ["x/0", "x/1", "y/0", "y/1"]
    assert inputs.expanded("plain") == ["plain"]
    for wrong in ("{x}", "{0..99999999999}", "{0..9999}{0..9999}"):
        with pytest.raises(UsageError):
            inputs.expanded(wrong)


def test_a_shard_is_never_held_whole(run: Path, tmp_path: Path) -> None:
    """The peak of memory for 300 large members is about that for 30 of them."""
    data, peaks = png(1, 100, "bmp"), []
    for count in (30, 300):
        members = [
            (f"{index}.{end}", data if end == "bmp" else b"cats")
            for index in range(count)
            for end in ("bmp", "cls")
        ]
        path = pack(tmp_path / f"{count}.tar", members)
        assert path.stat().st_size > count * len(data)
        tracemalloc.start()
        with open(path, "rb") as file:
            assert sum(len(sample) == 2 for sample in Samples(file, path.name, 10**6)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] + 100_000
    assert peaks[1] < 10 * len(data)


def test_a_photo_that_kills_its_process_is_skipped_and_named(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadly = (
        "import os, unlearnable.worker as worker\n"
        "decode = worker.decode\n"
        "def killing(data, name, *more, **named):\n"
        "    if name == '000002.jpg':\n"
        "        os._exit(9)\n"
        "    return decode(data, name, *more, **named)\n"
        "worker.decode = killing\n"
    )
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(deadly)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    pack(tmp_path / "in" / "a.tar", samples(0, 4))
    pack(tmp_path / "in" / "b.tar", samples(4, 4))
    applied = apply_shards(run, tmp_path / "in", tmp_path / "out", workers=2)
    assert list(applied.skipped) == ["000002.jpg"]
    assert "died twice" in applied.skipped["000002.jpg"]
    assert applied.written == 7


def test_two_commands_at_once_and_a_kill_leave_whole_shards(run: Path, tmp_path: Path) -> None:
    for number in range(6):
        pack(tmp_path / "in" / f"{number}.tar", samples(5 * number, 5))
    apply_shards(run, tmp_path / "in", tmp_path / "whole", workers=1)
    words = ("apply", run, tmp_path / "in", tmp_path / "out", "--workers", 1)
    with begin(*words) as killed, begin(*words) as other:
        while killed.poll() is None and not list((tmp_path / "out").glob("*.tar")):
            time.sleep(0.002)
        time.sleep(random.Random(0).uniform(0, 0.01))
        killed.kill()
        said = other.communicate()[1]
    assert other.returncode == 0, said
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    assert len(list(Path(manifests_of(run, str(tmp_path / "out"))).glob("?.json"))) == 6


def test_formats_of_tar_shards_follow_the_encoding(run: Path, tmp_path: Path) -> None:
    pack(tmp_path / "a.tar", samples(0, 2))
    apply_shards(run, tmp_path / "a.tar", tmp_path / "out", workers=1, encoding="jpeg")
    found = unpacked(tmp_path / "out" / "a.tar")
    assert next(iter(found)) == "000000.jpg"
    assert found["000000.jpg"].startswith(b"\xff\xd8")
    assert file_shard.FORMATS.keys() == {"PNG", "JPEG", "WEBP"}
