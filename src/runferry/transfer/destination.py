"""A destination: what the ledger calls it, and which of our runs it says that it has."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from runferry.errors import UsageError
from runferry.losses import Fate
from runferry.model import Uid
from runferry.ports import Limits, Location, RemoteId, Writer
from runferry.registry import is_path, limits_of, writer_names
from runferry.transfer.foretell import MEDIA_KINDS
from runferry.transfer.patience import Retrying

_ROLES = ("config", "summary", "environment", "other")
_KINDS = ("scalar", "text", "histogram", "console", "file", "artifact", "document", "raw")
LOSSLESS = Limits(holds=dict.fromkeys((*_KINDS, *_ROLES, *MEDIA_KINDS), Fate.KEPT))
"""The limits of a place that nothing writes to: every difference is unexpected."""


class Listing:
    """Which sealed runs are there, asked once for all workers and only when somebody wants it."""

    def __init__(self, retrying: Retrying) -> None:
        self._retrying = retrying
        self._lock = threading.Lock()
        self._present: tuple[Mapping[Uid, RemoteId] | None] | None = None

    def has(self, writer: Writer, uid: Uid, remote: str) -> bool:
        """Whether this run is there, complete, as the ledger says; also where nobody can tell."""
        with self._lock:
            if self._present is None:
                self._present = (self._retrying.call(writer.present),)
        (present,) = self._present
        return present is None or present.get(uid) == remote


def check_apart(source: Location, destination: Location) -> None:
    """Raises UsageError when both are one place, however they are spelled."""
    if source.tracker == destination.tracker and _place(source) == _place(destination):
        raise UsageError(
            "source and destination are the same place",
            where=str(source),
            hint="name another destination",
        )


def _place(where: Location) -> str:
    """Without what a database is told besides its file; a file as a URL is its path."""
    key = ledger_key(where)
    if where.where.startswith("sqlite"):
        return key.partition("?")[0]
    return key.replace(f"{where.tracker}:file://", f"{where.tracker}:", 1)


def ledger_key(where: Location) -> str:
    """The location without credentials; a path in it is absolute, also behind `sqlite:///`."""
    scheme, separator, rest = where.where.partition("://")
    if not separator:
        is_name = where.tracker in writer_names() and not is_path(where)
        place = where.where if is_name else _absolute(where.where)
        return str(Location(where.tracker, place))
    if scheme.startswith("sqlite"):
        path, mark, options = rest.removeprefix("/").partition("?")
        return str(Location(where.tracker, f"{scheme}:///{_absolute(path)}{mark}{options}"))
    if scheme == "file":
        return str(Location(where.tracker, f"file://{_absolute(urlsplit(where.where).path)}"))
    return str(where)


def limits_at(place: Location) -> Limits:
    """What a destination can hold; all of it, where runferry has no writer."""
    return limits_of(place) if place.tracker in writer_names() else LOSSLESS


def _absolute(path: str) -> str:
    return Path(path).expanduser().resolve().as_posix()
