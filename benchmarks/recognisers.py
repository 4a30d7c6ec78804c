r"""Recognition of people by existing recognisers, with galleries of protected photos.

python benchmarks/recognisers.py PHOTOS PROTECTED... --others FOLDER --recogniser FILE.onnx,127.5,127.5 \
    --dlib FOLDER --loss NAME --about "the command of protect, without paths" --out FILE

PHOTOS has a folder of clean photos for each person, and every PROTECTED the copies of one run. A
quarter of each person's clean photos are the queries; the gallery has the protected copies of the others, and
the clean photos of the people in ``--others``. Faces are detected and aligned afresh, also after JPEG 75.

dlib's recogniser has an alignment of its own; its two files come in the package face_recognition_models:
``dlib_face_recognition_resnet_model_v1.dat`` and ``shape_predictor_5_face_landmarks.dat``.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from shared import head

from unlearnable.faces.choosing import choose
from unlearnable.faces.detector import create, detect
from unlearnable.faces.face import CROP, Alignment, Face
from unlearnable.files import write
from unlearnable.models.onnx_network import OnnxFile
from unlearnable.training.compute import Compute

Array = np.ndarray[Any, np.dtype[Any]]
# (photo, face in it) -> embedding
Embed = Callable[[Array, Face], Array]
# (person, photo) -> embedding by recogniser
Gallery = dict[tuple[str, str], dict[str, Array]]
DRAWS = range(5)
QUERIES = 0.25
JPEG = 75


def onnx(text: str) -> tuple[str, Embed]:
    """Return the name and the embedding of a recogniser in a file."""
    file = OnnxFile.parse(text)
    network = file.network()

    def embed(pixels: Array, face: Face) -> Array:
        crop = torch.from_numpy(Alignment.of(face.landmarks).crop(pixels, CROP).copy())
        with torch.no_grad():
            found: Array = network(crop.permute(2, 0, 1)[None].float() / 255)[0].numpy()
        return found / np.linalg.norm(found)

    return file.file.stem, embed


def dlib(folder: Path) -> tuple[str, Embed]:
    """Return the name and the embedding of dlib's recogniser."""
    import dlib as library

    network = library.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))
    landmarks = library.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat"))

    def embed(pixels: Array, face: Face) -> Array:
        left, top, width, height = face.box
        # its boxes begin at the eyebrows
        box = library.rectangle(*map(int, (left, top + 0.15 * height, left + width, top + height)))
        return np.array(network.compute_face_descriptor(pixels, landmarks(pixels, box), 1))

    return "dlib", embed


def gallery(root: Path, recognisers: Mapping[str, Embed], quality: int = 0, most: int = 20) -> Gallery:
    """Return the embeddings of the central faces of all photos, after JPEG if a quality is given."""
    detector, found = create("retinaface"), Gallery()
    for person in sorted(path for path in root.iterdir() if path.is_dir()):
        for file in sorted(person.iterdir())[:most]:
            photo = Image.open(file).convert("RGB")
            if quality:
                data = io.BytesIO()
                photo.save(data, "JPEG", quality=quality)
                photo = Image.open(data)
            pixels = np.ascontiguousarray(photo)
            faces = choose(detect(pixels, detector), pixels.shape[:2], "central")
            if faces.chosen:
                face = faces.faces[faces.chosen[0]]
                found[person.name, file.stem] = {
                    name: embed(pixels, face) for name, embed in recognisers.items()
                }
    return found


def accuracy(clean: Gallery, shown: Gallery, others: Gallery, name: str, draw: int) -> tuple[float, float]:
    """Return the share of the queries that are recognised, in [0, 1]: by the nearest photo, by the centre."""
    rng = np.random.default_rng(draw)
    queries, known = [], []
    for person in sorted({person for person, _ in clean}):
        keys = [key for key in sorted(clean) if key[0] == person]
        order = rng.permutation(len(keys))
        count = round(QUERIES * len(keys))
        queries += [keys[index] for index in order[:count]]
        known += [keys[index] for index in order[count:] if keys[index] in shown]
    x = np.stack([clean[key][name] for key in queries])
    rows = np.stack([shown[key][name] for key in known] + [one[name] for one in others.values()])
    names = np.array([key[0] for key in [*known, *others]])
    truth, people = np.array([key[0] for key in queries]), np.unique(names)
    centres = np.stack([rows[names == person].mean(0) for person in people])
    near, central = (
        classes[((x[:, None] - these[None]) ** 2).sum(2).argmin(1)]
        for classes, these in ((names, rows), (people, centres))
    )
    return float((near == truth).mean()), float((central == truth).mean())


def rows(clean: Gallery, shown: list[tuple[str, list[Gallery]]], others: Gallery) -> list[dict[str, Any]]:
    """Return a row for every recogniser, group of people and gallery: percent, one value for each run.

    Args:
        clean: Embeddings of the clean photos.
        shown: Names of galleries, each with one gallery for each run.
        others: Embeddings of clean photos of other people.
    """
    groups = {"everybody protected": Gallery(), **({"among clean people": others} if others else {})}
    found = []
    for name in next(iter(clean.values())):
        for group, strangers in groups.items():
            for gallery_of, runs in shown:
                each = [
                    np.mean([accuracy(clean, one, strangers, name, draw) for draw in DRAWS], axis=0)
                    for one in runs
                ]
                near, central = (100 * np.array(each)).round(2).T.tolist()
                row = {"recogniser": name, "people": group, "gallery": gallery_of}
                found.append({**row, "nearest": near, "centre": central})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("protected", type=Path, nargs="+")
    parser.add_argument("--others", type=Path, help="Clean photos of other people in the gallery.")
    parser.add_argument("--recogniser", action="append", default=[])
    parser.add_argument("--dlib", type=Path, help="Folder with dlib's two files.")
    parser.add_argument("--loss", action="append", default=[], help="A recogniser that the search used.")
    parser.add_argument("--data", required=True, help="The photos, in a few words.")
    parser.add_argument("--about", required=True, help="The command that protected them, without paths.")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    recognisers = dict(map(onnx, given.recogniser))
    if given.dlib:
        name, embed = dlib(given.dlib)
        recognisers[name] = embed
    clean = gallery(given.photos, recognisers)
    ours = {person for person, _ in clean}
    others = {} if given.others is None else gallery(given.others, recognisers)
    others = {key: value for key, value in others.items() if key[0] not in ours}
    shown = [("clean", [clean])]
    for quality in (0, JPEG):
        found = [gallery(path, recognisers, quality) for path in given.protected]
        shown.append((f"protected, JPEG {quality}" if quality else "protected", found))
    options = [f"--recogniser {Path(text).name}" for text in given.recogniser]
    options += ["--dlib FOLDER"] * bool(given.dlib) + ["--others OTHERS"] * bool(others)
    record = {
        **head("recognisers", Compute("cpu", "float32"), {}),
        "command": " ".join(["python benchmarks/recognisers.py PHOTOS PROTECTED", *options]),
        "data": given.data,
        "about": given.about,
        "loss": given.loss,
        "people": len(ours),
        "others": len({person for person, _ in others}),
        "photos": len(clean),
        # photos in which no face is found any more, for each gallery and run
        "lost": {name: [len(clean) - len(one) for one in galleries] for name, galleries in shown},
        "draws": len(DRAWS),
        "rows": rows(clean, shown, others),
    }
    write(given.out, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
