"""The cache of photos: what it answers is true, and where it cannot be sure it does not answer."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tracemalloc
from pathlib import Path

import pytest
from PIL import Image

from conftest import pixels
from unlearnable import hashing
from unlearnable.data import file_stamps
from unlearnable.data.facts_table import FactsTable
from unlearnable.data.file_rows import FILE
from unlearnable.data.folder import folder
from unlearnable.data.id_rows import ClassOf, Rows
from unlearnable.data.photo_cache import photo_cache
from unlearnable.data.source import Facts
from unlearnable.opening import open_photos, read, recall


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder, in a world whose file systems count time in nanoseconds."""
    monkeypatch.setattr(file_stamps, "SETTLED_SECONDS", 0.0)
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def known(photos: Path, run: Path) -> set[str]:
    return set(recall(open_photos(photos), run).facts)


def test_what_is_recalled_is_what_reading_finds(photos: Path, run: Path) -> None:
    first = read(open_photos(photos), run=run)
    again = recall(open_photos(photos), run)
    assert again.checked
    assert dict(again.facts) == dict(first.facts) == {id: first.about(id) for id in first.ids}
    # grey, transparent and coloured photos, of several sizes
    assert {(one.grey, one.has_alpha) for one in again.facts.values()} == {
        (False, False),
        (True, False),
        (False, True),
    }
    assert again.frame == first.frame


def test_a_changed_photo_is_not_recalled_whatever_its_size_and_time_say(photos: Path, run: Path) -> None:
    read(open_photos(photos), run=run)
    everything = known(photos, run)
    assert len(everything) == 18
    path = photos / "cats" / "p1.jpg"
    before = path.stat()
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    # as a copy with its times, or an archive, does it
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert known(photos, run) == everything - {"cats/p1.jpg"}
    # another file under the old name, of the same size and time
    other = photos.parent / "other.jpg"
    shutil.copy2(photos / "dogs" / "p1.jpg", other)
    os.replace(other, photos / "dogs" / "p1.jpg")
    assert known(photos, run) == everything - {"cats/p1.jpg", "dogs/p1.jpg"}


def test_a_photo_that_was_young_when_it_was_read_is_read_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # within one tick, it may change once more without another size or time
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(file_stamps, "SETTLED_SECONDS", 3600.0)
    read(open_photos(photos), run=tmp_path / "run")
    monkeypatch.setattr(file_stamps, "SETTLED_SECONDS", 0.0)
    assert known(photos, tmp_path / "run") == set()
    read(open_photos(photos), run=tmp_path / "run")
    assert len(known(photos, tmp_path / "run")) == 18


def test_a_file_from_the_future_or_changed_while_it_was_read_has_no_stamp(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    before = path.stat()
    late = before.st_mtime_ns + 10**10
    assert file_stamps.settled(before, before, late) == file_stamps.now(path)
    assert file_stamps.settled(before, before, before.st_mtime_ns + 10**9) == file_stamps.UNKNOWN
    assert file_stamps.settled(before, before, before.st_mtime_ns - 10**12) == file_stamps.UNKNOWN
    path.write_bytes(b"other")
    assert file_stamps.settled(before, path.stat(), late) == file_stamps.UNKNOWN


def test_photos_of_one_folder_are_not_taken_for_those_of_another(photos: Path, run: Path) -> None:
    read(open_photos(photos), run=run)
    shutil.copytree(photos, photos.with_name("copy"))
    assert known(photos.with_name("copy"), run) == set()
    # another way to read the same folder
    assert set(recall(folder(photos, max_pixels=1000), run).facts) == set()


def test_context_photos_are_recalled_under_their_ids(photos: Path, run: Path, tmp_path: Path) -> None:
    others = tmp_path / "others"
    for name in ("cats", "owls"):
        shutil.copytree(photos / "dogs", others / name)
    shutil.rmtree(others / "cats")
    images = open_photos(photos, others)
    first = read(images, run=run)
    assert any(id.startswith("context/") for id in first.facts)
    assert dict(recall(open_photos(photos, others), run).facts) == dict(first.facts)


@pytest.mark.parametrize("damage", ["text", "cut", "empty", "version", "foreign", "folder", "rows"])
def test_a_cache_that_cannot_be_used_counts_as_absent_and_is_made_again(
    photos: Path, run: Path, damage: str
) -> None:
    first = read(open_photos(photos), run=run)
    file = run / FILE
    if damage == "text":
        file.write_bytes(b"no database at all, but long enough to be read as one" * 100)
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:5000])
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        with sqlite3.connect(file) as connection:
            connection.execute(
                {
                    "version": "PRAGMA user_version = 999",
                    "foreign": "PRAGMA application_id = 1",
                    "rows": "UPDATE files SET digest = zeroblob(32)",
                }[damage]
            )
        connection.close()
    assert known(photos, run) == set()
    assert dict(read(open_photos(photos), run=run).facts) == dict(first.facts)
    if damage != "folder":
        assert len(known(photos, run)) == 18


def test_damaged_bytes_anywhere_never_change_an_answer(photos: Path, run: Path) -> None:
    first = read(open_photos(photos), run=run)
    whole = (run / FILE).read_bytes()
    for place in range(100, len(whole), 97):
        (run / FILE).write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        for id, facts in recall(open_photos(photos), run).facts.items():
            assert facts == first.facts[id], place


def test_a_locked_cache_is_not_waited_for_long_and_changes_no_answer(
    photos: Path, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unlearnable.rebuildable.PATIENCE", 0.05)
    first = read(open_photos(photos), run=run)
    holder = sqlite3.connect(run / FILE, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        assert known(photos, run) == set()
        assert dict(read(open_photos(photos), run=run).facts) == dict(first.facts)
    finally:
        holder.close()
    assert len(known(photos, run)) == 18


def test_published_files_are_hashed_again_only_if_they_changed(tmp_path: Path, run: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(name.encode())
    wanted = {name: hashing.of_bytes(name.encode()) for name in ("a.png", "b.png", "gone.png")}
    for _ in range(2):
        with photo_cache(run) as cache:
            assert cache.intact(tmp_path, wanted) == {"a.png", "b.png"}
    (tmp_path / "b.png").write_bytes(b"c.png")
    with photo_cache(run) as cache:
        assert cache.intact(tmp_path, wanted) == {"a.png"}


def test_names_that_are_not_unicode_are_cached_too(run: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    try:
        (tmp_path / name).write_bytes(b"content")
    except OSError:
        pytest.skip("the file system takes Unicode names only")
    for _ in range(2):
        with photo_cache(run) as cache:
            assert cache.intact(tmp_path, {name: hashing.of_bytes(b"content")}) == {name}


@pytest.mark.parametrize("ids", [("a", "b", "ä"), ("b", "ä", "a"), ()])
def test_rows_classes_and_facts_answer_like_dictionaries(ids: tuple[str, ...]) -> None:
    rows = Rows(ids)
    assert [rows.row(id) for id in ids] == [*range(len(ids))]
    assert (rows.row("c"), rows.row(""), rows.row(7)) == (None, None, None)
    plain = {id: f"class {place % 2}" for place, id in enumerate(ids)}
    classes = ClassOf(rows, iter(plain.values()))
    assert classes == plain
    assert [*classes.items()] == [*plain.items()]
    facts = {
        id: Facts((3 + place, 5), place == 0, place == 1, f"{place:064x}" if place else "named otherwise")
        for place, id in enumerate(ids)
    }
    table = FactsTable(rows)
    for place, id in enumerate(ids[:-1]):
        table.put(place, facts[id])
    assert table == {id: facts[id] for id in ids[:-1]}
    assert (len(table), "c" in table, table.get("c")) == (max(0, len(ids) - 1), False, None)
    assert not ids or ids[-1] not in table


def test_what_is_known_of_a_photo_takes_at_most_200_bytes(tmp_path: Path, run: Path) -> None:
    count = 2000
    image = tmp_path / "one.png"
    Image.fromarray(pixels(1, 8)[0]).save(image)
    for name in ("first", "second"):
        (tmp_path / "many" / name).mkdir(parents=True)
    for index in range(count):
        shutil.copyfile(image, tmp_path / "many" / ("first", "second")[index % 2] / f"photo{index:07d}.png")
    read(open_photos(tmp_path / "many"), run=run)
    tracemalloc.start()
    try:
        found = read(open_photos(tmp_path / "many"), run=run)
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert found.checked
    assert used / count <= 200
