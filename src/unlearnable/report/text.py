"""The result in words: one sentence that never gives a verdict without its numbers, and a table for a terminal."""

from __future__ import annotations

from unlearnable.report.record import ArmRecord, Range, Record, TrialRecord


def percent(share: float) -> str:
    """Write a share with as many digits as it deserves."""
    return f"{share * 100:.1f}%"


def spread(value: Range) -> str:
    """Write a value with its interval."""
    return f"{value.value * 100:.1f}% ({value.low * 100:.1f} to {value.high * 100:.1f})"


def network(trial: TrialRecord) -> str:
    """Return what the network of a trial is called in a table."""
    return trial.name if trial.countermeasure == "none" else trial.target.partition(":")[0]


def label(trial: TrialRecord, arm: ArmRecord, kind: str) -> str:
    """Return what the images of an arm are called in a table."""
    if kind == "demo":
        return arm.name
    return "as published" if trial.countermeasure == "none" else f"after {trial.countermeasure}"


def sentence(record: Record) -> str:
    """Return the verdict with both numbers."""
    trial, clean, protected = record.main
    assert protected.kept is not None
    numbers = (
        f"trained on the clean photos a network names {percent(clean.peak.value)} of unseen clean photos right, "
        f"trained on the {'protected' if record.kind == 'verify' else protected.name} ones {percent(protected.peak.value)} "
        f"(guessing: {percent(trial.chance)})"
    )
    value, high = (max(0.0, share) * 100 for share in (protected.kept.value, protected.kept.high))
    share = f"{value:.0f}% of what the clean ones teach was kept, at most {high:.0f}%"
    if protected.verdict == "cannot tell":
        return f"Cannot tell: {numbers}. The clean photos teach too little, or too few were held out: more photos are needed."
    verdict = {"protected": "Protected", "weakened": "Weakened", "not protected": "Not protected"}[
        protected.verdict or "not protected"
    ]
    return f"{verdict}: {numbers}; {share}."


def rows(record: Record) -> list[tuple[TrialRecord, ArmRecord, ArmRecord]]:
    """Return (trial, clean arm, other arm) for every line of the table."""
    return [(trial, trial.arms[0], arm) for trial in record.trials for arm in trial.arms[1:]]


def table(record: Record) -> str:
    """Return an aligned table, what was not measured, and the sentence."""
    head = (
        "network",
        "images",
        "clean, peak (95%)",
        "protected, peak (95%)",
        "last: clean, prot.",
        "kept (95%)",
        "verdict",
    )
    lines = [head]
    for trial, clean, arm in rows(record):
        assert arm.kept is not None
        last = f"{percent(clean.last)}, {percent(arm.last)}"
        lines.append(
            (
                network(trial),
                label(trial, arm, record.kind),
                spread(clean.peak),
                spread(arm.peak),
                last,
                spread(arm.kept),
                arm.verdict or "",
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    out = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    out.insert(1, "  ".join("-" * width for width in widths))
    plain = [trial for trial in record.trials if trial.countermeasure == "none"]
    out += [f"  {trial.name}: {trial.target}; {trial.recipe}" for trial in plain]
    out += [f"  not measured: {one.name} (estimated {minutes(one.seconds)})" for one in record.unmeasured]
    if record.left_out:
        out.append(f"  left out: {len(record.left_out)} files")
        out += [f"    {id}: {reason}" for id, reason in list(record.left_out.items())[:10]]
        if len(record.left_out) > 10:
            out.append("    and more; the report lists all")
    if record.seen:
        psnr = "unchanged" if record.seen.psnr is None else f"PSNR {record.seen.psnr:.1f} dB"
        ssim = "" if record.seen.ssim is None else f", SSIM {record.seen.ssim:.3f}"
        out.append(
            f"  largest change {record.seen.largest}/255, mean {record.seen.mean:.2f}, {psnr}{ssim} ({record.seen.sampled} photos)"
        )
    return "\n".join([*out, "", sentence(record), *_goal(record)])


def minutes(seconds: float) -> str:
    """Write an estimate."""
    return f"{max(1, round(seconds / 60))} min"


def _goal(record: Record) -> list[str]:
    return (
        []
        if record.goal is None
        else [f"Required: {record.goal.text}: {'met' if record.goal.met else 'missed'}."]
    )
