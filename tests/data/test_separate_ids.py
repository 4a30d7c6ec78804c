"""Ids of own photos, of context and of test images never meet, whatever people call their folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from conftest import pixels
from unlearnable.data.arrays import arrays
from unlearnable.data.folder import folder
from unlearnable.data.joining import free_prefix
from unlearnable.evaluation.gathering import gather

IDS = st.lists(
    st.text("_context/:t es", min_size=1, max_size=12)
    | st.sampled_from(["context/a", "_context/a", "__context/", "a", "context", "test: a", "/context/a"]),
    min_size=2,
    max_size=8,
    unique=True,
)


@given(IDS, IDS)
@settings(deadline=None, max_examples=60)
def test_context_never_takes_the_id_of_an_own_photo(mine: list[str], theirs: list[str]) -> None:
    own = arrays(pixels(len(mine), 4), ["a"] * len(mine), ids=mine)
    context = arrays(pixels(len(theirs), 4, seed=1), ["b"] * len(theirs), ids=theirs)
    both = own.join(context)
    assert len(both) == len(own) + len(context)
    assert both.own == own.ids
    others = both.ids[len(own) :]
    assert [id.split("context/", 1)[1] for id in others] == theirs
    for position, id in enumerate(both.ids):
        source, key = (own, id) if position < len(own) else (context, theirs[position - len(own)])
        assert np.array_equal(both.photo(id).pixels, source.photo(key).pixels)


@given(st.lists(st.text("_p/")))
def test_a_free_prefix_begins_no_id(ids: list[str]) -> None:
    prefix = free_prefix("p/", ids)
    assert not any(id.startswith(prefix) for id in ids)
    assert prefix.endswith("p/")


def test_a_class_called_context_is_protected_like_any_other(tmp_path: Path) -> None:
    for name in ("photos/context/a.png", "photos/cats/a.png", "others/dogs/a.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        Image.fromarray(pixels(1, 8, seed=len(name))[0]).save(tmp_path / name)
    both = folder(tmp_path / "photos").join(folder(tmp_path / "others"))
    assert both.own == ("cats/a.png", "context/a.png")
    assert both.ids[2:] == ("_context/dogs/a.png",)


def test_a_class_called_like_a_test_image_keeps_its_own_reason(tmp_path: Path) -> None:
    """Both sides have an image that is left out; the photo's id begins as those of test images do."""
    for root in ("photos", "protected", "tests"):
        for name in ("a", "b"):
            (tmp_path / root / name).mkdir(parents=True)
            for index in range(3):
                image = Image.fromarray(pixels(1, 8, seed=index + 10 * len(root))[0])
                image.save(tmp_path / root / name / f"{index}{name}.png")
    (tmp_path / "photos" / "test: c").mkdir()
    Image.fromarray(pixels(1, 8)[0]).save(tmp_path / "photos" / "test: c" / "x.png")
    (tmp_path / "tests" / "c").mkdir()
    Image.fromarray(pixels(1, 8)[0]).save(tmp_path / "tests" / "c" / "x.png")
    pairs = gather(tmp_path / "photos", tmp_path / "protected", tmp_path / "tests")
    assert pairs.left_out["test: c/x.png"] == "has no protected image"
    assert pairs.left_out["_test: c/x.png"] == "class 'c' is not among the photos"
