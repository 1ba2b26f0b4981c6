"""Which runs, models and versions a location means on a server, with what its tables say of them.

WORKSPACE/PROJECT          all of a project
WORKSPACE/PROJECT/ID       one of them
WORKSPACE/A,B              of several projects
WORKSPACE                  of all projects of a workspace
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from runferry import chunks
from runferry.dialects.neptune.client import (
    cell,
    client,
    container_to_read,
    in_our_words,
    to_read,
)
from runferry.dialects.neptune.header import header_of
from runferry.dialects.neptune.names import Container, key_of
from runferry.errors import AuthFailed, BadLocation, Declined, NotFound
from runferry.model import Cursor, Run, RunKey, Tree
from runferry.ports import ReadOptions
from runferry.readers.neptune.own_server import OWN_COLUMNS, OwnServedRun, own_served
from runferry.readers.neptune.server.values import tree_of

_FIELDS: Final = (
    "id",
    "custom_run_id",
    "name",
    "description",
    "tags",
    "group_tags",
    "owner",
    "hostname",
    "creation_time",
    "modification_time",
    "ping_time",
    "state",
    "failed",
    "trashed",
    "model_id",
    "stage",
)
_log = logging.getLogger(__name__)
UNLISTED_ID: Final = "~unlisted"
"""The id of what stands for the runs of a project that cannot be opened."""
_GIT: Final = "source_code/git"
_AT_ONCE: Final = 16
"""Projects whose tables are asked for at the same time."""


@dataclass(frozen=True, slots=True)
class ServedRun:
    """A run, model or model version of a server: what a table says of it, and how to read it."""

    project: str
    kind: Container
    sys_id: str
    sys: tuple[tuple[str, Tree], ...]
    """Values below `sys`, by paths there."""
    beyond: tuple[tuple[str, Tree], ...] = ()
    """What only the table tells: the state, the commit."""

    @property
    def key(self) -> RunKey:
        """By the id that Neptune gave it."""
        return key_of(self.project, self.sys_id)

    @property
    def sources(self) -> tuple[Path, ...]:
        """No file of this machine."""
        return ()

    def header(self) -> Run:
        """As the table had it."""
        return header_of(self.key, self.kind, dict(self.sys), "neptune")

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """See `runferry.ports.Reader`."""
        from runferry.readers.neptune.server.reading import ServedReading

        where = f"{self.project}/{self.sys_id}"
        with in_our_words(where):
            container = container_to_read(client(), self.project, self.kind, self.sys_id)
            try:
                reading = ServedReading(container, dict(self.beyond), where)
                yield from reading.read(self._header_of(run), after)
            finally:
                container.stop()

    def _header_of(self, run: Run) -> Run:
        return replace(self.header(), key=run.key)


@dataclass(frozen=True, slots=True)
class ClosedProject:
    """Stands for the runs of a project that is listed among others, and cannot be opened."""

    project: str
    error: Declined

    @property
    def key(self) -> RunKey:
        """No id of Neptune's."""
        return key_of(self.project, UNLISTED_ID)

    @property
    def sources(self) -> tuple[Path, ...]:
        """No file of this machine."""
        return ()

    def header(self) -> Run:
        """All that is known."""
        return Run(self.key, name=f"project {self.project}")

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """Raises what opening the project raised."""
        raise self.error
        yield


Served = ServedRun | OwnServedRun | ClosedProject


def served(text: str, kinds: Collection[Container], options: ReadOptions) -> Iterator[Served]:
    """What a location means. Raises NotFound, BadLocation, and what `in_our_words` does."""
    neptune = client()
    with in_our_words(text):
        projects, only = _meant(neptune, text)
        count = 0
        for run in _of_projects(neptune, projects, kinds, options):
            if only is None or (not isinstance(run, ClosedProject) and run.sys_id == only):
                count += 1
                yield run
        if only is not None and not count:
            hint = f"runferry ls {'neptune' if 'run' in kinds else 'neptune-models'}:{projects[0]}"
            raise NotFound(f"no {' or '.join(kinds)} of this id", where=text, hint=hint)


def _meant(neptune: ModuleType, text: str) -> tuple[list[str], str | None]:
    """Qualified names of projects, and the id of the one container that is meant."""
    workspace, _, rest = text.strip("/").partition("/")
    names, _, only = rest.partition("/")
    if not workspace or "/" in only or ("," in names and only):
        hint = "neptune:WORKSPACE/PROJECT, neptune:WORKSPACE/PROJECT/RUN-1, neptune:WORKSPACE/A,B"
        raise BadLocation("no workspace and project", where=text, hint=f"for instance {hint}")
    if names:
        return [f"{workspace}/{name.strip()}" for name in names.split(",")], only or None
    from neptune import management

    found = sorted(management.get_project_list())
    own = [name for name in found if name.partition("/")[0].lower() == workspace.lower()]
    if not own:
        hint = "name a project: neptune:WORKSPACE/PROJECT"
        raise NotFound("no project of this workspace can be seen", where=text, hint=hint)
    return own, None


def _of_projects(
    neptune: ModuleType, projects: list[str], kinds: Collection[Container], options: ReadOptions
) -> Iterator[Served]:
    """Asked for at the same time, given in order: each waits for several answers."""
    listed = partial(_alone if len(projects) > 1 else _listed, neptune, kinds, options)
    with ThreadPoolExecutor(min(len(projects), _AT_ONCE)) as threads:
        coming = deque(threads.submit(listed, project) for project in projects[:_AT_ONCE])
        for project in [*projects[_AT_ONCE:], *[None] * len(coming)]:
            yield from coming.popleft().result()
            if project is not None:
                coming.append(threads.submit(listed, project))


def _alone(
    neptune: ModuleType, kinds: Collection[Container], options: ReadOptions, project: str
) -> list[Served]:
    """Where one project is closed to us, that is a run that fails, and others go on."""
    try:
        with in_our_words(project):
            return _listed(neptune, kinds, options, project)
    except (AuthFailed, NotFound, Declined) as error:
        _log.warning("%s: %s", project, error)
        # as a no to this one alone: others may be open to the token
        return [ClosedProject(project, Declined(error.what, where=error.where, hint=error.hint))]


def _listed(
    neptune: ModuleType, kinds: Collection[Container], options: ReadOptions, project: str
) -> list[Served]:
    return list(_of_project(neptune, project, kinds, options))


def _of_project(
    neptune: ModuleType, project: str, kinds: Collection[Container], options: ReadOptions
) -> Iterator[ServedRun | OwnServedRun]:
    opened = to_read(neptune, project)
    trashed = None if options.include_deleted else False
    try:
        if "run" in kinds:
            columns = [*(f"sys/{name}" for name in _FIELDS), _GIT, *OWN_COLUMNS]
            table = opened.fetch_runs_table(columns=columns, **_asked(trashed))
            for entry in table:
                run = _entered(project, "run", entry)
                yield own_served(project, run.sys_id, entry, run) or run
        if "model" in kinds:
            columns = [f"sys/{name}" for name in _FIELDS]
            for entry in opened.fetch_models_table(columns=columns, **_asked(trashed)):
                model = _entered(project, "model", entry)
                yield model
                yield from _versions(neptune, project, model.sys_id, columns)
    finally:
        opened.stop()


def _asked(trashed: bool | None) -> dict[str, Any]:
    return {"trashed": trashed, "ascending": True, "progress_bar": False}


def _versions(
    neptune: ModuleType, project: str, model: str, columns: list[str]
) -> Iterator[ServedRun]:
    opened = container_to_read(neptune, project, "model", model)
    try:
        table = opened.fetch_model_versions_table(
            columns=columns, ascending=True, progress_bar=False
        )
        for entry in table:
            yield _entered(project, "model_version", entry)
    finally:
        opened.stop()


def _entered(project: str, kind: Container, entry: Any) -> ServedRun:
    """A row of a table."""
    values = {name: tree_of(cell(entry, f"sys/{name}")) for name in _FIELDS}
    sys = {name: value for name, value in values.items() if value is not None}
    beyond = {"sys/state": sys.get("state"), _GIT: tree_of(cell(entry, _GIT))}
    told = tuple((name, value) for name, value in beyond.items() if value is not None)
    return ServedRun(project, kind, str(values["id"]), tuple(sys.items()), told)
