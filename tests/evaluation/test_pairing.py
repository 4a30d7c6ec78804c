"""Which protected image belongs to which photo."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from unlearnable.data.arrays import arrays
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError
from unlearnable.evaluation.pairing import aligned, match, pair


def images(*ids: str, offset: int = 0) -> ImageSet:
    pixels = np.stack([np.full((8, 8, 3), 10 * index + offset, np.uint8) for index in range(len(ids))])
    pixels[:, 0, 0, 0] += 1  # a colour, so that it is no grey image
    return arrays(pixels, [id.split("/")[0] for id in ids], ids=list(ids))


def test_paths_pair_without_their_extension() -> None:
    pairs = match(images("a/1.jpg", "a/1.b.jpg", "b/2.JPG"), images("a/1.png", "a/1.b.png", "b/2.png"))
    assert pairs.partner == {"a/1.jpg": "a/1.png", "a/1.b.jpg": "a/1.b.png", "b/2.JPG": "b/2.png"}
    assert not pairs.left_out


def test_names_in_another_unicode_form_pair() -> None:
    assert match(images("a/e\u0301.jpg"), images("a/\u00e9.png")).partner == {"a/e\u0301.jpg": "a/\u00e9.png"}


def test_what_is_ambiguous_or_alone_is_named_and_left_out() -> None:
    pairs = match(images("a/1.jpg", "a/1.png", "a/2.jpg", "a/3.jpg"), images("a/1.png", "a/2.png", "a/4.png"))
    assert pairs.partner == {"a/2.jpg": "a/2.png"}
    assert set(pairs.left_out) == {"a/1.jpg", "a/1.png", "a/3.jpg", "a/4.png"}
    assert "a/1.jpg and a/1.png differ only in their extension" in pairs.left_out["a/1.jpg"]


def test_equal_ids_pair_even_where_extensions_would_be_ambiguous() -> None:
    both = images("a/1.jpg", "a/1.png")
    assert match(both, both).partner == {"a/1.jpg": "a/1.jpg", "a/1.png": "a/1.png"}


def test_the_list_of_the_run_decides(tmp_path: Path) -> None:
    entries = [
        {"id": "a/1.jpg", "output": "a/1.jpg.png", "digest": "d1"},
        {"id": "a/1.png", "output": "a/1.png.png"},
        {"id": "a/2.jpg", "output": "a/2.png"},
        {"id": "a/3.jpg", "output": "", "reason": "damaged"},
        {"id": "a/4.jpg", "output": "a/4.png"},
    ]
    (tmp_path / "files.jsonl").write_text("\n".join(map(json.dumps, entries)) + '\n{"id": "a/5.jp')
    pairs = match(
        images("a/1.jpg", "a/1.png", "a/2.jpg", "a/3.jpg", "a/5.jpg"),
        images("a/1.jpg.png", "a/1.png.png", "a/4.png"),
        tmp_path,
    )
    assert pairs.partner == {"a/1.jpg": "a/1.jpg.png", "a/1.png": "a/1.png.png"}
    assert pairs.digests == {"a/1.jpg": "d1"}
    assert pairs.left_out["a/2.jpg"] == "its protected file a/2.png is missing"
    assert pairs.left_out["a/3.jpg"] == "was skipped when the others were protected"
    assert pairs.left_out["a/4.jpg"] == "is in the list, but no longer among the photos"
    assert pairs.left_out["a/5.jpg"] == pairs.left_out["a/4.png"] == "is not in the list of protected files"


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(DataError, match="No protected image belongs"):
        pair(images("a/1.jpg"), images("b/2.png", offset=90))


def test_aligned_sets_share_ids_and_keep_their_own_pixels() -> None:
    clean, protected = images("a/1.jpg", "b/2.jpg", "b/3.jpg"), images("a/1.png", "b/2.png", offset=5)
    mine, theirs = aligned(clean, protected, match(clean, protected))
    assert mine.ids == theirs.ids == ("a/1.jpg", "b/2.jpg")
    assert theirs.photo("b/2.jpg").pixels[4, 4, 1] == 15
    assert mine.photo("b/2.jpg").pixels[4, 4, 1] == 10
