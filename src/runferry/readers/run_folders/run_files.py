"""The files of a run folder, each given again only when it has changed."""

from __future__ import annotations

import mimetypes
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from runferry import chunks
from runferry.losses import Fate, Loss
from runferry.model import FileRole, Tree
from runferry.paths import blob_at, files_below, inside, spelled

_CHECKPOINT = re.compile(
    r"\.(ckpt|pth|pt|safetensors|h5|keras|pkl|joblib|onnx|bin|npz)$|checkpoint", re.I
)
_SOURCE = re.compile(r"\.(py|ipynb|sh|c|cc|cpp|h|rs|r|jl|m)$", re.I)
_REQUIREMENTS = re.compile(r"(.*/)?(requirements.*\.txt|environment\.ya?ml|uv\.lock|poetry\.lock)")
_EVENTS = re.compile(r"\.tfevents\.")
_OTHERS = re.compile(
    r"(^|/)(\.git|wandb|mlruns|lightning_logs|__pycache__|tb_logs|\.neptune|swanlog|\.aim)/"
)


def role_of(name: str) -> FileRole:
    """What a file of a run is, judged by its name."""
    if _SOURCE.search(name):
        return "source"
    if _REQUIREMENTS.fullmatch(name):
        return "requirements"
    if name.endswith(".log"):
        return "console"
    return "checkpoint" if _CHECKPOINT.search(name) else "other"


def is_of_another(name: str) -> bool:
    """Whether a file belongs to a tracker that has a reader of its own."""
    return _EVENTS.search(name) is not None or _OTHERS.search(name) is not None


def _none(name: str) -> bool:
    return False


def run_files(
    home: Path,
    seen: dict[str, Tree],
    takes: Callable[[str], bool],
    follows: Callable[[str], bool] = _none,
) -> Iterator[chunks.Chunk]:
    """The files below `home` that `takes` names, without those of other trackers, which are told.

    `seen` is what was given before, and is brought up to date. Links that lead out of the folder
    are data of somebody else, and told; those that the tracker's client makes, which `follows`
    names, are read where they lead, and named with that.
    """
    left: dict[str, int] = {}
    for found, entry in files_below(home):
        name = spelled(found)
        if entry is None:
            yield _lost("closed-folder", Fate.DROPPED, name, "this folder cannot be looked into")
        elif is_of_another(name):
            left[name.rpartition("/")[0]] = left.get(name.rpartition("/")[0], 0) + 1
        elif not takes(name):
            continue
        elif follows(name) and (home / found).is_symlink() and (home / found).is_file():
            target = spelled(str((home / found).resolve()))
            why = f"a link; the bytes are those of {target}"
            yield _lost("linked-file", Fate.KEPT, name, why)
            yield from _given(home, found, name, seen)
        elif not os.path.lexists(home / found):
            continue  # deleted since the folder was listed, as checkpoints are for later ones
        elif inside(home, found) is None or not _is_within(home, home / found):
            why = "a link that leads out of the run's folder, or no regular file"
            yield _lost("linked-file", Fate.DROPPED, name, why)
        else:
            yield from _given(home, found, name, seen)
    for folder, count in left.items():
        why = "files of another tracker; its own reader takes them"
        yield chunks.Lost(Loss("other-tracker", Fate.KEPT, folder, count, why))


def _given(home: Path, found: str, name: str, seen: dict[str, Tree]) -> Iterator[chunks.Chunk]:
    path = home / found
    try:
        status = path.stat()
    except FileNotFoundError:
        return  # deleted meanwhile
    stamp: list[Tree] = [status.st_size, status.st_mtime_ns]
    if seen.get(name) == stamp:
        return
    seen[name] = stamp
    if name != found:
        why = "a name that is no UTF-8; U+FFFD stands for what is not"
        yield _lost("file-name", Fate.RENAMED, name, why)
    yield chunks.File(name, role_of(name), blob_at(path, mimetypes.guess_type(name)[0]))


def _is_within(home: Path, path: Path) -> bool:
    return path.resolve().is_relative_to(home.resolve())


def _lost(code: str, fate: Fate, where: str, why: str) -> chunks.Lost:
    return chunks.Lost(Loss(code, fate, where, 1, why))
