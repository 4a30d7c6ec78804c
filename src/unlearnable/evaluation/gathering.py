"""Opening, pairing and checking the images of a verification. Checking also makes the squares to train on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from unlearnable.data.folder import folder
from unlearnable.data.image_set import ImageSet
from unlearnable.data.joining import free_prefix
from unlearnable.errors import DataError
from unlearnable.evaluation.by_picture import Cells
from unlearnable.evaluation.near_duplicates import copies
from unlearnable.evaluation.pairing import pair
from unlearnable.evaluation.pairs import Pairs
from unlearnable.evaluation.schedule import defaults
from unlearnable.events import OnProgress, silent

Images = str | Path | ImageSet


def gather(
    photos: Images,
    protected: Images,
    test: Images | None = None,
    context: Images | None = None,
    run: Path | None = None,
    on_progress: OnProgress = silent,
) -> Pairs:
    """Open, pair and check all images, each decoded once.

    Args:
        photos: The photos, a folder or an ImageSet.
        protected: The protected images, likewise.
        test: Clean test images, or None to hold some photos out.
        context: Images of other classes, or None.
        run: The run folder of ``protect``, or None.
        on_progress: Called after each image.

    Raises:
        DataError: If there is no pair, only one class, or a class without test images.
    """
    # all folders are opened before the first image is read, so that a mistake in the last one costs no time
    clean = open_images(photos)
    changed = open_published(protected)
    place = None if isinstance(protected, ImageSet) else Path(protected)
    others = None if context is None else open_images(context)
    tests = None if test is None else open_images(test)
    _refuse_classes(clean, others)
    settings = defaults(clean.frame)
    clean, changed, matching = pair(clean, changed, run, on_progress, settings.side, place)
    _refuse_classes(clean, others)
    replaced = _replaced(clean, matching.digests)
    left_out = {**matching.left_out, **replaced}
    good = [id for id in clean.ids if id not in replaced]
    clean, changed = clean.subset(good), changed.subset(good)
    if others is not None:
        others = others.readable(on_progress, settings.side)
        # a copy of a held-out photo must not be among the training images, in any class
        twins = _copies(others, clean, settings.side)
        prefix = free_prefix("context: ", clean.ids)
        left_out |= {f"{prefix}{id}": "shows the same picture as a photo" for id in twins}
        others = _without(others, twins)
        if not others.ids:
            raise DataError(
                "Every context image shows the same picture as a photo.",
                "Give a --context folder with other photos, of other classes.",
            )
    pictured = len(matching.pictured.intersection(good))
    made = Pairs(clean, changed, others, None, settings, left_out, pictured)
    return made if tests is None else _with_test(made, tests.readable(on_progress, settings.side))


def open_published(protected: Images) -> ImageSet:
    """Return the protected images. Classes come from the photos, so their folders do not matter."""
    if isinstance(protected, ImageSet):
        return protected
    try:
        return folder(protected, class_name="protected")
    except DataError as error:
        raise DataError(
            error.problem, "Give the folder of published files; `unlearnable protect` writes one."
        ) from error


def _refuse_classes(photos: ImageSet, context: ImageSet | None) -> None:
    """Refuse classes that a network cannot tell apart.

    Raises:
        DataError: If a class is on both sides, or there is only one.
    """
    others = () if context is None else context.classes
    shared = set(photos.classes) & set(others)
    if shared:
        raise DataError(
            f"Class {min(shared)!r} is among the photos and in the context.",
            "Give a --context folder with other classes.",
        )
    if len(photos.classes) + len(others) < 2:
        raise DataError(
            "There is only one class, so a network has nothing to distinguish.",
            "Give other classes with --context FOLDER.",
        )


def open_images(images: Images) -> ImageSet:
    """Return a folder as an ImageSet; an ImageSet unchanged."""
    return images if isinstance(images, ImageSet) else folder(images)


def _digests(images: ImageSet) -> set[str]:
    return {images.facts[id].digest for id in images.ids}


def _replaced(clean: ImageSet, digests: Mapping[str, str]) -> dict[str, str]:
    """Return a reason for every photo that has changed since it was protected."""
    now = {id: fact.digest for id, fact in clean.facts.items()}
    changed = [id for id in now if digests.get(id, now[id]) != now[id]]
    return dict.fromkeys(changed, "has changed since it was protected")


def _copies(images: ImageSet, others: ImageSet, side: int) -> set[str]:
    """Return the ids of images that are copies or near duplicates of others."""
    known = _digests(others)
    same = {id for id in images.ids if images.facts[id].digest in known}
    near = copies(Cells.of(images, side), Cells.of(others, side))
    return same | {id for id, found in zip(images.ids, near, strict=True) if found}


def _without(images: ImageSet, ids: Collection[str]) -> ImageSet:
    return images.subset([id for id in images.ids if id not in ids])


def _with_test(made: Pairs, test: ImageSet) -> Pairs:
    known = _digests(made.clean) | (_digests(made.context) if made.context else set())
    # a photo may be called like a test image after its prefix
    prefix = free_prefix("test: ", (*made.clean.ids, *made.left_out))
    left_out = {f"{prefix}{id}": reason for id, reason in test.skipped.items()}
    for id in test.ids:
        if test.class_of[id] not in made.clean.classes:
            left_out[f"{prefix}{id}"] = f"class {test.class_of[id]!r} is not among the photos"
        elif test.facts[id].digest in known:
            left_out[f"{prefix}{id}"] = "is also a training image"
    good = [id for id in test.ids if f"{prefix}{id}" not in left_out]
    missing = set(made.clean.classes) - {test.class_of[id] for id in good}
    if missing:
        name = min(missing)
        if any(test.class_of[id] == name for id in test.ids):
            raise DataError(
                f"Every test image of class {name!r} is also a training image.",
                "Give test images that are no copies of the photos.",
            )
        raise DataError(
            f"No test image belongs to class {name!r}.",
            "Give test images of every class, in sub-folders named as in PHOTOS.",
        )
    joined = {**made.left_out, **left_out}
    return _without_copies(replace(made, test=test.subset(good), left_out=joined))


def _without_copies(made: Pairs) -> Pairs:
    """Return the pairs and the context without near duplicates of test images."""
    assert made.test is not None
    seen = "shows the same picture as a test image"
    twins = _copies(made.clean, made.test, made.settings.side)
    good = [id for id in made.clean.ids if id not in twins]
    missing = set(made.clean.classes) - {made.clean.class_of[id] for id in good}
    if missing:
        raise DataError(
            f"Every photo of class {min(missing)!r} {seen}.",
            "Give test images that are no copies of the photos.",
        )
    left_out, context = {**made.left_out, **dict.fromkeys(twins, seen)}, made.context
    if context is not None:
        shown = _copies(context, made.test, made.settings.side)
        prefix = free_prefix("context: ", made.clean.ids)
        left_out |= {f"{prefix}{id}": seen for id in shown}
        context = _without(context, shown)
    clean, protected = made.clean.subset(good), made.protected.subset(good)
    return replace(made, clean=clean, protected=protected, context=context, left_out=left_out)
