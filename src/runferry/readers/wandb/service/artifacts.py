"""Versions of artifacts that a run produced or used: manifests, aliases, where they are linked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, Final, Literal, cast

from runferry import chunks
from runferry.dialects.wandb.service import Service
from runferry.errors import Damaged
from runferry.losses import Fate, Loss
from runferry.model import ArtifactEntry, Blob, Tree
from runferry.readers.wandb.service.artifact_files import ArtifactUrls, fallback_url
from runferry.readers.wandb.service.files import PAGE, following, nodes
from runferry.readers.wandb.service.place import RunPlace
from runferry.readers.wandb.service.position import Position
from runferry.readers.wandb.service.queries import INPUT_ARTIFACTS, MANIFEST, OUTPUT_ARTIFACTS
from runferry.readers.wandb.trees import json_or_text

Relation = Literal["produced", "used"]

_OF_HISTORY: Final = frozenset({"wandb-history"})
"""Types of what the service makes of the history by itself; the history is read as such."""
_KEPT: Final = (
    "createdAt", "updatedAt", "historyStep", "state", "size", "commitHash", "fileCount",
)  # fmt: skip
_SEQUENCE: Final = "ArtifactSequence"


@dataclass
class Artifacts:
    """Reads those that are new or changed since `position`."""

    service: Service
    place: RunPlace
    position: Position

    def read(self, node: dict[str, Any]) -> Iterator[chunks.Chunk]:
        """All of both relations; `node` is the run's, with the first page of each."""
        for relation, name, query in (
            ("produced", "outputArtifacts", OUTPUT_ARTIFACTS),
            ("used", "inputArtifacts", INPUT_ARTIFACTS),
        ):
            for found in self._all(node.get(name) or {}, name, query):
                yield from self._artifact(cast("Relation", relation), found)

    def _all(self, page: dict[str, Any], name: str, query: str) -> Iterator[dict[str, Any]]:
        while True:
            yield from nodes(page)
            cursor = following(page)
            if cursor is None:
                return
            variables = {**self.place.variables, "cursor": cursor, "perPage": PAGE}
            page = self.place.run_in(self.service.ask(query, variables)).get(name) or {}

    def _artifact(self, relation: Relation, node: dict[str, Any]) -> Iterator[chunks.Chunk]:
        identifier = f"{relation} {node.get('id')}"
        stamp = _stamp(node)
        if self.position.artifacts.get(identifier) == stamp:
            return
        self.position.artifacts[identifier] = stamp
        if _type(node) in _OF_HISTORY:
            return
        entries: tuple[ArtifactEntry, ...] = ()
        elsewhere = self._elsewhere(relation, node)
        foreign: list[str] = []
        if node.get("state") != "DELETED":
            entries = tuple(self._entries(node, foreign, has_bytes=elsewhere is None))
        found = _chunk(relation, node, entries)
        yield found
        if foreign:
            detail = f"the manifest does not say what such a member is: `{foreign[0]}`"
            lost = Loss("artifact-member", Fate.DROPPED, found.name, len(foreign), detail)
            yield chunks.Lost(lost)
        held = sum(entry.reference is None for entry in entries)
        if elsewhere is not None and held:
            detail = f"its bytes are with the run that logged it: {elsewhere}"
            yield chunks.Lost(Loss("artifact-elsewhere", Fate.KEPT, found.name, held, detail))
        yield from _linked(node, found)

    def _elsewhere(self, relation: Relation, node: dict[str, Any]) -> str | None:
        """The run of the same project that produced what this one used; it has the bytes."""
        maker = node.get("createdBy") or {}
        project = maker.get("project") or {}
        if relation != "used" or maker.get("__typename") != "Run":
            return None
        if project.get("name") != self.place.project:
            return None
        if (project.get("entity") or {}).get("name") != self.place.entity:
            return None
        return f"{self.place.entity}/{self.place.project}/{maker.get('name')}"

    def _entries(
        self, node: dict[str, Any], foreign: list[str], *, has_bytes: bool
    ) -> Iterator[ArtifactEntry]:
        """The members; the paths of those whose entry is no object are added to `foreign`."""
        manifest = self._manifest(node)
        urls = ArtifactUrls(self.service, str(node.get("id")))
        layout = (manifest.get("storagePolicyConfig") or {}).get("storageLayout")
        for path, entry in (manifest.get("contents") or {}).items():
            if not isinstance(entry, dict):
                foreign.append(path)
                continue
            reference, digest = entry.get("ref"), entry.get("digest")
            size = entry.get("size")
            blob = Blob(size if isinstance(size, int) else None)
            if reference is None and has_bytes:
                spare = fallback_url(node, path, entry, str(layout or ""))
                opened = partial(self._opened, urls, path, spare)
                blob = Blob(blob.size, None, None, opened)
            yield ArtifactEntry(path, blob, reference, digest)

    def _opened(self, urls: ArtifactUrls, path: str, spare: str | None) -> BinaryIO:
        def url_of(is_again: bool) -> str | None:
            return urls.url(path, is_again=is_again) or spare

        return self.service.opened(url_of, path)

    def _manifest(self, node: dict[str, Any]) -> dict[str, Any]:
        """What the members are. Raises Damaged: without it nobody knows what there was."""

        def url_of(is_again: bool) -> str | None:
            holder = node
            if is_again:
                holder = self.service.ask(MANIFEST, {"id": node.get("id")}).get("artifact") or {}
            file = (holder.get("currentManifest") or {}).get("file") or {}
            return file.get("directUrl") or None

        if url_of(False) is None:
            return {}
        try:
            with self.service.opened(url_of, f"manifest of {_name(node)}") as stream:
                found = json.load(stream)
        except (FileNotFoundError, ValueError):
            found = None
        if not isinstance(found, dict):
            raise Damaged(
                f"the manifest of the artifact {_name(node)} is gone, or no JSON mapping",
                where=str(self.place),
                hint="run the same command again; if it stays so, tell W&B's support",
                offset=None,
            )
        return found


def _chunk(
    relation: Relation, node: dict[str, Any], entries: tuple[ArtifactEntry, ...]
) -> chunks.Artifact:
    index = node.get("versionIndex")
    return chunks.Artifact(
        name=_name(node),
        type=_type(node),
        relation=relation,
        version=None if index is None else f"v{index}",
        artifact_id=str(node.get("id")) if node.get("id") else None,
        aliases=_aliases(node),
        description=node.get("description") or None,
        metadata=_metadata(node),
        digest=node.get("digest") or None,
        entries=entries,
    )


def _name(node: dict[str, Any]) -> str:
    return str((node.get("artifactSequence") or {}).get("name", ""))


def _type(node: dict[str, Any]) -> str:
    return str((node.get("artifactType") or {}).get("name", ""))


def _aliases(node: dict[str, Any]) -> tuple[str, ...]:
    """Those in the sequence where it was made; what it is called elsewhere is with its links."""
    own = (_SEQUENCE, _name(node))
    found = []
    for item in node.get("aliases") or ():
        collection = item.get("artifactCollection") or {}
        if (collection.get("__typename"), collection.get("name")) == own:
            found.append(str(item.get("alias")))
    return tuple(dict.fromkeys(found))


def _metadata(node: dict[str, Any]) -> Tree:
    rest: dict[str, Tree] = {name: node[name] for name in _KEPT if node.get(name) is not None}
    tags = [str(tag.get("name")) for tag in node.get("tags") or ()]
    if tags:
        rest["tags"] = list(tags)
    if links := _links(node):
        rest["linked"] = list(links)
    found: Tree = node.get("metadata")
    if isinstance(found, str):
        found = json_or_text(found) if found else None
    if isinstance(found, dict):
        return {**found, "_wandb": rest}
    return {"_wandb": rest} if found is None else {"metadata": found, "_wandb": rest}


def _links(node: dict[str, Any]) -> list[Tree]:
    """Registered models and registries that this version is linked to."""
    found: list[Tree] = []
    for member in nodes(node.get("artifactMemberships") or {}):
        collection = member.get("artifactCollection") or {}
        if collection.get("__typename") == _SEQUENCE:
            continue
        project = collection.get("project") or {}
        index = member.get("versionIndex")
        found.append(
            {
                "entity": (project.get("entity") or {}).get("name"),
                "project": project.get("name"),
                "collection": collection.get("name"),
                "version": None if index is None else f"v{index}",
                "aliases": [str(each.get("alias")) for each in member.get("aliases") or ()],
            }
        )
    return found


def _linked(node: dict[str, Any], artifact: chunks.Artifact) -> Iterator[chunks.Document]:
    """Each registered model with the version of it that this is."""
    for link in _links(node):
        assert isinstance(link, dict)
        parts = [str(link[part]) for part in ("entity", "project", "collection") if link[part]]
        name = ":".join(["/".join(parts), *([str(link["version"])] if link["version"] else [])])
        body: dict[str, Tree] = {
            **link,
            "artifact": artifact.name,
            "artifact_version": artifact.version,
        }
        yield chunks.Document("registered_model", name, body)


def _stamp(node: dict[str, Any]) -> str:
    """Changes with all that is told of it, and not with its URLs."""
    told = {name: value for name, value in node.items() if name != "currentManifest"}
    spelled = json.dumps(told, sort_keys=True).encode()
    return hashlib.blake2b(spelled, digest_size=16).hexdigest()
