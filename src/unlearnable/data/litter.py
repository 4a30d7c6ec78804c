"""Files and folders that operating systems, storage devices and photo tools leave behind.

They hold thumbnails, deleted files and earlier versions of photos. They are never trained on, never published
and never listed.

Every entry is a name that one product gives its own files. Names that people give to folders of photos are
not here, although products use them too: ``Originals`` (Picasa), ``MISC`` (cameras), ``Trash``, ``trashbox``
(Buffalo), ``cache``.
"""

from __future__ import annotations

import re
import unicodedata

# Names that begin with a dot are litter anyway: .DS_Store, ._photo.jpg, .Trashes, .Spotlight-V100, .@__thumb
# (QNAP), .thumbnails (Android), .dtrash (digiKam), .picasaoriginals, .stversions (Syncthing), .recycle
# (Samba), .zfs, .git and all others. In lower case:
NAMES = frozenset(
    {
        # macOS: archives, folders with an icon of their own, shares
        "__macosx",
        "icon\r",
        "network trash folder",
        "temporary items",
        "thevolumesettingsfolder",
        "desktop db",
        "desktop df",
        # Windows: thumbnails, views of folders, the recycle bin, restore points
        "thumbs.db",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "desktop.ini",
        "$recycle.bin",
        "system volume information",
        # Linux and Android: files recovered by a check of the disk
        "lost+found",
        "lost.dir",
        # Synology: thumbnails, deleted files, snapshots
        "@eadir",
        "@tmp",
        "@sharesnap",
        "@synoresource",
        "#recycle",
        "#snapshot",
        # QNAP: deleted files, snapshots, converted films
        "@recycle",
        "@recently-snapshot",
        "@transcode",
        # NetApp
        "~snapshot",
        # Picasa, ACDSee (photos before they were edited), Capture One (previews), NX Studio, ZoomBrowser,
        # Paint Shop Pro
        "picasa.ini",
        "[originals]",
        "captureone",
        "nksc_param",
        "zbthumbnail.info",
        "pspbrwse.jbf",
        # digiKam
        "thumbnails-digikam.db",
        # GoodSync: deleted and earlier files
        "_gsdata_",
        # FreeFileSync, Windows' replication of folders, WS_FTP
        "sync.ffs_db",
        "sync.ffs_lock",
        "dfsrprivate",
        "ws_ftp.log",
        # descriptions of the photos in a folder (ACDSee, IrfanView, XnView)
        "descript.ion",
    }
)
PATTERNS = re.compile(
    "|".join(
        (
            # files that a check of the disk recovered (Windows)
            r"found\.\d{3}",
            # a second stream of Thumbs.db, which copies from NTFS turn into a file
            r"thumbs\.db:.*",
            # documents that are open (Microsoft Office, LibreOffice)
            r"~\$.*|\.~lock\..*#",
            # extended attributes (Synology)
            r".*@syno(eastream|resource)",
            # previews of Lightroom
            r".*\.lrdata",
            # run folders of this package, which hold noise and reports
            r".*\.unlearnable",
            # downloads that are not complete: Chrome, Opera, Edge and IE, WinSCP, Resilio, qBittorrent
            r".*\.(crdownload|opdownload|partial|filepart|!sync|!qb|aria2)",
            # the same: uTorrent, BitComet, Free Download Manager, Thunder
            r".*\.(!ut|bc!|fdmdownload|xltd)",
            # files that are being replaced (macOS, FreeFileSync)
            r".*\.sb-[0-9a-f]{8}-[a-z0-9]{6}|.*\.ffs_tmp",
            # endings that mean a download only after another ending: photo.jpg.part (Firefox), and Safari's
            # folder photo.jpg.download
            r".*\.[a-z0-9]{2,5}\.(part|download|tmp)",
        )
    ),
    re.DOTALL,
)
# The recycle bins of Windows before Vista. In other capitals they may be a class: of waste, for example.
EXACT = frozenset({"RECYCLER", "RECYCLED"})


def is_litter(name: str) -> bool:
    """Return whether a file or folder of this name is never a photo of the user's, wherever it lies.

    Hidden files and folders are litter. Capitals and the composition of accents do not matter.

    Args:
        name: Name without its folder.
    """
    plain = unicodedata.normalize("NFC", name).casefold()
    return name.startswith(".") or name in EXACT or plain in NAMES or PATTERNS.fullmatch(plain) is not None
