"""Files that a site renamed, moved, resized and compressed again find their photos by the picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from unlearnable.data.folder import folder
from unlearnable.errors import DataError
from unlearnable.evaluation.by_picture import OTHER, SAME, Cells, apart
from unlearnable.evaluation.gathering import gather
from unlearnable.evaluation.pairing import Matching, pair

Pixels = np.ndarray


def scene(seed: int, height: int = 120, width: int = 160) -> Pixels:
    """A picture with areas, edges and texture, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    picture = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    for _ in range(6):
        top, left = rng.integers(height), rng.integers(width)
        picture[top : top + height // 4, left : left + width // 5] = rng.integers(0, 256, 3)
    return np.clip(picture + rng.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)


def noisy(pixels: Pixels, seed: int, epsilon: int = 8) -> Pixels:
    """Noise of the whole budget on a grid of 8 cells, which survives a resize."""
    signs = np.random.default_rng(seed).choice([-epsilon, epsilon], (8, 8, 3))
    rows, columns = (np.arange(size) * 8 // size for size in pixels.shape[:2])
    return np.clip(pixels.astype(int) + signs[rows][:, columns], 0, 255).astype(np.uint8)


def write(path: Path, pixels: Pixels, scale: float = 1.0, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if scale != 1:
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS)
    image.save(path, **options)


def published(
    tmp_path: Path, pictures: dict[str, Pixels], name: Callable[[str, int], str], **options: object
) -> tuple[Path, dict[str, str]]:
    """Write photos, and their protected copies under the names that a site chose; return the true pairs."""
    names = {id: name(id, number) for number, id in enumerate(pictures)}
    for number, (id, pixels) in enumerate(pictures.items()):
        write(tmp_path / "photos" / id, pixels)
        write(tmp_path / "site" / names[id], noisy(pixels, number), **options)  # type: ignore[arg-type]
    return tmp_path, names


def found(root: Path) -> Matching:
    *_, matching = pair(folder(root / "photos"), folder(root / "site", class_name="protected"))
    return matching


SCENES = {
    f"{name}/p{n}.png": scene(10 * label + n) for label, name in enumerate(("a", "b")) for n in range(6)
}


@pytest.mark.parametrize(
    "name",
    [
        lambda id, n: f"{n * 7919 % 1000:08x}.jpg",
        lambda id, n: f"FB_IMG_{100 - n}.jpg",
        lambda id, n: f"album/{n}/image.jpg",
        # numbered anew, so that every name is that of another photo
        lambda id, n: [*SCENES][n - 5].replace("png", "jpg"),
    ],
    ids=["random names", "numbered backwards", "a folder each", "names of other photos"],
)
@pytest.mark.parametrize("scale", [1.0, 0.5, 1.7])
def test_renamed_files_find_their_photos(
    tmp_path: Path, name: Callable[[str, int], str], scale: float
) -> None:
    root, truth = published(tmp_path, SCENES, name, scale=scale, quality=75)
    matching = found(root)
    assert matching.partner == truth
    assert matching.pictured == truth.keys()
    assert not matching.left_out


@pytest.mark.parametrize(
    "name",
    [
        lambda id, n: id.upper().replace("PNG", "JPG"),
        lambda id, n: id.replace("/p", "/é").replace("png", "webp"),
        lambda id, n: f"{id[0]}-{n}/{id.split('/')[1]}",
    ],
    ids=["upper case", "another name", "other folders"],
)
def test_names_that_lost_case_form_or_folders(tmp_path: Path, name: Callable[[str, int], str]) -> None:
    pictures = {unicodedata.normalize("NFC", id): pixels for id, pixels in SCENES.items()}
    root, truth = published(tmp_path, pictures, name)
    assert found(root).partner == truth


def test_names_decide_where_pictures_are_too_much_alike(tmp_path: Path) -> None:
    flat = {f"{c}/{c}{n}.png": np.full((60, 60, 3), 200, np.uint8) for c in "ab" for n in range(3)}
    root, truth = published(tmp_path, flat, lambda id, n: id.split("/")[1].upper().replace("PNG", "JPG"))
    matching = found(root)
    assert matching.partner == truth
    assert not matching.pictured


@pytest.mark.parametrize("kind", ["flat", "twins", "burst"])
def test_pictures_that_look_alike_are_left_out_and_never_guessed(tmp_path: Path, kind: str) -> None:
    base = scene(3)
    alike = {
        "flat": [np.full((80, 80, 3), 128, np.uint8)] * 3,
        "twins": [base, base],
        "burst": [np.roll(base, shift, axis=1) for shift in (0, 1, 2)],
    }[kind]
    pictures = {f"a/same{n}.png": pixels for n, pixels in enumerate(alike)} | {"b/else.png": scene(50)}
    root, truth = published(tmp_path, pictures, lambda id, n: f"x{n}.jpg", quality=75)
    matching = found(root)
    assert matching.partner["b/else.png"] == truth["b/else.png"]
    assert all(truth[id] == file for id, file in matching.partner.items())
    assert "look too much alike" in matching.left_out["a/same0.png"]


def test_what_is_no_copy_stays_alone(tmp_path: Path) -> None:
    root, truth = published(tmp_path, SCENES, lambda id, n: f"x{n}.jpg", quality=75)
    write(root / "site" / "advert.jpg", scene(99))
    write(root / "site" / "cropped.jpg", scene(0)[:, 40:])
    (root / "site" / truth["a/p0.png"]).unlink()
    (root / "site" / "broken.jpg").write_bytes(b"no image")
    matching = found(root)
    assert len(matching.partner) == len(SCENES) - 1
    assert set(matching.left_out) == {"a/p0.png", "advert.jpg", "cropped.jpg", "broken.jpg"}
    assert "no other file shows its picture" in matching.left_out["a/p0.png"]
    assert "no other photo shows its picture" in matching.left_out["advert.jpg"]


def test_strong_noise_of_the_right_name_is_believed_and_another_picture_is_not(tmp_path: Path) -> None:
    root, truth = published(tmp_path, SCENES, lambda id, n: id)
    strong = noisy(SCENES["a/p1.png"], 1, epsilon=24)
    write(root / "site" / "a" / "p1.png", strong)
    write(root / "site" / "a" / "p2.png", scene(77))
    matching = found(root)
    assert matching.partner.keys() == truth.keys() - {"a/p2.png"}
    assert "shows another picture" in matching.left_out["a/p2.png"]


def test_other_pictures_are_refused(tmp_path: Path) -> None:
    published(tmp_path, SCENES, lambda id, n: f"x{n}.jpg")
    for path in (tmp_path / "site").iterdir():
        write(path, scene(1000 + len(path.name) + ord(path.name[1])))
    with pytest.raises(DataError, match="No protected image belongs"):
        found(tmp_path)


def test_photographs_are_far_apart_and_their_copies_near(tmp_path: Path) -> None:
    photographs = [getattr(data, name)() for name in ("astronaut", "chelsea", "coffee", "rocket")]
    pictures = {f"a/{n}.png": pixels for n, pixels in enumerate(photographs)}
    root, truth = published(tmp_path, pictures, lambda id, n: id, scale=0.5, quality=75)
    clean, copies = (Cells.of(folder(root / name).readable(side=96), 96) for name in ("photos", "site"))
    assert truth.keys() == set(clean.ids)
    assert apart(clean, copies).max() < 10 < SAME
    order = list(clean.ids)
    for turn in range(1, len(order)):
        assert apart(clean, copies.rows(order[turn:] + order[:turn])).min() > 1.25 * OTHER


def test_the_images_of_pairs_by_picture_are_those_of_the_files(tmp_path: Path) -> None:
    root, truth = published(tmp_path, SCENES, lambda id, n: f"x{n}.png")
    pairs = gather(root / "photos", root / "site")
    assert pairs.pictured == len(SCENES)
    assert pairs.clean.ids == pairs.protected.ids == tuple(SCENES)
    again = folder(root / "site", class_name="protected")
    for id, row in zip(pairs.clean.ids, pairs.protected_view.pixels, strict=True):
        assert np.array_equal(pairs.protected.photo(id).pixels, again.photo(truth[id]).pixels)
        assert np.array_equal(row, again.subset([truth[id]]).view(pairs.settings.side).pixels[0])
    assert pairs.unchanged == 0
