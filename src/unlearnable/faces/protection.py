"""Protection of the faces in photos: the noise is found on aligned crops and added to the full photos."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from unlearnable.data.encoding import Encoding
from unlearnable.data.image_set import ImageSet
from unlearnable.destination import require_place, require_usable
from unlearnable.errors import DataError, UnlearnableError
from unlearnable.evaluation.visibility import of_published
from unlearnable.events import OnProgress, silent
from unlearnable.extending import extended
from unlearnable.faces.crops import crops
from unlearnable.faces.face import Alignment
from unlearnable.faces.face_list import FACES, Record, places_of, read, save, sizes_of
from unlearnable.faces.finding import FaceOptions, find
from unlearnable.faces.noise import FaceNoise
from unlearnable.methods.base import ONE_CLASS
from unlearnable.opening import PhotoOptions
from unlearnable.preparation import DEFAULT_METHOD, Prepared, Request, prepare
from unlearnable.publish import Published, publish
from unlearnable.runs import RunFolder
from unlearnable.search import search
from unlearnable.training.compute import Compute

PRESET = "faces"
# what `run.json` calls a run whose noise lies on faces
KIND = "faces"


@dataclass(frozen=True)
class Faces:
    """Photos, and the crops of the faces in them that are protected.

    Args:
        photos: The photos that get noise; ``skipped`` has a reason for the others.
        crops: The aligned crops, with those of the context if there is any.
        records: What was found in each photo, by id.
    """

    photos: ImageSet
    crops: ImageSet
    records: Mapping[str, Record]

    @property
    def places(self) -> dict[str, tuple[Alignment | None, ...]]:
        """The places of the noises in each photo, by id."""
        return places_of(self.records)

    @property
    def doubtful(self) -> dict[str, str]:
        """The reason to look at a photo, by id."""
        return {id: record.found.doubt for id, record in self.records.items() if record.found.doubt}


def open_faces(
    photos: str | Path,
    options: FaceOptions,
    run: RunFolder,
    *,
    context: str | Path | None = None,
    reading: PhotoOptions | None = None,
    on_progress: OnProgress = silent,
) -> Faces:
    """Open a folder of photos and find the faces in them. The list of faces is saved in the run folder.

    Args:
        photos: Folder with one sub-folder per person.
        options: How faces are found and chosen.
        run: The open run folder.
        context: Folder of photos of other people, one sub-folder each, to tell the people apart from. Their
            most central faces are used, and photos without a face are left out.
        reading: How ``photos`` is read; one sub-folder per person by default.
        on_progress: Called with an event for every photo.

    Raises:
        UsageError: If an option cannot be used.
        DataError: If no face is found.
    """
    file = run.path / FACES
    found, records = find(PhotoOptions.of(reading).folder(photos), options, read(file), on_progress)
    save(file, records.values())
    aligned = crops(found, places_of(records))
    if context is not None:
        known = run.path / f"context-{FACES}"
        others = replace(options, who="central", no_face="skip")
        people, seen = find(PhotoOptions().folder(context), others, read(known), on_progress)
        save(known, seen.values())
        aligned = aligned.join(crops(people, places_of(seen))).in_order_of_ids()
    return Faces(found, aligned, records)


@contextmanager
def remedies_for_faces() -> Iterator[None]:
    """Let the remedies of errors name the command for faces: they are written for whole photos."""
    try:
        yield
    except UnlearnableError as error:
        remedy = re.sub(r"(`(?:unlearnable )?)protect\b", r"\1faces protect", error.remedy)
        if remedy == error.remedy:
            raise
        raise type(error)(error.problem, remedy) from error


def prepare_faces(
    faces: Faces,
    request: Request,
    *,
    run: RunFolder | None = None,
    seed: int | None = None,
    compute: Compute | str | None = None,
    on_progress: OnProgress = silent,
) -> Prepared:
    """Build the method that a request asks for, as ``prepare`` does, on the crops.

    The preset is ``faces`` where the request names none.

    Raises:
        UsageError: If a setting cannot be used.
        DataError: If there is one person only and the method needs others.
    """
    if request.method == DEFAULT_METHOD and request.preset == "auto":
        request = replace(request, preset=PRESET)
    try:
        with remedies_for_faces():
            return prepare(faces.crops, request, run=run, seed=seed, compute=compute, on_progress=on_progress)
    except DataError as error:
        if not error.problem.startswith(ONE_CLASS):
            raise
        raise DataError(
            "There is one person only, so there is nobody to tell the person apart from.",
            "Give photos of other people with --context FOLDER, one sub-folder for each, or use "
            "--recogniser FILE.onnx or --method textures, which need nobody else.",
        ) from error


def protect(
    faces: Faces,
    prepared: Prepared,
    photos: str | Path,
    protected: Path,
    run: RunFolder,
    *,
    encoding: Encoding | None = None,
    refit: bool = False,
    workers: int = 0,
    seed: int | None = None,
    deadline: float = math.inf,
    on_progress: OnProgress = silent,
) -> Published:
    """Find noise on the crops, and write the photos with noise on their faces.

    The same call after an interruption resumes, as ``protect`` does; faces that were added later get noise
    from ``Method.extend``.

    Args:
        faces: The photos and their crops.
        prepared: The search, from ``prepare_faces``.
        photos: The folder of the photos, for the record.
        protected: Folder to publish.
        run: The open run folder.
        encoding: How files are written; PNG by default.
        refit: Whether to discard an earlier run and find new noise.
        workers: Processes that write files; 0 for one per core.
        seed: Drawn from the operating system if None.
        deadline: Time of ``time.monotonic()`` after which no other step or file is begun.
        on_progress: Called with an event after every step and every file.

    Raises:
        UsageError: If the folder to publish cannot be used, or the run has other settings.
        Unfinished: If the deadline has passed; the same call resumes.
    """
    encoding = Encoding() if encoding is None else encoding
    if not refit:
        run.require_kind(KIND)
    require_usable(protected, run, encoding, refit)
    require_place(faces.photos, protected, run, encoding, refit)
    if refit:
        run.forget()
        save(run.path / FACES, faces.records.values())
    run.update(kind=KIND)
    searched = run.finished
    with remedies_for_faces():
        fitted = search(
            prepared.images,
            run,
            prepared.method,
            seed=seed,
            compute=prepared.compute,
            origin=prepared.origin,
            deadline=deadline,
            on_progress=on_progress,
        )
        if searched:
            fitted = extended(fitted, prepared.images, run, prepared.compute)
    published = publish(
        faces.photos,
        FaceNoise(fitted.noise, faces.places, sizes_of(faces.records)),
        protected,
        run,
        encoding=encoding,
        workers=workers,
        deadline=deadline,
        on_progress=on_progress,
    )
    seen = of_published(faces.photos, published, run)
    run.update(photos=str(Path(photos).resolve()), status="protected", visibility=seen)
    return replace(published, fitted=fitted, visibility=seen)
