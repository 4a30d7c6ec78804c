"""What protected photos are called."""

from __future__ import annotations

import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from unlearnable.names import output_names


def names(*ids: str, known: dict[str, str] | None = None, extension: str = "png") -> list[str]:
    return list(output_names(dict.fromkeys(ids, extension), known or {}).values())


def key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def require_apart(outputs: dict[str, str]) -> None:
    """Nothing that is called differently, in any folder, may be the same to a file system that ignores case
    and Unicode forms.
    """
    assert len({key(output) for output in outputs.values()}) == len(outputs)
    spelling: dict[str, str] = {}
    folders, files = set(), {key(output) for output in outputs.values()}
    for output in outputs.values():
        parts = output.split("/")
        for depth in range(1, len(parts) + 1):
            prefix = "/".join(parts[:depth])
            assert spelling.setdefault(key(prefix), prefix) == prefix
            if depth < len(parts):
                folders.add(key(prefix))
        assert all(0 < len(part.encode()) <= 255 for part in parts)
    assert not folders & files


def test_a_photo_keeps_its_name_and_folder_and_gets_its_own_extension() -> None:
    assert output_names({"b/y.tif": "webp", "a/deep/x.jpg": "png", "c/none": "png"}, {}) == {
        "a/deep/x.jpg": "a/deep/x.png",
        "b/y.tif": "b/y.webp",
        "c/none": "c/none.png",
    }


def test_names_that_differ_only_in_extension_keep_it_inside_the_new_one() -> None:
    assert names("c/a.jpg", "c/a.png") == ["c/a.jpg.png", "c/a.png.png"]
    assert list(output_names({"a.jpg": "png", "a.tif": "webp"}, {}).values()) == ["a.jpg.png", "a.tif.webp"]
    assert names("a.jpg", "A.png") == ["A.png.png", "a.jpg.png"]
    assert names("a.jpg", "a.jpg.gif", "a.png") == ["a.jpg.png", "a.jpg.gif.png", "a.png.png"]


def test_names_that_differ_only_in_case_or_unicode_form_get_a_stable_mark() -> None:
    first, second = names("a.jpg", "A.jpg")
    assert first == "A.jpg.png"
    assert second.startswith("a.jpg~")
    assert second.endswith(".png")
    assert names("A.jpg", "a.jpg", "b.jpg")[:2] == [first, second]
    decomposed, composed = (unicodedata.normalize(form, "é.jpg") for form in ("NFD", "NFC"))
    require_apart(output_names({decomposed: "png", composed: "png"}, {}))


def test_folders_that_differ_only_in_case_do_not_merge() -> None:
    upper, lower, deep = names("Cats/x.jpg", "cats/y.jpg", "cats/deep/z.jpg")[0:3]
    assert upper == "Cats/x.png"
    marked = lower.split("/")[0]
    assert marked.startswith("cats~")
    assert len(marked) == len("cats~") + 6
    assert {lower, deep} == {f"{marked}/y.png", f"{marked}/deep/z.png"}


def test_a_file_never_takes_the_name_of_a_folder() -> None:
    require_apart(output_names(dict.fromkeys(("c/a.png/x.jpg", "c/a.jpg"), "png"), {}))
    outputs = output_names(dict.fromkeys(("c/a.png/x.jpg", "c/a.jpg"), "png"), {"c/a.jpg": "c/a.png"})
    assert outputs["c/a.jpg"] == "c/a.png"
    require_apart(outputs)


def test_a_name_too_long_is_cut_between_characters() -> None:
    fits = f"c/{'é' * 125}"  # 250 bytes
    assert names(f"{fits}.jpg", extension="webp") == [f"{fits}.webp"]
    ids = [f"c/{'é' * 125}{end}.jp" for end in "xy"]
    outputs = output_names(dict.fromkeys(ids, "webp"), {})
    require_apart(outputs)
    for name in outputs.values():
        head, _, end = name.removeprefix("c/").partition("~")
        assert set(head) == {"é"}
        assert len(head) == 121  # with ~, six digits and .webp, 254 bytes; one more would be 256
        assert len(end) == len("123456.webp")
    (folder,) = names("\u0958" * 80 + "/x.jpg")  # longer once composed, which no file system has to take
    assert len(folder.split("/")[0].encode()) <= 255


def test_known_names_stay_and_are_never_given_away() -> None:
    known = {"c/a.jpg": "c/a.png", "c/gone.jpg": "c/gone.png"}
    assert names("c/a.gif", "c/a.jpg", known=known) == ["c/a.gif.png", "c/a.png"]
    assert names("c/gone.gif", known=known) == ["c/gone.gif.png"]
    assert names("C/new.jpg", known=known)[0].startswith("C~")
    marked = {"cats/y.jpg": "cats~123456/y.png"}
    assert names("cats/z.jpg", known=marked) == ["cats~123456/z.png"]
    merged = {"Cats/x.jpg": "Cats/x.png", "cats/y.jpg": "cats/y.png"}  # as older versions had it
    outputs = names("Cats/n.jpg", "Cats/x.jpg", "cats/n.jpg", "cats/y.jpg", known=merged)
    assert outputs[:2] == ["Cats/n.png", "Cats/x.png"]
    assert outputs[2].startswith("cats~")
    assert outputs[3] == "cats/y.png"


PART = st.one_of(
    st.text(st.sampled_from("aAéE\u0301ßsS.~ "), min_size=1, max_size=5).filter(lambda part: part.strip(".")),
    st.builds(lambda letter, count: letter * count, st.sampled_from("aéÉ日"), st.integers(80, 84)),
    st.builds(lambda letter, count: letter * count, st.sampled_from("aA"), st.integers(240, 251)),
)
FILE = st.builds(
    lambda stem, suffix: stem + suffix,
    PART,
    st.sampled_from(["", ".jpg", ".JPG", ".png", ".webp", ".png.gif"]),
)
ID = st.builds(lambda folders, name: "/".join([*folders, name]), st.lists(PART | FILE, max_size=2), FILE)
PHOTOS = st.dictionaries(ID, st.sampled_from(["png", "webp"]), max_size=12)


@settings(max_examples=150, deadline=None)
@given(PHOTOS, PHOTOS, st.randoms(use_true_random=False))
def test_names_stay_apart_and_stay_whatever_comes_later(
    first: dict[str, str], later: dict[str, str], random
) -> None:
    before = output_names(first, {})
    require_apart(before)
    assert set(before) == set(first)
    assert all(before[id].endswith(f".{extension}") for id, extension in first.items())
    shuffled = list(first.items())
    random.shuffle(shuffled)
    assert output_names(dict(shuffled), {}) == before
    after = output_names(later | first, before)
    require_apart(after)
    assert {id: after[id] for id in first} == before
    only_later = output_names(later, before)
    require_apart(before | only_later)
    again = {id: key("/".join(name.split("/")[:-1])) for id, name in after.items()}
    assert len({id.rpartition("/")[0] for id in after}) == len(set(again.values())), (
        "folders that were apart stay apart"
    )
