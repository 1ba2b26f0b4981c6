"""What stands behind `clearml:` where it is no path of this machine.

(nothing)                     all projects of the account
GROUP/PROJECT                 one, and those below it
GROUP/PROJECT/<task id>       one task of it; or the id alone
https://HOST[/projects/<id>[/experiments|tasks/<id>/…]]     the app's address of the same
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from runferry.errors import BadLocation

_ID: Final = re.compile(r"[0-9a-f]{32}")
_TASKS: Final = frozenset({"experiments", "tasks"})
_EXAMPLES: Final = "clearml:GROUP/PROJECT, clearml:https://app.clear.ml, clearml:./FOLDER"


@dataclass(frozen=True, slots=True)
class Address:
    """A part of a server; names and ids that are None mean all."""

    project: str | None = None  # by name
    project_id: str | None = None
    task_id: str | None = None
    origin: str | None = None  # `https://HOST`, where one was given


def parsed(where: str) -> Address:
    """What a location means. Raises BadLocation."""
    if "://" in where:
        return _of_url(where)
    names = [name for name in where.strip("/").split("/") if name]
    task = names.pop() if names and _ID.fullmatch(names[-1]) else None
    return Address("/".join(names) or None, None, task)


def _of_url(where: str) -> Address:
    parts = urlsplit(where)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadLocation("this is no address of ClearML", where=where, hint=_EXAMPLES)
    host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
    names = [unquote(name) for name in parts.path.strip("/").split("/") if name]
    project = task = None
    if names[:1] == ["projects"] and len(names) > 1:
        project = None if names[1] == "*" else names[1]
        if len(names) > 3 and names[2] in _TASKS:
            task = names[3]
    elif names:
        raise BadLocation("this is no page of a project or task", where=where, hint=_EXAMPLES)
    return Address(None, project, task, f"{parts.scheme}://{host}")
