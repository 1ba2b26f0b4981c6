"""What stands behind `wandb:` when it is no path: an entity, a project, a run, or a URL of the app.

`ENTITY`, `ENTITY/PROJECT`, `ENTITY/PROJECT/RUN`, with `@` for the account's own entity (so does
nothing at all); or what a browser shows: `https://HOST/ENTITY/PROJECT/runs/RUN`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from runferry.errors import BadLocation

DEFAULT_BASE: Final = "https://api.wandb.ai"
_EXAMPLES: Final = "wandb:ENTITY/PROJECT, wandb:ENTITY/PROJECT/RUN, or wandb:./folder for files"
_OWN: Final = "@"
_OF_PROJECTS: Final = {"projects", "workspace", "table", "overview", "reports", "sweeps"}
"""Pages of the app that stand below an entity or a project and name no run."""


@dataclass(frozen=True, slots=True)
class Address:
    """A part of the service: everything of an entity, a project, or a run.

    Without an `entity` it is the account's own.
    `app` is the app's address that was given with it, as `https://HOST`.
    """

    entity: str | None = None
    project: str | None = None
    run: str | None = None
    app: str | None = None

    def __str__(self) -> str:
        entity = self.entity or (_OWN if self.project else None)
        return "/".join(part for part in (entity, self.project, self.run) if part)


def is_path(where: str) -> bool:
    """Whether this means files: something that exists, or text that only a path begins with."""
    if where.startswith((".", "/", "~", "\\")) or PureWindowsPath(where).drive:
        return True
    try:
        return bool(where) and Path(where).exists()
    except (OSError, ValueError):  # no path at all: NUL, too long
        return False


def parsed(where: str) -> Address:
    """What the text means. Raises BadLocation."""
    app = None
    text = where
    if "://" in where:
        parts = urlsplit(where)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadLocation("this is no address of W&B", where=where, hint=_EXAMPLES)
        host = parts.hostname if parts.port is None else f"{parts.hostname}:{parts.port}"
        app, text = f"{parts.scheme}://{host}", parts.path
    names = [unquote(name) for name in text.strip("/").split("/") if name]
    if len(names) > 2 and names[2] == "runs":
        del names[2]
        names = names[:3] if app else names  # a tab of the run's page may stand behind it
    elif app:
        names = _of_pages(names)
    if len(names) > 3:
        raise BadLocation("more than an entity, a project and a run", where=where, hint=_EXAMPLES)
    entity, project, run = [*names, None, None, None][:3]
    return Address(None if entity == _OWN else entity, project, run, app)


def _of_pages(names: list[str]) -> list[str]:
    """The names in a page's address that belong to what it shows."""
    if len(names) == 2 and names[1] == "projects":
        return names[:1]
    if len(names) > 2 and names[2].partition("?")[0] in _OF_PROJECTS:
        return names[:2]
    return names


def base_of(app: str) -> str:
    """The interface's address behind an address of the app."""
    scheme, _, host = app.partition("://")
    if host == "wandb.ai":
        return DEFAULT_BASE
    return f"{scheme}://api.{host[4:]}" if host.startswith("app.") else app


def app_of(base: str) -> str:
    """The app's address, as W&B's own client derives it from that of the interface."""
    base = base.rstrip("/")
    if "://api.wandb." in base:
        return base.replace("://api.", "://", 1)
    return base.replace("://api.", "://app.", 1)


def run_url(base: str, entity: str, project: str, run: str | None = None) -> str:
    """Where the app shows a run, or a project."""
    found = f"{app_of(base)}/{quote(entity, safe='')}/{quote(project, safe='')}"
    return found if run is None else f"{found}/runs/{quote(run, safe='')}"
