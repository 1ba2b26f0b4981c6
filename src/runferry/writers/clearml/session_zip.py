"""The zip beside a session, as ClearML's client makes it when a task is closed."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from runferry.dialects.clearml.own_copy import OWN
from runferry.paths import files_below

_TEXTS: Final = (".json", ".jsonl", ".txt", ".csv", ".html", ".md", ".yaml", ".log")
_LEVEL: Final = 1  # what is repeated in every event is gone by then


def write_zip(session: Path, target: Path) -> int:
    """The session without our own copy of it, which the importer has no use for; its size."""
    names = (name for name, entry in files_below(session) if entry is not None)
    return zipped(session, (name for name in names if not name.startswith(f"{OWN}/")), target)


def write_bundle(session: Path, target: Path) -> int:
    """Our own copy alone; its size."""
    home = session / OWN
    return zipped(home, (name for name, entry in files_below(home) if entry is not None), target)


def zipped(home: Path, names: Iterable[str], target: Path) -> int:
    """Files of a folder as a zip; what is packed already stays as it is."""
    with zipfile.ZipFile(target, "w", allowZip64=True) as archive:
        for name in names:
            is_text = name.endswith(_TEXTS)
            form = zipfile.ZIP_DEFLATED if is_text else zipfile.ZIP_STORED
            path = home.joinpath(*name.split("/"))
            archive.write(path, name, compress_type=form, compresslevel=_LEVEL if is_text else None)
    return target.stat().st_size
