"""How often a command decodes each photo: once to learn of it or to search, and once to write its copy."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import unlearnable as un
from publishing import call, draw, draw_all
from unlearnable import methods
from unlearnable.data import decoding, file_stamps
from unlearnable.errors import DataError
from unlearnable.evaluation import detection, verification

QUICK = {
    "surrogate": "cnn:width=8,depth=2",
    "batch": 8,
    "train_batches": 2,
    "steps": 2,
    "min_rounds": 1,
    "max_rounds": 1,
    "resolution": 16,
    "form": "samplewise",
}


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The photos of a test are younger than a tick of some file systems."""
    monkeypatch.setattr(file_stamps, "SETTLED_SECONDS", 0.0)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each photo is decoded, by the name of its file; files that are checked do not count.

    A few photos are sampled to estimate the space on the disk and to measure visibility. They are left out.
    """
    count: Counter[str] = Counter()

    def counting(decode: Any) -> Any:
        def counted(data: bytes, name: str, *more: Any, **options: Any) -> Any:
            if "photos" in Path(name).parts:
                count["/".join(Path(name).parts[-2:])] += 1
            return decode(data, name, *more, **options)

        return counted

    for module in ("data.folder_source", "worker"):
        place = f"unlearnable.{module}.decode"
        monkeypatch.setattr(place, counting(decoding.decode))
    monkeypatch.setattr("unlearnable.disk_space.expected", lambda *_: 0)
    monkeypatch.setattr("unlearnable.api.of_published", lambda *_: None)
    return count


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that are hashed without being decoded."""
    names, digest = list[str](), file_stamps.digest

    def counted(path: Any) -> tuple[bytes, bytes]:
        names.append(Path(path).name)
        return digest(path)

    monkeypatch.setattr(file_stamps, "digest", counted)
    return names


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return draw_all(tmp_path / "photos", 4)


def protect(photos: Path, out: Path, **more: Any) -> un.Published:
    method = methods.create("error_minimizing", QUICK)
    return un.protect(photos, out, method, seed=1, workers=1, compute="cpu", **more)


def test_protect_decodes_each_photo_once_to_search_and_once_to_write(
    photos: Path, tmp_path: Path, decoded: Counter[str], hashed: list[str]
) -> None:
    done = protect(photos, tmp_path / "out")
    assert (done.written, set(decoded.values()), len(decoded)) == (8, {2}, 8)
    assert hashed == []


def test_a_second_protect_decodes_no_photo_and_a_third_hashes_no_file(
    photos: Path, tmp_path: Path, decoded: Counter[str], hashed: list[str]
) -> None:
    protect(photos, tmp_path / "out")
    decoded.clear()
    # a published file is as young as its record, so it is hashed once more
    assert protect(photos, tmp_path / "out").retained == 8
    assert (decoded, len(hashed)) == (Counter(), 8)
    hashed.clear()
    assert protect(photos, tmp_path / "out").retained == 8
    assert (decoded, hashed) == (Counter(), [])


def test_after_a_new_search_nothing_is_decoded_either(
    photos: Path, tmp_path: Path, decoded: Counter[str]
) -> None:
    protect(photos, tmp_path / "out")
    decoded.clear()
    prepared = un.prepare(un.open_photos(photos), un.Request(settings=QUICK), compute="cpu")
    done = un.protect(photos, tmp_path / "out", prepared, refit=True, seed=2, workers=1)
    assert (done.written, set(decoded.values())) == (8, {2})
    decoded.clear()
    assert un.protect(photos, tmp_path / "out", prepared, workers=1).retained == 8
    again = un.prepare(un.open_photos(photos), un.Request(settings=QUICK), run=done.run, compute="cpu")
    assert (again.finished, decoded) == (True, Counter())


def test_a_damaged_photo_stops_no_format(photos: Path, tmp_path: Path) -> None:
    run = tmp_path / "photos.unlearnable" / "out"
    protect(photos, tmp_path / "out")
    (photos / "cats" / "p1.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing else")
    for format in ("png", "webp", "jpeg"):
        done = un.apply(run, photos, tmp_path / format, workers=1, encoding=format)
        assert (done.written, set(done.skipped)) == (7, {"cats/p1.png"})


def test_the_photo_that_changed_is_the_only_one_that_is_decoded(
    photos: Path, tmp_path: Path, decoded: Counter[str]
) -> None:
    protect(photos, tmp_path / "out")
    decoded.clear()
    draw(photos / "cats" / "p1.png", 99)
    done = protect(photos, tmp_path / "out")
    assert (done.written, done.retained, done.changed) == (1, 7, ("cats/p1.png",))
    # to learn of it, for its noise, and to write it
    assert set(decoded) == {"cats/p1.png"}
    assert decoded["cats/p1.png"] <= 3


def test_apply_decodes_each_photo_once_and_again_none(
    photos: Path, tmp_path: Path, decoded: Counter[str], hashed: list[str]
) -> None:
    run = tmp_path / "photos.unlearnable" / "out"
    protect(photos, tmp_path / "out")
    decoded.clear()
    # photos of another folder, of which nothing is known
    other = draw_all(tmp_path / "later" / "photos", 4)
    assert un.apply(run, other, tmp_path / "first", workers=1).written == 8
    assert (set(decoded.values()), len(decoded)) == ({1}, 8)
    decoded.clear()
    hashed.clear()
    assert un.apply(run, other, tmp_path / "first", workers=1).retained == 8
    assert decoded == Counter()
    # the published files, which were young; of the photos, the workers' hashes are known
    assert len(hashed) == 8


def test_apply_reads_a_photo_that_cannot_be_used_once_and_says_what_to_do(
    photos: Path, tmp_path: Path, decoded: Counter[str]
) -> None:
    run = tmp_path / "photos.unlearnable" / "out"
    protect(photos, tmp_path / "out")
    other = draw_all(tmp_path / "later" / "photos", 4)
    (other / "cats" / "p1.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing else")
    done = un.apply(run, other, tmp_path / "first", workers=1)
    assert (done.written, set(done.skipped)) == (7, {"cats/p1.png"})
    assert done.skipped["cats/p1.png"].endswith("Replace or remove the file.")
    assert max(decoded.values()) <= 3


def test_fit_decodes_each_photo_once_and_apply_of_the_same_photos_once_more(
    photos: Path, tmp_path: Path, decoded: Counter[str]
) -> None:
    words = [f"--set={key}={value}" for key, value in QUICK.items() if key != "form"]
    call("fit", photos, tmp_path / "run", "--form", "classwise", "--device", "cpu", "--quiet", *words)
    assert (set(decoded.values()), len(decoded)) == ({1}, 8)
    assert un.apply(tmp_path / "run", photos, tmp_path / "out", workers=1).written == 8
    assert set(decoded.values()) == {2}


def test_verify_and_detect_decode_each_image_once_before_they_train(
    photos: Path, tmp_path: Path, decoded: Counter[str]
) -> None:
    out = tmp_path / "out" / "photos"
    protect(photos, out)
    decoded.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verification, "estimate", lambda tried, *_: [1.0] * len(tried))
        verification.prepare(photos, out, compute="cpu", targets=["cnn:width=8,depth=2"])
    # photos and published files have the same names below their folders
    assert (set(decoded.values()), len(decoded)) == ({2}, 8)
    decoded.clear()
    detection.prepare(photos, compute="cpu")
    assert (set(decoded.values()), len(decoded)) == ({1}, 8)


def test_other_limits_of_the_reading_are_not_answered_from_the_cache(
    photos: Path, tmp_path: Path, decoded: Counter[str]
) -> None:
    protect(photos, tmp_path / "out")
    small = un.PhotoOptions(max_pixels=100)
    with pytest.raises(DataError, match="more than 100"):
        protect(photos, tmp_path / "out", options=small)
