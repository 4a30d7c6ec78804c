"""The list of faces in the run folder: every record comes back as it was, and damage costs one photo only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from people import face_at

from unlearnable.faces.choosing import Found, choose
from unlearnable.faces.face import Alignment, Face
from unlearnable.faces.face_list import Record, places_of, read, save

numbers = st.floats(-5000, 5000)
faces = st.builds(
    Face,
    st.tuples(numbers, numbers, numbers, numbers),
    st.tuples(*[st.tuples(numbers, numbers)] * 5),
    st.floats(0, 1),
)
records = st.builds(
    lambda id, size, found, chosen, doubt, whole: Record(
        id, "d1", "marks 1", size, Found(tuple(found), tuple(chosen[: len(found)]), doubt), whole
    ),
    st.text(max_size=12),
    st.tuples(st.integers(1, 9999), st.integers(1, 9999)),
    st.lists(faces, max_size=3),
    st.sampled_from([(), (0,), (0, 1), (0, 1, 2)]),
    st.text(max_size=9),
    st.booleans(),
)
TWO = choose((face_at(100, 90, 80), face_at(250, 90, 40)), (200, 300), "all")
RECORD = Record("ann/1.jpg", "d1", "marks 1", (200, 300), TWO)


@given(records)
@settings(deadline=None, max_examples=60)
def test_a_record_comes_back_from_its_line(record: Record) -> None:
    assert record.line.isascii()
    assert record.line.count("\n") == 1
    assert Record.of(json.loads(record.line)) == record


def test_a_file_comes_back_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "faces.jsonl"
    kept = [RECORD, replace(RECORD, id="bea/ü\n\u2028.png", found=Found((), (), "no face was found"))]
    save(file, kept)
    assert read(file) == {record.id: record for record in kept}
    save(file, kept[:1])
    assert list(read(file)) == ["ann/1.jpg"]
    assert [path.name for path in tmp_path.iterdir()] == ["faces.jsonl"]
    assert read(tmp_path / "absent.jsonl") == {}


def wrong(**changes: object) -> bytes:
    return json.dumps({**json.loads(RECORD.line), **changes}).encode()


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{",
        RECORD.line.encode()[:-9],
        b"\xff\xfe\x00",
        b"[]",
        b"7",
        b'"text"',
        b"{}",
        wrong(faces=7),
        wrong(faces=[{"box": [1, 2], "score": 1}]),
        wrong(faces=[{"box": [1, 2, 3, 4], "landmarks": [1], "score": 1}]),
        wrong(chosen=[2]),
        wrong(chosen=[-1]),
        wrong(chosen=["a"]),
        wrong(size=[1]),
        wrong(size="ab"),
    ],
)
def test_a_damaged_line_is_left_out_and_the_others_are_read(tmp_path: Path, damaged: bytes) -> None:
    file = tmp_path / "faces.jsonl"
    other = replace(RECORD, id="bea/2.jpg")
    file.write_bytes(RECORD.line.encode() + damaged + b"\n" + other.line.encode())
    assert list(read(file)) == ["ann/1.jpg", "bea/2.jpg"]
    assert read(file)["bea/2.jpg"] == other


def test_the_places_are_the_alignments_of_the_chosen_faces() -> None:
    first, second = (Alignment.of(face.landmarks) for face in TWO.faces)
    assert RECORD.places == (first, second)
    one = replace(RECORD, found=replace(TWO, chosen=(1,)))
    assert one.places == (second,)
    none = replace(RECORD, found=replace(TWO, chosen=()))
    assert none.places == ()
    whole = replace(none, whole=True)
    assert whole.places == (None,)
    assert places_of({"a": RECORD, "b": none, "c": whole, "d": one}) == {
        "a": (first, second),
        "c": (None,),
        "d": (second,),
    }
