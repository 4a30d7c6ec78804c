"""The pages on a phone, a tablet and a desk, laid out by Chromium."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from browser import STICKING_OUT, laid_out
from test_report import CLASSES, comparison, record, verification

from unlearnable import experiments
from unlearnable.cells.results import Results
from unlearnable.data.photo import Photo
from unlearnable.evaluation.result import Sample
from unlearnable.experiments import figures, pages, profiles
from unlearnable.experiments.table import tabulate
from unlearnable.report import Record, page, people
from unlearnable.report.parts import Part, RecognitionRecord

WIDTHS = (320, 390, 768, 1280)
LONG = "a-name-without-any-space-that-is-longer-than-a-phone-is-wide-0123456789.jpg"


def sample(height: int, width: int) -> Sample:
    pixels = np.random.default_rng(0).integers(0, 240, (height, width, 3), dtype=np.uint8)
    return Sample(f"cats/{LONG}", LONG, Photo(pixels), Photo(pixels + np.uint8(8)))


def verified(*samples: Sample) -> str:
    found = replace(
        verification(), samples=samples, classes=(*CLASSES[:2], LONG), left_out={LONG: f"of {LONG}"}
    )
    return page(record(found, "25%"))


def shown() -> str:
    made = Record.demo(
        comparison(**{"clean": 0.97, "sample-wise": 0.34, "class-wise": 0.5}),
        [sample(28, 28)],
        CLASSES,
        title=f"Can a network learn from {LONG}?",
        intro=LONG,
        pairs=90,
        environment={"device": LONG},
        command=f"unlearnable demo --out {LONG}",
        seconds=60.0,
    )
    return page(made)


def person() -> str:
    """A page with a small and a very wide photo, of which one copy cannot be read."""
    small, wide = (
        people.View(source="gone.png", width=width, height=90, boxes=[(9, 9, 40, 50)]) for width in (70, 4000)
    )
    row = people.Row(name=LONG, clean=LONG, protected="100.0%")
    shots = [
        people.Shot(id=f"cats/{LONG}", before=one, after=after, note=LONG, answers=[row, row])
        for one, after in ((small, wide), (wide, None))
    ]
    return people.page(people.Person(name=LONG, ways=[row], shots=shots))


def with_faces() -> str:
    part = Part(name=LONG, verdict="not protected", text=f"does not hold against {LONG}")
    links = [people.PersonLink(name=LONG, page="people/001.html")] * 3
    named = RecognitionRecord(parts=[part], lines=[LONG], people=links)
    return page(record(verification()).model_copy(update={"recognition": named}))


@pytest.mark.parametrize(
    "make",
    [lambda: verified(sample(60, 90)), shown, person, with_faces],
    ids=["verify", "demo", "person", "faces"],
)
def test_nothing_sticks_out_at_any_width(make: object, tmp_path: Path) -> None:
    found = laid_out(make(), STICKING_OUT, WIDTHS, tmp_path)  # type: ignore[operator]
    assert found == [[]] * len(WIDTHS)


VERDICTS = """
  return [...page.querySelectorAll("td.tone")].map(cell => {
    const box = cell.getBoundingClientRect();
    return [cell.textContent, box.left >= 0 && box.right <= view.innerWidth && box.width > 0];
  });
"""


def test_every_verdict_is_in_view_on_a_phone(tmp_path: Path) -> None:
    (found,) = laid_out(verified(sample(60, 90)), VERDICTS, (390,), tmp_path)
    assert [text for text, _ in found] == ["protected", "protected"]
    assert all(inside for _, inside in found)


OPENED = """
  const button = page.querySelector("button[popovertarget]");
  const full = page.getElementById(button.getAttribute("popovertarget"));
  const before = full.getBoundingClientRect().width;
  button.focus();
  button.click();
  await pause();
  const panes = [...full.querySelectorAll(".pane")];
  for (let turn = 0; turn < 50 && [...full.querySelectorAll("img")].some(image => !image.complete); turn++)
    await pause();
  const boxes = panes.map(pane => pane.getBoundingClientRect());
  panes[1].scrollTo(30, 20);
  // no frame is drawn here, and browsers send this event with a frame
  panes[1].dispatchEvent(new view.Event("scroll"));
  await pause();
  const scrolled = panes.map(pane => [pane.scrollLeft, pane.scrollTop]);
  const natural = panes.map(pane => {
    const image = pane.querySelector("img");
    return [image.naturalWidth, image.naturalHeight, image.width];
  });
  const beside = boxes[0].top === boxes[1].top && boxes[0].right <= boxes[1].left;
  const inside = boxes.every(box => box.left >= 0 && box.right <= view.innerWidth && box.bottom <= 844);
  const large = Math.min(...boxes.map(box => Math.min(box.width, box.height)));
  full.querySelector("header button").click();
  await pause();
  const closed = full.getBoundingClientRect().width;
  return {before, natural, beside, inside, large, scrolled, closed};
"""


@pytest.mark.parametrize(("height", "width", "shown_at"), [(900, 1200, 1200), (28, 28, 504)])
def test_pictures_open_at_full_size_side_by_side(
    height: int, width: int, shown_at: int, tmp_path: Path
) -> None:
    phone, desk = laid_out(verified(sample(height, width)), OPENED, (390, 1280), tmp_path)
    for found in (phone, desk):
        assert found["before"] == found["closed"] == 0
        assert found["natural"] == [[width, height, shown_at]] * 3
        assert found["beside"]
        assert found["inside"]
        assert found["large"] > 150
    # the picture that is scrolled moves the others
    assert phone["scrolled"][0] == phone["scrolled"][1] == [30, 20]


def test_wide_tables_of_experiments_scroll_in_their_own_box(tmp_path: Path) -> None:
    scale = profiles.get("cpu")
    done = Results(Path(__file__).parents[2] / "results" / "cpu" / "cells").all()
    tables = [tabulate(experiments.get(name), scale, done) for name in ("main", "methods")]
    assert all(one.begun for one in tables)
    html = pages.page([(one, figures.draw(one)) for one in tables], tmp_path)
    assert laid_out(html, STICKING_OUT, WIDTHS, tmp_path) == [[]] * len(WIDTHS)


FACES = """
  const full = page.querySelector(".full");
  full.showPopover();
  await pause();
  return [...full.querySelectorAll(".framed")].map(framed => {
    const picture = framed.querySelector("img").getBoundingClientRect();
    const box = framed.querySelector("rect").getBoundingClientRect();
    const [left, top] = [box.left - picture.left, box.top - picture.top];
    return [picture.width, picture.height, left, top, box.width, box.height].map(Math.round);
  });
"""


def test_the_box_of_a_face_is_where_it_is_at_full_size(tmp_path: Path) -> None:
    (found,) = laid_out(person(), FACES, (1280,), tmp_path)
    for (width, height, *box), wanted in zip(found, (70, 4000), strict=True):
        assert (width, height) == (wanted, 90)
        # the stroke is 2 pixels wide
        assert all(abs(one - other) <= 2 for one, other in zip(box, (9, 9, 40, 50), strict=True))
