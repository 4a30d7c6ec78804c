"""Noise of other projects in, protected sets out."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from conftest import pixels
from unlearnable.budget import Budget
from unlearnable.cli import export as verbs
from unlearnable.cli.app import app as application
from unlearnable.data.arrays import arrays
from unlearnable.data.benchmarks import BenchmarkSource
from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet, from_entries
from unlearnable.errors import DataError, UsageError
from unlearnable.exchange import export_set, import_noise, loader_order
from unlearnable.noise import Noise

app = typer.Typer()
app.command("import")(verbs.import_)
app.command()(verbs.export)
runner = CliRunner()
LEVELS = np.random.default_rng(0).integers(-8, 9, (24, 3, 16, 16)).astype(np.int8)


def saved(path: Path, values: np.ndarray) -> Path:
    if path.suffix == ".pt":
        torch.save(torch.from_numpy(values), path)
    elif path.suffix == ".npz":
        np.savez(path, noise=values)
    else:
        np.save(path, values)
    return path


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt"])
@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (LEVELS, "levels"),
        (LEVELS.astype(np.float32), "levels"),
        ((LEVELS / 255).astype(np.float32), "unit"),
        ((LEVELS / 255).astype(np.float16), "unit"),
        ((LEVELS / 255).transpose(0, 2, 3, 1), "unit"),
    ],
)
def test_files_units_and_layouts_come_to_the_same_noise(
    tmp_path: Path, images: ImageSet, suffix: str, values, unit: str
) -> None:
    noise = import_noise(saved(tmp_path / f"perturbation{suffix}", values), images)
    assert (noise.form, noise.keys, noise.budget, noise.grid) == (
        "samplewise",
        images.ids,
        Budget(8),
        (16, 16),
    )
    assert np.array_equal(noise.bank, LEVELS)
    assert noise.provenance["unit"] == unit
    assert noise.provenance["largest_rounding"] < 0.05


def test_noise_reaches_the_image_it_was_made_for_whatever_happens_to_the_set(tmp_path: Path) -> None:
    """Keyed by content and id: the order does not matter, and other content gets nothing."""
    given = pixels(6, 8)
    images = arrays(given, ["a", "b"] * 3)
    assert loader_order(images) == images.ids
    noise = import_noise(saved(tmp_path / "n.npy", LEVELS[:6, :, :8, :8]), images)
    shuffled = arrays(np.concatenate([given[::-1], pixels(2, 8, seed=5)]), ["c", "d"] * 4)
    protected = shuffled.with_noise(noise)
    by_id = {id: protected.photo(id).pixels for id in protected.ids}
    expected = {
        id: np.clip(given[i].astype(int) + LEVELS[i, :, :8, :8].transpose(1, 2, 0), 0, 255)
        for i, id in enumerate(loader_order(images))
    }
    assert all(np.array_equal(by_id[id], expected[id]) for id in expected)
    changed = arrays(255 - given, ["a", "b"] * 3, ids=loader_order(images))
    assert all(
        np.array_equal(changed.with_noise(noise).photo(id).pixels, changed.photo(id).pixels)
        for id in changed.ids
    )


def test_a_folder_is_taken_in_the_order_of_imagefolder(tmp_path: Path) -> None:
    for index, name in enumerate(("a/z.png", "a/sub/b.png", "a-b/x.png", "a/c.png", "B/y.png")):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels(1, 8, seed=index)[0]).save(tmp_path / "set" / name)
    images = folder(tmp_path / "set")
    assert loader_order(images) == ("B/y.png", "a/c.png", "a/z.png", "a/sub/b.png", "a-b/x.png")
    noise = import_noise(saved(tmp_path / "n.npy", LEVELS[:5]), images, form="samplewise")
    assert noise.row("a/z.png", "a") == 2


def test_classwise_rows_follow_the_labels_of_the_benchmark_not_the_alphabet(tmp_path: Path) -> None:
    names = ("Trouser", "Bag")
    images = from_entries(
        (("train/00000", "Trouser"), ("train/00001", "Bag"), ("train/00002", "Bag")),
        BenchmarkSource(pixels(3), names),
    )
    path = saved(tmp_path / "n.npy", LEVELS[:2])
    assert import_noise(path, images).keys == names
    assert import_noise(path, images.subset(images.ids[1:]), form="classwise").form == "classwise"
    assert import_noise(path, classes=["one", "two"]).keys == ("one", "two")


def test_what_cannot_be_told_or_does_not_fit_is_refused(tmp_path: Path, images: ImageSet) -> None:
    small = images.subset(images.ids[:3])
    noise = import_noise(saved(tmp_path / "ok.npy", LEVELS[:3]), small, form="samplewise")
    for values, given, options, error, message in (
        (LEVELS[:7], images, {}, DataError, "7 rows, but there are 3 classes and 24 images"),
        (LEVELS[:3], small, {}, UsageError, "the number of classes and of images"),
        (LEVELS, None, {}, UsageError, "have no keys"),
        (LEVELS, images, {"form": "classwise"}, DataError, "24 rows"),
        (LEVELS, images, {"epsilon": 7}, DataError, "8 levels, over the budget of 7"),
        (LEVELS / 8.0, images, {}, UsageError, "ambiguous unit"),
        (LEVELS * 20.0, images, {}, DataError, "exceed 127 levels"),
        (LEVELS.astype(np.uint8), images, {}, DataError, "noise is signed"),
        (np.full((24, 3, 4, 4), np.nan), images, {}, DataError, "not numbers"),
        (np.zeros((24, 3, 4, 3)), images, {}, DataError, "which axis has the channels is ambiguous"),
        (np.zeros((24, 4)), images, {}, DataError, "which axis has the channels is ambiguous"),
        (LEVELS, images.with_noise(noise), {}, UsageError, "order of these images is not known"),
    ):
        with pytest.raises(error, match=message):
            import_noise(saved(tmp_path / "bad.npy", values), given, **options)
    assert import_noise(saved(tmp_path / "n.npy", LEVELS / 8.0), images, unit="levels").budget == Budget(1)


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("touched-by-a-pickle"),))


def test_nothing_is_ever_unpickled(tmp_path: Path, images: ImageSet, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"noise": Harmful()}, "a.pt")
    np.save("b.npy", np.array([Harmful()], dtype=object), allow_pickle=True)
    np.savez("c.npz", noise=np.array([Harmful()], dtype=object))
    Path("d.pt").write_bytes(pickle.dumps(Harmful()))
    for name in ("e.npz", "f.npy", "g.pt"):
        Path(name).write_bytes(b"PK\x03\x04 not what its name says")
    torch.save([1, 2], "h.pt")
    for name in ("a.pt", "b.npy", "c.npz", "d.pt", "e.npz", "f.npy", "g.pt", "h.pt", "absent.npy"):
        with pytest.raises(DataError, match=name):
            import_noise(name, images)
    assert not Path("touched-by-a-pickle").exists()
    with pytest.raises(UsageError, match=r"cannot be imported from noise\.mat"):
        import_noise("noise.mat", images)


def test_one_of_several_arrays_is_named(tmp_path: Path, images: ImageSet) -> None:
    np.savez(tmp_path / "n.npz", noise=LEVELS, other=LEVELS[:1])
    torch.save({"noise": torch.from_numpy(LEVELS), "other": torch.zeros(1), "epoch": 3}, tmp_path / "n.pt")
    for path in (tmp_path / "n.npz", tmp_path / "n.pt"):
        assert np.array_equal(import_noise(path, images, array="noise").bank, LEVELS)
        for name in (None, "absent"):
            with pytest.raises(UsageError, match="Give --array with one of: noise, other"):
                import_noise(path, images, array=name)


@pytest.fixture
def noise(images: ImageSet) -> Noise:
    return Noise(LEVELS[:2], ("ant", "bee"), "classwise", Budget(8), (16, 16))


def test_npz_holds_plain_arrays_within_the_budget(tmp_path: Path, images: ImageSet, noise: Noise) -> None:
    done = export_set(images, noise, tmp_path / "set.npz")
    assert (done.written, len(done.skipped)) == (16, 8)
    assert set(done.skipped) == {id for id in images.ids if images.class_of[id] == "cat"}
    with np.load(tmp_path / "set.npz", allow_pickle=False) as held:
        assert sorted(held.files) == ["classes", "ids", "images", "labels"]
        assert held["classes"].tolist() == ["ant", "bee"]
        for id, image, label in zip(held["ids"], held["images"], held["labels"], strict=True):
            assert images.class_of[str(id)] == held["classes"][label]
            assert np.array_equal(image, images.with_noise(noise).photo(str(id)).pixels)
    assert done.largest == 8
    assert [path.name for path in tmp_path.iterdir()] == ["set.npz"]


def test_an_imagefolder_reads_back_as_the_protected_set(tmp_path: Path, photos: Path) -> None:
    clean = folder(photos)
    noise = Noise(LEVELS[:2], ("cats", "dogs"), "classwise", Budget(8), (16, 16))
    done = export_set(clean, noise, tmp_path / "out", "imagefolder")
    assert done.written == len(clean)
    again = folder(tmp_path / "out")
    assert {id.rpartition(".")[0] for id in again.ids} == {id.rpartition(".")[0] for id in clean.ids}
    protected = clean.with_noise(noise)
    for id in clean.ids:
        assert np.array_equal(again.photo(f"{id.rpartition('.')[0]}.png").pixels, protected.photo(id).pixels)
    assert not list(tmp_path.glob(".*"))


def test_names_are_safe_and_none_is_lost(tmp_path: Path) -> None:
    ids = ["train/00000", "T-shirt/top/../../../escape", "a.jpg", "a.png", ".hidden"]
    images = arrays(pixels(5), ["T-shirt/top"] * 5, ids=ids)
    noise = Noise(LEVELS[:1], ("T-shirt/top",), "classwise", Budget(8), (16, 16))
    export_set(images, noise, tmp_path / "deep" / "out", "imagefolder")
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert [path.removeprefix("deep/out/T-shirt-top/") for path in found] == [
        "T-shirt-top-..-..-..-escape.png",
        "a.jpg.png",
        "a.png.png",
        "hidden.png",
        "train-00000.png",
    ]
    twins = arrays(pixels(2), ["a/b", "a-b"], ids=["1", "2"])
    noise = Noise(LEVELS[:2], ("a/b", "a-b"), "classwise", Budget(8), (16, 16))
    with pytest.raises(DataError, match="the same name"):
        export_set(twins, noise, tmp_path / "twins", "imagefolder")


def test_a_target_that_exists_or_a_failure_leaves_everything_as_it_was(
    tmp_path: Path, photos: Path, images: ImageSet, noise: Noise
) -> None:
    (tmp_path / "there").mkdir()
    for target in (photos, tmp_path / "there"):
        with pytest.raises(UsageError, match="exists already"):
            export_set(images, noise, target, "imagefolder")
    before = sorted(tmp_path.rglob("*"))
    foreign = Noise(LEVELS[:1], ("yak",), "classwise", Budget(8), (16, 16))
    for layout in ("npz", "imagefolder"):
        with pytest.raises(DataError, match="for none of these images"):
            export_set(images, foreign, tmp_path / "out", layout)
    with pytest.raises(DataError, match="one size"):
        export_set(
            folder(photos),
            Noise(LEVELS[:1], ("cats",), "classwise", Budget(8), (16, 16)),
            tmp_path / "out.npz",
        )
    with pytest.raises(UsageError, match="npz or imagefolder"):
        export_set(images, noise, tmp_path / "out", "tar")  # type: ignore[arg-type]
    assert sorted(tmp_path.rglob("*")) == before


def test_the_verbs_import_and_export(tmp_path: Path, photos: Path) -> None:
    path = saved(tmp_path / "perturbation.pt", (LEVELS[:18] / 255).astype(np.float32))
    run = tmp_path / "kept" / "run"
    result = runner.invoke(app, ["import", str(path), str(run), "--for", str(photos), "--json"])
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert (record["form"], record["patterns"], record["unit"], record["epsilon"]) == (
        "samplewise",
        18,
        "unit",
        8,
    )
    assert run.stat().st_mode & 0o777 == 0o700
    assert json.loads((run / "run.json").read_text())["method"] == "imported"
    again = runner.invoke(app, ["import", str(path), str(run), "--for", str(photos)])
    assert (again.exit_code, "holds a run already" in again.stderr) == (2, True)

    applied = runner.invoke(
        application, ["apply", str(run), str(photos), str(tmp_path / "applied"), "--workers", "1"]
    )
    assert applied.exit_code == 0, applied.output
    assert "18 photos written" in applied.stdout

    (photos / "cats" / "new.png").write_bytes((photos / "dogs" / "p0.png").read_bytes())
    extended = runner.invoke(
        application, ["apply", str(run), str(photos), str(tmp_path / "applied"), "--missing", "extend"]
    )
    assert (extended.exit_code, "imported, so no noise can be made for cats/new.png" in extended.stderr) == (
        2,
        True,
    )
    (photos / "cats" / "new.png").unlink()
    nothing = runner.invoke(app, ["export", str(photos), str(tmp_path / "absent"), str(tmp_path / "out")])
    assert (nothing.exit_code, "There is no noise at" in nothing.stderr) == (2, True)

    (photos / "cats" / "broken.png").write_bytes(b"no image")
    target = tmp_path / "out"
    result = runner.invoke(app, ["export", str(photos), str(run), str(target), "--format", "imagefolder"])
    assert result.exit_code == 4, result.output
    assert "18 protected images written" in result.stdout
    assert "cats/broken.png" in result.stderr
    same = folder(tmp_path / "applied")
    assert folder(target).ids == same.ids
    assert all(np.array_equal(folder(target).photo(id).pixels, same.photo(id).pixels) for id in same.ids)

    result = runner.invoke(app, ["import", str(path), str(tmp_path / "r"), "--classes", "a, b"])
    assert (result.exit_code, "18 rows, but there are 2 classes" in result.stderr) == (3, True)
    assert not (tmp_path / "r").exists()
