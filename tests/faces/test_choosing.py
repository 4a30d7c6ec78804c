"""Which face of a photo is the person's: by a rule, or by a person's own list."""

from __future__ import annotations

from pathlib import Path

import pytest
from people import face_at

from unlearnable.errors import DataError, UnlearnableError, UsageError
from unlearnable.faces.choosing import Found, as_chosen, choose, read_choices

SIZE = (300, 400)
# sorted by area, as detection returns them: at the left, in the middle, at the right
LARGE, MIDDLE, SMALL = face_at(60, 150, 100), face_at(205, 150, 80), face_at(350, 150, 40)
FACES = (LARGE, MIDDLE, SMALL)


def test_the_rules() -> None:
    assert choose(FACES, SIZE, "central").chosen == (1,)
    assert choose(FACES, SIZE).chosen == (1,)
    assert choose(FACES, SIZE, "largest").chosen == (0,)
    assert choose(FACES, SIZE, "all").chosen == (1, 0, 2)
    assert choose(FACES, SIZE, "all").faces == FACES


def test_the_middle_is_that_of_both_axes() -> None:
    above, beside = face_at(200, 40, 60), face_at(320, 150, 58)
    assert choose((above, beside), (300, 400)).chosen == (0,)
    assert choose((above, beside), (90, 640)).chosen == (1,) == choose((above, beside), (300, 640)).chosen


def test_nearness_counts_in_sides_of_the_face() -> None:
    """A small face a little nearer to the middle is somebody in the background."""
    person, behind = face_at(150, 150, 160), face_at(165, 40, 20)
    assert choose((person, behind), SIZE).chosen == (0,)
    near_the_middle = face_at(230, 150, 20)
    assert choose((person, near_the_middle), SIZE).chosen == (0,)


def test_a_photo_without_a_face_is_a_doubt() -> None:
    assert choose((), SIZE) == Found((), (), "no face was found")
    assert choose((), SIZE, "all").chosen == ()


def test_one_clear_face_is_no_doubt() -> None:
    assert choose((LARGE,), SIZE).doubt == ""
    assert choose((LARGE, SMALL), SIZE, "largest").doubt == ""


def test_doubts_name_their_reason() -> None:
    assert choose(FACES, SIZE).doubt == "3 faces, and another one is about as large"
    assert choose(FACES, SIZE, "largest").doubt == "3 faces, and another one is about as large"
    small_in_the_middle = (face_at(60, 150, 100), face_at(200, 150, 49))
    assert choose(small_in_the_middle, SIZE, "central").doubt == "2 faces, and another one is about as large"
    assert choose(small_in_the_middle, SIZE, "largest").doubt == ""
    # all of them are protected, so there was nothing to choose
    assert choose(FACES, SIZE, "all").doubt == ""
    unsure = face_at(200, 150, 100, score=0.61)
    assert choose((unsure,), SIZE).doubt == "low detection score (61%)"
    assert choose((unsure,), SIZE, "all").doubt == "low detection score (61%)"
    tiny = face_at(200, 150, 30)
    assert tiny.eye_distance < 12
    assert choose((tiny,), SIZE).doubt == "a face is very small"
    assert choose((face_at(200, 150, 30, score=0.7),), SIZE).doubt == (
        "low detection score (70%); a face is very small"
    )
    # the doubt is about the chosen face only
    other = face_at(380, 150, 25, score=0.3)
    assert choose((LARGE, other), SIZE, "largest").doubt == ""


# A person's own list


def choices(tmp_path: Path, text: str | bytes) -> dict[str, tuple[int, ...]]:
    file = tmp_path / "faces.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return dict(read_choices(file))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("photo,face\nanna/1.jpg,2\n", {"anna/1.jpg": (1,)}),
        ("photo,face\r\nanna/1.jpg,1\r\nbea/2.png,3\r\n", {"anna/1.jpg": (0,), "bea/2.png": (2,)}),
        # of spreadsheets
        (b"\xef\xbb\xbfphoto,face\nanna/1.jpg,2\n", {"anna/1.jpg": (1,)}),
        ("face,note,photo\n2,the tall one,anna/1.jpg\n", {"anna/1.jpg": (1,)}),
        ('photo,face\n"anna/1, 2.jpg",1 3\n', {"anna/1, 2.jpg": (0, 2)}),
        ("photo,face\nanna/ä.jpg,3 1\n", {"anna/ä.jpg": (2, 0)}),
        ("photo,face\nanna/1.jpg,0\n", {"anna/1.jpg": ()}),
        ("photo,face\n", {}),
    ],
)
def test_good_lists(tmp_path: Path, text: str | bytes, wanted: dict[str, tuple[int, ...]]) -> None:
    assert choices(tmp_path, text) == wanted


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("file,number\nanna/1.jpg,2\n", "Line 2 of .* needs a photo and face numbers"),
        ("photo;face\nanna/1.jpg;2\n", "Line 2 of .* needs a photo and face numbers"),
        ("photo,face\nanna/1.jpg,2\nanna/2.jpg,two\n", "Line 3 of .* needs a photo and face numbers"),
        ("photo,face\nanna/1.jpg,\n", "Line 2 of .* needs a photo and face numbers"),
        ("photo,face\nanna/1.jpg\n", "Line 2 of .* needs a photo and face numbers"),
        ("photo,face\n,1\n", "Line 2 of .* needs a photo and face numbers"),
        ("photo,face\nanna/1.jpg,-1\n", "Line 2 of .* needs a photo and face numbers"),
        ("photo,face\nanna/1.jpg,1.5\n", "Line 2 of .* needs a photo and face numbers"),
        ("photo,face\nanna/1.jpg,2 2\n", "Line 2 of .* needs a photo and face numbers"),
        ("photo,face\na.jpg,1\nb.jpg,1\na.jpg,2\n", "Line 4 of .* names a photo again"),
        (b"photo,face\nann\xe4/1.jpg,2\n", "cannot be read"),
    ],
)
def test_lines_that_are_not_understood_are_refused_with_their_number(
    tmp_path: Path, text: str | bytes, problem: str
) -> None:
    with pytest.raises(DataError, match=problem) as raised:
        choices(tmp_path, text)
    assert raised.value.remedy


def test_a_rule_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a rule nor a file") as raised:
        read_choices(tmp_path / "biggest")
    assert "central, largest, all" in raised.value.remedy
    with pytest.raises(UnlearnableError, match="cannot be read"):
        read_choices(tmp_path)


def test_a_named_face_replaces_the_chosen_one_and_its_doubt() -> None:
    found = choose(FACES, SIZE)
    assert found.doubt
    assert as_chosen(found, "a.jpg", (0, 2)) == Found(FACES, (0, 2), "")
    assert as_chosen(found, "a.jpg", ()) == Found(FACES, (), "")
    assert as_chosen(found, "a.jpg", (2,)).chosen == (2,)
    with pytest.raises(DataError, match=r"a\.jpg has no face number 4: 3 were found") as raised:
        as_chosen(found, "a.jpg", (0, 3))
    assert "contact sheet" in raised.value.remedy
    with pytest.raises(DataError, match="number 1: 0 were found"):
        as_chosen(choose((), SIZE), "b.jpg", (0,))
