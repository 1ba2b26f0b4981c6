"""A destination as the ledger knows it: the same place, however and wherever it is spelled."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from runferry.ports import Location


def ledger_key(where: Location) -> str:
    """The location without credentials; a path in it is absolute, also behind `sqlite:///`."""
    scheme, separator, rest = where.where.partition("://")
    if not separator:
        return str(Location(where.tracker, _absolute(where.where)))
    if scheme.startswith("sqlite"):
        path, mark, options = rest.removeprefix("/").partition("?")
        return str(Location(where.tracker, f"{scheme}:///{_absolute(path)}{mark}{options}"))
    if scheme == "file":
        return str(Location(where.tracker, f"file://{_absolute(urlsplit(where.where).path)}"))
    return str(where)


def _absolute(path: str) -> str:
    return Path(path).expanduser().resolve().as_posix()
