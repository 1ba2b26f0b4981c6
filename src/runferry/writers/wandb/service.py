"""Writes runs into W&B's service: authored in a working folder, then uploaded by `wandb sync`."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from runferry.dialects.wandb.account import account
from runferry.dialects.wandb.addresses import parsed
from runferry.dialects.wandb.marks import marked, tags_of
from runferry.dialects.wandb.service import Service
from runferry.errors import BadLocation, Declined, NotFound, Refused
from runferry.http.waits import wait
from runferry.losses import Loss
from runferry.model import Run, Uid
from runferry.ports import Limits, Location, RemoteId
from runferry.writers.disk import disk_errors
from runferry.writers.wandb.arrived_artifacts import ArrivedArtifacts, BroughtBefore
from runferry.writers.wandb.chosen_ids import CHOSEN_IDS
from runferry.writers.wandb.draft import Draft
from runferry.writers.wandb.folders import RunFolders, fitting_id
from runferry.writers.wandb.limits import SERVICE_LIMITS
from runferry.writers.wandb.offline import OfflineWriter
from runferry.writers.wandb.place import Place
from runferry.writers.wandb.upload import check_for_vendor, upload
from runferry.writers.wandb.versions_there import VersionsThere
from runferry.writers.work_folder import WorkFolder

_OVER: Final = frozenset({"finished", "failed", "killed", "crashed"})
_AT_ONCE: Final = 100
_SECONDS_BETWEEN_LOOKS: Final = 0.5
_PATIENCE_SECONDS: Final = 30.0
"""How long the service may take to count the rows that it was sent, and to make artifacts."""

_RUNS: Final = """
query RunferryRuns($entity: String!, $project: String!, $filters: JSONString, $first: Int,
    $after: String) {
  project(name: $project, entityName: $entity) {
    runs(filters: $filters, first: $first, after: $after) {
      edges { node { name tags state historyLineCount } }
      pageInfo { endCursor hasNextPage }
    }
  }
}
"""


_ENTITY: Final = "query RunferryEntity($entity: String!) { entity(name: $entity) { id } }"


class ServiceWriter(OfflineWriter):
    """Puts runs into one project. A run's id here is its mark, which it carries as a tag there.

    A run that grew is uploaded anew under its id: the service counts lines of history from the
    first, so what it has is written over by the same.
    """

    limits: ClassVar[Limits] = SERVICE_LIMITS

    def __init__(self, service: Service, entity: str, project: str, home: WorkFolder) -> None:
        super().__init__(RunFolders(home.path))
        self._work = home
        self._service = service
        self._entity = entity
        self._project = project
        self._lost: dict[RemoteId, tuple[Loss, ...]] = {}

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises BadLocation, MissingExtra, BadSetting, and what asking raises; Refused, NotFound
        where there is no such entity."""
        address = parsed(where.where)
        if address.project is None or address.run is not None:
            raise BadLocation(
                "runs are uploaded into a project of an entity",
                where=str(where),
                hint="wandb:ENTITY/PROJECT, wandb:@/PROJECT with the account's own entity, or"
                " wandb:./FOLDER for run folders",
            )
        check_for_vendor()
        service = Service(account(address))
        try:
            entity = address.entity or service.own_entity
            _check_entity(service, entity)
        except BaseException:
            service.close()
            raise
        return cls(service, entity, address.project, WorkFolder.made(cls.name))

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The runs of the project that carry a mark and have ended."""
        return {uid: RemoteId(uid) for uid, node in self._marked({}) if node["state"] in _OVER}

    def losses(self, remote: RemoteId) -> tuple[Loss, ...]:
        """What of the rows only our own records say, which the service does not get."""
        return self._lost.get(remote, ())

    def close(self) -> None:
        """Let go of the connection, and of what was authored."""
        super().close()
        self._service.close()
        self._work.remove()

    def _begin(self, home: Path, run: Run, uid: Uid) -> Draft:
        known = self._node(uid)
        run_id = fitting_id(run, uid) if known is None else str(known["name"])
        before = None
        if known is None:
            run_id = uid if self._is_taken(run_id) else CHOSEN_IDS.choose(self._there, run_id, uid)
        else:
            before = BroughtBefore(self._versions, run_id)
        place = Place(self._folders.place_of(run, run_id), run_id, self._project, self._entity)
        return Draft(home, place, run, uid, is_marked=True, before=before)

    def _is_complete(self, uid: Uid) -> bool:
        node = self._node(uid)
        return node is not None and node["state"] in _OVER

    def _publish(self, draft: Draft, run: Run) -> None:
        """Upload, look whether all rows are there, and forget what was authored.

        Where the connection failed, it is called again: what was authored is in its place by then.
        """
        if draft.is_there:
            super()._publish(draft, run)
        folder = draft.place.folder
        (log,) = folder.glob("run-*.wandb")
        upload(log, self._entity, self._project, self._service.account)
        self._check(draft)
        arrived = ArrivedArtifacts(self._versions, draft.place.run_id).losses(
            draft.produced, _PATIENCE_SECONDS
        )
        if draft.before is not None:
            draft.before.settle()
        self._lost[RemoteId(draft.uid)] = (*draft.unsent(), *arrived)
        with disk_errors(self._root):
            shutil.rmtree(folder)

    # --- what is there

    @property
    def _versions(self) -> VersionsThere:
        return VersionsThere(self._service, self._entity, self._project)

    @property
    def _there(self) -> str:
        """The project, on whichever server."""
        return f"{self._service.account.base_url} {self._entity}/{self._project}"

    def _check(self, draft: Draft) -> None:
        """Raises Declined where rows are missing, or there are others."""
        until, there, sent = time.monotonic() + _PATIENCE_SECONDS, -1, draft.history_rows
        while there != sent:
            node = self._node(draft.uid)
            there = int(node["historyLineCount"] or 0) if node else 0
            if there == sent or time.monotonic() > until:
                break
            wait(_SECONDS_BETWEEN_LOOKS, "")
        where = f"{self._entity}/{self._project}/{draft.place.run_id}"
        if there < sent:
            raise Declined(
                f"the service has {there:,} of {sent:,} rows of history",
                where=where,
                hint="run the command again: what is there is written over by the same",
            )
        if there > sent:
            raise Declined(
                f"the service has {there:,} rows of history, and {sent:,} were sent",
                where=where,
                hint="somebody else logs into this run, or it was longer once: delete it there",
            )

    def _node(self, uid: Uid) -> dict[str, Any] | None:
        found = self._marked({"tags": {"$in": tags_of(uid)}})
        return next((node for mark, node in found if mark == uid), None)

    def _is_taken(self, run_id: str) -> bool:
        """Whether a run that is not this one has the id."""
        return next(self._nodes({"name": run_id}), None) is not None

    def _marked(self, filters: dict[str, Any]) -> Iterator[tuple[Uid, dict[str, Any]]]:
        for node in self._nodes(filters):
            _, mark = marked(node.get("tags") or ())
            if mark is not None:
                yield mark.uid, node

    def _nodes(self, filters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Runs of the project; none where it does not exist yet."""
        after = None
        while True:
            variables = {
                "entity": self._entity, "project": self._project, "first": _AT_ONCE,
                "after": after, "filters": json.dumps(filters),
            }  # fmt: skip
            try:
                project = self._service.ask(_RUNS, variables).get("project")
            except NotFound:
                return
            if not isinstance(project, dict):
                return
            runs = project["runs"]
            yield from (edge["node"] for edge in runs["edges"])
            if not runs["pageInfo"]["hasNextPage"]:
                return
            after = runs["pageInfo"]["endCursor"]


def _check_entity(service: Service, entity: str) -> None:
    """Raises Refused where there is none of this name; projects are made, entities are not."""
    if not service.ask(_ENTITY, {"entity": entity}).get("entity"):
        raise Refused(
            f"W&B has no entity {entity} that this key may see",
            where=service.where,
            hint="wandb:ENTITY/PROJECT with yours, or a team's; `runferry ls wandb:` lists yours",
        )
