"""A page for each person: links to photos where they lie, boxes of faces, answers; nothing is copied."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from people import Marks, encoded, registered, with_marks
from PIL import Image
from test_afresh import SIDE, noisy

from unlearnable.evaluation.comparison import Run, summarise
from unlearnable.evaluation.result import Verification
from unlearnable.evaluation.schedule import PHOTOS, trials
from unlearnable.evaluation.statistics import Curve, Interval
from unlearnable.faces.afresh import Pairs, pairs
from unlearnable.faces.finding import FaceOptions
from unlearnable.faces.galleries import Recognised
from unlearnable.report import people

ANN, BEA = "ann & <b>", "bea 100%"
LOST = f"{ANN}/3 #x?.png"
IDS = [f"{ANN}/1.png", f"{ANN}/2.jpg", LOST, f"{BEA}/1.png", f"{BEA}/2.png"]


@pytest.fixture(autouse=True)
def marks() -> Iterator[None]:
    with registered("marks", Marks()):
        yield


def folders(root: Path) -> tuple[Path, Path]:
    """Photos with a mark at (100, 90); one copy has none, and one is of half the size."""
    for number, id in enumerate(IDS):
        photo = with_marks(320, 340, (100, 90, SIDE), tone=60 + number)
        copy = noisy(photo if id != LOST else with_marks(320, 340, tone=64), number)
        if id == IDS[3]:
            copy = np.asarray(Image.fromarray(copy).resize((170, 160)))
        for folder, pixels in (("photos", photo), ("out", copy)):
            (root / folder / id).parent.mkdir(parents=True, exist_ok=True)
            kind = {"format": "JPEG", "quality": 97} if id.endswith("jpg") else {"format": "PNG"}
            (root / folder / id).write_bytes(encoded(pixels, **kind))
    return root / "photos", root / "out"


def measured() -> Verification:
    """Ann is recognised in 3 of 4 photos after clean ones and in 1 of 4 after protected ones, Bea always."""
    labels = np.array([0] * 4 + [1] * 4)
    rights = {"clean": [1, 1, 1, 0, 1, 1, 1, 1], "protected": [1, 0, 0, 0, 1, 1, 1, 1]}
    runs = {
        name: (Run(0, (0.5,), Curve((0.5,)), np.array(right, dtype=bool), labels),)
        for name, right in rights.items()
    }
    found = summarise(trials(PHOTOS, 100)[0], runs, (0, 1), 0.5)
    return Verification((found,), (), (ANN, BEA), (), 8, 0, {}, "photos", None, 0, (), {}, 1.0)


def answers(protected: list[int]) -> Recognised:
    whole = Interval(1.0, 1.0, 1.0)
    return Recognised(
        whole, whole, whole, "cannot tell", "a rule", np.array([0, 0, 1, 1]), np.array(protected)
    )


@pytest.fixture
def written(tmp_path: Path) -> tuple[Path, Pairs, list[str]]:
    """The run folder, the pairs, and the pages."""
    found = pairs(*folders(tmp_path), FaceOptions("marks"))
    assert found.clean.ids == tuple(id for id in IDS if id != LOST)
    run = tmp_path / "photos.unlearnable" / "out"
    links = people.save(run, found, measured(), {"net": [answers([0, 1, 1, -1])]})
    assert [link.name for link in links] == [ANN, BEA]
    return run, found, [(run / link.page).read_text("utf-8") for link in links]


def test_pictures_are_links_to_the_files_where_they_lie(written: tuple, tmp_path: Path) -> None:
    run, _, pages = written
    linked = [
        (run / people.FOLDER / unquote(source)).resolve()
        for page in pages
        for source in re.findall(r'src="([^"]+)"', page)
    ]
    assert set(linked) == {tmp_path / folder / id for folder in ("photos", "out") for id in IDS}
    assert all(path.is_file() for path in linked)
    assert {path.suffix for path in run.rglob("*") if path.is_file()} == {".html"}
    assert all("data:" not in page for page in pages)
    # photos are read when they are looked at
    assert all(tag.count('loading="lazy"') for page in pages for tag in re.findall(r"<img [^>]*>", page))


def test_names_are_escaped_and_pages_are_private(written: tuple) -> None:
    _, _, (ann, _) = written
    assert "ann &amp; &lt;b&gt;" in ann
    assert "<b>" not in ann
    assert "Keep this page private" in ann
    assert "http" not in ann


def test_boxes_are_where_the_faces_are(written: tuple) -> None:
    _, _, (ann, bea) = written
    boxes = re.findall(r'viewBox="0 0 (\d+) (\d+)"[^>]*>(.*?)</svg>', ann)
    assert set(boxes) == {
        ("340", "320", '<rect x="100.0" y="90.0" width="112.0" height="112.0"/>'),
        # the copy in which the face is lost
        ("340", "320", ""),
    }
    assert "Its face is not found in the published copy." in ann
    assert ann.count("Its face is not found") == 1
    half = [box for box in re.findall(r'viewBox="0 0 (\d+) (\d+)"[^>]*>(.*?)</svg>', bea) if box[0] == "170"]
    assert len(half) == 2
    left, width = (float(re.findall(rf'{name}="([\d.]+)"', half[0][2])[0]) for name in ("x", "width"))
    assert (left, width) == (pytest.approx(50, abs=1.5), pytest.approx(56, abs=2))


def rows(page: str) -> list[list[str]]:
    found = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL)]
    return [row for row in found if row]


def test_the_answers_on_a_person_and_on_each_photo(written: tuple) -> None:
    _, _, (ann, bea) = written
    one, other = "ann &amp; &lt;b&gt;", "bea 100%"
    assert rows(ann) == [
        ["resnet18, from scratch", "75.0%", "25.0%"],
        ["net, a rule", "100.0%", "50.0%"],
        ["net, a rule", one, one],
        ["net, a rule", one, other],
    ]
    assert rows(bea) == [
        ["resnet18, from scratch", "100.0%", "100.0%"],
        ["net, a rule", "100.0%", "50.0%"],
        ["net, a rule", other, other],
        ["net, a rule", other, "nobody"],
    ]


def test_pages_of_an_earlier_call_are_removed(written: tuple) -> None:
    run, found, _ = written
    (run / people.FOLDER / "099.html").write_text("old")
    people.save(run, found, measured(), {})
    assert sorted(path.name for path in (run / people.FOLDER).iterdir()) == ["001.html", "002.html"]


def test_a_photo_that_browsers_cannot_open_is_embedded_small(
    written: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, found, _ = written
    monkeypatch.setattr(people, "SHOWN", frozenset((".jpg",)))
    monkeypatch.setattr(people, "SIDE", 64)
    links = people.save(run, found, measured(), {})
    sources = re.findall(r'src="([^"]+)"', (run / links[0].page).read_text("utf-8"))
    kinds = {source.partition(",")[0] for source in sources if source.startswith("data:")}
    assert kinds == {"data:image/jpeg;base64"}
    assert sum(source.startswith("data:") for source in sources) == 8
    assert max(map(len, sources)) < 10_000


def test_a_person_without_test_photos_is_not_given_a_figure(written: tuple) -> None:
    run, found, _ = written
    trained = measured()
    (comparison,) = trained.comparisons
    arms = tuple(replace(arm, recall=(float("nan"), 1.0)) for arm in comparison.arms)
    other = replace(trained, comparisons=(replace(comparison, arms=arms),))
    links = people.save(run, found, other, {})
    assert rows((run / links[0].page).read_text("utf-8"))[0][1:] == ["not tested", "not tested"]
