"""Which versions of artifacts W&B's service has as this run's own, after an upload.

W&B makes one version of what has the same content: the run that brought it first is its producer,
and of the others the service does not say that they made it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runferry.dialects.wandb.service import Service
from runferry.errors import NotFound
from runferry.http.waits import wait
from runferry.losses import Fate, Loss
from runferry.writers.wandb.artifacts import Produced

_ONCE: Final = "W&B makes one version of what has the same content"
_AGAIN: Final = "W&B made another version of what an earlier upload had brought"
_AT_ONCE: Final = 100
_SECONDS_BETWEEN_LOOKS: Final = 0.5

_OF_RUN: Final = """
query RunferryProduced($entity: String!, $project: String!, $run: String!, $first: Int,
    $after: String) {
  project(name: $project, entityName: $entity) {
    run(name: $run) {
      found: outputArtifacts(first: $first, after: $after) {
        edges { node {
          id state digest versionIndex artifactType { name } artifactSequence { name }
        } }
        pageInfo { endCursor hasNextPage }
      }
    }
  }
}
"""

_OF_NAME: Final = """
query RunferryVersions($entity: String!, $project: String!, $type: String!, $name: String!,
    $first: Int, $after: String) {
  project(name: $project, entityName: $entity) {
    artifactType(name: $type) {
      artifactCollection(name: $name) {
        found: artifacts(first: $first, after: $after, order: "-createdAt") {
          edges { node { state digest } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  }
}
"""

_Content = tuple[str, str, str]
"""Name, type and digest."""


@dataclass(frozen=True, slots=True)
class ArrivedArtifacts:
    """Asks about one run of a project."""

    service: Service
    entity: str
    project: str
    run: str

    def losses(self, sent: Sequence[Produced], patience_seconds: float) -> tuple[Loss, ...]:
        """What of that is not this run's there, and what else is.

        A version that nobody has yet is waited for.
        """
        if not sent:
            return ()
        until = time.monotonic() + patience_seconds
        while True:
            missing, others = _compared(sent, self._of_run())
            is_late = any(not self._has_somebody(one) for one in missing)
            if not is_late or time.monotonic() > until:
                break
            wait(_SECONDS_BETWEEN_LOOKS, "")
        gone = (Loss("artifact", Fate.DROPPED, one.place, 1, _ONCE) for one in missing)
        again = (Loss("invented", Fate.DROPPED, place, 1, _AGAIN) for place in others)
        return (*gone, *again)

    def _of_run(self) -> Iterator[dict[str, Any]]:
        return self._committed(_OF_RUN, {"run": self.run}, lambda project: project["run"])

    def _has_somebody(self, one: Produced) -> bool:
        """Whether there is a version of this name and content at all."""
        asked: dict[str, object] = {"name": one.name, "type": one.type}
        versions = self._committed(_OF_NAME, asked, _collection_in)
        return any(node["digest"] == one.digest for node in versions)

    def _committed(
        self, document: str, asked: dict[str, object], holder_in: Callable[[dict[str, Any]], Any]
    ) -> Iterator[dict[str, Any]]:
        """The complete versions of a run or a name; none where there is no such."""
        after = None
        while True:
            variables = {
                "entity": self.entity, "project": self.project, "first": _AT_ONCE,
                "after": after, **asked,
            }  # fmt: skip
            try:
                project = self.service.ask(document, variables).get("project")
            except NotFound:
                return
            holder = holder_in(project) if isinstance(project, dict) else None
            if not isinstance(holder, dict):
                return
            page = holder["found"]
            nodes = (edge["node"] for edge in page["edges"])
            yield from (node for node in nodes if node["state"] == "COMMITTED")
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]


def _collection_in(project: dict[str, Any]) -> Any:
    return (project["artifactType"] or {}).get("artifactCollection")


def _compared(
    sent: Sequence[Produced], there: Iterator[dict[str, Any]]
) -> tuple[list[Produced], list[str]]:
    """What was sent and is not there, and the places of what is there once more than it was sent.

    The first goes with the first, as it does where the content of artifacts is compared.
    """
    names = {(one.name, one.type) for one in sent}
    places: dict[_Content, list[str]] = defaultdict(list)
    for node in there:
        name, kind = node["artifactSequence"]["name"], node["artifactType"]["name"]
        if (name, kind) in names:
            place = f"{name}/{kind}/produced/v{node['versionIndex']}/{node['id']}"
            places[name, kind, node["digest"]].append(place)
    missing = []
    for one in sent:
        same = places[one.name, one.type, one.digest]
        if same:
            del same[0]
        else:
            missing.append(one)
    return missing, [place for rest in places.values() for place in rest]
