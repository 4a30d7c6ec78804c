"""The division of an input into shards, in an order on which all processes of a job agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from unlearnable import hashing
from unlearnable.errors import UsageError
from unlearnable.events import Event, OnProgress
from unlearnable.jobs import folder_shard, inputs, plan
from unlearnable.jobs.file_shard import FileShard
from unlearnable.jobs.manifest import Manifest, shards_in
from unlearnable.jobs.parquet_shard import ParquetShard
from unlearnable.jobs.part_progress import STAGE
from unlearnable.jobs.places import Place, is_address, place
from unlearnable.jobs.shard import Job, Shard
from unlearnable.opening import PhotoOptions

if TYPE_CHECKING:
    from unlearnable.data.image_set import ImageSet


def shards_of(
    source: str,
    job: Job,
    options: PhotoOptions | None,
    columns: tuple[str, ...],
    processes: int,
    on_progress: OnProgress,
) -> Sequence[Shard]:
    """Return all shards of an input.

    Args:
        source: Folder, address or pattern.
        job: The job.
        options: How a folder is read.
        columns: Names of the columns of photos and classes of Parquet files; empty to find them.
        processes: Number of processes that each need a shard, if the input is a folder of photos.
        on_progress: Gets a remark on the other columns of Parquet files.

    Raises:
        UsageError: If an option does not fit the input, or the job began with others.
        DataError: If the photos cannot be read.
    """
    if inputs.is_shards(source):
        return _files(source, job, options, columns, on_progress)
    if columns:
        raise UsageError(
            "--columns is for Parquet files, and the input is a folder of photos.", "Leave it out."
        )
    if is_address(job.output):
        raise UsageError(
            f"{job.output} is an address, and only tar and Parquet shards are written to one.",
            "Name a local PROTECTED, or give PHOTOS as such shards.",
        )
    images = _opened(source, options)
    ids = hashing.of_rows(sorted(images.ids))
    count = folder_shard.number_of_shards(len(images.ids), processes)
    agreed = plan.agree(job, "folder", shards=count, photos=len(images.ids), ids=ids)
    # names are a function of the ids, so they need not be looked up as long as the ids are the same
    known = {} if agreed.ids == ids else _names(place(job.manifests))
    return folder_shard.shards_of(images, job, agreed.shards, known)


def _files(
    source: str,
    job: Job,
    options: PhotoOptions | None,
    columns: tuple[str, ...],
    on_progress: OnProgress,
) -> Sequence[FileShard]:
    if options is not None and (options.labels is not None or options.folders_are_classes):
        raise UsageError(
            "--labels and --folders-are-classes are for folders, and the input is shards.",
            "Put the class into a file KEY.cls beside each photo of a tar shard, or into a column of a "
            "Parquet file; or give --class NAME.",
        )
    shards = inputs.file_shards(source, None if options is None else options.class_name, columns)
    first = shards[0]
    if isinstance(first, ParquetShard):
        _remark(first, on_progress)
    kind = "parquet" if isinstance(first, ParquetShard) else "tars"
    plan.agree(job, kind, names=tuple(shard.name for shard in shards))
    return shards


def _remark(shard: ParquetShard, on_progress: OnProgress) -> None:
    """Report the columns that are copied, which may name the originals, and those that are left out."""
    found = shard.inspected()
    if found is None:
        return
    texts = []
    if found.others:
        texts.append(f"copied unchanged: {', '.join(found.others)}")
    if found.left_out:
        texts.append(f"left out, because they may hold pictures: {', '.join(found.left_out)}")
    if texts:
        on_progress(Event(STAGE, text=f"other columns of {shard.file} {'; '.join(texts)}"))


def _opened(source: str, options: PhotoOptions | None) -> ImageSet:
    from unlearnable.data.folder import folder

    return folder(source) if options is None else options.folder(source)


def _names(manifests: Place) -> dict[str, str]:
    """Return the path of every published photo by id, from all manifests."""
    names: dict[str, str] = {}
    for shard in shards_in(manifests):
        found = Manifest.load(manifests, shard)
        for records in () if found is None else (found.photos, found.vanished):
            names |= {id: str(record["output"]) for id, record in records.items()}
    return names
