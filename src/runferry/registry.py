"""Which trackers there are, and what the text of a location means.

Built-in readers and writers are named by a dotted string and imported when they are first asked
for; others come from packages that declare an entry point in `runferry.readers` or
`runferry.writers`. A built-in name cannot be taken over.
"""

from __future__ import annotations

import difflib
import re
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal, cast

from runferry.errors import BadLocation, NotFound
from runferry.ports import Location, Reader, Writer
from runferry.redact import without_credentials

EndRole = Literal["source", "destination"]

ARCHIVE = "archive"

_READERS = {
    ARCHIVE: "runferry.archive.as_source:ArchiveReader",
    "mlflow": "runferry.readers.mlflow:MlflowReader",
    "wandb": "runferry.readers.wandb_files:WandbFilesReader",
}
_WRITERS = {
    ARCHIVE: "runferry.archive.as_destination:ArchiveWriter",
    "mlflow": "runferry.writers.mlflow:MlflowWriter",
}
_GROUPS = {"source": "runferry.readers", "destination": "runferry.writers"}

_NAME = re.compile(r"([A-Za-z][A-Za-z0-9_.+-]+):")  # two characters at least: `C:` is a drive
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def reader_names() -> tuple[str, ...]:
    """Every name that can be read from, sorted."""
    return tuple(sorted({*_READERS, *_plugins("source")}))


def writer_names() -> tuple[str, ...]:
    """Every name that can be written to, sorted."""
    return tuple(sorted({*_WRITERS, *_plugins("destination")}))


def reader(name: str) -> type[Reader]:
    """The reader of this name. Raises BadLocation, MissingExtra."""
    return cast("type[Reader]", _load(name, "source", _READERS))


def writer(name: str) -> type[Writer]:
    """The writer of this name. Raises BadLocation, MissingExtra."""
    return cast("type[Writer]", _load(name, "destination", _WRITERS))


def locate(text: str, *, role: EndRole) -> Location:
    """What the user means by `text`.

    An existing path wins over everything, also behind a name; then `name:where`; and a path that
    does not exist yet is, as a destination, an archive. Raises BadLocation for a name that nobody
    knows, NotFound for a source that is not there or that no reader recognises.
    """
    if not text.strip():
        raise BadLocation("an empty location", hint=_examples(role))
    if _exists(text):
        return _recognised(text, role)
    named = _NAME.match(text)
    if named is not None and not _URL.match(text):
        return _named(named[1], text[named.end() :], role)
    if _URL.match(text):
        scheme = text.split("://", maxsplit=1)[0].lower()
        if scheme in _names(role):
            return Location(scheme, text)
        raise BadLocation(
            "a URL does not say which tracker answers there",
            where=without_credentials(text),
            hint=f"put its name in front: mlflow:{without_credentials(text)}",
        )
    if text in (*reader_names(), *writer_names()):
        return _named(text, "", role)
    if role == "destination":
        return Location(ARCHIVE, text)
    raise NotFound("no such file or folder", where=text, hint=_examples(role))


def _named(name: str, where: str, role: EndRole) -> Location:
    known = _names(role)
    if name not in known:
        raise _unknown(name, role)
    if not where:
        raise BadLocation(f"nothing stands behind `{name}:`", hint=_examples(role, name))
    return Location(name, where)


def _recognised(text: str, role: EndRole) -> Location:
    path = Path(text).expanduser()
    if reader(ARCHIVE).recognises(path):  # whatever else lies in it: its own mark decides
        return Location(ARCHIVE, text)
    known = _names(role)
    names = [
        name
        for name in known
        if name != ARCHIVE and name in reader_names() and reader(name).recognises(path)
    ]
    if len(names) == 1:
        return Location(names[0], text)
    if names:
        raise BadLocation(
            f"this may be {' or '.join(names)}",
            where=text,
            hint=f"say which: {' or '.join(f'{name}:{text}' for name in names)}",
        )
    if role == "destination":
        if path.is_dir() and next(path.iterdir(), None) is None:
            return Location(ARCHIVE, text)
        raise BadLocation(
            "this exists, and is neither an archive nor a tracker's store that can be written to",
            where=text,
            hint="name a folder that does not exist yet, and it becomes an archive",
        )
    raise NotFound(
        f"nothing here that a reader recognises; they are {', '.join(known)}",
        where=text,
        hint=_examples(role),
    )


def _names(role: EndRole) -> tuple[str, ...]:
    return reader_names() if role == "source" else writer_names()


def _unknown(name: str, role: EndRole) -> BadLocation:
    known = _names(role)
    verb = "read from" if role == "source" else "write to"
    other = writer_names() if role == "source" else reader_names()
    if name in other:
        return BadLocation(
            f"runferry cannot {verb} {name}", hint=f"it can {verb} {', '.join(known)}"
        )
    close = difflib.get_close_matches(name.lower(), known, n=2, cutoff=0.5)
    guess = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(known)}"
    return BadLocation(f"no tracker is called {name}", hint=guess)


def _examples(role: EndRole, name: str = "") -> str:
    examples = {
        "wandb": "wandb:./wandb",
        "mlflow": "mlflow:sqlite:///mlflow.db",
        ARCHIVE: "archive:./my-archive",
    }
    if name:
        return f"for instance {examples.get(name, f'{name}:WHERE')}"
    return f"for instance {' or '.join(examples[n] for n in _names(role) if n in examples)}"


def _exists(text: str) -> bool:
    try:
        return Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # no path at all: NUL, too long, `~nobody`
        return False


@cache
def _plugins(role: EndRole) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=_GROUPS[role])}


def _load(name: str, role: EndRole, built_in: dict[str, str]) -> object:
    dotted = built_in.get(name)
    if dotted is not None:
        module, _, attribute = dotted.partition(":")
        return getattr(import_module(module), attribute)
    point = _plugins(role).get(name)
    if point is None:
        raise _unknown(name, role)
    return point.load()
