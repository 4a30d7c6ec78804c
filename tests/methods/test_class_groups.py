"""A surrogate whose outputs are groups of classes, for data of very many classes."""

from __future__ import annotations

import pytest
import torch
from test_search_parts import SETTINGS, context, make

from unlearnable.data.image_set import ImageSet
from unlearnable.data.view import View
from unlearnable.errors import UsageError
from unlearnable.methods.class_groups import count, outputs

NAMES = tuple(f"user{number:05d}" for number in range(3000))


@pytest.fixture
def view(images: ImageSet) -> View:
    return images.view(16).in_order_of_ids()


def test_a_class_stays_in_its_group_whatever_other_classes_there_are() -> None:
    found = dict(zip(NAMES, outputs(NAMES, 50), strict=True))
    fewer = dict(zip(NAMES[::7], outputs(NAMES[::7], 50), strict=True))
    assert all(found[name] == group for name, group in fewer.items())
    sizes = [list(found.values()).count(group) for group in range(50)]
    # 60 classes on average, with the spread of a fair draw
    assert min(sizes) > 30
    assert max(sizes) < 100


def test_few_classes_have_an_output_each() -> None:
    for groups in (0, 3, 50):
        assert outputs(("ant", "bee", "cat"), groups) == (0, 1, 2)
        assert count(("ant", "bee", "cat"), groups) == 3
    assert count(NAMES, 50) == 50


def test_classes_in_one_group_are_refused() -> None:
    same = [name for name, group in zip(NAMES, outputs(NAMES, 2), strict=True) if group == 0]
    with pytest.raises(UsageError, match="all 4 classes are in one group"):
        outputs(tuple(same[:4]), 2)


def test_the_surrogate_learns_groups_and_every_class_still_has_its_own_noise(view: View) -> None:
    groups = outputs(view.classes, 2)
    assert sorted(set(groups)) == [0, 1]
    method = make("classwise", class_groups=2)
    plan = method.plan(view, context())
    assert plan.outputs == 2
    assert plan.labels.tolist() == [groups[label] for label in view.labels]
    fitted = method.fit(view, context())
    assert fitted.noise.keys == view.classes
    assert len({fitted.noise.bank[row].tobytes() for row in range(3)}) == 3
    sizes = {value.shape[0] for name, value in fitted.surrogate.items() if name.endswith("bias")}
    assert 2 in sizes
    assert 3 not in sizes


def test_photos_that_come_later_are_told_the_group_of_their_class(view: View) -> None:
    method = make(class_groups=2)
    fitted = method.fit(view, context())
    later = method.extend(fitted, view, context())
    assert later.keys == view.ids
    assert abs(later.bank).max() > 0
    plan = method.plan(view, context(), fitted.classes)
    assert plan.labels.tolist() == [outputs(fitted.classes, 2)[label] for label in view.labels]
    assert torch.unique(plan.labels).tolist() == [0, 1]
    assert SETTINGS["max_rounds"] == len(fitted.log)
