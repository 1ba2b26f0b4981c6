"""What plugins keep beside event files: the projector's tables and sprites, profiles."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from pathlib import Path

from runferry import chunks
from runferry.dialects.tensorboard.names import PROFILE, PROJECTOR, is_event_file
from runferry.losses import Fate, Loss
from runferry.model import Blob, Tree
from runferry.paths import blob_at, files_below, inside, regular, spelled
from runferry.readers.tensorboard.folders import EventFolder

_PATH = re.compile(r'\b\w*path\s*:\s*(?:"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\')')
_CONFIG_AT_MOST = 16 << 20
_MISSING: list[Tree] = [-1, 0]


def side_files(folder: EventFolder, seen: dict[str, Tree]) -> Iterator[chunks.Chunk]:
    """Files that are new or changed since they were `seen` (name → [size, time]).

    Names that the projector's configuration holds are data: only what lies in the folder is taken.
    """
    if folder.is_lone:
        return
    for name in dict.fromkeys(projector_files(folder.path)):
        yield from _given(folder.path, name, inside(folder.path, name), seen)
    prefix = "/".join(PROFILE)
    home = folder.path.joinpath(*PROFILE)
    if not home.is_dir():
        return
    for name, entry in files_below(home):
        if entry is not None and is_event_file(entry.name):
            continue  # a run of its own
        whole = f"{prefix}/{name}" if name else prefix
        if entry is None or not _is_inside(home, Path(entry.path)):
            if seen.get(whole) != _MISSING:
                seen[whole] = list(_MISSING)
                detail = "closed, or a link that leads out of the folder"
                yield chunks.Lost(Loss("unreadable-file", Fate.DROPPED, spelled(whole), 1, detail))
            continue
        yield from _given(folder.path, whole, Path(entry.path), seen)


def projector_files(home: Path) -> Iterator[str]:
    """The configuration, and the files that it names; see `_projector_config.proto`."""
    config = home / PROJECTOR
    found = regular(config)
    if found is None:
        return
    yield PROJECTOR
    if found.st_size > _CONFIG_AT_MOST:
        return
    for quoted in _PATH.finditer(config.read_text(encoding="utf-8", errors="replace")):
        name = quoted[1] if quoted[1] is not None else quoted[2]
        yield re.sub(r"\\(.)", r"\1", name)


def _given(
    home: Path, name: str, path: Path | None, seen: dict[str, Tree]
) -> Iterator[chunks.Chunk]:
    found = regular(path) if path is not None else None
    label = spelled(name)
    if path is None or found is None:
        if seen.get(label) != _MISSING:
            seen[label] = list(_MISSING)
            yield chunks.File(label, "other", Blob())
            detail = f"named by {PROJECTOR}, and not in its folder"
            yield chunks.Lost(Loss("missing-bytes", Fate.KEPT, label, 1, detail))
        return
    stamp: list[Tree] = [found.st_size, found.st_mtime_ns]
    if seen.get(label) != stamp:
        seen[label] = stamp
        yield chunks.File(label, "other", blob_at(path, mimetypes.guess_type(name)[0]))


def _is_inside(home: Path, path: Path) -> bool:
    return regular(path) is not None and path.resolve().is_relative_to(home.resolve())
