"""Detection: the answers on clean and on protected images, and the parts of the statistic one by one."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import unlearnable as un
from unlearnable.data.demo_photos import demo_photos
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import DataError, UsageError
from unlearnable.evaluation import answer, detection, simple_networks
from unlearnable.evaluation.answer import judge
from unlearnable.evaluation.contrasts import Contrast, class_leads, contrast

CPU = un.Compute("cpu", "float32")
DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def clean() -> ImageSet:
    """200 of the demo's squares, ten classes."""
    return demo_photos().first(20)


def noisy(images: ImageSet, form: str = "classwise") -> ImageSet:
    return images.with_noise(un.fit(images, un.Random(form=form), seed=3, compute=CPU).noise)


def partly(images: ImageSet, name: str) -> ImageSet:
    """Only one class is protected."""
    changed = noisy(images)
    return images.changed(lambda id, photo, _: changed.photo(id) if images.class_of[id] == name else photo)


def lead(found: un.Detection, network: str) -> float:
    return next(one.lead for one in found.contrasts if one.network == network)


def test_clean_photos_show_no_sign_or_are_too_few_and_noise_of_a_class_is_found(clean: ImageSet) -> None:
    before, after = un.detect(clean, compute=CPU), un.detect(noisy(clean), compute=CPU)
    assert before.answer != "probably protected"
    assert before.classes == ()
    assert after.answer == "probably protected"
    assert lead(before, "linear") < 0.6 < lead(after, "linear")
    # fine noise is read almost without error, content as before
    (one,) = [one for one in after.contrasts if one.network == "linear"]
    assert min(one.fine) > 0.95
    assert len(one.fine) == 3


def test_strong_content_is_no_protection() -> None:
    """An absolute bound on the accuracy would call clean digits protected."""
    from unlearnable.data.digits import digits

    found = un.detect(digits().first(40), seeds=(0,), compute=CPU)
    assert found.contrasts[0].fine[0] > 0.7
    assert found.answer != "probably protected"


def test_noise_that_does_not_depend_on_the_class_is_not_seen(clean: ImageSet) -> None:
    found = un.detect(noisy(clean, "samplewise"), seeds=(0,), compute=CPU)
    assert found.answer != "probably protected"


def test_a_single_protected_class_is_named() -> None:
    images = demo_photos().first(40)
    found = un.detect(partly(images, "brick"), compute=CPU)
    assert found.classes == ("brick",)
    assert found.answer == "probably protected"


def test_the_answer_does_not_depend_on_the_order_of_the_images(clean: ImageSet) -> None:
    turned = replace(clean, ids=clean.ids[::-1])
    prepared = [detection.prepare(one, seeds=(0,), compute=CPU) for one in (clean, turned)]
    assert prepared[0].view.ids == prepared[1].view.ids[::-1]
    again = un.detect(clean, seeds=(0,), compute=CPU)
    assert again.contrasts == un.detect(clean, seeds=(0,), compute=CPU).contrasts


def test_too_few_images_cannot_tell_and_one_class_is_refused(clean: ImageSet) -> None:
    few = un.detect(noisy(clean).first(9), compute=CPU)
    assert few.answer == "cannot tell"
    assert "90, 9 in the smallest class" in few.reason
    with pytest.raises(DataError, match="only one class"):
        un.detect(clean.first(0, ["brick"]))
    with pytest.raises(UsageError, match="must be a sequence"):
        un.detect(clean, seeds="012")


def test_images_are_drawn_evenly_and_small_classes_left_out(
    clean: ImageSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detection, "MAX_IMAGES", 55)
    small = set(clean.first(9, ["brick"]).ids)
    images = clean.subset([id for id in clean.ids if clean.class_of[id] != "brick" or id in small])
    chosen = detection.some_of(images, 0)
    assert len(chosen) == 55
    assert "brick" not in chosen.classes
    assert {*np.bincount(chosen.labels)} <= {6, 7}
    assert chosen.ids != detection.some_of(images, 1).ids
    monkeypatch.setattr(detection, "MAX_CLASSES", 3)
    assert len(detection.some_of(images, 0).classes) == 3


def test_equal_images_are_in_one_fold_and_classes_are_spread() -> None:
    labels = np.repeat([0, 1, 2], 20)
    digests = [f"{index // 2}" for index in range(60)]
    folds = simple_networks.stratified_folds(labels, digests, 0)
    assert (folds[::2] == folds[1::2]).all()
    assert all(np.bincount(folds[labels == label].numpy()).tolist() == [4] * 5 for label in range(3))


def test_scores_come_from_other_folds_only() -> None:
    """With random labels, a network that had seen the image would be right."""
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(400, 800, generator=rng)
    labels = torch.arange(400) % 4
    folds = simple_networks.stratified_folds(labels.numpy(), [str(index) for index in range(400)], 0)
    products = simple_networks.kernel(features)
    held_out = simple_networks.held_out_scores(products, labels, folds).argmax(1) == labels
    assert 0.15 < held_out.float().mean() < 0.35


def test_held_out_scores_are_those_of_ridge_regression() -> None:
    rng = torch.Generator().manual_seed(1)
    features = torch.randn(40, 6, generator=rng, dtype=torch.float64)
    features -= features.mean(0)
    labels, folds = torch.arange(40) % 2, torch.arange(40) // 8
    products = simple_networks.kernel(features)
    scores = simple_networks.held_out_scores(products.float(), labels, folds)
    train = folds != 3
    x = features / features.square().sum(1).mean().sqrt()
    targets = torch.eye(2, dtype=torch.float64)[labels[train]] - 0.5
    penalty = simple_networks.PENALTY * torch.eye(6, dtype=torch.float64)
    weights = torch.linalg.solve(x[train].T @ x[train] + penalty, x[train].T @ targets)
    torch.testing.assert_close(scores[folds == 3], (x[~train] @ weights).float(), rtol=1e-3, atol=1e-4)


def test_the_fine_part_is_weak_and_the_coarse_part_without_colour() -> None:
    rng = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (3, 3, 16, 16), generator=rng).float()
    assert simple_networks.fine(pixels).abs().max() == simple_networks.LIMIT
    assert simple_networks.fine(torch.full((1, 3, 16, 16), 90.0)).abs().max() < 1e-3
    coarse = simple_networks.coarse(pixels)
    assert coarse.shape == (3, 1, 16, 16)
    assert coarse.std() < pixels.std() / 3


def test_leads_are_differences_of_log_odds_and_name_the_class() -> None:
    labels = np.repeat([0, 1], 100)
    right = np.eye(2)[labels]
    # a quarter of the images of each class is wrong
    wrong = np.arange(200) % 4 == 0
    partly_right = np.where(wrong[:, None], 1 - right, right)
    found = contrast("linear", right[None], partly_right[None], labels)
    assert found.fine == pytest.approx((1.0,))
    assert found.coarse == pytest.approx((0.75,))
    assert found.lead == pytest.approx(np.log(200.5 / 0.5) - np.log(150.5 / 50.5))
    assert 0 < found.low < found.lead < found.high
    swapped = contrast("linear", partly_right[None], right[None], labels)
    assert swapped.lead == pytest.approx(-found.lead)
    scores = np.zeros((1, 200, 2))
    scores[0, :, 1] = labels
    leads = class_leads(scores, np.zeros_like(scores), labels)
    assert leads[1] > 4
    assert leads[0] == pytest.approx(0)


@pytest.mark.parametrize(
    ("leads", "expected"),
    [
        (((0.1, -0.1, 0.3), (0.4, 0.2, 0.6)), "no sign of protection"),
        (((0.1, -0.1, 0.3), (0.9, 0.7, 1.1)), "probably protected"),
        (((2.0, 1.5, 2.5), (0.4, 0.2, 0.6)), "probably protected"),
        (((0.1, -0.1, 0.3), (0.8, 0.5, 1.1)), "cannot tell"),
        (((0.1, -1.1, 1.3), (0.4, 0.2, 0.6)), "cannot tell"),
    ],
)
def test_the_rule(leads: tuple[tuple[float, float, float], ...], expected: str) -> None:
    networks = ("linear", "convolutional")
    contrasts = [Contrast(name, (0.5,), (0.5,), *one) for name, one in zip(networks, leads, strict=True)]
    found, reason = judge(contrasts)
    assert found == expected
    assert ("too few" in reason) == (leads[0][2] == 1.3)
    assert judge(contrasts, ["cats"])[0] == "probably protected"


def test_no_room_for_a_lead_is_no_answer() -> None:
    full = Contrast("linear", (1.0, 0.99), (0.99, 1.0), 0.0, -0.5, 0.5)
    assert judge([full])[0] == "cannot tell"
    assert judge([replace(full, network="convolutional")])[0] == "no sign of protection"
    assert judge([replace(full, coarse=(0.97, 1.0))])[0] == "no sign of protection"


def test_the_estimate_grows_with_the_images(clean: ImageSet) -> None:
    prepared = detection.prepare(clean, seeds=(0,), compute=CPU)
    assert 0.01 < prepared.estimate() < 60


def test_the_page_has_the_tables_of_the_result_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS))
    spec = importlib.util.spec_from_file_location("detection_page", DOCS / "detection.py")
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    text = (DOCS / "detect.md").read_text("utf-8")
    assert page.render(text) == text, "run make results"
    assert "| `probably protected` |" in text
    # the thresholds in the text are those of the rule
    for value in (answer.MARGIN, answer.SMALLEST, answer.CLASS_MARGIN):
        assert f"{value:g}" in text.partition("## How it decides")[2].partition("##")[0]


def test_the_answers_of_the_result_file_follow_from_its_figures() -> None:
    file = json.loads((DOCS.parent / "results" / "detection" / "rates.json").read_text("utf-8"))
    rows = [one for part in ("clean", "protected") for seeds in file[part].values() for one in seeds.values()]
    assert len(rows) > 30
    for row in rows:
        contrasts = [
            Contrast(name, (one["fine"],), (one["coarse"],), one["lead"], one["low"], one["high"])
            for name, one in row["contrasts"].items()
        ]
        assert judge(contrasts, row["classes"])[0] == row["answer"]
