"""From a request to a method that is ready to run: merge settings, read the photos, estimate the time."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from unlearnable import arguments, hashing, methods, models, presets
from unlearnable.data.image_set import ImageSet
from unlearnable.errors import UsageError
from unlearnable.events import OnProgress
from unlearnable.methods import Method
from unlearnable.methods.shared import require_shareable
from unlearnable.models.from_timm import PREFIX
from unlearnable.models.starts import models_of
from unlearnable.opening import read, recall
from unlearnable.renamed import to_current
from unlearnable.runs import RunFolder
from unlearnable.search import as_before, estimate, require_same, rounds_done
from unlearnable.training.compute import Compute
from unlearnable.training.ranks import ALONE, Ranks

DEFAULT_METHOD = "error_minimizing"


@dataclass(frozen=True)
class Request:
    """The method and settings asked for.

    Settings override the file, which overrides the visibility, which overrides the preset.

    Args:
        method: Name of a registered method.
        preset: Name of a preset of ``error_minimizing``, or ``auto`` for the one that fits images and device.
        config: A TOML file of settings.
        settings: Settings by name, and ``search``: ``exact`` or ``fast``.
        visibility: How visible the noise of a search may be: ``high``, ``medium`` or ``low``; None for the
            limits of the preset.
    """

    method: str = DEFAULT_METHOD
    preset: str = "auto"
    config: str | Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    visibility: str | None = None

    def recorded(self) -> dict[str, Any]:
        """Return the request as ``run.json`` records it: JSON, with the content of the file."""
        file = None if self.config is None else presets.read_file(self.config)
        record = {
            "method": self.method,
            "preset": self.preset,
            "config": file,
            "settings": {key: value for key, value in self.settings.items() if value is not None},
            **({} if self.visibility is None else {"visibility": self.visibility}),
        }
        plain: dict[str, Any] = json.loads(json.dumps(record, default=str))
        return plain


@dataclass(frozen=True)
class Prepared:
    """A search that is ready to run: ``fit`` and ``protect`` take its method, images and compute.

    Args:
        images: The photos, with their context if there is any.
        method: The method, with its settings merged.
        compute: Device and precision; those of the run's beginning where a search resumes.
        preset: Name of the preset used; empty for a method without presets.
        finished: Whether the run folder holds the result of this search already.
        resumes: Whether the run folder holds a search that was stopped, of these photos.
        request: The request as ``run.json`` records it.
        progress: Share of the rounds that the search to resume has done, in [0, 1].
    """

    images: ImageSet
    method: Method[Any]
    compute: Compute
    preset: str
    finished: bool
    resumes: bool
    request: Mapping[str, Any] = field(default_factory=dict)
    progress: float = 0.0

    def estimate(self) -> float:
        """Return about how many seconds all rounds that are left take; 0.0 if there is nothing to search.

        Times a few steps on some of the images, which itself takes seconds.
        """
        if self.finished:
            return 0.0
        return (1 - self.progress) * estimate(self.images, self.method, self.compute)

    @property
    def may_end_early(self) -> bool:
        """Whether the search may stop before its last round."""
        return self.method.may_stop_early

    @property
    def origin(self) -> dict[str, Any]:
        """The entries of ``run.json`` from which the same request gets the same settings again."""
        return {"preset": self.preset, "request": dict(self.request)}


def prepare(
    images: ImageSet,
    request: Request | None = None,
    *,
    run: str | Path | RunFolder | None = None,
    seed: int | None = None,
    compute: Compute | str | None = None,
    on_progress: OnProgress | None = None,
) -> Prepared:
    """Build the method that a request asks for, and read the photos if they have not been read.

    The preset is chosen once in a run folder, and the same request gets the same settings there again,
    whatever photos were added and whatever the device.

    Args:
        images: The photos, with their context if there is any.
        request: The method and settings; by default error-minimizing noise with the preset that fits.
        run: A run folder whose search may be resumed; None to search from the start.
        seed: The seed asked for, if any.
        compute: Device and precision, or the name of a device; chosen if None.
        on_progress: Called with an event for every photo read.

    Raises:
        UsageError: If a name, a setting or a value is unknown, the method has no presets, or the run folder
            holds a run with other settings or another seed.
        DataError: If no photo can be read, or there is one class only and the method needs more.
    """
    return prepare_for(ALONE, images, request, run=run, seed=seed, compute=compute, on_progress=on_progress)


def prepare_for(
    ranks: Ranks,
    images: ImageSet,
    request: Request | None = None,
    *,
    run: str | Path | RunFolder | None = None,
    seed: int | None = None,
    compute: Compute | str | None = None,
    on_progress: OnProgress | None = None,
) -> Prepared:
    """Do what ``prepare`` does in one of several processes that will search together.

    Args:
        ranks: The processes.
        images: As for ``prepare``.
        request: As for ``prepare``.
        run: As for ``prepare``; None in all processes but the first.
        seed: As for ``prepare``.
        compute: As for ``prepare``.
        on_progress: As for ``prepare``.

    Raises:
        UsageError: Also if several processes cannot share the search.
    """
    images, on_progress = arguments.images(images, ImageSet), arguments.callback(on_progress)
    remedy = "Give un.Request(preset=..., settings={...})."
    request = Request() if request is None else request
    request = arguments.instance("request", request, Request, "a Request", remedy)
    arguments.instance("settings", request.settings, Mapping, "settings by name", remedy)
    folder = run if isinstance(run, RunFolder) or run is None else RunFolder(arguments.path("run", run))
    record = {} if folder is None else folder.read()
    images = recall(images, None if folder is None else folder.path)
    if folder is not None and record.get("method") == request.method:
        require_loaded(record, folder.path)
    # a search that resumes uses the precision that the probe chose when it began
    compute = as_before(record, Compute.of(compute))
    name = _preset(request, record, images, compute)
    asked = request.recorded()
    settings = _settings(request, name)
    if "asked" in record and record["asked"]["method"] == request.method:
        bare = Request(request.method, request.preset).recorded()
        if asked == record.get("request", bare):
            settings = record["asked"]["settings"]
    method = methods.create(request.method, settings)
    require_shareable(method, len(images.classes), ranks)
    if folder is None:
        return Prepared(
            read(images, method, on_progress=on_progress), method, compute, name, False, False, asked
        )
    # refused before the photos are read
    require_same(folder, method, seed)
    finished = folder.finished
    # a finished search is not repeated, so it needs no view of the photos
    found = read(images, None if finished else method, folder.path, on_progress=on_progress)
    resumes = not finished and folder.checkpoint.exists() and record.get("fingerprint") == _fingerprint(found)
    done = rounds_done(folder.checkpoint) / int(record["settings"]["max_rounds"]) if resumes else 0.0
    return Prepared(found, method, compute, name, finished, resumes, asked, min(1.0, done))


def agreed(prepared: Prepared, ranks: Ranks) -> Prepared:
    """Return the search that the first process prepared, with the photos and the device of this process."""
    method, compute = prepared.method, prepared.compute
    found = ranks.of_first(
        [method.name, method.config.model_dump(mode="json"), compute.precision, prepared.finished]
    )
    if ranks.first:
        return prepared
    name, settings, precision, finished = found
    return replace(
        prepared,
        method=methods.create(name, settings),
        compute=replace(compute, precision=precision),
        finished=finished,
    )


def _settings(request: Request, preset: str) -> dict[str, Any]:
    values = presets.read(preset) if preset else {}
    if request.visibility is not None:
        limits = presets.limits(request.visibility)
        if not limits.keys() <= methods.get(request.method).Config.model_fields.keys():
            raise UsageError(
                f"--visibility limits the noise of a search, and {request.method} has no such limits.",
                "Leave --visibility out, or give a smaller --epsilon.",
            )
        values |= limits
    return presets.merge(values, request.config, dict(request.settings))


def _preset(request: Request, record: Mapping[str, Any], images: ImageSet, compute: Compute) -> str:
    """Return the name of the preset; empty for a method without presets.

    ``auto`` is the preset that the run recorded. A run of an earlier version recorded none, so it is the one
    whose settings are those of the run.
    """
    if request.method != DEFAULT_METHOD:
        if request.preset != "auto":
            raise UsageError(
                f"--preset {request.preset} holds settings of {DEFAULT_METHOD}, not of {request.method}.",
                "Leave --preset out, or give settings with --set or --config.",
            )
        return ""
    if request.preset != "auto":
        return request.preset
    if record.get("preset"):
        return str(record["preset"])
    asked = record.get("asked", {})
    if asked.get("method") == DEFAULT_METHOD:
        for name in presets.names():
            method = methods.create(DEFAULT_METHOD, _settings(request, name))
            if method.config.model_dump(mode="json") == to_current(asked["settings"]):
                return name
    return presets.auto(images.frame, compute.device)


def _fingerprint(images: ImageSet) -> str:
    """Return the fingerprint of a view of images that have been read."""
    ids = images.ids
    return hashing.of_rows(
        [ids, [images.class_of[id] for id in ids], [images.about(id).digest for id in ids]]
    )


def require_loaded(record: Mapping[str, Any], run: Path) -> None:
    """Refuse a run whose method or surrogate is not registered, and name the plugin that registers it.

    Args:
        record: The content of ``run.json``.
        run: The run folder.
    """
    networks = models_of(str(record.get("settings", {}).get("surrogate", "")))
    # the networks of timm are in no registry of ours
    surrogates = [name.partition(":")[0] for name in networks if not name.startswith(PREFIX)]
    for kind, name, known in (
        ("method", record["method"], methods.names()),
        *(("surrogate", name, models.names()) for name in surrogates),
    ):
        if name not in known:
            plugin = record.get("plugin")
            raise UsageError(
                f"{run} was made by the {kind} {name!r}, which is not loaded.",
                f"Add --plugin {shlex.quote(plugin)}, or the file's new path if it was moved."
                if plugin
                else "Install the package that registers it, or give its file with --plugin FILE.py.",
            )
