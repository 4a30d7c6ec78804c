"""Copies, re-encoded photos and bursts are recognised; different photos that look plain are not."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from unlearnable.data.arrays import arrays
from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError
from unlearnable.evaluation.by_picture import Cells
from unlearnable.evaluation.gathering import gather
from unlearnable.evaluation.near_duplicates import copies, groups


def scene(seed: int, side: int = 160) -> Image.Image:
    """A picture with areas and edges."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    picture = coarse.resize((side, side), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(5):
        left, top = rng.integers(0, side * 3 // 4, 2).tolist()
        box = (left, top, left + side // 5, top + side // 4)
        draw.rectangle(box, fill=tuple(rng.integers(0, 256, 3).tolist()))
    return picture


def encoded(picture: Image.Image, quality: int = 75) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


COPIES = {
    "JPEG": lambda picture: encoded(picture, 50),
    "half size": lambda picture: encoded(picture.resize((picture.width // 2,) * 2)),
    "a burst": lambda picture: picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, 1, 0, 1, -1)),
    "a little brighter": lambda picture: picture.point(lambda level: min(255, level + 5)),
    "a little blurred": lambda picture: picture.filter(ImageFilter.GaussianBlur(1)),
}


def cells(pictures: list[Image.Image], side: int = 96) -> tuple[Cells, tuple[str, ...]]:
    images = prepared(pictures, side)
    return Cells.of(images, side), tuple(images.facts[id].digest for id in images.ids)


def prepared(pictures: list[Image.Image], side: int) -> ImageSet:
    images = arrays([np.asarray(picture) for picture in pictures], ["a", "b"] * (len(pictures) // 2))
    return images.readable(lambda event: None, side)


def merged(pictures: list[Image.Image], side: int = 96) -> int:
    """Return the number of pictures that share a group with another."""
    _, group, size = np.unique(groups(*cells(pictures, side)), return_inverse=True, return_counts=True)
    return int((size[group] > 1).sum())


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES.keys())
def test_copies_are_in_the_group_of_their_picture(change) -> None:  # type: ignore[no-untyped-def]
    originals = [scene(seed) for seed in range(20)]
    found = groups(*cells([*originals, *map(change, originals)]))
    assert found[:20].tolist() == found[20:].tolist()
    assert len(set(found)) == 20


def test_small_images_need_to_be_nearer() -> None:
    originals = [scene(seed, 32) for seed in range(20)]
    assert merged([*originals, *(encoded(picture, 90) for picture in originals)], 32) == 40
    shifted = [COPIES["a burst"](picture) for picture in originals]
    assert merged([*originals, *shifted], 32) < 40


def test_a_chain_of_frames_is_one_group() -> None:
    first = scene(0)
    frames = [
        first.transform(first.size, Image.Transform.AFFINE, (1, 0, step, 0, 1, 0)) for step in range(0, 24, 2)
    ]
    assert len(set(groups(*cells(frames)))) == 1
    ends, _ = cells([frames[0], frames[-1]])
    assert not copies(ends.rows(ends.ids[:1]), ends.rows(ends.ids[1:])).any()


def wall(seed: int) -> Image.Image:
    """A photo of a plain wall: one colour, light that falls off from somewhere, and grain."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:160, :160] / 160
    lamp, fall = rng.uniform(0.1, 0.9, 2), rng.uniform(8, 40)
    light = fall * ((x - lamp[0]) ** 2 + (y - lamp[1]) ** 2)[..., None]
    pixels = rng.integers(120, 230, 3) - 2 * light + rng.normal(0, 4, (160, 160, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def same_wall(seed: int) -> Image.Image:
    """A wall in the same light, in another colour."""
    picture = np.asarray(wall(0)).astype(int) + np.random.default_rng(seed).integers(-40, 10, 3)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def drawing(seed: int) -> Image.Image:
    """A few black lines on white."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (160, 160), "white")
    for _ in range(rng.integers(3, 9)):
        points = [tuple(point) for point in rng.uniform(20, 140, (4, 2)).tolist()]
        ImageDraw.Draw(picture).line(points, fill="black", width=2)
    return picture


def page(seed: int) -> Image.Image:
    """Lines of text on white."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (160, 200), "white")
    for line in range(14):
        words = "".join(rng.choice(list("abcdefghij klmno  "), 22))
        ImageDraw.Draw(picture).text((12, 10 + line * 13), words, fill="black")
    return picture


@pytest.mark.parametrize("picture", [wall, same_wall, drawing, page])
def test_different_plain_pictures_are_not_merged(picture) -> None:  # type: ignore[no-untyped-def]
    assert merged([picture(seed) for seed in range(1, 61)]) <= 3


def test_flat_pictures_are_duplicates_only_if_they_are_equal() -> None:
    flat = [Image.new("RGB", (64, 64), (level, 80, 90)) for level in (10, 11, 12, 12)]
    found = groups(*cells(flat, 32))
    assert found[2] == found[3]
    assert len(set(found)) == 3


def test_near_duplicates_of_test_images_are_not_trained_on(tmp_path: Path) -> None:
    for label, name in enumerate("ab"):
        for number in range(6):
            picture = scene(100 * label + number, 120)
            for root, shown in (
                ("photos", picture),
                ("public", picture.point(lambda level: level // 2 + 60)),
            ):
                path = tmp_path / root / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                shown.save(path)
        for number in range(3):
            path = tmp_path / "test" / name / f"new{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            # the first one is a photo again, saved as JPEG
            shown = (
                encoded(scene(100 * label, 120), 60) if number == 0 else scene(50 + 100 * label + number, 120)
            )
            shown.save(path)
        (tmp_path / "context" / "c").mkdir(parents=True, exist_ok=True)
        # a photo, a test image and a new picture, of which only the last one is context
        for number, seed in enumerate((100 * label + 1, 51 + 100 * label, 900 + label)):
            encoded(scene(seed, 120)).save(tmp_path / "context" / "c" / f"{label}{number}.png")
    pairs = gather(tmp_path / "photos", tmp_path / "public", tmp_path / "test", folder(tmp_path / "context"))
    said = "shows the same picture as a"
    assert {id: reason for id, reason in pairs.left_out.items() if said in reason} == {
        "a/0.png": f"{said} test image",
        "b/0.png": f"{said} test image",
        "context: c/00.png": f"{said} photo",
        "context: c/10.png": f"{said} photo",
        "context: c/01.png": f"{said} test image",
        "context: c/11.png": f"{said} test image",
    }
    assert (len(pairs.clean), len(pairs.protected), len(pairs.test or ())) == (10, 10, 6)
    assert pairs.context is not None
    assert pairs.context.ids == ("c/02.png", "c/12.png")
    for name in ("clean", "protected"):
        assert len(pairs.arm(name, 0).train.labels) == 10 + 1


def test_a_class_whose_photos_are_all_tested_on_is_refused(tmp_path: Path) -> None:
    for label, name in enumerate("ab"):
        for root in ("photos", "public", "test"):
            (tmp_path / root / name).mkdir(parents=True)
            for number in range(3):
                picture = scene(100 * label + number, 120)
                shown = encoded(picture, 60) if root == "test" else picture
                shown.save(tmp_path / root / name / f"{number}.png")
    with pytest.raises(DataError, match="Every photo of class 'a' shows the same picture as a test image"):
        gather(tmp_path / "photos", tmp_path / "public", tmp_path / "test")


@pytest.mark.needs_data
def test_no_photos_of_a_real_set_are_merged_but_copies_are() -> None:
    root = Path(os.environ.get("UNLEARNABLE_DATA", "")) / "imagenette-sample" / "train"
    if not root.is_dir():
        pytest.skip("UNLEARNABLE_DATA names no folder that holds imagenette-sample")
    paths = sorted(root.rglob("*.JPEG"))[::5]
    originals = [Image.open(path).convert("RGB") for path in paths]
    again = [encoded(picture.resize((200, 200)), 60) for picture in originals]
    found = groups(*cells([*originals, *again]))
    assert len(set(found[: len(paths)])) == len(paths)
    square = [
        row
        for row, picture in enumerate(originals)
        if abs(picture.width - picture.height) < 0.01 * picture.width
    ]
    assert all(found[row] == found[len(paths) + row] for row in square)
