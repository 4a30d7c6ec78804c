"""The result in words: one sentence with the verdict and its numbers, and a table for a terminal."""

from __future__ import annotations

from unlearnable import duration
from unlearnable.evaluation.report_card import AS_PUBLISHED
from unlearnable.report.parts import ArmRecord, Range, TrialRecord
from unlearnable.report.record import Record
from unlearnable.words import counted

LISTED = 10


def percent(share: float) -> str:
    """Return a share as a percentage with one decimal."""
    return f"{share * 100:.1f}%"


def spread(value: Range) -> str:
    """Return a value with its interval, as percentages."""
    return f"{value.value * 100:.1f}% ({value.low * 100:.1f} to {value.high * 100:.1f})"


def network(trial: TrialRecord) -> str:
    """Return the name of a trial's network for a table; the first row of a report card names none."""
    return trial.name if trial.decides and trial.name != AS_PUBLISHED else trial.target.partition(":")[0]


def label(trial: TrialRecord, arm: ArmRecord, kind: str) -> str:
    """Return the name of an arm's images for a table."""
    if kind == "demo":
        return arm.name
    if trial.countermeasure != "none":
        return f"after {trial.countermeasure}"
    return "as published" if trial.decides else trial.name


def sentence(record: Record) -> str:
    """Return the verdict with both accuracies."""
    trial, clean, protected = record.main
    assert protected.retained is not None
    name = "protected" if record.kind == "verify" else protected.name
    numbers = (
        f"a network trained on the clean photos classifies {percent(clean.peak.value)} of unseen clean "
        f"photos correctly, a network trained on the {name} photos {percent(protected.peak.value)} "
        f"(best epoch; guessing: {percent(trial.chance)})"
    )
    if protected.verdict == "cannot tell":
        advice = "The clean photos teach too little, or too few were held out: more photos are needed."
        return f"Cannot tell: {numbers}. {advice}"
    verdict = (protected.verdict or "not protected").capitalize()
    # a network that is worse than guessing has a negative share, which would read oddly in a sentence
    value, high = (max(0.0, share) * 100 for share in (protected.retained.value, protected.retained.high))
    share = f"{value:.0f}% of what the clean photos teach is retained, at most {high:.0f}%"
    return f"{verdict}: {numbers}; {share}."


def rows(record: Record) -> list[tuple[TrialRecord, ArmRecord, ArmRecord]]:
    """Return (trial, clean arm, other arm) for every comparison."""
    return [(trial, trial.arms[0], arm) for trial in record.trials for arm in trial.arms[1:]]


def table(record: Record) -> str:
    """Return the result for a terminal: every comparison, the trials that were not measured, the sentence.

    The comparisons have at most 60 columns, unless a name alone is longer.
    """
    out = ["Accuracy on unseen clean photos (95% interval)"]
    out += card(record) if record.card else _blocks(record)
    for trial in (one for one in record.trials if one.countermeasure == "none"):
        about = f"{trial.about}; " if trial.about else ""
        out.append(f"  {trial.name}: {about}{trial.target}; {trial.recipe}")
    out += [f"  {text}" for text in sorted({trial.intervals for trial in record.trials} - {""})]
    for left in record.unmeasured:
        out.append(f"  not measured: {left.name}{estimated(left.seconds)}")
    if record.left_out:
        out.append(f"  left out: {counted(len(record.left_out), 'file')}")
        out += [f"    {id}: {reason}" for id, reason in list(record.left_out.items())[:LISTED]]
        if len(record.left_out) > LISTED:
            out.append(f"    and {len(record.left_out) - LISTED} more; the report lists all")
    if record.seen:
        psnr = "unchanged" if record.seen.psnr is None else f"PSNR {record.seen.psnr:.1f} dB"
        ssim = "" if record.seen.ssim is None else f", SSIM {record.seen.ssim:.3f}"
        change = f"largest change {record.seen.largest}/255, mean {record.seen.mean:.2f}"
        colour = record.seen.ciede2000
        ssim += "" if colour is None else f", CIEDE2000 {colour:.1f} after a blur"
        out += [f"  {change}", f"  {psnr}{ssim} ({counted(record.seen.sampled, 'photo')})"]
    ending = [*_conditions(record), sentence(record), *recognition(record), *_goal(record)]
    return "\n".join([*out, "", *ending])


def _conditions(record: Record) -> list[str]:
    """Return the verdict with its conditions, and the verdict on the files as they are."""
    if not record.conditions:
        return []
    return [f"{record.conditions[0].upper()}{record.conditions[1:]}.", record.as_it_is]


def recognition(record: Record) -> list[str]:
    """Return every part of the verdict on protected faces, in one sentence; nothing without faces."""
    if record.recognition is None:
        return []
    text = "; ".join(part.text for part in record.recognition.parts)
    return [f"{text[:1].upper()}{text[1:]}."]


def _blocks(record: Record) -> list[str]:
    out = []
    for trial, clean, arm in rows(record):
        assert arm.retained is not None
        out += [
            f"{network(trial)}, {label(trial, arm, record.kind)}: {arm.verdict or 'no verdict'}",
            *_aligned(
                ("", "best epoch", "last epoch"),
                ("clean", spread(clean.peak), percent(clean.last)),
                ("protected", spread(arm.peak), percent(arm.last)),
                # if the clean arm has learned too little, a share of it means nothing
                ("retained", "-" if arm.verdict == "cannot tell" else spread(arm.retained), ""),
            ),
            *_false_positives(clean, arm),
        ]
    return out


def card(record: Record) -> list[str]:
    """Return the rows of a report card, a line each, and its figures; best epochs, in percent."""
    lines = [("", "clean", "prot.", "retained", "verdict")]
    for trial, clean, arm in rows(record):
        assert arm.retained is not None
        share = arm.retained
        # if the clean arm has learned too little, a share of it means nothing
        ok = arm.verdict != "cannot tell"
        lines.append(
            (
                trial.name,
                f"{clean.peak.value * 100:.1f}",
                f"{arm.peak.value * 100:.1f}",
                f"{share.value * 100:.0f} ({share.low * 100:.0f} to {share.high * 100:.0f})" if ok else "-",
                arm.verdict or "",
            )
        )
    return [*_aligned(*lines), *(f"  {line}" for line in card_figures(record))]


def card_figures(record: Record) -> list[str]:
    """Return the figures of a report card in words: mean and largest share, and linear separability."""
    found = record.card
    if found is None or found.mean is None or found.worst is None:
        return []
    all_rows = len(record.trials) + len(record.unmeasured)
    lines = [
        f"retained: mean {found.mean:.0%}, worst {found.worst:.0%} ({found.worst_row})",
        f"over {len(found.rows)} of {all_rows} rows; below guessing counts as 0%",
    ]
    if found.separability is not None:
        guessing = f"guessing: {1 / len(record.classes):.0%}"
        lines.append(f"linear classifier on the noise alone: {found.separability:.0%} ({guessing})")
    return lines


def estimated(seconds: float) -> str:
    """Return an estimate in brackets; empty if there is none."""
    return f" (estimated {duration.words(seconds)})" if seconds else ""


def _false_positives(clean: ArmRecord, arm: ArmRecord) -> list[str]:
    if clean.false_positives is None or arm.false_positives is None:
        return []
    return [
        f"  false positives: clean {percent(clean.false_positives)}, protected {percent(arm.false_positives)}"
    ]


def _aligned(*lines: tuple[str, ...]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def _goal(record: Record) -> list[str]:
    if record.goal is None:
        return []
    found = "met" if record.goal.met else "not met"
    return [f"Required: {record.goal.text}: {found}. {record.goal.reason}".rstrip()]
