"""Which projects and runs there are: page by page, headers only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any, Final

from runferry.dialects.wandb.addresses import Address
from runferry.dialects.wandb.service import Service
from runferry.errors import NotFound
from runferry.model import Run, instant
from runferry.ports import Wanted
from runferry.readers.wandb.service.documents import has_reports, reports_run
from runferry.readers.wandb.service.files import following, nodes
from runferry.readers.wandb.service.header import header
from runferry.readers.wandb.service.queries import PROJECTS, RUNS, VIEWER

_PROJECTS_AT_ONCE: Final = 200
_RUNS_AT_ONCE: Final = 50
_GLOB: Final = frozenset("*?[")
_ORDER: Final = "+created_at"


class Listing:
    """The runs at one address."""

    def __init__(self, service: Service, address: Address) -> None:
        self._service = service
        self._address = address

    @property
    def entity(self) -> str:
        """The address's, else the account's default one. Raises NotFound."""
        found = self._address.entity or self._service.account.entity
        if found is None:
            viewer = self._service.ask(VIEWER).get("viewer") or {}
            found = viewer.get("entity")
        if not found:
            raise NotFound(
                "the account has no default entity", where=self._service.where,
                hint="name one: wandb:ENTITY",
            )  # fmt: skip
        return str(found)

    def runs(self, wanted: Wanted) -> Iterator[Run]:
        """Project by project, in the order in which the runs were made.

        The service leaves out what its own filters can tell; others may come that are not wanted.
        """
        entity = self.entity
        if self._address.project is not None:
            yield from self._of_project(entity, self._address.project, wanted)
            return
        for project in self._projects(entity):
            if wanted.takes_project(project):
                yield from self._of_project(entity, project, wanted)

    def _projects(self, entity: str) -> Iterator[str]:
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
        is_any = False
        while True:
            page = self._page(entity, project, filters, cursor)
            for node in nodes(page):
                is_any = True
                yield header(node, self._service.account.base_url, entity, project)
            cursor = following(page)
            if cursor is None:
                break
        if self._address.run is not None and not is_any:
            raise NotFound(
                "the service has no such run",
                where=f"{entity}/{project}/{self._address.run}",
                hint=f"runferry ls wandb:{entity}/{project}",
            )
        if self._address.run is None and has_reports(self._service, entity, project):
            yield reports_run(self._service, entity, project)

    def _page(
        self, entity: str, project: str, filters: str, cursor: str | None
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
            },
        )
        found = answer.get("project")
        if not isinstance(found, dict):
            raise NotFound(
                "the service has no such project, or the key may not see it",
                where=f"{self._service.where}: {entity}/{project}",
                hint=f"runferry ls wandb:{entity}",
            )
        return found.get("runs") or {}


def _filters(run: str | None, wanted: Wanted) -> dict[str, Any]:
    """What of the wish the service's filters say exactly, in MongoDB's form."""
    clauses: list[dict[str, Any]] = []
    if run is not None:
        clauses.append({"name": run})
    for name, globs in (("name", wanted.run_ids), ("tags", wanted.tags)):
        if globs and not any(_GLOB & set(glob) for glob in globs):
            clauses.append({name: {"$in": list(globs)}})
    return {"$and": clauses} if clauses else {}
