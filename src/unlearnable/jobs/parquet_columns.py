"""The columns of a Parquet file: its photos, their classes, and those that are copied or left out.

Photos are in the layout of Hugging Face: a struct of ``bytes`` (a file of an image) and ``path`` (its name).
The role of a column follows from its type, and from the features that ``datasets`` writes into the schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from unlearnable.data.item_columns import LABELS
from unlearnable.errors import DataError, UsageError

# key of the schema's metadata
HUGGING_FACE = b"huggingface"
PANDAS = b"pandas"
IMAGE, CLASSES = "Image", "ClassLabel"
PICTURES = (IMAGE, "Video", "Pdf")
# Nested lists that make a grey picture: rows and columns.
ROWS = 2
NAME_THEM = "Name them: --columns IMAGE,LABEL."


@dataclass(frozen=True)
class Columns:
    """The columns of a file.

    Args:
        image: The column of photos.
        label: The column of classes; None if all photos are of one class.
        names: Class names of the numbers in ``label``; empty if they have none.
        copied: The columns of the published file, in their order: photos, classes, and all others but those
            left out.
        left_out: Columns that may hold pictures; these are not protected, so they are not published.
    """

    image: str
    label: str | None
    names: tuple[str, ...]
    copied: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def others(self) -> tuple[str, ...]:
        """The columns that are copied unchanged, except the classes."""
        return tuple(name for name in self.copied if name not in (self.image, self.label))


def columns_of(schema: Any, asked: Sequence[str], class_name: str | None, file: str) -> Columns:
    """Return the role of each column of a file.

    Args:
        schema: The schema (``pyarrow.Schema``).
        asked: Name of the column of photos, and of that of classes; empty to find them by their types.
        class_name: The class of all photos; None if a column has the classes.
        file: Name of the file for messages.

    Raises:
        UsageError: If it is not clear which columns are meant, or no column has a given name.
        DataError: If there are no photos or no classes, or a column is of another type.
    """
    twice = [name for name in schema.names if schema.names.count(name) > 1]
    if twice:
        raise DataError(f"{file} has two columns that are called {twice[0]!r}.", "Rename one of them.")
    features = features_of(schema)
    missing = [name for name in asked if name not in schema.names]
    if missing:
        raise UsageError(f"{file} has no column {missing[0]!r}. {_listed(schema)}", NAME_THEM)
    image = asked[0] if asked else _found(_images(schema, features), "photos", schema, file)
    _require_photos(schema.field(image).type, image, file)
    label = None
    if class_name is None:
        label = asked[1] if len(asked) > 1 else _found(_labels(schema, features), "classes", schema, file)
        _require_classes(schema.field(label).type, label, file)
    names = features.get(label or "", {}).get("names") or ()
    rest = [name for name in schema.names if name not in (image, label)]
    left_out = tuple(
        name for name in rest if _may_hold_pictures(schema.field(name).type, features.get(name, {}))
    )
    copied = tuple(name for name in schema.names if name not in left_out)
    return Columns(image, label, tuple(map(str, names)), copied, left_out)


def features_of(schema: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return the features of ``datasets`` by column; empty if another program wrote the file."""
    try:
        features = json.loads(schema.metadata[HUGGING_FACE])["info"]["features"]
        return {str(name): feature for name, feature in features.items() if isinstance(feature, Mapping)}
    except (TypeError, LookupError, ValueError, AttributeError):
        return {}


def published(schema: Any, columns: Columns) -> Any:
    """Return the schema of the published file, with the metadata of the columns that it has."""
    import pyarrow as pa

    metadata = dict(schema.metadata or {})
    if columns.left_out:
        # a list of all columns and of the index, which readers do not need
        metadata.pop(PANDAS, None)
        if HUGGING_FACE in metadata and features_of(schema):
            record = json.loads(metadata[HUGGING_FACE])
            for name in columns.left_out:
                record["info"]["features"].pop(name, None)
            metadata[HUGGING_FACE] = json.dumps(record).encode()
    return pa.schema([schema.field(name) for name in columns.copied], metadata=metadata or None)


def _images(schema: Any, features: Mapping[str, Mapping[str, Any]]) -> list[str]:
    typed = [name for name in schema.names if features.get(name, {}).get("_type") == IMAGE]
    # without features, a sound or a film looks like an image
    return typed or [
        name for name in schema.names if name not in features and _is_photos(schema.field(name).type)
    ]


def _labels(schema: Any, features: Mapping[str, Mapping[str, Any]]) -> list[str]:
    typed = [name for name in schema.names if features.get(name, {}).get("_type") == CLASSES]
    return typed or [name for name in LABELS if name in schema.names]


def _found(names: list[str], what: str, schema: Any, file: str) -> str:
    if len(names) > 1:
        listed = f"{', '.join(names[:-1])} and {names[-1]}"
        raise UsageError(f"{file} has several columns of {what}: {listed}.", NAME_THEM)
    if not names and what == "classes":
        raise UsageError(
            f"{file} has no column that is known to hold classes. {_listed(schema)}",
            "Name it, --columns IMAGE,LABEL, or give all photos one class with --class NAME.",
        )
    if not names:
        raise DataError(
            f"{file} has no column of photos in the layout of Hugging Face (a struct of bytes and path). "
            f"{_listed(schema)}",
            "Write it with `datasets` and a column of the type Image.",
        )
    return names[0]


def _listed(schema: Any) -> str:
    return f"Its columns are: {', '.join(f'{field.name} ({field.type})' for field in schema)}."


def _is_photos(kind: Any) -> bool:
    from pyarrow import types

    if not types.is_struct(kind):
        return False
    fields = {kind.field(index).name: kind.field(index).type for index in range(kind.num_fields)}
    return fields.keys() == {"bytes", "path"} and _is_bytes(fields["bytes"])


def _is_bytes(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _require_photos(kind: Any, name: str, file: str) -> None:
    if _is_photos(kind):
        return
    from pyarrow import types

    if types.is_string(kind) or types.is_large_string(kind):
        raise DataError(
            f"The column {name!r} of {file} holds text, such as paths or addresses, and not the photos.",
            "Put the photos themselves into it; nothing is downloaded.",
        )
    raise DataError(
        f"The column {name!r} of {file} is of the type {kind}, not a struct of bytes and path.",
        "Write it with `datasets` and the type Image.",
    )


def _require_classes(kind: Any, name: str, file: str) -> None:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    if not (types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind)):
        raise DataError(
            f"The column {name!r} of {file} is of the type {kind}, and classes are names or whole numbers.",
            "Name another column, --columns IMAGE,LABEL, or give --class NAME.",
        )


def _may_hold_pictures(kind: Any, feature: Mapping[str, Any], depth: int = 0) -> bool:
    """Return whether values of a type may hold a picture: bytes, or lists that may be rows of pixels.

    Args:
        kind: The type.
        feature: The feature of its column; empty if it has none.
        depth: Number of lists around it.
    """
    import pyarrow as pa
    from pyarrow import types

    if feature.get("_type") in PICTURES or isinstance(kind, pa.BaseExtensionType):
        return True
    if types.is_dictionary(kind):
        kind = kind.value_type
    if _is_bytes(kind) or types.is_fixed_size_binary(kind) or types.is_binary_view(kind):
        return True
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _may_hold_pictures(kind.value_type, {}, depth + 1)
    if types.is_struct(kind) or types.is_map(kind):
        children = [kind.field(index).type for index in range(kind.num_fields)]
        return any(_may_hold_pictures(child, {}, depth) for child in children)
    if types.is_uint8(kind) or types.is_int8(kind):
        return depth > 0
    # lists of words, or of corners of boxes, have fewer levels
    return depth > ROWS or (depth == ROWS and bool(types.is_integer(kind)))
