"""Finding faces in folders: every photo is looked at once, and every photo that is left out has a reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from people import Marks, encoded, registered, with_marks
from PIL import Image

from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UsageError
from unlearnable.faces import contact_sheet
from unlearnable.faces.detector import create
from unlearnable.faces.face_list import Record
from unlearnable.faces.finding import NO_FACE, FaceOptions, find
from unlearnable.opening import PhotoOptions

ONE, TWO, NONE = ((150, 100, 60),), ((40, 100, 90), (170, 110, 70)), ()


@pytest.fixture
def marks() -> Iterator[Marks]:
    detector = Marks()
    with registered("marks", detector):
        yield detector


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Ann: one face, two faces; Bea: one face, none, and a file that is no photo."""
    root = tmp_path / "people"
    for name, tone, squares in (
        ("ann/1.png", 60, ONE),
        ("ann/2.png", 70, TWO),
        ("bea/1.png", 80, ONE),
        ("bea/2.png", 90, NONE),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(encoded(with_marks(320, 380, *squares, tone=tone)))
    return root


def found(people: Path, known: dict[str, Record] | None = None, **options: object):
    images = PhotoOptions().folder(people)
    return find(images, FaceOptions("marks", **options), known)


def chosen(records: dict[str, Record]) -> dict[str, tuple[int, ...]]:
    return {id: record.found.chosen for id, record in records.items()}


def test_faces_are_found_and_chosen(people: Path, marks: Marks) -> None:
    images, records = found(people)
    assert images.ids == ("ann/1.png", "ann/2.png", "bea/1.png")
    assert images.class_of["bea/1.png"] == "bea"
    assert chosen(records) == {"ann/1.png": (0,), "ann/2.png": (1,), "bea/1.png": (0,), "bea/2.png": ()}
    assert dict(images.skipped) == {"bea/2.png": NO_FACE}
    left, top, width, height = records["ann/1.png"].found.faces[0].box
    assert np.allclose((left, top, width, height), (149.5, 99.5, 60, 60), atol=0.6)
    assert records["ann/1.png"].size == (320, 380)
    assert records["ann/1.png"].detector == "marks 1"
    assert records["ann/2.png"].found.doubt
    assert not records["bea/1.png"].found.doubt
    assert len(marks.sizes) == 4


def test_rules_reach_every_photo(people: Path, marks: Marks) -> None:
    assert chosen(found(people, who="largest")[1])["ann/2.png"] == (0,)
    images, records = found(people, who="all")
    assert chosen(records)["ann/2.png"] == (1, 0)
    assert len(records["ann/2.png"].places) == 2
    assert images.ids == ("ann/1.png", "ann/2.png", "bea/1.png")


def test_a_photo_that_has_not_changed_is_not_looked_at_again(people: Path, marks: Marks) -> None:
    _, records = found(people)
    assert len(marks.sizes) == 4
    again, same = found(people, records)
    assert len(marks.sizes) == 4
    assert same == records
    assert dict(again.skipped) == {"bea/2.png": NO_FACE}
    # another rule chooses among the faces that are known
    assert chosen(found(people, records, who="all")[1])["ann/2.png"] == (1, 0)
    assert len(marks.sizes) == 4
    (people / "ann" / "1.png").write_bytes(encoded(with_marks(320, 380, (100, 150, 80), tone=60)))
    (people / "bea" / "3.png").write_bytes(encoded(with_marks(320, 380, *ONE, tone=20)))
    (people / "bea" / "1.png").unlink()
    _, after = found(people, records)
    assert len(marks.sizes) == 6
    assert list(after) == ["ann/1.png", "ann/2.png", "bea/2.png", "bea/3.png"]
    assert after["ann/1.png"].found.faces[0].box[0] == pytest.approx(99.5, abs=0.6)
    assert after["ann/2.png"] == records["ann/2.png"]


def test_photos_that_were_read_before_are_known_by_their_facts(people: Path, marks: Marks) -> None:
    images = PhotoOptions().folder(people).readable()
    _, records = find(images, FaceOptions("marks"))
    assert find(images, FaceOptions("marks"), records)[1] == records
    assert len(marks.sizes) == 4


def test_another_detector_looks_again(people: Path, marks: Marks) -> None:
    _, records = found(people)
    with registered("others", Marks(revision="marks 2")) as _:
        _, after = find(PhotoOptions().folder(people), FaceOptions("others"), records)
        assert {record.detector for record in after.values()} == {"marks 2"}
        assert len(create("others").sizes) == 4


def test_photos_without_a_face(people: Path, marks: Marks) -> None:
    images, records = found(people, no_face="whole")
    assert images.ids == ("ann/1.png", "ann/2.png", "bea/1.png", "bea/2.png")
    assert records["bea/2.png"].places == (None,)
    assert records["ann/1.png"].places != (None,)
    assert dict(images.skipped) == {}
    # what was the whole photo once is skipped when asked for
    again, same = found(people, records, no_face="skip")
    assert again.ids == images.ids[:3]
    assert not same["bea/2.png"].whole
    with pytest.raises(
        DataError, match=r"No face was found in bea/2\.png \(1 of 4 photos have none\)"
    ) as raised:
        found(people, no_face="error")
    assert "--no-face skip" in raised.value.remedy
    (people / "bea" / "2.png").unlink()
    assert len(found(people, no_face="error")[0]) == 3


def test_a_photo_that_cannot_be_read_is_listed(people: Path, marks: Marks) -> None:
    (people / "bea" / "cut.png").write_bytes((people / "bea" / "1.png").read_bytes()[:300])
    images, records = found(people, no_face="whole")
    assert "bea/cut.png" not in records
    assert "bea/cut.png" not in images.ids
    assert "cut.png" in images.skipped["bea/cut.png"]
    # a file that is no photo at all cannot be read either, and is no photo without a face
    with pytest.raises(DataError, match="bea/2"):
        found(people, no_face="error")


def test_no_face_anywhere_is_an_error_with_a_remedy(tmp_path: Path, marks: Marks) -> None:
    for name in ("a/1.png", "b/1.png"):
        (tmp_path / "people" / name).parent.mkdir(parents=True)
        (tmp_path / "people" / name).write_bytes(encoded(with_marks(40, 50, tone=len(name))))
    with pytest.raises(DataError, match="No face was chosen in any of the 2 photos") as raised:
        found(tmp_path / "people")
    assert "unlearnable protect" in raised.value.remedy
    assert len(found(tmp_path / "people", no_face="whole")[0]) == 2


# A person's own list


def listed(tmp_path: Path, *lines: str) -> str:
    file = tmp_path / "who.csv"
    file.write_text("\n".join(("photo,face", *lines)) + "\n", encoding="utf-8")
    return str(file)


def test_a_list_names_faces_of_some_photos(tmp_path: Path, people: Path, marks: Marks) -> None:
    who = listed(tmp_path, "ann/2.png,1", "bea/1.png,0")
    images, records = found(people, who=who)
    # the others are chosen by the default rule
    assert chosen(records) == {"ann/1.png": (0,), "ann/2.png": (0,), "bea/1.png": (), "bea/2.png": ()}
    assert not records["ann/2.png"].found.doubt
    assert images.ids == ("ann/1.png", "ann/2.png")
    assert dict(images.skipped) == {
        "bea/1.png": "none of its faces is to be protected",
        "bea/2.png": NO_FACE,
    }
    both = found(people, who=listed(tmp_path, "ann/2.png,2 1"))[1]["ann/2.png"]
    assert both.found.chosen == (1, 0)
    assert len(both.places) == 2


def test_zero_is_no_face_on_purpose(tmp_path: Path, people: Path, marks: Marks) -> None:
    """Such a photo is neither missing nor covered as a whole."""
    who = listed(tmp_path, "bea/2.png,0")
    images, records = found(people, who=who, no_face="error")
    assert images.skipped["bea/2.png"] == "none of its faces is to be protected"
    whole, records = found(people, who=who, no_face="whole")
    assert not records["bea/2.png"].whole
    assert "bea/2.png" not in whole.ids


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("ann/9.png,1", "'ann/9.png', which is not among the photos"),
        ("ann/2.png,3", "has no face number 3: 2 were found"),
        ("bea/2.png,1", "has no face number 1: 0 were found"),
    ],
)
def test_a_list_that_does_not_fit_the_photos(
    tmp_path: Path, people: Path, marks: Marks, line: str, problem: str
) -> None:
    with pytest.raises(DataError, match=problem):
        found(people, who=listed(tmp_path, line))


def test_unknown_names(people: Path, marks: Marks) -> None:
    with pytest.raises(UsageError, match="neither a rule nor a file"):
        found(people, who="middle")
    with pytest.raises(UsageError, match="marcs"):
        find(PhotoOptions().folder(people), FaceOptions("marcs"))


def test_a_photo_that_cannot_be_read_may_be_named(tmp_path: Path, people: Path, marks: Marks) -> None:
    (people / "bea" / "cut.png").write_bytes((people / "bea" / "1.png").read_bytes()[:300])
    images, _ = found(people, who=listed(tmp_path, "bea/cut.png,1"))
    assert "bea/cut.png" in images.skipped


# The contact sheet


def test_the_contact_sheet_shows_protected_faces_in_green_and_others_in_red(
    tmp_path: Path, people: Path, marks: Marks
) -> None:
    images, records = found(people)
    file = tmp_path / "sheet.png"
    contact_sheet.save(file, images, records, list(records))
    sheet = np.asarray(Image.open(file).convert("RGB")).astype(int)
    assert sheet.shape == (270, 1200, 3)

    def has(colour: tuple[int, int, int], number: int) -> bool:
        return bool((sheet[:, 240 * number : 240 * (number + 1)] == colour).all(axis=2).any())

    green, red = contact_sheet.CHOSEN, contact_sheet.OTHER
    assert [has(green, number) for number in range(4)] == [True, True, True, False]
    assert [has(red, number) for number in range(4)] == [False, True, False, False]
    assert isinstance(images, ImageSet)
