"""Every remedy that an error of publishing names is carried out here, and works."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from publishing import call, draw, draw_all
from unlearnable import methods
from unlearnable.runs import RunFolder

RANDOM = ("--method", "random", "--workers", 1)


@dataclass
class Place:
    """A folder of photos, a finished run, and a command that will fail.

    Args:
        root: Where everything is.
        failing: The words of the command.
        code: Its exit code.
    """

    root: Path
    failing: list[object] = field(default_factory=list)
    code: int = 2

    @property
    def photos(self) -> Path:
        return self.root / "photos"

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def run(self) -> Path:
        return self.root / "photos.unlearnable" / "out"

    def protect(self, *more: object) -> list[object]:
        return ["protect", self.photos, self.out, *RANDOM, *more]

    def fails(self, words: list[object], code: int) -> str:
        """Return what the command says."""
        said = call(*words, code=code).stderr
        assert "error: " in said
        return said


def advised(said: str, **folders: Path) -> list[str]:
    """Return the words of the first command in backticks, without the program, with its folders filled in."""
    found = re.search(r"`unlearnable ([^`]+)`", said)
    assert found, said
    return [str(folders.get(word, word)) for word in shlex.split(found[1])]


SITUATIONS: dict[str, Callable[[Place], None]] = {}


def situation(test: Callable[[Place], None]) -> Callable[[Place], None]:
    SITUATIONS[test.__name__.replace("_", " ")] = test
    return test


@situation
def other_settings(place: Place) -> None:
    said = place.fails(place.protect("--epsilon", 4), 2)
    assert "name another PROTECTED" in said
    call("protect", place.photos, place.root / "another", *RANDOM, "--epsilon", 4)
    assert "`protect --refit`" in said
    call(*place.protect("--epsilon", 4, "--refit"))


@situation
def other_settings_of_fit(place: Place) -> None:
    words = ["fit", place.photos, place.run, "--method", "random", "--epsilon", 4]
    assert "`fit`: another RUN" in place.fails(words, 2)
    call("fit", place.photos, place.root / "another", "--method", "random", "--epsilon", 4)


@situation
def another_seed(place: Place) -> None:
    assert "Leave --seed out" in place.fails(place.protect("--seed", 2), 2)
    call(*place.protect())


@situation
def another_format(place: Place) -> None:
    said = place.fails(place.protect("--format", "jpeg"), 2)
    words = advised(said, PHOTOS=place.photos, OTHER=place.root / "other")
    call(*words, "--format", "jpeg")
    assert list((place.root / "other").rglob("*.jpg"))


@situation
def a_photo_that_would_change_its_format(place: Place) -> None:
    said = place.fails(place.protect("--format", "webp", "--refit"), 2)
    words = advised(said, PHOTOS=place.photos, OTHER=place.root / "other")
    call(*words, "--format", "webp")


@situation
def a_damaged_record(place: Place) -> None:
    (place.run / "run.json").write_bytes(b"{")
    assert "`unlearnable protect --refit`" in place.fails(place.protect(), 3)
    call(*place.protect("--refit"))
    call(*place.protect())


@situation
def damaged_noise(place: Place) -> None:
    before = (place.run / "noise.safetensors").read_bytes()
    for name in ("noise.safetensors", "surrogate.safetensors"):
        (place.run / name).write_bytes(b"no tensors")
        apply = ["apply", place.run, place.photos, place.root / "other"]
        for words in (place.protect(), apply):
            assert f"Delete {place.run / name}" in place.fails(words, 3)
        (place.run / name).unlink()
        assert "6 finished photos" in call(*place.protect()).stdout
        call(*apply)
    assert (place.run / "noise.safetensors").read_bytes() == before


@situation
def a_busy_run(place: Place) -> None:
    with RunFolder(place.run).open():
        for words in (place.protect(), ["apply", place.run, place.photos, place.root / "other"]):
            said = place.fails(words, 2)
            assert "Wait until it ends" in said
            assert "another PROTECTED" not in said
    call("apply", place.run, place.photos, place.root / "other")


@situation
def a_run_folder_on_a_read_only_disk(place: Place) -> None:
    with read_only(place.root / "disk"):
        photos = place.root / "disk" / "photos"
        words = ["protect", photos, place.root / "fresh", *RANDOM]
        assert "--run FOLDER" in place.fails(words, 1)
        call(*words, "--run", place.root / "run")
        call(*words, "--run", place.root / "run")


@contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """A folder that photos can be read from and in which nothing can be made, even by root."""
    draw_all(disk / "photos")
    mkdir = Path.mkdir

    def refuse(self: Path, *more: object, **others: object) -> None:
        if disk in self.parents:
            raise OSError(30, os.strerror(30), str(self))
        mkdir(self, *more, **others)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse)
        yield


@situation
def a_search_that_is_not_finished(place: Place) -> None:
    run = place.root / "begun"
    fit = ["fit", place.photos, run, "--method", "random"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(methods.Fitted, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        call(*fit, code=130)
    words = ["apply", run, place.photos, place.root / "other"]
    assert "Run the command that began it" in place.fails(words, 3)
    call(*fit)
    call(*words)


@situation
def no_run_folder(place: Place) -> None:
    run = place.root / "nothing"
    words = ["apply", run, place.photos, place.root / "other"]
    call(*advised(place.fails(words, 2), PHOTOS=place.photos, RUN=run), "--method", "random")
    call(*words)


@situation
def imported_noise(place: Place) -> None:
    np.save(place.root / "noise.npy", np.full((2, 3, 16, 16), 3, np.int8))
    run = place.root / "imported"
    call("import", place.root / "noise.npy", run, "--classes", "cats,dogs")
    said = place.fails(["protect", place.photos, place.root / "other", "--run", run, *RANDOM], 2)
    call(*advised(said, PHOTOS=place.photos, PROTECTED=place.root / "other"))
    draw(place.photos / "birds" / "new.png", 70)
    words = ["apply", run, place.photos, place.root / "third", "--missing", "extend"]
    assert "--missing skip" in place.fails(words, 2)
    call(*words[:-1], "skip", code=4)


@situation
def photos_without_noise(place: Place) -> None:
    run = place.root / "samplewise"
    call("fit", place.photos, run, "--method", "random", "--form", "samplewise")
    draw(place.photos / "cats" / "new.png", 70)
    words = ["apply", run, place.photos, place.root / "other"]
    said = call(*words, code=4).stderr
    assert "`unlearnable apply --missing extend`" in said
    call(*words, "--missing", "extend")


@situation
def a_file_of_somebody_else(place: Place) -> None:
    fresh = place.root / "fresh"
    draw(fresh / "cats" / "holiday.png", 5)
    words = ["protect", place.photos, fresh, *RANDOM]
    assert "Name a new or empty folder" in place.fails(words, 2)
    call("protect", place.photos, place.root / "empty", *RANDOM)


@situation
def a_run_folder_that_was_moved(place: Place) -> None:
    place.run.rename(place.root / "moved")
    assert "give its path with --run" in place.fails(place.protect(), 2)
    assert "6 finished photos" in call(*place.protect("--run", place.root / "moved")).stdout


@situation
def no_time_left(place: Place) -> None:
    words = ["apply", place.run, place.photos, place.root / "other", "--workers", 1]
    said = call(*words, "--time-limit", "0.001s", code=6).stderr
    assert "Run the same command again" in said
    call(*words)


@situation
def a_renamed_class(place: Place) -> None:
    tiny = ["surrogate=cnn:width=8,depth=2", "batch=6", "max_rounds=1", "resolution=16"]
    words: list[object] = ["protect", place.photos, place.root / "other", "--workers", 1]
    words += [word for setting in tiny for word in ("--set", setting)]
    call(*words)
    (place.photos / "dogs").rename(place.photos / "hounds")
    assert "`unlearnable protect --refit`" in place.fails(words, 3)
    call(*words, "--refit")


@situation
def a_folder_record_that_is_damaged(place: Place) -> None:
    call("apply", place.run, place.photos, place.root / "other")
    (record,) = place.run.glob("published/*/folder.json")
    record.write_bytes(b"{")
    words = ["apply", place.run, place.photos, place.root / "third"]
    said = place.fails(words, 3)
    assert f"Delete {record.parent}" in said
    record.unlink()
    call(*words)


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_remedy_works(name: str, tmp_path: Path) -> None:
    place = Place(tmp_path)
    draw_all(place.photos)
    call(*place.protect("--seed", 1))
    SITUATIONS[name](place)


def test_every_situation_is_tried() -> None:
    assert len(SITUATIONS) > 15
