"""Files and folders that operating systems, storage devices and file managers leave behind."""

from __future__ import annotations

# lower case; hidden ones, such as .DS_Store, are litter anyway
NAMES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def is_litter(name: str) -> bool:
    """Return whether a file or folder of this name is never a photo of the user's, wherever it lies.

    Args:
        name: Name without its folder.
    """
    return name.startswith(".") or name.lower() in NAMES
