"""Render one result file of a measurement as a table; the key `kind` of the file chooses the renderer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean, median, stdev
from typing import Any

from scipy.stats import t as student

from unlearnable.experiments.markdown import grid
from unlearnable.experiments.table import accuracy, number
from unlearnable.words import counted

File = dict[str, Any]

BOTH = "last epoch (best epoch)"
UNITS = ("wall_seconds", "cpu_seconds")
WAYS = {
    "fast": "the settings of `--search fast`",
    "float32": "the exact search in float32",
    "settled": "the exact search that skips images with a small loss",
    "half": "the exact search in half the rounds",
}


def measured(seeds: Sequence[File]) -> str:
    """Return the accuracies of one row, a file's record for each seed."""
    return accuracy([one["last"] for one in seeds], [one["peak"] for one in seeds])


def demo(file: File) -> str:
    """Render the runs of the demo, one row per seed."""
    arms = ("clean", "sample-wise", "class-wise")
    rows = [
        [seed, *(measured([one[arm]]) for arm in arms), f"{one['seconds']:.0f} s"]
        for seed, one in file["seeds"].items()
    ]
    return grid(["seed", *(f"{arm}, {BOTH}" for arm in arms), "time"], rows)


def cifar10(file: File) -> str:
    """Render searches that stop by their error, one row per seed."""
    arms = ("clean", "protected")
    rows = [
        [seed, *(measured([one[arm]]) for arm in arms), f"{one['search_seconds']:.0f} s", one["stopped"]]
        for seed, one in file["seeds"].items()
    ]
    return grid(["seed", *(f"{arm}, {BOTH}" for arm in arms), "search", "stopped because"], rows)


def photos(file: File) -> str:
    """Render trainings on photos that were written as files, one row per network, recipe and arm."""
    seeds = list(file["seeds"].values())
    found: dict[tuple[str, str, str], list[File]] = {}
    for seed in seeds:
        for trial in seed["trials"]:
            for arm in trial["arms"]:
                test = arm["curves"][0]["test"]
                found.setdefault((trial["name"], trial["target"], arm["name"]), []).append(
                    {
                        "last": arm["last"],
                        "peak": arm["peak"]["value"],
                        "late": mean(test[len(test) // 2 :]),
                    }
                )
    rows = [
        [*names, measured(arms), number([one["late"] for one in arms]), str(len(arms))]
        for names, arms in found.items()
    ]
    times = ", ".join(f"{one['protect_seconds'] / 60:.1f}" for one in seeds)
    rounds = ", ".join(str(one["rounds"]) for one in seeds)
    seen = seeds[0]["seen"]
    words = f"{file['photos']} photos, {file['test']} clean test photos."
    words += f" Protecting took {times} minutes ({rounds} rounds)."
    words += f" PSNR {seen['psnr']:.1f} dB, SSIM {seen['ssim']:.3f}."
    head = ["trial", "network", "trained on", BOTH, "second half of the epochs", "seeds"]
    return f"{words}\n\n{grid(head, rows)}"


def runs(file: File) -> str:
    """Render one row per setting, each over its seeds."""
    settings = {name: list(seeds.values()) for name, seeds in file["runs"].items()}
    every = [one for seeds in settings.values() for one in seeds]
    columns: dict[str, Callable[[list[File]], str]] = {BOTH: measured}
    if all("late" in one for one in every):
        columns["second half of the epochs"] = lambda seeds: number([one["late"] for one in seeds])
    columns["seeds"] = lambda seeds: str(len(seeds))
    if all("search_seconds" in one for one in every):
        columns["search, median"] = lambda seeds: (
            f"{median(one['search_seconds'] for one in seeds) / 60:.1f} min"
        )
    if all("mean_bytes" in one for one in every):
        columns["mean size and change of a file"] = lambda seeds: (
            f"{seeds[0]['mean_bytes'] / 1000:.1f} kB, {seeds[0]['mean_change']:.1f} levels"
        )
    rows = [[name, *(cell(seeds) for cell in columns.values())] for name, seeds in settings.items()]
    return grid(["setting", *columns], rows)


def interval(gaps: Sequence[float]) -> tuple[float, float]:
    """Return the 95% interval of a mean of differences seed by seed, by Student's t."""
    half = float(student.ppf(0.975, len(gaps) - 1)) * stdev(gaps) / len(gaps) ** 0.5
    return mean(gaps) - half, mean(gaps) + half


def differences(file: File, name: str) -> tuple[list[str], list[float]]:
    """Return the seeds that a way of searching shares with the exact search, and their differences."""
    exact, seeds = file["runs"]["exact"], file["runs"][name]
    shared = [seed for seed in seeds if seed in exact and name not in ("clean", "exact")]
    return shared, [seeds[seed]["late"] - exact[seed]["late"] for seed in shared]


def in_points(low: float, high: float) -> str:
    """Return an interval of differences, in points of a percentage."""
    return f"{100 * low:+.1f} to {100 * high:+.1f}"


def searches(file: File) -> str:
    """Render ways of searching over the same seeds, and their distance from the exact search seed by seed."""
    exact, rows = file["runs"]["exact"], []
    for name, seeds in file["runs"].items():
        found = list(seeds.values())
        shared, gaps = differences(file, name)
        faster = [exact[seed]["search_seconds"] / seeds[seed]["search_seconds"] for seed in shared]
        rows.append(
            [
                name,
                measured(found),
                number([one["late"] for one in found]),
                str(len(found)),
                ("+" if mean(gaps) >= 0 else "") + number(gaps) if gaps else "",
                in_points(*interval(gaps)) if len(gaps) > 1 else "",
                f"{median(one['search_seconds'] for one in found):.0f} s" if name != "clean" else "",
                f"{median(faster):.2f}" if faster else "",
            ]
        )
    head = [
        "search",
        BOTH,
        "second half of the epochs",
        "seeds",
        "second half, difference from exact",
        "its 95% interval",
        "search, median",
        "times as fast as exact",
    ]
    ways = "; ".join(f"`{name}`: {words}" for name, words in WAYS.items() if name in file["runs"])
    return (
        f"{ways}. Each search has one thread, and another search runs at the same time.\n\n{grid(head, rows)}"
    )


def applying(file: File) -> str:
    """Render the speed of writing protected photos against Pillow, one row per pair of runs."""
    keys = ("ours_seconds", "plain_seconds", "ratio")
    rows = [
        [str(pair), *(f"{one[key]:.2f}" for key in keys)] for pair, one in enumerate(file["pairs"], start=1)
    ]
    peaks = ", ".join(
        f"{megabytes:.0f} MB with {count} photos" for count, megabytes in file["peak_megabytes"].items()
    )
    size = "one megapixel" if file["megapixels"] == 1 else f"{file['megapixels']} megapixels"
    words = f"{file['count']} photos of {size}, {file['workers']} processes:"
    words += f" {file['speed_over_plain']:.2f} times as fast as Pillow (median),"
    words += f" files of {file['size_over_plain']:.3f} times the size."
    words += f" Peak memory of the largest process: {peaks}."
    head = [
        "pair",
        "this project, everything included, s",
        "Pillow, decode and encode, s",
        "Pillow over this project",
    ]
    if "cpu_over_plain" in file:
        words += f" In CPU time, {file['cpu_over_plain']:.2f} times as fast (median)."
        head += ["CPU time, this project, s", "CPU time, Pillow, s", "Pillow over this project"]
        keys = ("ours_cpu_seconds", "plain_cpu_seconds", "cpu_ratio")
        for row, one in zip(rows, file["pairs"], strict=True):
            row += [f"{one[key]:.2f}" for key in keys]
    if file.get("viewed"):
        words += " This project reads each photo twice: for the search, and to write it."
    return f"{words}\n\n{grid(head, rows)}"


def starting(file: File) -> str:
    """Render the times of starts on photos that were seen before, and of reading the list of files."""
    first, *later = file["starts"]
    parsed, indexed = file["list"]
    rows = [
        [name, f"{one['seconds']:.1f}", f"{one['cpu_seconds']:.1f}"]
        for name, one in (
            ("first start: every photo is decoded", first),
            *((f"start {number}: sizes and times only", one) for number, one in enumerate(later, start=2)),
            ("list of published files, the first time", parsed),
            ("the same list, the second time", indexed),
        )
    ]
    words = (
        f"{file['count']:,} photos with ids of {file['id_length']} characters. Memory after a start: "
        f"{file['bytes_a_photo']:.0f} bytes a photo; the cache has {file['cache_bytes_a_photo']} bytes "
        f"a photo on the disk. Load of the machine: "
        f"{', '.join(map(str, file['load']))}."
    )
    return f"{words}\n\n{grid(['part', 'time, s', 'CPU time, s'], rows)}"


def torchrun(file: File) -> str:
    """Render the speed of a search of several processes against one, one row per pair of runs."""
    count = file["processes"]
    rows = [
        [
            str(number),
            f"{pair['load_before']:.1f}",
            *(f"{pair[arm]['all'][name]:.0f}" for name in TIMES for arm in ("alone", "together")),
            *(f"{pair['ratios']['all'][name]:.2f}" for name in TIMES),
        ]
        for number, pair in enumerate(file["pairs"], start=1)
    ]
    kinds = {"all": "all steps", "train": "training steps", "move": "noise steps"}

    def told(name: str) -> str:
        found = {words: file["ratios"][kind][name] for kind, words in kinds.items()}
        return ", ".join(
            f"{one['median']:.2f} in {words} ({one['range'][0]:.2f} to {one['range'][1]:.2f})"
            for words, one in found.items()
        )

    words = (
        f"{file['count']} images, batches of {file['batch']}, surrogate {file['surrogate']}. Image-steps a "
        f"second of {count} processes over those of one, median and range: {told('speed')}. By the CPU time "
        f"of the busiest process, which other programs change less: {told('cpu_speed')}."
    )
    arms = ["1 process", f"{count} processes"]
    head = [
        "pair",
        "load of the machine before",
        *(f"{arm}, image-steps a second" for arm in arms),
        *(f"{arm}, image-steps a CPU second" for arm in arms),
        "ratio",
        "ratio by CPU time",
    ]
    return f"{words}\n\n{grid(head, rows)}"


# image-steps a second, by the clock and by CPU time
TIMES = ("speed", "cpu_speed")


def walk(file: File) -> str:
    """Render the demo's walk: the verdict and the times of each seed, and every trial over all seeds."""
    seeds = file["seeds"]
    rows = []
    for seed, one in seeds.items():
        networks = [
            trial["arms"]["protected"] for trial in one["trials"] if trial["countermeasure"] == "none"
        ]
        most = max(arm["retained"]["high"] for arm in networks)
        steps = {name: step for name, step in one["steps"].items() if name != "demo"}
        rows.append(
            [
                seed,
                one["verdict"],
                f"{100 * most:.0f}%",
                *(f"{steps[name]['wall_seconds']:.0f} s" for name in steps),
                *(f"{sum(step[unit] for step in steps.values()):.0f} s" for unit in UNITS),
                f"{one['steps']['demo']['wall_seconds']:.0f} s" if "demo" in one["steps"] else "",
                one["note"],
            ]
        )
    names = [f"`{name}`" for name in next(iter(seeds.values()))["steps"] if name != "demo"]
    head = ["seed", "verdict", "retained, at most", *names, "walk", "walk, CPU time", "`demo`", "note"]
    trials = {
        (where, trial["name"]): trial
        for one in seeds.values()
        for where in ("trials", "demo")
        for trial in one[where]
    }
    found = []
    for (where, name), trial in trials.items():
        same = [other for one in seeds.values() for other in one[where] if other["name"] == name]
        for arm in list(trial["arms"])[1:]:
            clean, other = (
                measured(
                    [
                        {"last": one["arms"][key]["last"], "peak": one["arms"][key]["peak"]["value"]}
                        for one in same
                    ]
                )
                for key in ("clean", arm)
            )
            command = "`verify`" if where == "trials" else "`demo`"
            found.append([command, name, trial["target"], arm, clean, other, str(len(same))])
    trial_head = ["command", "trial", "network", "trained on", f"clean, {BOTH}", f"this, {BOTH}", "seeds"]
    environment = next(iter(seeds.values()))["environment"]
    machine = f"{file['cpu']}, {environment['precision']}, torch {environment['torch']}."
    return f"{machine}\n\n{grid(head, rows)}\n\n{grid(trial_head, found)}"


def walk_in_words(file: File) -> str:
    """Return what the README says of the demo's walk: accuracies, verdicts, times."""
    seeds = list(file["seeds"].values())
    plain = [one for seed in seeds for one in seed["trials"] if one["countermeasure"] == "none"]
    reached = {
        name: sorted(100 * one["arms"][name]["peak"]["value"] for one in plain)
        for name in ("clean", "protected")
    }
    clean, protected = (f"{found[0]:.0f} to {found[-1]:.0f}%" for found in reached.values())
    verdicts = sum(seed["verdict"] == "protected" for seed in seeds)
    # times of a machine that did other work as well say little
    quiet = [seed["steps"] for seed in seeds if not seed["note"]]
    walks = [sum(step["wall_seconds"] for name, step in one.items() if name != "demo") for one in quiet]
    count = "one seed" if len(seeds) == 1 else f"{len(seeds)} seeds"
    words = (
        f"Trained on the originals, the networks of `verify` classify {clean} of unseen squares correctly. "
        f"Trained on the protected squares, they classify {protected} (best epoch, {count}; guessing gives "
        f"10%). The verdict is `protected` with {verdicts} of {len(seeds)}."
    )
    cpu = sum(step["cpu_seconds"] for name, step in seeds[0]["steps"].items() if name != "demo")
    if walks:
        return f"{words} The four commands take {max(walks) / 60:.1f} minutes at most on {file['cpu']}."
    return f"{words} The four commands take {cpu / 60:.0f} minutes of CPU time on {file['cpu']}."


def report_card(file: File) -> str:
    """Render a report card: its conditions and figures, and one line per row."""
    card = file["card"]
    head = ["row", "clean", "protected", "retained (95% interval)", "verdict"]
    rows = []
    for row in file["rows"]:
        share = row["retained"]
        # where the clean arm has learned too little, a share of it means nothing
        told = row["verdict"] != "cannot tell"
        low, value, high = (f"{100 * share[key]:.0f}" for key in ("low", "value", "high"))
        rows.append(
            [
                row["name"] + (f": {row['about']}" if row["about"] else ""),
                *(accuracy([arm["last"]], [arm["peak"]]) for arm in (row["clean"], row["protected"])),
                f"{value}% ({low} to {high})" if told else "",
                row["verdict"],
            ]
        )
    missing = [one.partition(" (")[0] for one in file["unmeasured"]]
    words = [
        f"{file['conditions'][0].upper()}{file['conditions'][1:]}. {file['as_it_is']}",
        f"Retained: mean {card['mean']:.0%}, worst {card['worst']:.0%} ({card['worst_row']}), over "
        f"{len(card['rows'])} rows. A linear classifier on the noise alone classifies "
        f"{card['separability']:.0%}.",
        f"Seeds: {', '.join(map(str, file['seeds']))}.",
        f"Not measured: {', '.join(missing)}." if missing else "",
    ]
    return f"{' '.join(words).strip()}\n\n{grid(head, rows)}"


def faces(file: File) -> str:
    """Render photos whose faces were protected and found again: networks, then recognisers."""
    head = ["recognised by", "clean", "protected"]
    rows = [
        [f"{row['target']}, trained from scratch", *(_pair(row[arm]) for arm in ("clean", "protected"))]
        for row in file["rows"]
    ]
    for name, rules in file["recognisers"].items():
        rows += [[f"{name}, {one['rule']}", *(f"{100 * one[arm]:.1f}" for arm in head[1:])] for one in rules]
    seen = file["visibility"]
    words = (
        f"Budget {file['epsilon']}, {file['form']}, {file['rounds']} rounds; {file['seconds']:.0f} s for "
        f"{file['written']} photos, files included. PSNR {seen['psnr']:.1f} dB, SSIM {seen['ssim']:.3f}. "
        f"Detection on the published files misses {file['lost']} of {file['faces']} faces; landmarks move by "
        f"{file['landmark_shift']:.1f} of 112 pixels, and the noise correlates by "
        f"{file['noise_correlation']:.2f}. Guessing: {100 / len(file['classes']):.1f}. "
        f"Seeds: {', '.join(map(str, file['seeds']))}."
    )
    return f"{words}\n\n{grid(head, rows)}"


def _pair(arm: File) -> str:
    return accuracy([arm["last"]], [arm["peak"]])


def recognisers(file: File) -> str:
    """Render recognition by networks that exist: by the nearest photo, and by the nearest centre."""
    galleries = list(dict.fromkeys(row["gallery"] for row in file["rows"]))
    cells: dict[tuple[str, str], list[str]] = {}
    for row in file["rows"]:
        found = cells.setdefault((row["recogniser"], row["people"]), [])
        found.append(f"{mean(row['nearest']):.1f} ({mean(row['centre']):.1f})")
    rows = [
        [f"{name}, in the search" if name in file["loss"] else name, people, *found]
        for (name, people), found in cells.items()
    ]
    lost = {name: sum(each) for name, each in file["lost"].items()}
    runs = max(len(row["nearest"]) for row in file["rows"])
    words = (
        f"Recognised photos in percent, mean of {counted(runs, 'run')}, by the nearest photo of the gallery "
        "and, in brackets, by the nearest mean of a person. Among clean people, the gallery also has clean "
        f"photos of {file['others']} others. Faces lost by detection, of {file['photos']} photos a run: "
    )
    words += ", ".join(f"{count} ({name})" for name, count in lost.items()) + "."
    return f"{words}\n\n{grid(['recogniser', 'people', *galleries], rows)}"


KINDS: dict[str, Callable[[File], str]] = {
    "applying": applying,
    "cifar10": cifar10,
    "demo": demo,
    "faces": faces,
    "photos": photos,
    "recognisers": recognisers,
    "report-card": report_card,
    "runs": runs,
    "searches": searches,
    "starting": starting,
    "torchrun": torchrun,
    "walk": walk,
}
