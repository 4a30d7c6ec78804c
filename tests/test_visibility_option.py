"""``--visibility``: named limits on the noise of a search, and the visibility that a run records."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import unlearnable as un
from publishing import call
from unlearnable import methods, presets
from unlearnable.data.arrays import arrays
from unlearnable.data.decoding import decode
from unlearnable.evaluation.visibility import overall, visibility
from unlearnable.presets.visibility import VISIBILITY
from unlearnable.runs import RunFolder
from unlearnable.training.compute import Compute

TINY = (
    "surrogate=cnn:width=8,depth=2",
    "max_rounds=1",
    "min_rounds=1",
    "batch=8",
    "zoom=1.0",
    "resolution=32",
)


def words(*more: str) -> list[str]:
    return [word for one in (*TINY, *more) for word in ("--set", one)]


def settings(run: Path) -> dict:
    return RunFolder(run).read()["settings"]


def test_a_name_is_a_table_of_settings_under_the_options(photos: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("low_limit = 0.9\n")
    for number, (given, wanted) in enumerate(
        [
            ([], ("free", "free")),
            (["--visibility", "high"], ("free", "free")),
            (["--visibility", "low"], tuple(VISIBILITY["low"].values())),
            (["--visibility", "low", "--config", str(file)], (VISIBILITY["low"]["mean_shift"], 0.9)),
            (["--visibility", "medium", "--set", "mean_shift=0.1"], (0.1, VISIBILITY["medium"]["low_limit"])),
        ]
    ):
        call("fit", photos, tmp_path / f"run{number}", *words(), *given, "--device", "cpu")
        found = settings(tmp_path / f"run{number}")
        assert (found["mean_shift"], found["low_limit"]) == wanted


def test_names_limit_the_noise_more_and_more() -> None:
    limits = [list(presets.limits(name).values()) for name in ("high", "medium", "low")]
    assert limits[0] == ["free", "free"]
    assert all(low < medium for low, medium in zip(limits[2], limits[1], strict=True))
    for name in VISIBILITY:
        methods.create("error_minimizing", presets.limits(name))
    for wrong in (3, ["low"]):
        with pytest.raises(un.UsageError, match="A visibility is given by its name"):
            presets.limits(wrong)  # type: ignore[arg-type]


def test_a_request_with_another_visibility_is_another_run(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ["--visibility", "low", "--device", "cpu", *words()]
    call("protect", photos, out, *given)
    again = json.loads(call("protect", photos, out, *given, "--json").stdout)
    assert again["written"] == 0
    assert again["visibility"]["photos"] == 8
    refused = call("protect", photos, out, "--visibility", "medium", "--device", "cpu", *words(), code=2)
    assert "mean_shift 0.3, not 0.5" in refused.stderr


@pytest.mark.parametrize(
    ("given", "problem", "remedy"),
    [
        (["--visibility", "lo"], "no visibility 'lo'", "Did you mean 'low'?"),
        (
            ["--visibility", "low", "--method", "random"],
            "random has no such limits",
            "Leave --visibility out",
        ),
    ],
)
def test_what_cannot_be_limited_is_refused(
    photos: Path, tmp_path: Path, given: list[str], problem: str, remedy: str
) -> None:
    refused = call("protect", photos, tmp_path / "out", *given, "--device", "cpu", code=2)
    assert problem in refused.stderr
    assert remedy in refused.stderr
    assert not (tmp_path / "out").exists()


def test_a_run_records_the_visibility_of_its_files(photos: Path, tmp_path: Path) -> None:
    done = un.protect(photos, tmp_path / "out", methods.create("random", {}), seed=1, workers=1)
    assert done.visibility is not None
    assert RunFolder(done.run).read()["visibility"] == done.visibility
    images = un.open_photos(photos)
    ids = list(images.own)[::2][:8]
    pairs = [
        (images.photo(id), decode((tmp_path / "out" / id).with_suffix(".png").read_bytes(), id)) for id in ids
    ]
    found = overall([visibility(*pair) for pair in pairs])
    assert done.visibility["photos"] == 8
    for name in ("largest", "mean", "psnr", "ssim", "ciede2000"):
        assert done.visibility[name] == pytest.approx(getattr(found, name), abs=1e-4)
    text = call("protect", photos, tmp_path / "again", "--method", "random", "--seed", "1").stdout
    line = next(line for line in text.splitlines() if line.startswith("Visibility: "))
    colours = f"{found.ciede2000:.1f}"
    assert line == (
        f"Visibility: SSIM {found.ssim:.3f}, PSNR {found.psnr:.1f} dB, CIEDE2000 {colours} after a blur "
        "(8 photos)."
    )


def test_limits_make_the_noise_of_a_tinted_set_less_visible() -> None:
    """Two classes of few colours, whose noise is a tint without limits."""
    rng = np.random.default_rng(0)
    flat = rng.integers(100, 156, (24, 1, 1, 3)) + rng.integers(-3, 4, (24, 48, 48, 3))
    images = arrays(flat.astype(np.uint8), ["a", "b"] * 12, ids=[f"i{i:02d}" for i in range(24)])
    seen = {}
    for name in VISIBILITY:
        method = un.ErrorMinimizing(
            form="classwise",
            surrogate="cnn:width=8,depth=2",
            resolution=16,
            steps=2,
            step_size=1.6,
            batch=8,
            train_batches=3,
            min_rounds=6,
            max_rounds=6,
            stop_error=0.0,
            **presets.limits(name),
        )
        noise = un.fit(images, method, seed=0, compute=Compute()).noise
        protected = images.with_noise(noise)
        seen[name] = overall([visibility(images.photo(i), protected.photo(i)) for i in images.ids]).ciede2000
    assert seen["low"] < seen["medium"] < 0.7 * seen["high"]
