"""The versions of artifacts that a project of W&B's service has, asked for by run and by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from runferry.dialects.wandb.service import Service
from runferry.errors import NotFound
from runferry.writers.wandb.artifacts import Content

_AT_ONCE: Final = 100

_OF_RUN: Final = """
query RunferryProduced($entity: String!, $project: String!, $run: String!, $first: Int,
    $after: String) {
  project(name: $project, entityName: $entity) {
    run(name: $run) {
      found: outputArtifacts(first: $first, after: $after) {
        edges { node {
          id state digest versionIndex artifactType { name } artifactSequence { name }
          aliases { alias artifactCollection { name } }
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
          edges { node {
            state digest versionIndex aliases { alias artifactCollection { name } }
          } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  }
}
"""

_NAMED: Final = """
mutation RunferryAliases($input: AddAliasesInput!) {
  addAliases(input: $input) { success }
}
"""


@dataclass(frozen=True, slots=True)
class Version:
    """One that a run made there."""

    content: Content
    index: int
    artifact_id: str
    aliases: frozenset[str]  # of its own name; others are of what it is linked to


@dataclass(frozen=True, slots=True)
class VersionsThere:
    """Asks about one project; versions that are not complete do not count."""

    service: Service
    entity: str
    project: str

    def of_run(self, run: str) -> Iterator[Version]:
        """Those that it made; none where there is no such run."""
        for node in self._committed(_OF_RUN, {"run": run}, lambda project: project["run"]):
            name = str(node["artifactSequence"]["name"])
            content = (name, str(node["artifactType"]["name"]), str(node["digest"]))
            aliases = _aliases(node, name)
            yield Version(content, int(node["versionIndex"]), str(node["id"]), aliases)

    def has(self, content: Content) -> bool:
        """Whether there is a version of this name and content, whoever made it."""
        return any(node["digest"] == content[2] for node in self._of_name(content))

    def aliases_after(self, version: Version) -> frozenset[str]:
        """Those that newer versions of its name bear, whoever made them."""
        newer = (n for n in self._of_name(version.content) if n["versionIndex"] > version.index)
        return frozenset().union(*(_aliases(node, version.content[0]) for node in newer))

    def _of_name(self, content: Content) -> Iterator[dict[str, Any]]:
        """The newest first."""
        name, kind, _ = content
        return self._committed(_OF_NAME, {"name": name, "type": kind}, _collection_in)

    def name(self, version: Version, aliases: Collection[str]) -> None:
        """Let these aliases of its name stand for a version from now on."""
        wanted = [
            {
                "alias": alias,
                "artifactCollectionName": version.content[0],
                "entityName": self.entity,
                "projectName": self.project,
            }
            for alias in sorted(aliases)
        ]
        asked = {"artifactID": version.artifact_id, "aliases": wanted}
        self.service.ask(_NAMED, {"input": asked})

    def _committed(
        self, document: str, asked: dict[str, object], holder_in: Callable[[dict[str, Any]], Any]
    ) -> Iterator[dict[str, Any]]:
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


def _aliases(node: dict[str, Any], name: str) -> frozenset[str]:
    """Those of its own name; what it is linked to has others."""
    return frozenset(
        str(one["alias"])
        for one in node["aliases"] or ()
        if (one["artifactCollection"] or {}).get("name") == name
    )
