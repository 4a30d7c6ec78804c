"""`apply --part` on a folder: every photo exactly once, the same bytes as without parts, whatever happens."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path

import pytest
from filelock import FileLock
from PIL import Image

from publishing import call, draw, tree
from shards import begin, kill_at_random, run_of
from unlearnable import Unfinished, UsageError, apply_shards
from unlearnable.jobs import applying, folder_shard
from unlearnable.jobs.folders import manifests_of
from unlearnable.jobs.part import Part

SECONDS = 120


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Photos, a run, and what `apply` without parts publishes of them."""
    root = tmp_path_factory.mktemp("made")
    photos, run = run_of(root)
    (photos / "cats" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno photo")
    (photos / "dogs" / "film.mp4").write_bytes(b"film")
    call("apply", run, photos, root / "whole", "--workers", "1", code=4)
    return photos, run, root / "whole"


def manifests(run: Path, output: Path) -> dict[str, dict]:
    folder = Path(manifests_of(run, str(output)))
    return {path.stem: json.loads(path.read_bytes()) for path in sorted(folder.glob("shard-*.json"))}


def require_once(run: Path, output: Path, count: int) -> None:
    """Every photo is in one manifest, and every file that it names is there, with nothing beside it."""
    photos = [photo for one in manifests(run, output).values() for photo in one["photos"].items()]
    assert len(photos) == len({id for id, _ in photos}) == count
    assert {record["output"] for _, record in photos} == tree(output).keys()


def test_parts_publish_every_photo_once_with_the_bytes_of_one_run(
    made: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    photos, run, whole = made
    before = tree(run)
    results = [
        apply_shards(run, photos, tmp_path / "out", part=f"{number}/3", workers=1) for number in (3, 1, 2)
    ]
    assert tree(tmp_path / "out") == tree(whole)
    assert tree(run) == before, "the run folder may be mounted read-only"
    require_once(run, tmp_path / "out", 24)
    assert sum(one.written for one in results) == 24
    assert all(0 < one.written < 24 for one in results), "each part has its own photos"
    skipped = {id: reason for one in results for id, reason in one.skipped.items()}
    assert list(skipped) == ["cats/broken.png"]
    assert sum(one.others.get(".mp4", 0) for one in results) == 1


def test_the_published_folder_holds_photos_only_and_the_manifests_are_private(
    made: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    photos, run, _ = made
    applied = apply_shards(run, photos, tmp_path / "out", workers=1)
    assert {Path(name).suffix for name in tree(tmp_path / "out")} == {".png"}
    assert not list((tmp_path / "out").rglob(".*"))
    private = Path(applied.manifests)
    assert run.parent in private.parents
    if os.name == "posix":
        assert private.stat().st_mode & 0o777 == private.parent.stat().st_mode & 0o777 == 0o700
    assert not list(private.glob("*.lock"))


def test_processes_make_shards_side_by_side(made: tuple[Path, Path, Path], tmp_path: Path) -> None:
    photos, run, whole = made
    applied = apply_shards(run, photos, tmp_path / "out", workers=3)
    assert applied.shards == 3
    assert tree(tmp_path / "out") == tree(whole)
    require_once(run, tmp_path / "out", 24)


def test_two_commands_at_once_on_one_run_share_the_work(
    made: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    photos, run, whole = made
    words = ("apply", run, photos, tmp_path / "out", "--part", "1/1", "--engine", "local", "--workers", "2")
    both = [begin(*words) for _ in range(2)]
    said = [one.communicate(timeout=SECONDS) for one in both]
    assert [one.returncode for one in both] == [4, 4], said
    assert tree(tmp_path / "out") == tree(whole)
    require_once(run, tmp_path / "out", 24)


def test_a_finished_shard_is_skipped_by_its_manifest(made: tuple[Path, Path, Path], tmp_path: Path) -> None:
    photos, run, _ = made
    out = tmp_path / "out"
    apply_shards(run, photos, out, part="1/2", workers=1)
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    again = apply_shards(run, photos, out, part="1/2", workers=1)
    assert (again.shards, again.finished) == (0, 1)
    assert again.written == len(times)
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_a_shard_whose_file_is_gone_or_short_is_made_again(
    made: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    photos, run, whole = made
    out = tmp_path / "out"
    apply_shards(run, photos, out, workers=1)
    lost, short = sorted(out.rglob("*.png"))[:2]
    lost.unlink()
    short.write_bytes(short.read_bytes()[:50])
    assert apply_shards(run, photos, out, workers=1).shards == 1
    assert tree(out) == tree(whole)


def test_a_half_made_shard_and_drafts_of_a_killed_process_are_made_good(
    made: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    photos, run, whole = made
    out = tmp_path / "out"
    apply_shards(run, photos, out, part="1/2", workers=1)
    manifest = next(Path(manifests_of(run, str(out))).glob("shard-*.json"))
    manifest.unlink()
    draft = out / f".{manifest.stem}" / ".00ff.part"
    draft.parent.mkdir()
    draft.write_bytes(b"half")
    for number in (1, 2):
        apply_shards(run, photos, out, part=f"{number}/2", workers=1)
    assert tree(out) == tree(whole)
    assert not draft.parent.exists()


def test_a_damaged_manifest_is_made_again(made: tuple[Path, Path, Path], tmp_path: Path) -> None:
    photos, run, whole = made
    out = tmp_path / "out"
    apply_shards(run, photos, out, part="1/2", workers=1)
    manifest = next(Path(manifests_of(run, str(out))).glob("shard-*.json"))
    manifest.write_bytes(manifest.read_bytes()[:100])
    assert apply_shards(run, photos, out, part="1/2", workers=1).shards == 1
    apply_shards(run, photos, out, part="2/2", workers=1)
    assert tree(out) == tree(whole)


def test_photos_that_come_go_or_change_leave_the_others_as_they_are(tmp_path: Path) -> None:
    photos, run = run_of(tmp_path)
    out = tmp_path / "out"
    for number in (1, 2, 3):
        apply_shards(run, photos, out, part=f"{number}/3", workers=1)
    before = tree(out)
    (photos / "cats" / "p3.png").unlink()
    draw(photos / "cats" / "p0.png", 99)
    draw(photos / "dogs" / "new.png", 98)
    # of the same stem as a published one, whose name must not change
    Image.open(photos / "dogs" / "p1.png").save(photos / "dogs" / "p1.webp", lossless=True)
    results = [apply_shards(run, photos, out, part=f"{number}/3", workers=1) for number in (1, 2, 3)]
    after = tree(out)
    assert after.keys() - before.keys() == {"dogs/new.png", "dogs/p1.webp.png"}
    assert {name for name in before if after.get(name) != before[name]} == {"cats/p0.png"}
    assert [name for one in results for name in one.vanished] == ["cats/p3.png"]
    assert apply_shards(run, photos, out, workers=1).shards == 0, "nothing is left to do"
    assert tree(out) == after


def test_other_noise_makes_the_files_again(tmp_path: Path) -> None:
    photos, run = run_of(tmp_path)
    out = tmp_path / "out"
    apply_shards(run, photos, out, workers=1)
    before = tree(out)
    shutil.rmtree(run)
    call("fit", photos, run, "--method", "random", "--seed", "2", "--form", "classwise")
    apply_shards(run, photos, out, workers=1)
    assert all(after != before[name] for name, after in tree(out).items())


@pytest.mark.parametrize("encoding", ["jpeg", "webp"])
def test_names_of_other_formats_are_those_of_apply(tmp_path: Path, encoding: str) -> None:
    photos, run = run_of(tmp_path, 4)
    see_through = Image.open(photos / "cats" / "p1.png").convert("RGBA")
    see_through.putalpha(100)
    see_through.save(photos / "cats" / "p1.png")
    see_through.save(photos / "cats" / "p1.webp", lossless=True)
    call("apply", run, photos, tmp_path / "whole", "--workers", "1", "--format", encoding)
    for number in (1, 2):
        apply_shards(run, photos, tmp_path / "out", part=f"{number}/2", workers=1, encoding=encoding)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")
    require_once(run, tmp_path / "out", 9)


def test_samplewise_noise_meets_its_photo(tmp_path: Path) -> None:
    photos, run = run_of(tmp_path, 4, "samplewise")
    draw(photos / "cats" / "p1.png", 77)
    draw(photos / "cats" / "later.png", 78)
    applied = apply_shards(run, photos, tmp_path / "out", workers=1)
    assert set(applied.skipped) == {"cats/p1.png", "cats/later.png"}
    assert "--missing extend" in applied.skipped["cats/later.png"]
    call("apply", run, photos, tmp_path / "whole", "--workers", "1", code=4)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_part_waits_for_a_shard_that_another_process_makes(
    made: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, run, whole = made
    out = tmp_path / "out"
    monkeypatch.setattr(applying, "POLL_SECONDS", 0.01)
    apply_shards(run, photos, out, part="1/2", workers=1)
    lock = FileLock(Path(manifests_of(run, str(out))) / "shard-00001.lock", timeout=0)
    lock.acquire()
    said = []

    def on_progress(event) -> None:
        said.append(event.text)
        if "another process" in event.text:
            assert len(tree(out)) < len(tree(whole))
            lock.release()

    apply_shards(run, photos, out, part="2/2", workers=1, on_progress=on_progress)
    assert any("another process" in text for text in said)
    assert tree(out) == tree(whole)


def test_after_the_time_limit_the_same_call_makes_the_rest(
    made: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, run, whole = made
    monkeypatch.setattr(folder_shard, "PHOTOS", 5)
    with pytest.raises(Unfinished, match="1 of 5 shards"):
        apply_shards(run, photos, tmp_path / "out", workers=1, time_limit=1e-9)
    assert apply_shards(run, photos, tmp_path / "out", workers=1).finished == 1
    assert tree(tmp_path / "out") == tree(whole)


def test_the_status_sums_up_the_manifests(made: tuple[Path, Path, Path], tmp_path: Path) -> None:
    photos, run, _ = made
    out = tmp_path / "out"
    call("apply", run, "--status", out, code=2)
    call("apply", run, photos, out, "--part", "1/2", "--workers", "1", code=None)
    half = json.loads(call("apply", run, "--status", out, "--json", code=6).stdout)
    assert (half["shards"], half["finished"], half["left"]) == (2, 1, ["shard-00001"])
    assert half["written"] == len(tree(out))
    call("apply", run, photos, out, "--part", "2/2", "--workers", "1", code=None)
    whole = json.loads(call("apply", run, "--status", out, "--json", code=4).stdout)
    assert (whole["finished"], whole["written"], whole["photos"]) == (2, 24, 25)
    assert whole["bytes"] == sum(map(len, tree(out).values()))
    assert list(whole["skipped"]) == ["cats/broken.png"]
    assert whole["largest"] == 8
    folder = manifests_of(run, str(out))
    assert (
        "2 of 2 shards are finished" in call("apply", "--status", out, "--manifests", folder, code=4).stdout
    )


def test_the_status_of_an_output_beside_its_run_needs_no_run(tmp_path: Path) -> None:
    photos, run = run_of(tmp_path, 3)
    apply_shards(run, photos, tmp_path / "out", workers=1)
    assert "1 of 1 shard is finished" in call("apply", "--status", tmp_path / "out").stdout
    assert "--manifests" in call("apply", "--status", tmp_path / "elsewhere", code=2).stderr


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3", "1/3/5", ""])
def test_a_part_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--part"):
        Part.parse(text)


def test_every_shard_is_in_one_part() -> None:
    for of in (1, 2, 7, 64):
        parts = [Part.parse(f"{number}/{of}") for number in range(1, of + 1)]
        assert all(sum(part.owns(position) for part in parts) == 1 for position in range(100))


def test_shards_do_not_depend_on_the_number_of_photos() -> None:
    ids = [f"cats/{number}.png" for number in range(3000)]
    buckets = [folder_shard._bucket(id, 3) for id in ids]
    assert min(map(buckets.count, range(3))) > 900
    assert folder_shard.number_of_shards(3000, 1) == 3
    assert folder_shard.number_of_shards(3001, 1) == 4
    assert folder_shard.number_of_shards(3000, 64) == 64, "no part is without work"
    assert folder_shard.number_of_shards(5, 64) == 5


def test_what_cannot_be_meant_is_refused(made: tuple[Path, Path, Path], tmp_path: Path) -> None:
    photos, run, whole = made
    with pytest.raises(UsageError, match="which no shard"):
        apply_shards(run, photos, whole, workers=1)
    apply_shards(run, photos, tmp_path / "out", part="1/2", workers=1)
    with pytest.raises(UsageError, match="format png, not jpeg"):
        apply_shards(run, photos, tmp_path / "out", part="2/2", workers=1, encoding="jpeg")
    for inside, more in (
        (photos / "out", {}),
        (tmp_path / "new", {"manifests": tmp_path / "new" / "manifests"}),
        (tmp_path / "new", {"manifests": photos / "manifests"}),
    ):
        with pytest.raises(UsageError, match="inside"):
            apply_shards(run, photos, inside, workers=1, **more)
    with pytest.raises(UsageError, match="--engine spark is unknown"):
        apply_shards(run, photos, tmp_path / "new", engine="spark")
    with pytest.raises(UsageError, match="is not a run folder"):
        apply_shards(tmp_path / "nowhere", photos, tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert not Path(manifests_of(run, str(whole))).exists(), "a refused command leaves no folder"
    said = call("apply", run, photos, tmp_path / "x", "--part", "1/2", "--device", "cpu", code=2).stderr
    assert "--device would be ignored" in said
    assert "The argument PROTECTED is missing" in call("apply", run, photos, code=2).stderr


@pytest.mark.parametrize("kills", [2, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.skipif(os.name != "posix", reason="kills processes")
def test_killed_at_random_moments_every_photo_is_published_once(tmp_path: Path, kills: int) -> None:
    photos, run = run_of(tmp_path, 20)
    call("apply", run, photos, tmp_path / "whole", "--workers", "2")
    draws, done, attempt = random.Random(kills), 0, 0
    while done < kills:
        attempt += 1
        out = tmp_path / f"out{attempt}"
        places = [out, Path(manifests_of(run, str(out)))]
        words = ("apply", run, photos, out, "--workers", 2 - attempt % 2)
        for _ in range(2):
            part = f"{draws.randint(1, 2)}/2"
            done += kill_at_random(draws, (*words, "--part", part), places, 25)
        for number in (1, 2):
            call(*words, "--part", f"{number}/2")
        assert tree(out) == tree(tmp_path / "whole")
        require_once(run, out, 40)
