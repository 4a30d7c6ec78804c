"""The report card: the rows by which protections are compared, each a way to train on the published files."""

from __future__ import annotations

from collections.abc import Sequence

from unlearnable import countermeasures
from unlearnable.data.image_set import ImageSet
from unlearnable.evaluation.pairs import Pairs
from unlearnable.evaluation.schedule import usual
from unlearnable.evaluation.trial import Trial

AS_PUBLISHED = "as published"
LONGER = 3
# the steps of the attack in adversarial training; the paper on it has 7 to 10, which take three times as long
PGD_STEPS = 3
# share of the protected arm that has noise in the last row
SHARE = 0.8
FIRST = ("grey", "jpeg:30", "project")
THEN = (
    *(f"adversarial:{epsilon},{PGD_STEPS}" for epsilon in (2, 4)),
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
)


def rows(
    pairs: Pairs, model: str = "", pretrained: Sequence[Trial] = (), more: Sequence[str] = ()
) -> tuple[Trial, ...]:
    """Return the rows of a report card, the most important first.

    Args:
        pairs: The images.
        model: Network that trains from scratch; empty for the default one.
        pretrained: Trials of victims that start from pretrained weights.
        more: Further chains of countermeasures.

    Raises:
        UsageError: If a network or a countermeasure is unknown.
    """
    victim = usual(pairs.settings, pairs.trained_on, model)
    longer = victim.model_copy(update={"epochs": LONGER * victim.epochs})
    return (
        Trial(AS_PUBLISHED, victim),
        *pretrained,
        *(Trial(spec, victim, countermeasures.create(spec)) for spec in FIRST),
        Trial("longer training", longer),
        *(Trial(spec, victim, countermeasures.create(spec)) for spec in THEN),
        *(
            Trial(name, victim, labels=labels, about=about)
            for name, (labels, about) in other_labels(pairs).items()
        ),
        Trial(f"{SHARE:.0%} protected", victim, share=SHARE, about=f"{1 - SHARE:.0%} of the files clean"),
        *(
            Trial(spec, victim, chain)
            for spec in more
            if (chain := countermeasures.create(spec)) and spec not in (*FIRST, *THEN)
        ),
    )


def other_labels(pairs: Pairs) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return the labels of trainers who sort the images into other classes, with a description, by name.

    Two rules: neighbours in the order of the classes are joined in pairs, and the largest protected class is
    told apart from all others. Only protected classes are joined: a pair with a clean class of the context
    would be recognised by its clean half. A rule that leaves one class, or the labels as they are, is left
    out.

    Args:
        pairs: The images.
    """
    names, own = pairs.classes, pairs.clean.classes
    if len(names) < 3:
        return {}
    largest = largest_class(pairs.clean)
    found = {
        "one against all": (
            tuple(int(name != largest) for name in names),
            f"the class {largest!r} against all others",
        )
    }
    # the pair of each protected class, and each class of the context by itself
    pair_of = {name: (0, own.index(name) // 2) if name in own else (1, names.index(name)) for name in names}
    order = sorted(set(pair_of.values()))
    if len(own) < 2 or len(order) < 2:
        return found
    joined = tuple(order.index(pair_of[name]) for name in names)
    return {"joined classes": (joined, "classes joined in pairs, in the order of their names"), **found}


def largest_class(images: ImageSet) -> str:
    """Return the class with the most images; of equally large ones, the first."""
    counts = [list(images.class_of.values()).count(name) for name in images.classes]
    return images.classes[counts.index(max(counts))]
