"""The report card: every row does what its name says, and finished trainings are not run again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from typer.testing import CliRunner

from unlearnable.cli.verify import verify as verb
from unlearnable.countermeasures import create
from unlearnable.errors import DataError, UsageError
from unlearnable.evaluation import arms, comparison, report_card, separability, verify
from unlearnable.evaluation.gathering import gather
from unlearnable.evaluation.measured import Measured
from unlearnable.evaluation.pairs import Pairs
from unlearnable.evaluation.schedule import SMALL
from unlearnable.evaluation.trial import Trial
from unlearnable.evaluation.verification import prepare
from unlearnable.training.compute import Compute
from unlearnable.training.victim import Victim

CPU = Compute("cpu", "float32")
TINY = "cnn:width=8,depth=2"
CLASSES = ("ants", "bees", "cats", "dogs", "eels")
COUNTS = (10, 10, 15, 10, 10)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One epoch of a tiny network, on one thread."""
    victim = Victim(model=TINY, size=16, batch=16, lr=0.05, transform="none")
    settings = replace(SMALL, victim=victim, other=TINY, side=16, unseen={"size": 12}, epochs=(1, 1))
    monkeypatch.setattr("unlearnable.evaluation.gathering.defaults", lambda frame: settings)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """55 photos of five classes, one class larger, and their protected images; each class has its noise."""
    for label, (name, count) in enumerate(zip(CLASSES, COUNTS, strict=True)):
        noise = np.random.default_rng(label).integers(-8, 9, (16, 16, 3))
        for number in range(count):
            photo = np.random.default_rng([label, number]).integers(8, 248, (16, 16, 3), dtype=np.uint8)
            for root, pixels in (("photos", photo), ("public", (photo + noise).astype(np.uint8))):
                path = tmp_path / root / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path)
    return tmp_path / "photos", tmp_path / "public"


@pytest.fixture
def pairs(folders: tuple[Path, Path]) -> Pairs:
    return gather(*folders)


@pytest.fixture
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_card, "FIRST", ("grey",))
    monkeypatch.setattr(report_card, "THEN", ("jpeg:10",))


def row(pairs: Pairs, name: str) -> Trial:
    return next(one for one in report_card.rows(pairs) if one.name == name)


def test_the_rows_are_those_of_the_card_the_most_important_first(pairs: Pairs) -> None:
    tuned = Trial("fine-tuned", Victim(model=TINY, start="weights.safetensors"))
    found = report_card.rows(pairs, pretrained=(tuned,), more=("noise:8", "grey"))
    assert [one.name for one in found] == [
        "as published",
        "fine-tuned",
        "grey",
        "jpeg:30",
        "project",
        "longer training",
        "adversarial:2,3",
        "adversarial:4,3",
        "jpeg:90",
        "jpeg:75",
        "jpeg:50",
        "jpeg:10",
        "grey+jpeg:30",
        "blur:1",
        "shrink:2",
        "bitdepth:3",
        "cutout",
        "mixup",
        "cutmix",
        "randaugment",
        "ueraser",
        "joined classes",
        "one against all",
        "80% protected",
        "noise:8",
    ]
    usual = found[0].victim
    longer = next(one for one in found if one.name == "longer training").victim
    assert longer == usual.model_copy(update={"epochs": 3 * usual.epochs})
    chains = {one.name: one.chain.spec for one in found if one.chain}
    assert all(create(name).spec == spec for name, spec in chains.items())
    assert [one.name for one in found if one.decides] == ["as published", "longer training"]


def test_both_arms_of_every_row_differ_in_their_noise_only(pairs: Pairs) -> None:
    for trial in report_card.rows(pairs):
        clean, protected = (arms.arm(pairs, trial, name, 0) for name in ("clean", "protected"))
        assert torch.equal(clean.train.labels, protected.train.labels)
        assert torch.equal(clean.test.pixels, protected.test.pixels)
        assert torch.equal(clean.test.labels, protected.test.labels)
        assert not torch.equal(clean.train.pixels, protected.train.pixels)
        assert clean.train.classes == protected.test.classes == arms.classes(pairs, trial)


def test_grey_makes_the_test_images_of_both_arms_grey(pairs: Pairs) -> None:
    for name in ("clean", "protected"):
        found = arms.arm(pairs, row(pairs, "grey"), name, 0)
        for pixels in (found.train.pixels, found.test.pixels):
            assert torch.equal(pixels[:, 0], pixels[:, 1])
        assert not torch.equal(found.test.pixels, arms.arm(pairs, row(pairs, "jpeg:30"), name, 0).test.pixels)


def test_joined_classes_are_trained_and_tested_as_one(pairs: Pairs) -> None:
    trial = row(pairs, "joined classes")
    plain = pairs.arm("protected", 0)
    joined = arms.arm(pairs, trial, "protected", 0)
    for before, after in ((plain.train, joined.train), (plain.test, joined.test)):
        assert after.labels.tolist() == [[0, 0, 1, 1, 2][label] for label in before.labels.tolist()]
        assert torch.equal(after.pixels, before.pixels)
    assert joined.train.classes == 3
    assert arms.judged(pairs, trial) == (0, 1, 2)


def test_a_class_of_the_context_is_never_joined_with_a_protected_one(folders: tuple[Path, Path]) -> None:
    context = folders[0].parent / "context"
    for folder in folders:
        for name in ("bees", "dogs"):
            place = context / name if folder == folders[0] else folder.parent / name
            place.parent.mkdir(exist_ok=True)
            (folder / name).rename(place)
    found = gather(*folders, context=context)
    assert found.classes == CLASSES
    labels, _ = report_card.other_labels(found)["joined classes"]
    # ants and cats, eels; then bees and dogs, each by itself
    assert labels == (0, 2, 0, 3, 1)
    for name in ("cats", "eels"):
        for folder in folders:
            (folder / name).rename(folder.parent / f"{folder.name}-{name}")
    alone = report_card.other_labels(gather(*folders, context=context))
    assert [*alone] == ["one against all"]


def test_one_against_all_is_the_largest_class(pairs: Pairs) -> None:
    trial = row(pairs, "one against all")
    assert "'cats'" in trial.about
    found = arms.arm(pairs, trial, "clean", 0)
    cats = pairs.classes.index("cats")
    assert found.train.labels.tolist() == [
        int(label != cats) for label in pairs.arm("clean", 0).train.labels.tolist()
    ]
    assert arms.classes(pairs, trial) == 2


@pytest.mark.usefixtures("few_rows")
def test_guessing_is_right_more_often_with_fewer_classes(folders: tuple[Path, Path]) -> None:
    found = verify(*folders, seeds=(0,), targets=(TINY,), report_card=True, time_limit=None, compute=CPU)
    chance = {one.trial.name: one.chance for one in found.comparisons}
    assert chance["as published"] == pytest.approx(1 / 5)
    assert chance["joined classes"] == pytest.approx(1 / 3)
    assert chance["one against all"] == pytest.approx(1 / 2)


def test_two_classes_have_no_other_labels(folders: tuple[Path, Path]) -> None:
    for folder in folders:
        for name in CLASSES[2:]:
            (folder / name).rename(folder.parent / f"{folder.name}-{name}")
    prepared = prepare(*folders, seeds=(0,), targets=(TINY,), report_card=True, time_limit=None, compute=CPU)
    names = [trial.name for trial in prepared.schedule.trials]
    assert not {"joined classes", "one against all"} & set(names)
    assert any("at least three classes" in name for name, _ in prepared.impossible)


def test_a_fifth_of_each_class_stays_clean_in_the_protected_arm(pairs: Pairs) -> None:
    trial = row(pairs, "80% protected")
    clean, protected = pairs.arm("clean", 1).train, pairs.arm("protected", 1).train
    mixed = arms.arm(pairs, trial, "protected", 1).train
    as_clean = (mixed.pixels == clean.pixels).flatten(1).all(1)
    as_protected = (mixed.pixels == protected.pixels).flatten(1).all(1)
    assert bool((as_clean ^ as_protected).all())
    for label in range(len(pairs.classes)):
        rows = protected.labels == label
        assert int(as_clean[rows].sum()) == round(0.2 * int(rows.sum())) > 0
    assert torch.equal(arms.arm(pairs, trial, "clean", 1).train.pixels, clean.pixels)
    # photos without noise do not count as those that stay clean
    few = protected._replace(pixels=torch.cat([protected.pixels[:20], clean.pixels[20:]]))
    noisy = arms.partly_protected(clean, few, 0.5, 0).pixels != clean.pixels
    assert 8 <= int(noisy.flatten(1).any(1).sum()) <= 12


def test_another_seed_leaves_other_files_clean(pairs: Pairs) -> None:
    clean, protected = pairs.arm("clean", 1).train, pairs.arm("protected", 1).train
    one, other = (arms.partly_protected(clean, protected, 0.8, seed).pixels for seed in (0, 1))
    assert not torch.equal(one, other)


def card(folders: tuple[Path, Path], **options: object):  # type: ignore[no-untyped-def]
    given = {"seeds": (0,), "targets": (TINY,), "report_card": True, "time_limit": None, "compute": CPU}
    return prepare(*folders, **{**given, **options})  # type: ignore[arg-type]


@pytest.mark.usefixtures("few_rows")
def test_finished_trainings_are_not_run_again(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, count = comparison.learn, 0

    def stopping(*args: object, **kwargs: object) -> object:
        nonlocal count
        if count == 5:
            raise KeyboardInterrupt
        count += 1
        return real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(comparison, "learn", stopping)
    begun = card(folders)
    assert begun.schedule.answer == begun.schedule.first > 0
    with pytest.raises(KeyboardInterrupt):
        begun.measure()
    run = folders[0].with_name("photos.unlearnable") / "public" / "measured"
    assert len(list(run.glob("*.json"))) == 5

    again = card(folders)
    assert again.schedule.answer == 0, "the first trial has its answer"
    ran: list[str] = []

    def counting(victim: Victim, *args: object, **kwargs: object) -> object:
        ran.append(victim.model)
        return real(victim, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(comparison, "learn", counting)
    first = again.measure()
    assert len(ran) == 2 * len(first.comparisons) - 5

    ran.clear()
    finished = card(folders)
    assert finished.schedule.seconds == 0
    second = finished.measure()
    assert ran == []
    kept = sum(json.loads(file.read_text())["seconds"] for file in run.glob("*.json"))
    assert second.seconds > kept > 0
    fresh = verify(
        *folders,
        seeds=(0,),
        targets=(TINY,),
        run=folders[0].with_name("other"),
        report_card=True,
        time_limit=None,
        compute=CPU,
    )
    for found in (second, fresh):
        assert [one.arms[1].peak for one in found.comparisons] == [
            one.arms[1].peak for one in first.comparisons
        ]


def test_a_result_belongs_to_everything_that_decides_it(
    folders: tuple[Path, Path], tmp_path: Path, pairs: Pairs
) -> None:
    trial = row(pairs, "as published")
    kept = Measured(tmp_path / "kept", pairs, CPU)
    usual = kept.path(trial, "clean", 0)
    others = [
        kept.path(trial, "protected", 0),
        kept.path(trial, "clean", 1),
        kept.path(row(pairs, "grey"), "clean", 0),
        kept.path(row(pairs, "longer training"), "clean", 0),
        kept.path(row(pairs, "joined classes"), "clean", 0),
        kept.path(row(pairs, "80% protected"), "clean", 0),
        Measured(tmp_path / "kept", pairs, Compute("cpu", "bfloat16")).path(trial, "clean", 0),
    ]
    assert Measured(tmp_path / "kept", gather(*folders), CPU).path(trial, "clean", 0) == usual
    for folder in folders:
        changed = folder / "ants" / "3.png"
        before = changed.read_bytes()
        Image.fromarray(np.asarray(Image.open(changed)) ^ np.uint8(1)).save(changed)
        others.append(Measured(tmp_path / "kept", gather(*folders), CPU).path(trial, "clean", 0))
        changed.write_bytes(before)
    assert len({usual, *others}) == 1 + len(others)


def test_a_damaged_result_is_measured_again(folders: tuple[Path, Path], pairs: Pairs, tmp_path: Path) -> None:
    kept, trial = Measured(tmp_path, pairs, CPU), row(pairs, "as published")
    for text in ("", "{}", '{"labels": [0], "train": [0.5], "answers": []}', "[1]"):
        kept.path(trial, "clean", 0).write_text(text)
        assert kept.load(trial, "clean", 0) is None


def test_the_time_limit_takes_the_first_rows_and_lists_the_others(folders: tuple[Path, Path]) -> None:
    everything = card(folders).schedule
    limit = everything.seconds / 3
    some = card(folders, time_limit=limit).schedule
    assert some.trials[0].name == "as published"
    assert 0 < len(some.trials) < len(everything.trials)
    assert len(some.trials) + len(some.unmeasured) == len(everything.trials)


def test_the_command_measures_a_card_and_saves_its_trainings_privately(folders: tuple[Path, Path]) -> None:
    app = typer.Typer()
    app.command()(verb)
    arguments = [*map(str, folders), "--report-card", "--target", TINY, "--seeds", "1", "--device", "cpu"]
    done = CliRunner().invoke(app, [*arguments, "--precision", "float32", "--time-limit", "0.001s", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["trials"][0]["name"] == "as published"
    assert {"mean", "worst", "rows", "separability", "worst_row"} == set(found["card"])
    assert len(found["unmeasured"]) == 22
    run = folders[0].with_name("photos.unlearnable") / "public"
    assert run.stat().st_mode & 0o777 == 0o700
    assert len(list((run / "measured").glob("*.json"))) == 2
    assert sorted(path.name for path in folders[1].iterdir()) == list(CLASSES)


def test_a_card_has_one_network(folders: tuple[Path, Path]) -> None:
    with pytest.raises(UsageError, match="one network"):
        card(folders, targets=(TINY, "cnn"))


def test_noise_that_gives_its_class_away_is_separable_and_random_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 4
    patterns = rng.normal(size=(4, 300))
    assert separability.of_noise(patterns[labels] + 0.1 * rng.normal(size=(120, 300)), labels) == 1.0
    random = separability.of_noise(rng.normal(size=(120, 300)), labels)
    assert random is not None
    assert random < 0.45
    nothing = separability.of_noise(np.zeros((120, 300)), labels)
    assert nothing is not None
    assert nothing <= 0.25
    assert separability.of_noise(np.zeros((3, 5)), np.array([0, 0, 1])) is None


def test_separability_is_that_of_logistic_regression_on_the_pixels() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    rng = np.random.default_rng(1)
    labels = np.arange(90) % 3
    noise = rng.normal(size=(90, 200)) + 0.25 * rng.normal(size=(3, 200))[labels]
    scaled = noise / np.linalg.norm(noise, axis=1).mean()
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    answers = cross_val_predict(LogisticRegression(max_iter=300), scaled, labels, cv=folds)
    expected = np.mean([(answers[labels == label] == label).mean() for label in range(3)])
    assert separability.of_noise(noise, labels) == pytest.approx(expected, abs=0.03)
    assert 0.4 < expected < 1


def interrupted(folders: tuple[Path, Path], arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    def stopping(*args: object, **kwargs: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(comparison, "learn", stopping)
    app = typer.Typer()
    app.command()(verb)
    done = CliRunner().invoke(app, [*map(str, folders), "--target", TINY, "--device", "cpu", *arguments])
    assert done.exit_code == 130, done.output
    return str(done.stderr)


def test_an_interrupted_card_says_that_it_resumes(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = interrupted(folders, ["--report-card", "--seeds", "1"], monkeypatch)
    assert "Run the same command again to resume" in said
    assert "Nothing was written" not in said
    assert "Nothing was written" in interrupted(folders, [], monkeypatch)


def test_a_card_that_resumes_says_what_is_left(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_card, "THEN", ())
    assert "already" not in card(folders).schedule.words
    card(folders, time_limit=1e-6).measure()
    again = card(folders).schedule
    assert again.done == 1
    assert again.words.startswith(f"1 of {len(again.trials)} trials are measured already; the others take ")
    card(folders).measure()
    assert card(folders).schedule.words == f"All {len(again.trials)} trials are measured already."


def test_a_run_folder_of_other_photos_is_refused(folders: tuple[Path, Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text(json.dumps({"photos": str(tmp_path / "others"), "protected": "elsewhere"}))
    app = typer.Typer()
    app.command()(verb)
    done = CliRunner().invoke(app, [*map(str, folders), "--run", str(run), "--device", "cpu"])
    assert done.exit_code == 2
    assert "run folder of other photos" in done.stderr
    assert {path.name for path in run.iterdir()} == {"run.json"}


def test_a_network_that_is_named_twice_is_measured_once(folders: tuple[Path, Path]) -> None:
    made = prepare(*folders, targets=(TINY, TINY), countermeasures=(), compute=CPU).schedule
    assert [trial.victim.model for trial in made.trials].count(TINY) == 1 + len(
        [trial for trial in made.trials if trial.name == "unseen recipe"]
    )


def test_test_images_that_are_photos_are_named_as_the_reason(folders: tuple[Path, Path]) -> None:
    with pytest.raises(DataError, match="is also a training image"):
        gather(*folders, test=folders[0])
