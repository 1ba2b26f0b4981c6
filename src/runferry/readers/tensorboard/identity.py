"""Which folders are one run: sub-folders of `add_hparams` and `add_scalars`, and ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runferry.dialects.tensorboard.names import (
    HPARAMS_TAG,
    TRACKER,
    EventFileName,
    is_time,
    member_of,
)
from runferry.losses import Loss
from runferry.model import RunKey
from runferry.paths import spelled
from runferry.readers.finding import key_of, label_of
from runferry.readers.tensorboard.folders import EventFolder
from runferry.readers.tensorboard.heads import Head, head_of


@dataclass(frozen=True, slots=True)
class EventFile:
    """One event file of a run."""

    path: Path
    label: str  # its path below the run's folder, with `/`
    member: str | None = None  # what `add_scalars` called it: the second element of its paths


@dataclass(frozen=True, slots=True)
class Group:
    """The folders of one run."""

    key: RunKey
    home: EventFolder
    head: Head
    name: str
    files: tuple[EventFile, ...]  # in the order in which they were begun
    parent: str | None = None
    losses: tuple[Loss, ...] = ()


@dataclass
class _Making:
    """A run's folders while they are found."""

    home: EventFolder
    head: Head
    attached: list[tuple[EventFolder, str | None]] = field(default_factory=list)
    sessions: list[tuple[EventFolder, Head]] = field(default_factory=list)


def grouped(folders: Iterable[EventFolder], root: Path) -> Iterator[Group]:
    """Runs in the order of their folders, parents before what lies below them.

    The first value of a folder decides for ever what it is, so a run that grows stays what it was:

    - named like a time and begun by hparams, below a run: what `add_hparams` wrote. The first one
      belongs to that run, each later one is a run of its own whose parent that run is.
    - named by `add_scalars` after the tag of its first value, a number: it belongs to that run.
    - anything else is a run of its own, `train` and `validation` of Keras too.
    """
    made: dict[Path, _Making] = {}
    for folder in folders:
        head = head_of(folder)
        above = _run_above(folder.path, made)
        if above is None or not _is_part(folder, head, above):
            made[folder.path] = _Making(folder, head)
    for one in made.values():
        yield from _groups(one, root)


def _run_above(folder: Path, made: dict[Path, _Making]) -> _Making | None:
    """The nearest folder around this one that has event files and is a run."""
    for parent in folder.parents:
        found = made.get(parent)
        if found is not None and found.home.has_events:
            return found
    return None


def _is_part(folder: EventFolder, head: Head, run: _Making) -> bool:
    """Whether the folder's records belong to the run around it; if so, they are given to it."""
    inner = folder.below[len(run.home.below) :].lstrip("/")
    if head.tag is None:
        return False
    if head.tag.startswith(HPARAMS_TAG) and is_time(inner):
        run.sessions.append((folder, head))
        return True
    member = member_of(inner, head.tag) if head.is_scalar else None
    if member is None:
        return False
    run.attached.append((folder, member))
    return True


def _groups(one: _Making, root: Path) -> Iterator[Group]:
    sessions = sorted(
        one.sessions, key=lambda session: (float(_name(session[0])), session[0].below)
    )
    attached = [*one.attached, *((folder, None) for folder, _ in sessions[:1])]
    own = _group(one.home, one.head, attached, root)
    yield own
    for folder, head in sessions[1:]:
        yield _group(folder, head, [], root, own.key.run_id)


def _name(folder: EventFolder) -> str:
    return folder.below.rpartition("/")[2]


def _group(
    home: EventFolder,
    head: Head,
    attached: list[tuple[EventFolder, str | None]],
    root: Path,
    parent: str | None = None,
) -> Group:
    name = home.below or label_of(root, root)
    key = key_of(TRACKER, name, head.signature)
    if home.is_lone:
        name = label_of(home.path, home.path)
    files: dict[str, EventFile] = {}
    for folder, member in ((home, None), *attached):
        for file in folder.files:
            label = _label(home, folder, file)
            while label in files:  # of names that are no UTF-8
                label += "~"
            files[label] = EventFile(folder.path / file, label, member)
    ordered = tuple(sorted(files.values(), key=_begun))
    return Group(key, home, head, name, ordered, parent)


def _begun(file: EventFile) -> tuple[int, int, str]:
    """In one second, the run's own folder comes before those below it."""
    return EventFileName.of(file.path.name).seconds, file.label.count("/"), file.label


def _label(home: EventFolder, folder: EventFolder, file: str) -> str:
    inner = "" if folder is home else folder.below[len(home.below) :].lstrip("/")
    return f"{inner}/{spelled(file)}" if inner else spelled(file)
