"""ImageSet + Noise -> files on disk, each decoded again and checked before it gets its name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from unlearnable.data.image_set import ImageSet
from unlearnable.data.photo import Format, Photo
from unlearnable.errors import UsageError
from unlearnable.events import Event, Listener, silent
from unlearnable.methods.fitted import Fitted
from unlearnable.noise import Noise
from unlearnable.runs import RunFolder
from unlearnable.worker import File, Job, make, sha256


@dataclass(frozen=True)
class Published:
    """What ``publish`` did: ``written`` now, ``kept`` from before, ``skipped`` with the reason of each, by id."""

    protected: Path
    run: Path
    written: int
    kept: int
    skipped: Mapping[str, str] = field(default_factory=dict)
    largest: int = 0
    fitted: Fitted | None = None


def publish(
    images: ImageSet,
    noise: Noise,
    protected: Path,
    run: RunFolder,
    *,
    format: Format = "png",
    workers: int = 2,
    listen: Listener = silent,
) -> Published:
    """Write the protected copy of every image that is not context; finished files of an earlier run stay as they are.

    Args:
        images: The sources.
        noise: The noise; images it has none for are skipped and listed, never published unprotected.
        protected: Folder to write to: same tree, same names, new extension.
        run: An open run folder that remembers every file.
        format: ``png`` or ``webp``, both lossless.
        workers: Processes that decode, encode and check.
        listen: Told about progress.

    Raises:
        UsageError: If ``protected`` holds files that this run did not write.
    """
    protected = protected.absolute()  # workers outlive a change of folder
    if not run.noise.exists():
        noise.save(run.noise)
    done = run.files()
    outputs = output_names(images, format, {id: record["output"] for id, record in done.items() if record.get("output")})
    _require_ours(protected, set(outputs.values()) | {record.get("output", "") for record in done.values()})
    skipped = dict(images.skipped)
    jobs, kept, largest = [], 0, 0
    for id in images.own:
        target = protected / outputs[id]
        before = done.get(id)
        if before and not before["reason"] and target.is_file() and sha256(target.read_bytes()) == before["output_digest"]:
            kept, largest = kept + 1, max(largest, before["largest"])
            continue
        jobs.append(Job(id, images.class_of[id], _absolute(images.source.origin(id)), target, format))
    written = 0
    listen(Event("writing", 0, len(jobs)))
    with run.recording() as append:
        for number, file in enumerate(_work(jobs, run.noise.absolute(), workers), 1):
            if file.reason:
                skipped[file.id] = file.reason
            else:
                record = {**asdict(file), "output": outputs[file.id]}
                append({("class" if key == "class_name" else key): value for key, value in record.items()})
                written, largest = written + 1, max(largest, file.largest)
            listen(Event("writing", number, len(jobs)))
    return Published(protected, run.path, written, kept, skipped, largest)


def output_names(images: ImageSet, format: Format, known: Mapping[str, str]) -> dict[str, str]:
    """Return the path below PROTECTED of every own image. Names that would collide keep their old extension inside the new name."""
    names = dict(known)
    taken = {name.casefold() for name in known.values()}
    stems: dict[str, int] = {}
    for id in images.own:
        key = str(PurePosixPath(id).with_suffix("")).casefold()
        stems[key] = stems.get(key, 0) + 1
    for id in images.own:
        if id in names:
            continue
        path = PurePosixPath(id)
        alone = stems[str(path.with_suffix("")).casefold()] == 1
        name = str(path.with_suffix(f".{format}")) if alone and path.suffix else f"{path}.{format}"
        if name.casefold() in taken:
            raise UsageError(f"Two photos would be published as {name}.", "Rename one of them.")
        names[id] = name
        taken.add(name.casefold())
    return names


def _work(jobs: list[Job], noise_file: Path, workers: int) -> Iterator[File]:
    if len(jobs) < 8 or workers < 2:
        yield from (make(job, noise_file) for job in jobs)
        return
    from joblib import Parallel, delayed

    pool = Parallel(n_jobs=workers, return_as="generator_unordered", pre_dispatch="4*n_jobs", batch_size=1)
    yield from pool(delayed(make)(job, noise_file) for job in jobs)


def _absolute(origin: Path | Photo) -> Path | Photo:
    return origin.absolute() if isinstance(origin, Path) else origin


def _require_ours(protected: Path, ours: set[str]) -> None:
    if not protected.is_dir():
        return
    for path in sorted(protected.rglob("*")):
        name = path.relative_to(protected).as_posix()
        if path.is_file() and name not in ours and not (path.name.startswith(".") and path.name.endswith(".part")):
            raise UsageError(f"{protected} holds {name}, which this run did not write.", "Name a new or empty folder.")
