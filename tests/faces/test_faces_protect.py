"""``unlearnable faces``: photos of people in, checked copies with noise on their faces out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from people import astronaut, cat, encoded, hopper, variant, write_people
from PIL import Image
from scipy import ndimage
from typer.testing import CliRunner

from publishing import call, change, tree
from unlearnable import hashing
from unlearnable.cli.app import app
from unlearnable.errors import SKIPPED
from unlearnable.evaluation.schedule import SMALL
from unlearnable.faces.afresh import pairs
from unlearnable.faces.detectors.retinaface import RetinaFace
from unlearnable.faces.face import CROP, Alignment
from unlearnable.faces.face_list import FACES, Record, read
from unlearnable.faces.finding import FaceOptions
from unlearnable.noise import Noise
from unlearnable.training.victim import Victim

QUICK = ("--set", "max_rounds=2", "--set", "min_rounds=1", "--set", "surrogate=cnn:width=8,depth=2")
SAME = ("--seed", "1", "--workers", "1", "--device", "cpu", "--precision", "float32")
LOOK = RetinaFace.__call__
SEEN: dict[str, list] = {}


@pytest.fixture(autouse=True, scope="module")
def looked_at_once() -> Iterator[None]:
    """The default detector, which looks at a picture once in all of these tests; on one thread."""

    def look(self: RetinaFace, pixels: np.ndarray) -> list:
        key = hashing.of_bytes(bytes(str(pixels.shape), "ascii") + pixels.tobytes())
        if key not in SEEN:
            SEEN[key] = LOOK(self, pixels)
        return list(SEEN[key])

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    RetinaFace.__call__ = look  # type: ignore[method-assign]
    yield
    RetinaFace.__call__ = LOOK  # type: ignore[method-assign]
    torch.set_num_threads(threads)


@dataclass(frozen=True)
class Case:
    """Folders of a call."""

    root: Path

    @property
    def photos(self) -> Path:
        return self.root / "photos"

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def run(self) -> Path:
        return self.root / "photos.unlearnable" / "out"

    @property
    def records(self) -> dict[str, Record]:
        return read(self.run / FACES)

    def protect(self, *words: object, code: int = 0, method: tuple[str, ...] = QUICK) -> dict[str, Any]:
        """Run the command, and return its record."""
        done = call(
            "faces", "protect", self.photos, self.out, *method, *SAME, *words, "--json", "--quiet", code=code
        )
        return json.loads(done.stdout)

    def copy(self, id: str) -> Path:
        return (self.out / id).with_suffix(".png")

    def moved(self, id: str) -> np.ndarray:
        """The change of every pixel of a photo, in levels."""
        return change(self.photos / id, self.copy(id))

    def aligned(self, id: str, number: int = 0) -> np.ndarray:
        """The change in the crop of a face, int (112, 112, 3)."""
        place = self.records[id].places[number]
        assert place is not None
        before, after = (
            place.crop(np.asarray(Image.open(file).convert("RGB")), CROP).astype(int)
            for file in (self.photos / id, self.copy(id))
        )
        return after - before


TEXTURES = ("--method", "textures")
FACELESS = "eileen/cat.png"


def people(root: Path) -> Case:
    case = Case(root)
    write_people(case.photos)
    (case.photos / FACELESS).write_bytes(encoded(cat()[:200, :230]))
    return case


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return people(tmp_path)


@pytest.fixture(scope="module")
def classwise(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, dict[str, Any]]:
    """Nine photos of two people, protected once; tests only read it."""
    case = people(tmp_path_factory.mktemp("classwise"))
    return case, case.protect(code=SKIPPED)


def read_json(run: Path) -> dict[str, Any]:
    """The report of a verification, for programs."""
    return json.loads((run / "report.json").read_text("utf-8"))


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def inside(places: tuple[Alignment | None, ...], height: int, width: int) -> np.ndarray:
    """Whether a pixel, a square of one pixel, meets the crop of a face: bool (H, W)."""
    y, x = np.mgrid[:height, :width]
    found = np.zeros((height, width), bool)
    for place in places:
        assert place is not None
        u, v = place.unit(x, y)
        reach = 0.71 * place.scale
        found |= (np.minimum(u, v) > -reach) & (np.maximum(u, v) < 1 + reach)
    return found


# One run, class-wise


def test_every_photo_with_a_face_is_published(classwise) -> None:
    case, record = classwise
    ids = sorted(path.relative_to(case.photos).as_posix() for path in case.photos.rglob("*.*"))
    assert len(ids) == 9
    wanted = sorted(str(Path(id).with_suffix(".png")) for id in ids if id != FACELESS)
    assert list(tree(case.out)) == wanted
    assert record["written"] == 8
    assert record["skipped"] == {FACELESS: "no face was found in it"}
    assert (record["form"], record["epsilon"], record["largest_change"]) == ("classwise", 8, 8)
    assert record["rounds"] == 2
    assert record["visibility"]["photos"] == 8


def test_only_faces_change_and_by_no_more_than_epsilon(classwise) -> None:
    case, _ = classwise
    for id, record in case.records.items():
        if id == FACELESS:
            assert not record.places
            continue
        moved = case.moved(id)
        assert 4 <= np.abs(moved).max() <= 8, id
        there = inside(record.places, *moved.shape[:2])
        assert 0.05 < there.mean() < 0.8
        assert not moved[~there].any(), id
        assert (moved[there] != 0).mean() > 0.5, id


def test_a_grey_photo_stays_grey(classwise) -> None:
    case, _ = classwise
    with Image.open(case.copy("grace/grey.png")) as copy:
        assert copy.mode == "L"
    assert case.moved("grace/grey.png").any()


def test_only_the_face_in_the_middle_changes_where_there_are_two(classwise) -> None:
    case, _ = classwise
    record = case.records["eileen/two.png"]
    assert len(record.found.faces) == 2
    assert len(record.places) == 1
    assert record.found.faces[record.found.chosen[0]].centre[0] < 300
    moved = case.moved("eileen/two.png")
    assert moved[:, :290].any()
    assert not moved[:, 330:].any()


def test_photos_of_a_person_have_the_same_noise_on_the_aligned_face(classwise) -> None:
    """However the photo is cut, flipped, resized and brightened."""
    case, _ = classwise
    ids = {name: [f"{name}/0.png", f"{name}/1.jpg", f"{name}/2.png"] for name in ("eileen", "grace")}
    changes = {id: case.aligned(id) for name in ids for id in ids[name]}
    for one in changes:
        for other in changes:
            if one == other:
                continue
            same = one.partition("/")[0] == other.partition("/")[0]
            found = correlation(changes[one], changes[other])
            assert found > 0.8 if same else abs(found) < 0.4, (one, other)
    # and it is that of the run
    noise = Noise.load(case.run / "noise.safetensors")
    assert noise.keys == ("eileen", "grace")
    for row, name in enumerate(noise.keys):
        pattern = noise.bank[row].transpose(1, 2, 0).astype(np.float32)
        large = np.stack(
            [
                np.asarray(Image.fromarray(pattern[..., c]).resize((CROP, CROP), Image.Resampling.BILINEAR))
                for c in range(3)
            ],
            axis=2,
        )
        assert correlation(large[8:-8, 8:-8], changes[f"{name}/0.png"][8:-8, 8:-8]) > 0.85
    grey = case.aligned("grace/grey.png").mean(axis=2)
    assert correlation(grey, changes["grace/0.png"].mean(axis=2)) > 0.6


def test_the_published_folder_holds_nothing_private(classwise) -> None:
    case, _ = classwise
    for path in case.out.rglob("*"):
        if path.is_dir():
            continue
        with Image.open(path) as image:
            image.load()
            assert set(image.info) <= {"icc_profile"}
        data = path.read_bytes()
        assert not any(word in data for word in (b"unlearnable", str(case.root).encode(), b"tEXt", b"eXIf"))
    private = {path.name for path in case.run.iterdir()}
    assert {FACES, "noise.safetensors", "run.json", "doubtful.png"} <= private
    assert json.loads((case.run / "run.json").read_text("utf-8"))["kind"] == "faces"


def test_doubtful_photos_are_named(classwise) -> None:
    case, _ = classwise
    done = CliRunner().invoke(app, ["faces", "protect", str(case.photos), str(case.out), *QUICK, *SAME])
    assert done.exit_code == SKIPPED
    assert "8 faces to protect in 8 photos" in done.stderr
    assert f"{FACELESS}: no face was found" in done.stderr
    assert "doubtful.png" in done.stderr
    assert "--who FILE.csv" in done.stderr


def test_verify_finds_the_faces_again(classwise, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from onnx_files import recogniser

    case, _ = classwise
    network = "cnn:width=8,depth=2"
    small = Victim(model=network, size=24, batch=8, lr=0.05, schedule="onecycle", transform="none")
    settings = replace(
        SMALL, victim=small, other=network, side=24, unseen={"size": 20}, epochs=(2, 2), steps=4
    )
    monkeypatch.setattr("unlearnable.evaluation.gathering.defaults", lambda frame: settings)
    monkeypatch.setattr("unlearnable.evaluation.verification.from_pretrained", lambda *given, **named: ())
    before = tree(case.out)
    words = ("--time-limit", "1s", "--seeds", "1", "--device", "cpu", "--precision", "float32", "--json")
    tried = ("--recogniser", recogniser(tmp_path / "small.onnx"), "--fine-tune")
    record = json.loads(call("faces", "verify", case.photos, case.out, *words, *tried).stdout)
    assert record["faces"] == 8
    assert record["lost"] == []
    assert 0 <= record["landmark_shift"] < 3
    assert 0.6 < record["noise_correlation"] <= 1
    assert record["unpaired"][FACELESS]
    assert "8 photos" in record["intro"]
    assert Path(record["report"]).parent == case.run
    assert tree(case.out) == before
    rules = record["recognisers"]["small"]
    assert [one["rule"] for one in rules] == ["nearest neighbour", "class centre", "linear head"]
    found = [*rules, record["fine_tuned"]["small"]]
    assert all(0 <= one[arm] <= 1 for one in found for arm in ("clean", "protected"))
    parts = {part["name"]: part["text"] for part in record["recognition"]["parts"]}
    assert list(parts) == ["training from scratch", "small", "small, fine-tuned"]
    tuned = record["fine_tuned"]["small"]
    figures = f"({tuned['protected']:.1%} instead of {tuned['clean']:.1%})"
    assert parts["small, fine-tuned"].endswith(f"small, fine-tuned {figures}")
    assert record["recognition"] == read_json(case.run)["recognition"]
    pages = {one["name"]: case.run / one["page"] for one in record["recognition"]["people"]}
    assert set(pages) == {"eileen", "grace"}
    assert f'href="people/{pages["grace"].name}"' in (case.run / "report.html").read_text("utf-8")
    assert "two.png" in pages["eileen"].read_text("utf-8")
    # pages are links: neither photos nor copies of them are in the run folder
    kinds = {path.suffix for path in case.run.rglob("*") if path.is_file()}
    assert not kinds & {".jpg", ".jpeg", ".webp"}


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("--fine-tune",), "--recogniser"),
        (("--pairs", "pairs.txt"), "--strangers"),
        (("--strangers", "nowhere"), "nowhere"),
    ],
)
def test_verify_refuses_what_lacks_its_other_half(classwise, words: tuple[str, ...], remedy: str) -> None:
    case, _ = classwise
    done = CliRunner().invoke(app, ["faces", "verify", str(case.photos), str(case.out), *words])
    assert done.exit_code in (2, 3)
    assert remedy in done.stderr
    assert "finding faces" not in done.stderr


# Calls that follow


def test_the_same_call_changes_no_byte_and_an_added_photo_is_protected(case: Case) -> None:
    case.protect(code=SKIPPED)
    before = tree(case.out)
    again = case.protect(code=SKIPPED)
    assert (again["written"], again["retained"]) == (0, 8)
    assert tree(case.out) == before
    (case.photos / "grace" / "new.png").write_bytes(encoded(variant("grace", 7)))
    more = case.protect(code=SKIPPED)
    assert (more["written"], more["retained"]) == (1, 8)
    after = tree(case.out)
    new = after.pop("grace/new.png")
    assert new
    assert after == before
    assert np.abs(case.moved("grace/new.png")).max() == 8
    assert correlation(case.aligned("grace/new.png"), case.aligned("grace/0.png")) > 0.8


def test_samplewise_noise_belongs_to_one_face(case: Case, tmp_path: Path) -> None:
    form = ("--form", "samplewise")
    record = case.protect(*form, code=SKIPPED)
    assert record["form"] == "samplewise"
    before = tree(case.out)
    assert abs(correlation(case.aligned("grace/0.png"), case.aligned("grace/2.png"))) < 0.5
    assert case.protect(*form, code=SKIPPED)["written"] == 0
    assert tree(case.out) == before
    (case.photos / "grace" / "new.png").write_bytes(encoded(variant("grace", 7)))
    more = case.protect(*form, code=SKIPPED)
    assert more["written"] == 1
    moved = case.moved("grace/new.png")
    assert moved.any()
    assert not moved[~inside(case.records["grace/new.png"].places, *moved.shape[:2])].any()
    assert {path: data for path, data in tree(case.out).items() if path != "grace/new.png"} == before
    # A person names the other face of a photo: it gets noise of its own, and the first face none.
    noise = Noise.load(case.run / "noise.safetensors")
    first = np.array(noise.bank[noise.keys.index("eileen/two.png")])
    who = tmp_path / "who.csv"
    who.write_text("photo,face\neileen/two.png,2\n", encoding="utf-8")
    case.protect(*form, "--who", who, code=SKIPPED)
    moved = case.moved("eileen/two.png")
    assert not moved[:, :280].any()
    assert moved[:, 310:].any()
    noise = Noise.load(case.run / "noise.safetensors")
    assert not np.array_equal(noise.bank[noise.keys.index("eileen/two.png")], first)
    changed = {path for path, data in tree(case.out).items() if before.get(path) != data}
    assert changed == {"eileen/two.png", "grace/new.png"}


def test_a_call_that_was_stopped_resumes(case: Case) -> None:
    done = call("faces", "protect", case.photos, case.out, *QUICK, *SAME, "--time-limit", "0.001s", code=6)
    assert "Run the same command again" in done.stderr
    resumed = case.protect(code=SKIPPED)
    assert resumed["written"] == 8


# Options


def test_all_faces_of_a_photo(case: Case) -> None:
    record = case.protect("--who", "all", code=SKIPPED)
    assert record["written"] == 8
    assert len(case.records["eileen/two.png"].places) == 2
    moved = case.moved("eileen/two.png")
    assert np.abs(moved).max() <= 8
    there = inside(case.records["eileen/two.png"].places, *moved.shape[:2])
    assert not moved[~there].any()
    # both have the noise of the photo's class
    first, second = (case.aligned("eileen/two.png", number) for number in (0, 1))
    assert np.abs(second).max() >= 4
    assert correlation(first, second) > 0.6


def test_textures_with_the_whole_photo_where_there_is_no_face(case: Case) -> None:
    record = case.protect("--no-face", "whole", method=TEXTURES)
    assert record["written"] == 9
    assert record["skipped"] == {}
    moved = case.moved(FACELESS)
    assert np.abs(moved).max() <= 8
    assert (moved != 0).any(axis=2).mean() > 0.9
    for id in ("eileen/0.png", "grace/1.jpg"):
        moved = case.moved(id)
        assert 4 <= np.abs(moved).max() <= 8
        assert not moved[~inside(case.records[id].places, *moved.shape[:2])].any()


def test_a_photo_without_a_face_may_stop_the_call(case: Case) -> None:
    done = call("faces", "protect", case.photos, case.out, *QUICK, *SAME, "--no-face", "error", code=3)
    assert f"No face was found in {FACELESS}" in done.stderr
    assert "--no-face skip" in done.stderr
    assert not case.out.exists() or not tree(case.out)
    done = call("faces", "protect", case.photos, case.out, "--no-face", "ignore", code=2)
    assert "skip, whole, error" in done.stderr


def test_photos_that_are_resized_have_the_noise_on_the_smaller_face(tmp_path: Path) -> None:
    """Of 600 x 512 pixels, 400 x 341 are left: the place of the face shrinks with the photo."""
    case = Case(tmp_path)
    for name, pixels in (("eileen", astronaut()), ("grace", hopper())):
        (case.photos / name).mkdir(parents=True)
        (case.photos / name / "1.png").write_bytes(encoded(pixels))
        flipped = np.ascontiguousarray(pixels[:, ::-1])
        (case.photos / name / "2.jpg").write_bytes(encoded(flipped, "JPEG", quality=95))
    record = case.protect("--max-side", "400", method=TEXTURES)
    assert record["written"] == 4
    # little noise would be another remark
    assert {id: len(notes) for id, notes in record["notes"].items()} == dict.fromkeys(case.records, 1)
    for id, one in case.records.items():
        with Image.open(case.photos / id) as before, Image.open(case.copy(id)) as after:
            assert max(after.size) == 400
            small = before.convert("RGB").resize(after.size, Image.Resampling.LANCZOS)
            moved = np.asarray(after.convert("RGB")).astype(int) - np.asarray(small)
        assert 4 <= np.abs(moved).max() <= 8
        scale = 400 / 600 if id.startswith("grace") else 400 / 512
        points = [((x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5) for x, y in one.found.faces[0].landmarks]
        place = Alignment.of(points)
        there = inside((place,), *moved.shape[:2])
        # a pixel more, because the width was rounded
        grown = ndimage.binary_dilation(there, iterations=1)
        assert not moved[~grown].any()
        assert (moved[there] != 0).mean() > 0.5
    found = pairs(case.photos, case.out, FaceOptions(), case.run)
    assert found.arrival.lost == ()
    assert found.arrival.faces == 4
    assert found.arrival.shift < 3
    assert found.arrival.correlation > 0.6


@pytest.fixture
def alone(tmp_path: Path) -> Case:
    """Photos of one person, and of another one elsewhere."""
    case = Case(tmp_path)
    write_people(case.photos, 3)
    (case.photos / "grace").rename(tmp_path / "grace")
    (tmp_path / "others").mkdir()
    (tmp_path / "grace").rename(tmp_path / "others" / "grace")
    return case


def test_one_person_alone_needs_others_or_a_method_that_does_not(alone: Case) -> None:
    done = call("faces", "protect", alone.photos, alone.out, *QUICK, *SAME, code=3)
    assert "one person only" in done.stderr
    assert "--context FOLDER" in done.stderr
    assert "textures" in done.stderr
    assert not alone.out.exists() or not tree(alone.out)
    assert alone.protect(method=TEXTURES)["written"] == 3
    assert 4 <= np.abs(alone.moved("eileen/0.png")).max() <= 8


def test_one_person_with_a_context_that_is_never_published(alone: Case) -> None:
    others = alone.root / "others"
    before = tree(others)
    record = alone.protect("--context", others)
    assert record["written"] == 3
    assert list(tree(alone.out)) == ["eileen/0.png", "eileen/1.png", "eileen/two.png"]
    assert 4 <= np.abs(alone.moved("eileen/0.png")).max() <= 8
    assert tree(others) == before
    published = tree(alone.out)
    assert alone.protect("--context", others)["written"] == 0
    assert tree(alone.out) == published


def test_find_lists_the_faces_of_every_photo(case: Case, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    record = json.loads(call("faces", "find", case.photos, "--sheet", sheet, "--json").stdout)
    assert (record["photos"], record["faces"]) == (9, 9)
    assert record["doubtful"] == {FACELESS: "no face was found"}
    assert record["skipped"] == {FACELESS: "no face was found in it"}
    assert record["found"][FACELESS] == []
    first, second = record["found"]["eileen/two.png"]
    assert (first["number"], second["number"]) == (1, 2)
    assert first["box"][2] > second["box"][2]
    assert 0.9 < second["score"] <= 1
    with Image.open(sheet) as shown:
        assert shown.format == "PNG"
    assert not case.run.exists()
    text = call("faces", "find", case.photos)
    assert "9 faces in 9 photos; check 1 photo by eye." in text.stdout
    assert FACELESS in text.stderr


def test_find_without_a_face_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "photos" / "cats").mkdir(parents=True)
    (tmp_path / "photos" / "cats" / "1.png").write_bytes(encoded(cat()[:200, :230]))
    done = call("faces", "find", tmp_path / "photos", code=3)
    assert "No face was chosen in any" in done.stderr
    assert "unlearnable protect" in done.stderr
    done = call("faces", "find", tmp_path / "photos", "--detector", "retinafase", code=2)
    assert "retinaface" in done.stderr


def test_noise_on_faces_and_noise_on_whole_photos_do_not_mix(case: Case, tmp_path: Path) -> None:
    case.protect(method=TEXTURES, code=SKIPPED)
    before = tree(case.out)
    for words in (
        ("protect", case.photos, case.out, *TEXTURES),
        ("apply", case.run, case.photos, tmp_path / "other"),
        ("fit", case.photos, case.run, *TEXTURES),
    ):
        done = call(*words, "--quiet", code=2)
        assert "is for faces" in done.stderr
    assert tree(case.out) == before
    whole = ("protect", case.photos, tmp_path / "whole", "--method", "random", "--quiet")
    call(*whole)
    run = case.run.with_name("whole")
    done = call("faces", *whole, code=2)
    assert "is for whole photos" in done.stderr
    call("faces", "protect", case.photos, tmp_path / "whole", *TEXTURES, "--refit", "--quiet", code=SKIPPED)
    assert json.loads((run / "run.json").read_text())["kind"] == "faces"
