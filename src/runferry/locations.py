"""What the text of a location means."""

from __future__ import annotations

import logging
import os
import re
import shlex
import stat
from pathlib import Path

from runferry import registry
from runferry.anywhere import homes, recognises
from runferry.archive.manifest import may_be_founded
from runferry.errors import BadLocation, NotFound, SourceError
from runferry.paths import regular
from runferry.ports import Location
from runferry.redact import without_credentials
from runferry.registry import ANY, ARCHIVE, EndRole

_log = logging.getLogger(__name__)
_NAME = re.compile(r"([A-Za-z][A-Za-z0-9_.+-]+):")  # two characters at least: `C:` is a drive
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def locate(text: str, *, role: EndRole) -> Location:
    """What the user means by `text`.

    An existing path wins over everything, also behind a name; then `name:where`; and a path that
    does not exist yet is, as a destination, an archive. Raises BadLocation for a name that nobody
    knows, NotFound for a source that is not there or that no reader recognises, SourceError for one
    that is closed to us.
    """
    if not text.strip():
        raise BadLocation("an empty location", hint=_examples(role))
    if role == "source":
        _check_open(text)
    if _exists(text):
        return _recognised(text, role)
    named = _NAME.match(text)
    if named is not None and not _URL.match(text):
        return _named(named[1], text[named.end() :], role)
    if _URL.match(text):
        scheme = text.split("://", maxsplit=1)[0].lower()
        if scheme in registry.names(role):
            return Location(scheme, text)
        raise BadLocation(
            "a URL does not say which tracker answers there",
            where=without_credentials(text),
            hint=f"put its name in front: mlflow:{without_credentials(text)}",
        )
    if text in (*registry.reader_names(), *registry.writer_names()):
        raise _nothing_behind(text, role)
    if role == "destination":
        return Location(ARCHIVE, text)
    raise NotFound("no such file or folder", where=text, hint=_examples(role))


def _check_open(text: str) -> None:
    """Of what we may not look into nobody can say that it is not there, or is nothing. Raises
    SourceError."""
    path = Path(text).expanduser()
    try:
        if stat.S_ISDIR(path.stat().st_mode):
            if os.name != "nt":  # which opens no folder
                os.close(os.open(path, os.O_RDONLY))
        elif regular(path) is not None:
            path.open("rb").close()
    except PermissionError as error:
        raise SourceError(
            f"this cannot be looked into ({error.strerror})",
            where=text,
            hint=f"ls -ld {shlex.quote(str(path))}",
        ) from error
    except (OSError, ValueError):  # no path, or nothing there
        return


def _named(name: str, where: str, role: EndRole) -> Location:
    known = registry.names(role)
    if name not in known:
        raise registry.unknown(name, role)
    if not where and role == "destination":
        where = registry.meant_by_name(name)
    if not where and not (role == "source" and name in registry.SERVICES):
        raise _nothing_behind(name, role)
    return Location(name, where)


def _nothing_behind(name: str, role: EndRole) -> BadLocation:
    return BadLocation(f"nothing stands behind `{name}:`", hint=_examples(role, name))


def _recognised(text: str, role: EndRole) -> Location:
    path = Path(text).expanduser()
    if recognises(ARCHIVE, path):  # whatever else lies in it: its own mark decides
        return Location(ARCHIVE, text)
    if role == "destination":
        return _written_to(text, path)
    if path.is_dir():
        return _below(text, path)
    kinds = {*registry.loose_names(), *registry.STORES} - {*registry.TABLES}
    names = [name for name in sorted(kinds) if recognises(name, path)]
    names = names or [name for name in registry.TABLES if recognises(name, path)]
    if len(names) == 1:
        return Location(names[0], text)
    if names:
        raise BadLocation(
            f"this may be {' or '.join(names)}",
            where=text,
            hint=f"say which: {' or '.join(f'{name}:{text}' for name in names)}",
        )
    raise _nothing(text)


def _below(text: str, path: Path) -> Location:
    """The one source below a folder, or all that there are."""
    found = homes(path)
    match found.places:
        case ():
            raise _nothing(text, found.untaken)
        case (place,):
            if found.untaken:
                _log.warning("%s", found.untaken)
            return Location(place.tracker, text) if place.path == path else place
        case _:
            return Location(ANY, text)


def _nothing(text: str, hint: str = "") -> NotFound:
    known = ", ".join(name for name in registry.reader_names() if name != ANY)
    return NotFound(
        f"nothing here that a reader recognises; they are {known}",
        where=text,
        hint=hint or _examples("source"),
    )


def _written_to(text: str, path: Path) -> Location:
    """A store that exists; a folder in which runs merely lie is none."""
    kinds = {*registry.STORES} & {*registry.writer_names()}
    if path.is_file():
        kinds -= {*registry.TABLES}
    stores = [name for name in sorted(kinds) if recognises(name, path)]
    if stores:
        return Location(stores[0], text)
    if path.is_dir() and may_be_founded(path):
        return Location(ARCHIVE, text)
    raise BadLocation(
        "this exists, and is neither an archive nor a tracker's store that can be written to",
        where=text,
        hint="name a folder that does not exist yet, and it becomes an archive",
    )


def _examples(role: EndRole, name: str = "") -> str:
    examples = {
        "wandb": "wandb:./wandb or wandb:ENTITY/PROJECT",
        "mlflow": "mlflow:sqlite:///mlflow.db",
        "tensorboard": "tensorboard:./runs",
        ARCHIVE: "archive:./my-archive",
    }
    if name:
        return f"for instance {examples.get(name, f'{name}:WHERE')}"
    return f"for instance {' or '.join(examples[n] for n in registry.names(role) if n in examples)}"


def _exists(text: str) -> bool:
    try:
        return Path(text).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # no path at all: NUL, too long, `~nobody`
        return False
