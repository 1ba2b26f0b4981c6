"""Which projects and runs there are: page by page, headers only."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from itertools import repeat
from typing import Any, Final

from runferry.dialects.wandb.addresses import Address
from runferry.dialects.wandb.own_files import TRACKER
from runferry.dialects.wandb.service import Service
from runferry.errors import AuthFailed, Declined, NotFound, SourceChanged
from runferry.model import Run, RunKey, Tree, instant
from runferry.ports import Wanted
from runferry.readers.wandb.service.documents import reports_run
from runferry.readers.wandb.service.files import following, nodes
from runferry.readers.wandb.service.header import header
from runferry.readers.wandb.service.metadata import METADATA, metadata_of_each
from runferry.readers.wandb.service.queries import PROJECTS, RUNS

_log = logging.getLogger(__name__)
UNLISTED_ID: Final = "~unlisted"
"""Stands for the runs of a project that the service lists among others, and then does not give."""
_PROJECTS_AT_ONCE: Final = 200
_RUNS_AT_ONCE: Final = 50
_GLOB: Final = frozenset("*?[")
_UID: Final = re.compile(r"[0-9a-f]{32}")  # ours, which the service does not know
_ORDER: Final = "+created_at"


class Listing:
    """The runs at one address."""

    def __init__(self, service: Service, address: Address) -> None:
        self._service = service
        self._address = address
        self.expected: int | None = None
        """How many runs there will be, where one project is listed, and all of it."""

    @property
    def entity(self) -> str:
        """The address's, else the account's default one. Raises NotFound."""
        return self._address.entity or self._service.own_entity

    def runs(self, wanted: Wanted) -> Iterator[Run]:
        """Project by project, in the order in which the runs were made.

        The service leaves out what its own filters can tell; others may come that are not wanted.
        """
        entity = self.entity
        if self._address.project is not None:
            yield from self._of_project(entity, self._address.project, wanted)
            return
        for project in self.projects():
            if _is_any(wanted.projects, project):
                yield from self._of_one_of_many(entity, project, wanted)

    def _of_one_of_many(self, entity: str, project: str, wanted: Wanted) -> Iterator[Run]:
        """Where one project is closed to us, that is a run that fails, and others go on."""
        try:
            yield from self._of_project(entity, project, wanted)
        except (AuthFailed, Declined, NotFound) as error:
            _log.warning("%s/%s: %s", entity, project, error)
            yield Run(RunKey(TRACKER, project, UNLISTED_ID), name=f"project {project}")

    def check(self, project: str) -> None:
        """Raises what listing this project raises, and SourceChanged where it is listed now.

        That it is closed to the key is Declined: other projects may be open to it.
        """
        try:
            any(self._of_project(self.entity, project, Wanted()))
        except AuthFailed as error:
            raise Declined(error.what, where=error.where, hint=error.hint) from error
        raise SourceChanged(
            "the project could not be listed, and now it can",
            where=f"{self.entity}/{project}",
            hint="run the command again",
        )

    def projects(self) -> Iterator[str]:
        """The one that the address names, else all of the entity. Raises NotFound."""
        if self._address.project is not None:
            yield self._address.project
            return
        entity = self.entity
        cursor: str | None = None
        is_any = False
        while True:
            variables = {"entity": entity, "cursor": cursor, "perPage": _PROJECTS_AT_ONCE}
            page = self._service.ask(PROJECTS, variables).get("models") or {}
            for node in nodes(page):
                is_any = True
                yield str(node["name"])
            cursor = following(page)
            if cursor is None:
                break
        if not is_any:
            raise NotFound(
                f"{entity} has no project that this key may see",
                where=self._service.where,
                hint="check the name of the entity, and the key; `runferry ls wandb:` lists yours",
            )

    def _of_project(self, entity: str, project: str, wanted: Wanted) -> Iterator[Run]:
        filters = json.dumps(_filters(self._address.run, wanted))
        cursor: str | None = None
        is_any = has_reports = False
        while True:
            found = self._page(entity, project, filters, cursor, is_dated=_is_dated(wanted))
            has_reports |= any(nodes(found.get("allViews") or {}))
            if cursor is None and self._address.project is not None and wanted == Wanted():
                counted = found.get("runCount")
                self.expected = None if counted is None else int(counted) + has_reports
            page = found.get("runs") or {}
            for run in self._headers(entity, project, list(nodes(page)), wanted):
                is_any = True
                yield run
            cursor = following(page)
            if cursor is None:
                break
        if self._address.run is not None and not is_any:
            raise NotFound(
                "the service has no such run",
                where=f"{entity}/{project}/{self._address.run}",
                hint=f"runferry ls wandb:{entity}/{project}",
            )
        if self._address.run is None and has_reports:
            yield reports_run(self._service, entity, project)

    def _headers(
        self, entity: str, project: str, listed: list[dict[str, Any]], wanted: Wanted
    ) -> Iterator[Run]:
        """With when they began, where that is asked for; a run may be uploaded long after."""
        told: Iterable[Tree] = repeat(None)
        if _is_dated(wanted):
            told = metadata_of_each(self._service, entity, project, listed)
        for node, metadata in zip(listed, told, strict=False):
            base_url = self._service.account.base_url
            yield header(node, base_url, entity, project, metadata=metadata)

    def _page(
        self, entity: str, project: str, filters: str, cursor: str | None, *, is_dated: bool
    ) -> dict[str, Any]:
        answer = self._service.ask(
            RUNS,
            {
                "entity": entity,
                "project": project,
                "filters": filters,
                "cursor": cursor,
                "perPage": _RUNS_AT_ONCE,
                "order": _ORDER,
                "isFirst": cursor is None,
                "isDated": is_dated,
                "names": [METADATA],
            },
        )
        found = answer.get("project")
        if not isinstance(found, dict):
            raise NotFound(
                "the service has no such project, or the key may not see it",
                where=f"{self._service.where}: {entity}/{project}",
                hint=f"runferry ls wandb:{entity}",
            )
        return found


def _filters(run: str | None, wanted: Wanted) -> dict[str, Any]:
    """What of the wish the service's filters say exactly, in MongoDB's form."""
    clauses: list[dict[str, Any]] = []
    if run is not None:
        clauses.append({"name": run})
    for name, globs in (("name", wanted.run_ids), ("tags", wanted.tags)):
        if globs and all(map(_is_exact, globs)):
            clauses.append({name: {"$in": list(globs)}})
    # what was uploaded before a time began before it, but not the other way round
    if wanted.since_ns is not None:
        clauses.append({"createdAt": {"$gte": _second(wanted.since_ns)}})
    return {"$and": clauses} if clauses else {}


def _is_dated(wanted: Wanted) -> bool:
    return wanted.shows_begin or wanted.since_ns is not None or wanted.until_ns is not None


def _is_exact(glob: str) -> bool:
    """Whether it fits one name only, which the service knows."""
    return not _GLOB & set(glob) and _UID.fullmatch(glob) is None


def _second(time_ns: int) -> str:
    return f"{instant(time_ns):%Y-%m-%dT%H:%M:%S}"


def _is_any(globs: tuple[str, ...], name: str) -> bool:
    return not globs or any(fnmatchcase(name, glob) for glob in globs)
