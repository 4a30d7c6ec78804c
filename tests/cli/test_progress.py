"""Progress and results on terminals of every width, and where there is no terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import time

import pytest

from unlearnable.cli import console, progress
from unlearnable.cli.console import Console, definitions, fold, printable, shortened
from unlearnable.cli.progress import Stage, bar
from unlearnable.errors import Unfinished
from unlearnable.events import Event

WIDTHS = [20, 40, 60, 80, 120]
EVENTS = [
    Event("searching", 120, 800, "round 3: error 4.1%"),
    Event("writing", 99_999, 100_000),
    Event("checking", 7),
    Event("measuring the networks", 1, 24, "a long text about the training of a network on protected photos"),
]


def begun(event: Event) -> Stage:
    """A stage that began half a minute ago."""
    return Stage(event, (time.monotonic() - 30, 0))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.stage)
def test_a_bar_fits_its_terminal_and_keeps_its_count(width: int, event: Event) -> None:
    line = bar(begun(event), width)
    assert len(line) <= width
    assert (f"{event.done}/{event.total}" if event.total else f"{event.done}") in line
    assert set("━─") & set(line) or not event.total or width < 80


def test_a_wide_bar_shows_how_much_is_done() -> None:
    half = bar(Stage(Event("writing", 40, 80)), 120)
    assert half == f"writing  {'━' * 20}{'─' * 20}  40/80"
    assert bar(Stage(Event("writing", 90, 80)), 120).count("━") == 40
    assert bar(begun(Event("writing", 40, 80)), 120, "#-").endswith("  40/80  30 s left")


def test_the_event_knows_the_time_left_better() -> None:
    assert begun(Event("searching", 1, 2, left=7200.0)).left == "2.0 h left"
    assert Stage(Event("searching", 3, 9)).left == "", "no speed is known yet"
    assert begun(Event("searching", 9, 9)).left == ""


def test_off_a_terminal_there_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.05)
    with Console().progress() as on_progress:
        on_progress(Event("reading", text="a remark"))
        for done in range(1, 4):
            time.sleep(0.06)
            on_progress(Event("searching", done, 8))
    said = capsys.readouterr().err.splitlines()
    assert "reading: a remark" in said
    assert any(
        re.fullmatch(r"searching: [123] of 8(, \d+\.\d a second, about 1 s left)?", line) for line in said
    ), said
    time.sleep(0.1)
    assert not capsys.readouterr().err, "nothing is printed when the work is over"


def test_a_step_that_takes_long_is_not_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.03)
    with Console().progress():
        time.sleep(0.1)
    assert "working: in progress" in capsys.readouterr().err


@pytest.mark.parametrize("quiet", [True, False])
def test_there_is_no_line_in_the_first_half_minute_or_when_quiet(
    quiet: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if quiet:
        monkeypatch.setattr(progress, "EVERY", 0.01)
    with Console(quiet=quiet).progress() as on_progress:
        on_progress(Event("searching", 1, 8))
        time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_work_that_cannot_resume_ends_at_its_deadline() -> None:
    with Console(quiet=True).progress(time.monotonic() - 1) as on_progress:
        on_progress(Event("exporting", 8, 8))
        with pytest.raises(Unfinished, match=r"exporting, 3 of 8\. Nothing was written"):
            on_progress(Event("exporting", 3, 8))


ON_A_TERMINAL = """
import time
from unlearnable.cli.console import Console
from unlearnable.events import Event

console = Console()
with console.progress() as on_progress:
    for done in range(1, 801, 100):
        on_progress(Event("searching", done, 800, "round 3: error 4.1%"))
    console.remark("saved in " + "/a-long-folder" * 12)
    on_progress(Event("searching", 800, 800))
result = "No pixel changed by more than 8/255 and all of the photos are there."
console.result({}, result + "\\nPublish: " + "/p" * 80)
"""


@pytest.mark.parametrize(("width", "term"), [(40, "xterm"), (120, "xterm"), (20, "xterm"), (80, "dumb")])
def test_a_real_terminal(width: int, term: str) -> None:
    parent, child = pty.openpty()
    env = {**os.environ, "COLUMNS": str(width), "TERM": term, "NO_COLOR": "1"}
    process = subprocess.Popen([sys.executable, "-c", ON_A_TERMINAL], stdout=child, stderr=child, env=env)
    os.close(child)
    raw = b""
    while True:
        try:
            part = os.read(parent, 65536)
        except OSError:
            break
        if not part:
            break
        raw += part
    assert process.wait() == 0
    os.close(parent)
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", raw.decode()).replace("\r", "\n")
    lines = [line for line in text.split("\n") if line]
    assert any("800/800" in line for line in lines) == (term != "dumb")
    assert "saved in " + "/a-long-folder" * 12 in lines, "a path is one piece"
    assert "Publish: " + "/p" * 80 in lines
    assert all(len(line) <= width for line in lines if "/a" not in line and "/p" not in line), lines


@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_long_lines_are_broken_between_words_and_paths_are_not(columns: int) -> None:
    sentence = "  12 photos written, no pixel changed by more than 8/255, " * 3
    lines = fold(f"{sentence}\nPublish: /home/a name with spaces/{'x' * 120}", columns).split("\n")
    assert lines[-1] == f"Publish: /home/a name with spaces/{'x' * 120}"
    assert all(len(line) <= columns and line.startswith("  ") for line in lines[:-1])
    assert " ".join(" ".join(lines[:-1]).split()) == " ".join(sentence.split())
    assert fold(sentence, None) == sentence


@pytest.mark.parametrize("columns", WIDTHS)
def test_names_and_their_lines_fit(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    entries = {"a_name": "What it does to an image, in many words, and then in some more.", "b": "Short."}
    lines = definitions(entries).split("\n")
    assert all(len(line) <= columns for line in lines)
    assert " ".join(" ".join(lines).split()) == " ".join(f"{name} {line}" for name, line in entries.items())


@pytest.mark.parametrize("count", [1, 20, 21, 1000])
def test_a_long_list_is_cut(count: int) -> None:
    lines = shortened({f"{number:04d}.png": "broken" for number in range(count)})
    assert len(lines) == min(count, 21)
    assert (lines[-1] == f"  and {count - 20:,} more; --json has all of them") == (count > 20)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain é 日本 \U0001f600.png", "plain é 日本 \U0001f600.png"),
        ("no\u00a0break", "no\u00a0break"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\x07b\x9b", "a\\x07b\\x9b"),
        ("\u202etxt.png", "\\u202etxt.png"),
        ("bytes\udcff", "bytes\\udcff"),
    ],
)
def test_names_cannot_write_to_the_terminal(name: str, shown: str) -> None:
    assert printable(name) == shown


def test_json_has_no_numbers_that_json_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    record = {"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": (-float("inf"), True)}, "e": "\udcff"}
    Console(json=True).result(record, "")
    text = capsys.readouterr().out
    assert json.loads(text) == {"a": None, "b": [1.5, None], "c": {"d": [None, True]}, "e": "\udcff"}


def test_the_width_is_that_of_columns_or_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "33")
    assert console.width() == 33
    monkeypatch.delenv("COLUMNS")
    assert console.width() is None


@pytest.mark.parametrize("slow_from", [0.0, 0.02, 0.04, 0.06])
@pytest.mark.parametrize("total", [40, 1000, 100_000])
def test_the_time_left_follows_a_machine_that_slows_down(
    total: int, slow_from: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    stage = Stage(Event("writing", 0, total))
    for done in range(1, total // 10 + 1):
        clock[0] += 9.0 if done > slow_from * total else 3.0
        stage = stage.after(Event("writing", done, total))
    assert duration_of(stage.left) == pytest.approx(9.0 * (total - total // 10), rel=0.3)
    assert len(stage._marks) < 200


def duration_of(words: str) -> float:
    number, unit, _ = words.split()
    return float(number) * {"s": 1, "min": 60, "h": 3600}[unit]
