"""The run folder on file systems that lack modes, locks or flushing, and names with any character."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

import unlearnable as un
from publishing import RANDOM, call, draw, draw_all, tree
from unlearnable import files
from unlearnable.errors import UnlearnableError, UsageError
from unlearnable.evaluation.gathering import gather
from unlearnable.events import Event
from unlearnable.file_list import FileList
from unlearnable.runs import RunFolder, default_run


def refusing(number: int) -> Callable[..., None]:
    def refuse(path: object, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    return refuse


def opened(path: Path) -> list[str]:
    """Open and close a run folder; return the remarks."""
    said: list[Event] = []
    with RunFolder(path).open(said.append):
        pass
    return [event.text for event in said]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.EROFS, errno.ENOSYS])
def test_a_folder_that_cannot_be_private_is_used_with_one_remark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "chmod", refusing(number))
    photos = draw_all(tmp_path / "photos")
    said = call("protect", photos, tmp_path / "out", *RANDOM).stderr
    assert said.count("other users of this machine may read it") == 1
    assert "--run" in said
    assert len(tree(tmp_path / "out")) == 6


def test_modes_that_are_ignored_without_an_error_are_found_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert opened(tmp_path / "private") == []
    monkeypatch.setattr(os, "chmod", lambda *_, **__: None)
    (tmp_path / "shared").mkdir(mode=0o755)
    assert len(opened(tmp_path / "shared")) == 1


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS])
def test_a_folder_that_cannot_be_locked_is_used_with_a_remark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", refusing(number))
    (text,) = opened(tmp_path / "run")
    assert "run one command at a time" in text


def test_a_lock_is_held_once_and_given_back(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with run.open():
        with run.open():  # the same object again
            assert not opened_elsewhere(run.path)
        assert not opened_elsewhere(run.path)
    assert opened_elsewhere(run.path)
    with FileLock(run.path / "lock"), pytest.raises(UsageError, match="Another process") as caught:
        opened(run.path)
    assert "Wait" in caught.value.remedy
    assert "another PROTECTED" not in caught.value.remedy


def opened_elsewhere(path: Path) -> bool:
    try:
        opened(path)
    except UsageError:
        return False
    return True


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_cannot_be_made_names_another_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    photos = draw_all(tmp_path / "photos")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refusing(number))
        said = call("protect", photos, tmp_path / "out", *RANDOM, code=1).stderr
    assert f"{tmp_path / 'photos.unlearnable' / 'out'} cannot be used ({os.strerror(number)})" in said
    assert "--run FOLDER" in said
    call("protect", photos, tmp_path / "out", *RANDOM, "--run", tmp_path / "elsewhere")


def test_photos_without_a_folder_above_need_a_run_folder() -> None:
    with pytest.raises(UsageError, match="has no name") as caught:
        default_run(Path("/"), Path("/tmp/out"))
    assert "--run" in caught.value.remedy


def test_protected_inside_the_run_folder_is_refused(tmp_path: Path) -> None:
    photos, run = draw_all(tmp_path / "photos"), tmp_path / "run"
    call("protect", photos, run / "out", *RANDOM, "--run", run, code=2)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_what_cannot_be_flushed_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "fsync", refusing(number))
    files.write(tmp_path / "a" / "b", b"data")
    assert (tmp_path / "a" / "b").read_bytes() == b"data"
    monkeypatch.setattr(os, "fsync", refusing(errno.EIO))
    with pytest.raises(OSError, match="Input/output"):
        files.write(tmp_path / "c", b"data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def test_only_drafts_of_ours_are_removed(tmp_path: Path) -> None:
    for name in (".123.part", ".film.part", "x.part"):
        (tmp_path / name).touch()
    files.remove_drafts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".film.part", "x.part"]


ODD = (
    "a\u2028b",
    "c\u2029d",
    "e\u0085f",
    "g\nh",
    "i\rj",
    "k\x1cl",
    "m\x0bn",
    "tab\there",
    "\U0001f600",
    "o\u0301",
    "q\"'`",
)


def test_names_may_hold_any_character(tmp_path: Path) -> None:
    photos, out = draw_all(tmp_path / "photos"), tmp_path / "out"
    for index, name in enumerate(ODD):
        draw(photos / "cats" / f"{name}.png", 100 + index)
    first = un.protect(photos, out, un.Random(), seed=1, workers=1)
    again = un.protect(photos, out, un.Random(), workers=1)
    assert (first.written, again.written, again.retained) == (6 + len(ODD), 0, 6 + len(ODD))
    assert len(gather(photos, out, run=first.run).clean.ids) == 6 + len(ODD)
    assert len((first.run / "files.jsonl").read_bytes().splitlines()) == 6 + len(ODD)


def test_lists_with_unescaped_names_of_earlier_versions_are_read(tmp_path: Path) -> None:
    names = [f"cats/{name}.png" for name in ODD]
    lines = [json.dumps({"id": name, "output": name}, ensure_ascii=False) for name in names]
    (tmp_path / "files.jsonl").write_bytes("".join(f"{line}\n" for line in lines).encode() + b'{"id": "torn')
    assert list(FileList(tmp_path / "files.jsonl").records()) == names


@pytest.mark.parametrize("name", ["a\u2028b", "g\nh", "bell\x07", "\x1b[31mred"])
def test_a_name_takes_one_line_of_the_result(tmp_path: Path, name: str) -> None:
    photos = draw_all(tmp_path / "photos")
    (photos / "cats" / f"{name}.png").write_bytes(b"no picture")
    said = call("protect", photos, tmp_path / "out", *RANDOM, code=4).stderr
    assert name not in said
    listed = said.partition("Skipped (1):\n")[2]
    assert listed.splitlines() == listed.rstrip("\n").split("\n")
    assert len(listed.splitlines()) == 1


def test_a_folder_whose_name_is_not_unicode(tmp_path: Path) -> None:
    try:
        photos = draw_all(Path(os.fsdecode(os.fsencode(tmp_path) + b"/ph\xffotos")))
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    with pytest.raises(UsageError, match="not valid Unicode") as caught:
        un.protect(photos, tmp_path / "out", un.Random(), seed=1, workers=1)
    assert "--run" in caught.value.remedy
    run = tmp_path / "run"
    done = un.protect(photos, tmp_path / "out", un.Random(), run=run, seed=1, workers=1)
    again = un.protect(photos, tmp_path / "out", un.Random(), run=run, workers=1)
    assert (done.written, again.retained) == (6, 6)


def test_an_error_of_the_run_folder_is_one_of_ours(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UnlearnableError, match="cannot be used"):
        opened(tmp_path / "run")
