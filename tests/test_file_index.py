"""The index of a list of published files: it answers as the list does, and parses a line once."""

from __future__ import annotations

import json
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from unlearnable import indexing
from unlearnable.file_index import Records, closed, indexed
from unlearnable.file_list import FileList

ODD = "caf\udce9/\u2028 line.png"


def line(id: str, output: str | None = None, **more: Any) -> str:
    return json.dumps({"id": id, "output": output, **more}) + "\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "files.jsonl"
    lines = [line(f"cats/{n}.jpg", f"cats/{n}.png", digest=f"{n}", notes=["ä"]) for n in range(20)]
    lines += [line(ODD, f"{ODD}.png", digest="odd"), line("dogs/none.jpg", None, reason="skipped")]
    lines += ["{}\n", "[1]\n", "no JSON\n", '{"id": 3}\n', "\n"]
    # the second line counts, and the first name was written as well
    lines += [line("cats/7.jpg", "cats/7~1.png", digest="new")]
    path.write_text("".join(lines), encoding="ascii", newline="\n")
    return path


def slowly(path: Path) -> tuple[dict[str, Any], set[str]]:
    """The records by id and every output, parsed line by line."""
    records, outputs = {}, set()
    for text in path.read_bytes().split(b"\n")[:-1]:
        try:
            record = json.loads(text)
            if isinstance(record["id"], str):
                records[record["id"]] = record
                outputs.add(record["output"])
        except (ValueError, KeyError, TypeError):
            continue
    return records, outputs - {None}


def check(path: Path) -> Records:
    closed(path)
    records, outputs = slowly(path)
    found = indexed(path)
    assert [*found.items()] == [*records.items()]
    assert (len(found), found == records) == (len(records), True)
    assert dict(found.outputs) == {id: one["output"] for id, one in records.items() if one["output"]}
    assert all(map(found.wrote, outputs))
    assert not found.wrote("cats/99.png")
    assert "cats/99.jpg" not in found
    return found


def test_it_answers_as_the_list_does_before_and_after_it_is_saved(path: Path) -> None:
    check(path)
    assert path.with_suffix(".sqlite").exists()
    check(path)
    assert indexed(path)["cats/7.jpg"]["digest"] == "new"
    assert indexed(path.with_name("absent.jsonl")) == {}
    assert not path.with_name("absent.sqlite").exists()


def test_a_line_is_parsed_once_and_then_never(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    loads = json.loads
    monkeypatch.setattr(indexing.json, "loads", lambda text: parsed.append(text) or loads(text))
    closed(path)
    assert len(indexed(path)) == 22
    assert len(parsed) == 28
    parsed.clear()
    with open(path, "a", encoding="ascii") as file:
        file.write(line("cats/new.jpg", "cats/new.png"))
    assert len(indexed(path)) == 23
    assert len(parsed) == 1
    closed(path)
    parsed.clear()
    assert (len(indexed(path)), next(iter(indexed(path).outputs)), parsed) == (23, "cats/0.jpg", [])
    assert indexed(path)["cats/3.jpg"]["digest"] == "3"
    assert len(parsed) == 1


def test_a_list_that_grows_line_by_line_and_torn_lines(path: Path) -> None:
    check(path)
    for torn in ('{"id": "cats/torn.jpg", "output": "x', line("whole.jpg", "whole.png").rstrip("\n")):
        with open(path, "a", encoding="ascii") as file:
            file.write(torn)
        check(path)
        # as ``recording`` continues it
        with FileList(path).recording() as append:
            append({"id": f"after/{len(torn)}.jpg", "output": f"after/{len(torn)}.png"})
        check(path)
    assert set(indexed(path)) >= {"whole.jpg", "after/36.jpg"}


def test_a_list_that_was_replaced_edited_or_cut_gets_another_index(path: Path) -> None:
    check(path)
    text = path.read_text("ascii")
    for other in (text.replace('"3"', '"4"'), text[: len(text) // 2], line("z.jpg", "z.png"), "", text):
        path.write_text(other, encoding="ascii", newline="\n")
        check(path)
    FileList(path).forget()
    found = check(path)
    assert "digest" not in found["cats/3.jpg"]
    assert found.wrote("cats/7.png")


def test_damaged_bytes_of_the_index_never_change_an_answer(path: Path) -> None:
    check(path)
    index = path.with_suffix(".sqlite")
    whole, rng = index.read_bytes(), random.Random(0)
    for _ in range(60):
        place = rng.randrange(len(whole))
        index.write_bytes(
            whole[:place] + bytes([whole[place] ^ (1 << rng.randrange(8))]) + whole[place + 1 :]
        )
        check(path)
    index.write_bytes(whole[: len(whole) // 2])
    check(path)
    with sqlite3.connect(index) as connection:
        connection.execute("DELETE FROM lines WHERE number = 2")
        connection.execute("DELETE FROM outputs WHERE output = 'cats/7.png'")
    connection.close()
    check(path)


def test_a_locked_index_changes_no_answer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unlearnable.rebuildable.PATIENCE", 0.05)
    check(path)
    holder = sqlite3.connect(path.with_suffix(".sqlite"), isolation_level=None)
    try:
        # readers are let in, and the index cannot be brought up to date
        holder.execute("BEGIN IMMEDIATE")
        with open(path, "a", encoding="ascii") as file:
            file.write(line("late.jpg", "late.png"))
        assert "late.jpg" in check(path)
        holder.execute("ROLLBACK")
        holder.execute("BEGIN EXCLUSIVE")
        check(path)
    finally:
        holder.close()
    check(path)
