"""Noise: the pattern of the right row, at the right offset, once; and everything that a file remembers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from unlearnable import hashing, lifting
from unlearnable.assignment import SEPARATOR, Assignment
from unlearnable.budget import Budget
from unlearnable.errors import DataError, UnlearnableError, UsageError
from unlearnable.hashing import draw
from unlearnable.noise import CHUNK_ROWS, Noise, Slot

KEYS = ("ant", "bee", "cat")
TALL = CHUNK_ROWS + 9


def bank(rows: int = 3, height: int = 4, width: int = 5, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(rows).integers(-8, 9, (rows, channels, height, width)).astype(np.int8)


def classwise(**more: object) -> Noise:
    given: dict = {"bank": bank(), "keys": KEYS, "form": "classwise", "budget": Budget(8), "grid": (4, 5)}
    return Noise(**{**given, **more})


def samplewise(**more: object) -> Noise:
    return classwise(**{"form": "samplewise", "digests": ("1", "2", "3"), "classes": ("x", "y", ""), **more})


def problem(**wrong: object) -> str:
    with pytest.raises(UnlearnableError) as raised:
        samplewise(**wrong)
    return raised.value.problem


# What fits together


def test_parts_that_do_not_fit_together_are_refused_with_their_numbers() -> None:
    assert problem(bank=bank().astype(np.int16)) == (
        "The bank is int16 (3, 3, 4, 5), but must be int8 (rows, C, h, w)."
    )
    assert "must be int8" in problem(bank=bank()[0])
    assert problem(keys=KEYS[:2]) == "3 patterns need 3 different keys, not 2."
    assert problem(keys=("ant", "bee", "ant")) == "3 patterns need 3 different keys, not 2."
    assert problem(digests=("1",)) == "3 keys need 3 content hashes, not 1."
    assert problem(classes=("x",)) == "3 keys need 3 classes, not 1."
    assert "one pattern per image" in problem(assignment=Assignment(patterns_per_class=2))
    classwise(keys=("a", "b", "c"), assignment=Assignment(patterns_per_class=2))


@pytest.mark.parametrize("offset", ["centre", "random"])
@pytest.mark.parametrize(
    ("grid", "fits"), [((4, 5), True), ((9, 9), True), ((3, 5), False), ((4, 4), False), ((3, 9), False)]
)
def test_a_patch_must_fit_along_both_sides(offset, grid: tuple[int, int], fits: bool) -> None:
    given = {"grid": grid, "assignment": Assignment(offset=offset)}
    if fits:
        assert classwise(**given).grid == grid
    else:
        with pytest.raises(UnlearnableError, match="does not fit"):
            classwise(**given)
    # a repeated pattern is cut off instead
    assert classwise(grid=grid).pattern(Slot(0)).shape == (3, *grid)


@pytest.mark.parametrize("value", [9, -9])
def test_one_value_beyond_the_budget_is_refused_on_either_side(value: int) -> None:
    wide = bank()
    wide[2, 1, 3, 4] = value
    with pytest.raises(UnlearnableError, match=r"exceeds its budget linf\(8/255\)"):
        classwise(bank=wide)
    assert classwise(bank=wide, budget=Budget(9)).bank[2, 1, 3, 4] == value
    edge = np.full((3, 3, 4, 5), -8 if value < 0 else 8, np.int8)
    assert classwise(bank=edge).bank is edge
    assert len(classwise(bank=bank(3)[:0], keys=()).bank) == 0


# Which row


def test_a_row_is_that_of_the_class_or_of_the_image() -> None:
    assert [classwise().row("any", name) for name in (*KEYS, "dog")] == [0, 1, 2, None]
    plain = samplewise(digests=(), classes=())
    assert [plain.row(id, "any") for id in (*KEYS, "dog")] == [0, 1, 2, None]
    some = Assignment(classes=("bee",))
    assert [classwise(assignment=some).row("any", name) for name in KEYS] == [None, 1, None]
    assert [replace(plain, assignment=some).row(id, "bee") for id in KEYS] == [0, 1, 2]


def test_content_and_class_must_be_those_that_the_noise_was_found_for() -> None:
    noise = samplewise()
    assert noise.row("ant", "x", "1") == 0
    assert noise.row("ant", "x") == 0
    assert noise.row("ant", "x", "2") is None
    assert noise.row("ant", "y", "1") is None
    # the class of the last row is unknown, so any class gets it
    assert [noise.row("cat", name, "3") for name in ("x", "y", "z")] == [2, 2, 2]
    assert samplewise(digests=()).row("bee", "y", "anything") == 1
    assert [noise.class_at(row) for row in range(3)] == ["x", "y", ""]
    assert samplewise(classes=()).class_at(1) == ""


def test_the_class_of_a_known_image_is_remembered_and_of_no_other() -> None:
    noise = samplewise()
    assert noise.found_for("bee", "2") == "y"
    assert noise.found_for("bee", "1") == ""
    assert noise.found_for("dog", "1") == ""
    assert samplewise(digests=()).found_for("bee", "1") == "y"
    assert classwise().found_for("bee", "2") == ""
    assert classwise(classes=("x", "y", "z")).found_for("bee", "2") == ""


def test_classes_are_filled_in_where_they_are_unknown() -> None:
    known = {"ant": "other", "cat": "z"}
    assert samplewise().with_classes(known).classes == ("x", "y", "z")
    assert samplewise(classes=()).with_classes({"bee": "y"}).classes == ("", "y", "")
    noise = classwise()
    assert noise.with_classes(known) is noise


# Where it lies


def test_a_patch_lies_at_the_offset_of_its_own_image() -> None:
    noise = classwise(grid=(9, 11), assignment=Assignment(offset="random", seed=4))
    offsets = set()
    for id in ("a", "b", "c", "d", "e"):
        slot = noise.slot(id, "bee")
        assert slot is not None
        assert slot == Slot(1, noise.assignment.top_left(id, (4, 5), (9, 11)))
        top, left = slot.top_left or (-1, -1)
        wanted = np.zeros((3, 9, 11), np.int8)
        wanted[:, top : top + 4, left : left + 5] = noise.bank[1]
        assert np.array_equal(noise.pattern(slot), wanted)
        offsets.add((top, left))
    assert len(offsets) > 2
    assert noise.slot("a", "dog") is None
    assert classwise().slot("a", "cat") == Slot(2)
    assert samplewise().slot("ant", "x", "2") is None


@pytest.mark.parametrize("grid", [(4, 5), (9, 11), (8, 10), (3, 2), (5, 5)])
def test_a_pattern_is_repeated_from_the_upper_left_corner(grid: tuple[int, int]) -> None:
    found = classwise(grid=grid).pattern(Slot(2))
    rows, columns = np.indices(grid)
    assert np.array_equal(found, classwise().bank[2][:, rows % 4, columns % 5])


def test_a_hash_of_a_slot_covers_everything_that_is_added() -> None:
    noise = classwise(grid=(9, 11))
    first = noise.slot_hash(Slot(0))
    others = [
        noise.slot_hash(Slot(1)),
        noise.slot_hash(Slot(0, (0, 0))),
        noise.slot_hash(Slot(0, (0, 1))),
        replace(noise, grid=(11, 9)).slot_hash(Slot(0)),
        replace(noise, interpolation="nearest").slot_hash(Slot(0)),
        replace(noise, bank=noise.bank.reshape(3, 3, 5, 4)).slot_hash(Slot(0)),
    ]
    assert len({first, *others}) == 7
    # published files of earlier versions are recognised by it
    pattern = hashing.of_bytes(noise.bank[0].tobytes())
    assert first == hashing.digest(pattern, [3, 4, 5], None, [9, 11], "bilinear")
    assert replace(noise, keys=("d", "e", "f"), provenance={"a": 1}).slot_hash(Slot(0)) == first
    assert replace(noise, grey="full").slot_hash(Slot(0)) not in {first, *others}


@pytest.mark.parametrize("grey", ["mean", "full"])
def test_a_file_has_the_rule_for_grey_photos(tmp_path: Path, grey) -> None:
    noise = classwise(grid=(9, 11), grey=grey)
    noise.save(tmp_path / "noise.safetensors")
    again = Noise.load(tmp_path / "noise.safetensors")
    assert again.grey == grey
    pixels = np.full((18, 22), 128, np.uint8)
    assert np.array_equal(again.add(pixels, Slot(0)), noise.add(pixels, Slot(0)))
    assert noise.joined(classwise(grid=(9, 11))).grey == grey
    # colour photos are the same under both
    other = classwise(grid=(9, 11), grey="mean" if grey == "full" else "full")
    colour = np.full((18, 22, 3), 128, np.uint8)
    assert np.array_equal(other.add(colour, Slot(0)), noise.add(colour, Slot(0)))
    assert not np.array_equal(other.add(pixels, Slot(0)), noise.add(pixels, Slot(0)))


# What is added


def added(pixels: np.ndarray, noise: Noise, slot: Slot) -> np.ndarray:
    """The published pixels, from the definition: lift, round once, add, clip."""
    pattern = noise.pattern(slot).astype(np.float32)
    grey = pixels.ndim == 2 or pixels.shape[2] < 3
    if grey:
        pattern = pattern.mean(0, keepdims=True)
    height, width = pixels.shape[:2]
    lifted = lifting.lift(pattern, height, width, noise.interpolation)
    lifted = lifted * lifting.gain(pattern, height, width, noise.interpolation)
    levels = np.clip(np.rint(lifted), -noise.budget.epsilon, noise.budget.epsilon).astype(int)
    out = pixels.astype(int).reshape(height, width, -1).copy()
    channels = 1 if grey else 3
    out[..., :channels] = (out[..., :channels] + levels.transpose(1, 2, 0)).clip(0, 255)
    return out.reshape(pixels.shape).astype(np.uint8)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("last", [(), (1,), (2,), (3,), (4,)])
@pytest.mark.parametrize("size", [(4, 5), (TALL, 7), (2, 3), (3, 30), (CHUNK_ROWS, 4)])
def test_published_pixels_are_their_definition(
    size: tuple[int, int], last: tuple[int], interpolation
) -> None:
    noise = classwise(interpolation=interpolation, grid=(6, 7))
    pixels = np.random.default_rng(1).integers(0, 256, (*size, *last), dtype=np.uint8)
    before = pixels.copy()
    out = noise.add(pixels, Slot(1))
    assert np.array_equal(out, added(before, noise, Slot(1)))
    assert not np.array_equal(out, before)
    # a new array; alpha stays
    assert np.array_equal(pixels, before)
    assert out.dtype == np.uint8
    if last in ((2,), (4,)):
        assert np.array_equal(out[..., -1], before[..., -1])


def test_noise_is_rounded_once_after_it_is_lifted() -> None:
    # a mean over the channels of 1/3 and of 2/3: rounded first, the photo would move by 0 and by 1 level
    pattern = np.zeros((1, 3, 2, 2), np.int8)
    pattern[0, 0] = [[1, 0], [2, 0]]
    noise = Noise(pattern, ("a",), "classwise", Budget(8), (2, 2))
    out = noise.add(np.full((2, 2), 100, np.uint8), Slot(0))
    assert out.tolist() == [[100, 100], [101, 100]]


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 5, 3), np.float32),
        np.zeros((4, 5, 5), np.uint8),
        np.zeros((4,), np.uint8),
        np.zeros((1, 4, 5, 3), np.uint8),
        "photo.png",
        None,
    ],
)
def test_pixels_that_are_no_image_are_refused(pixels: object) -> None:
    with pytest.raises(UsageError, match="must be a uint8 array of one image"):
        classwise().add(pixels, Slot(0))  # type: ignore[arg-type]


def test_a_missing_slot_is_refused_with_the_way_to_one() -> None:
    with pytest.raises(UsageError) as raised:
        classwise().add(np.zeros((4, 5, 3), np.uint8), None)  # type: ignore[arg-type]
    assert raised.value.problem == "slot is None, but must be a Slot."
    assert raised.value.remedy == (
        "Give noise.slot(id, class_name); where that is None, the image gets no noise."
    )


def test_the_usual_change_is_that_of_the_slots_own_pattern() -> None:
    noise = classwise(grid=(8, 10), interpolation="nearest")
    for row in range(3):
        wanted = float(np.abs(noise.bank[row].astype(float)).mean())
        assert noise.usual_change(Slot(row), (99, 99)) == pytest.approx(wanted, rel=1e-5)
    smooth = replace(noise, interpolation="bilinear")
    assert smooth.usual_change(Slot(0), (99, 99)) == pytest.approx(
        lifting.usual(smooth.pattern(Slot(0)).astype(np.float32)), rel=1e-6
    )
    assert smooth.usual_change(Slot(0), (99, 99)) < noise.usual_change(Slot(0), (99, 99))


# Two noises


def test_joined_noise_takes_the_later_pattern_and_the_facts_that_belong_to_it() -> None:
    first = samplewise()
    second = samplewise(
        bank=-bank(), keys=("bee", "dog", "eel"), digests=("4", "5", "6"), classes=("v", "w", "x")
    )
    both = first.joined(second)
    assert both.keys == ("ant", "cat", "bee", "dog", "eel")
    assert both.digests == ("1", "3", "4", "5", "6")
    assert both.classes == ("x", "", "v", "w", "x")
    assert np.array_equal(both.bank, np.concatenate([bank()[[0, 2]], -bank()]))
    assert both.row("bee", "v", "4") == 2
    assert both.row("bee", "y", "2") is None
    # hashes of some keys alone would refuse the others
    assert first.joined(replace(second, digests=())).digests == ()
    assert replace(first, digests=()).joined(second).digests == ()
    assert first.joined(replace(second, classes=())).classes == ("x", "", "", "", "")
    assert replace(first, classes=()).joined(second).classes == ("", "", "v", "w", "x")
    assert replace(first, classes=()).joined(replace(second, classes=())).classes == ()
    assert replace(first, provenance={"seed": 1}).joined(second).provenance == {"seed": 1}


@pytest.mark.parametrize(
    "other",
    [
        {"form": "samplewise"},
        {"grid": (4, 6)},
        {"bank": bank(3, 4, 4)},
        {"budget": Budget(9)},
        {"assignment": Assignment(patterns_per_class=2)},
        {"assignment": Assignment(offset="centre")},
    ],
)
def test_noise_of_another_kind_is_not_joined(other: dict) -> None:
    more = classwise(**{"keys": ("d", "e", "f"), **other})
    with pytest.raises(UnlearnableError, match="cannot be joined"):
        classwise().joined(more)
    with pytest.raises(UnlearnableError, match="cannot be joined"):
        more.joined(classwise())


@pytest.mark.parametrize(("drawn", "joins"), [({}, True), ({"patterns_per_class": 3}, False)])
def test_seeds_matter_where_something_is_drawn(drawn: dict, joins: bool) -> None:
    for more, fits in ((drawn, joins), ({**drawn, "offset": "centre"}, joins), ({"offset": "random"}, False)):
        one, two = (
            classwise(keys=keys, grid=(9, 9), assignment=Assignment(seed=seed, **more))
            for seed, keys in ((1, KEYS), (2, ("d", "e", "f")))
        )
        if fits:
            assert len(one.joined(two).keys) == 6
        else:
            with pytest.raises(UnlearnableError, match="cannot be joined"):
                one.joined(two)
        assert len(one.joined(replace(two, assignment=one.assignment)).keys) == 6


# Files


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"classes": ()},
        {"interpolation": "nearest", "grid": (12, 10), "budget": Budget(127), "provenance": {"é": [1, None]}},
        {
            "keys": ("ä/1.png", "名\0" + "7", "c"),
            "assignment": Assignment(0.5, ("x",), 1, "random", {"a": "b"}, 9),
        },
        {"bank": bank()[:0], "keys": (), "digests": (), "classes": ()},
        {"bank": bank(1), "keys": ("a",), "digests": ("1",), "classes": ("x",)},
        {"form": "classwise", "digests": (), "classes": (), "assignment": Assignment(patterns_per_class=3)},
    ],
)
def test_a_file_remembers_everything(more: dict, tmp_path) -> None:
    given = {"grid": (9, 9), **more}
    noise, path = samplewise(**given), tmp_path / "noise.safetensors"
    noise.save(str(path))
    again = Noise.load(str(path))
    assert np.array_equal(again.bank, noise.bank)
    assert again.bank.shape == noise.bank.shape
    assert replace(again, bank=noise.bank) == noise
    plain = noise.assignment == Assignment()
    assert again.assignment == noise.assignment
    if len(noise.bank):
        assert isinstance(again.bank, np.memmap)
        assert not again.bank.flags.writeable
    # readers of the first format must refuse noise that has an assignment
    from safetensors import safe_open

    with safe_open(str(path), framework="np") as file:
        meta = json.loads(file.metadata()["unlearnable"])
        assert meta["format"] == ("unlearnable-noise/1" if plain else "unlearnable-noise/2")
        assert set(file.keys()) == {"bank", "keys", "digests"} | ({"classes"} if noise.classes else set())
    assert set(meta) == {"format", "form", "epsilon", "grid", "interpolation", "provenance"} | (
        set() if plain else {"assignment"}
    )


def rewritten(path, tensors: dict | None = None, **meta: object) -> None:
    """The noise file of ``samplewise()`` with other tensors or other entries of its record."""
    samplewise().save(path)
    record = {
        "format": "unlearnable-noise/1",
        "form": "samplewise",
        "epsilon": 8,
        "grid": [4, 5],
        "interpolation": "bilinear",
        "provenance": {},
    }
    found = {**load_file(path), **(tensors or {})}
    save_file(found, path, metadata={"unlearnable": json.dumps({**record, **meta})})


def test_files_that_cannot_be_read_are_named_with_a_remedy(tmp_path) -> None:
    path = tmp_path / "noise.safetensors"
    with pytest.raises(DataError) as raised:
        Noise.load(path)
    assert raised.value.problem == f"There is no noise file {path}."
    assert raised.value.remedy == "Make one with `unlearnable fit` or noise.save."
    rewritten(path)
    assert Noise.load(path).keys == KEYS
    rewritten(path, format="unlearnable-noise/9")
    with pytest.raises(DataError, match=r"cannot read \(unlearnable-noise/9\)"):
        Noise.load(path)
    rewritten(path, tensors={"bank": bank().astype(np.int16)})
    with pytest.raises(DataError, match="its bank is I16, not I8"):
        Noise.load(path)
    for wrong in ({"grid": 4}, {"epsilon": "8"}, {"grid": [4]}):
        rewritten(path, **wrong)
        with pytest.raises((DataError, UsageError)):
            Noise.load(path)
    save_file({"bank": bank()}, path)
    with pytest.raises(DataError, match=r"noise\.safetensors is not a readable noise file"):
        Noise.load(path)


# The assignment


@pytest.mark.parametrize("seed", [0, 5])
def test_every_draw_is_a_hash_of_its_purpose_and_the_image(seed: int) -> None:
    one = Assignment(share=0.4, patterns_per_class=3, offset="random", seed=seed)
    for number in range(200):
        id = f"{number}.png"
        assert one.covers(id, "a") == (draw(seed, "share", id) < 0.4)
        assert one.key(id, "a") == f"a{SEPARATOR}{int(draw(seed, 'several', id) * 3)}"
        top, left = int(draw(seed, "top", id) * 6), int(draw(seed, "left", id) * 4)
        assert one.top_left(id, (4, 5), (9, 8)) == (top, left)


def test_the_edges_of_an_assignment() -> None:
    assert not any(Assignment(share=0.0).covers(str(i), "a") for i in range(50))
    assert all(Assignment(share=1.0).covers(str(i), "a") for i in range(50))
    assert Assignment(classes=()).covers("a", "x") is False
    assert Assignment(classes=("x",), share=0.0).covers("a", "x") is False
    assert Assignment().keys("a") == ("a",)
    assert Assignment(patterns_per_class=2).keys("a") == ("a\x000", "a\x001")
    assert Assignment(mapped={"a": "b"}).key("1", "a") == "b"
    assert Assignment(mapped={"a": "b"}).key("1", "c") == "c"
    assert Assignment(mapped={"a": "b"}, patterns_per_class=2).key("1", "a").startswith("b\0")
    assert Assignment(offset="centre").top_left("x", (2, 3), (9, 4)) == (3, 0)
    assert Assignment(offset="centre").top_left("x", (2, 3), (2, 3)) == (0, 0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"share": 1.5}, ("share is 1.5, but must be between 0 and 1.", "Give 1 for all images.")),
        ({"share": -0.01}, ("share is -0.01, but must be between 0 and 1.", "Give 1 for all images.")),
        (
            {"patterns_per_class": 0},
            ("patterns_per_class is 0, but must be 1 or more.", "Give 1 for one pattern per class."),
        ),
        ({"offset": "edge"}, ("offset is 'edge', which does not exist.", "Choose tile, centre, random.")),
    ],
)
def test_a_wrong_assignment_says_what_to_give(wrong: dict, words: tuple[str, str]) -> None:
    with pytest.raises(UsageError) as raised:
        Assignment(**wrong)
    assert (raised.value.problem, raised.value.remedy) == words


def test_a_record_of_an_assignment_has_the_names_of_its_format() -> None:
    one = Assignment(0.5, ("x", "y"), 2, "random", {"a": "b"}, 9)
    record = one.to_json()
    assert record == {
        "share": 0.5,
        "classes": ("x", "y"),
        "several": 2,
        "place": "random",
        "mapped": {"a": "b"},
        "seed": 9,
    }
    assert Assignment.from_json(json.loads(json.dumps(record))) == one
    assert Assignment.from_json({"offset": "centre", "classes": None}) == Assignment(offset="centre")
    assert Assignment.from_json({}) == Assignment()
    with pytest.raises(TypeError):
        Assignment.from_json({"colour": 1})
