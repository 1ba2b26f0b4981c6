"""Artifacts that a run of trackio made or used: those of its project, and those of others.

A version lies in the database of the project that made it, its members beside that. What a run used
of another project is in `external_run_artifact_links` of its own database (trackio 0.43), and
carried under the name by which trackio's `use_artifact` finds it: `PROJECT/NAME`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from runferry import chunks
from runferry.dialects.json_trees import parse_json
from runferry.dialects.trackio.places import ARTIFACTS, DATABASE
from runferry.errors import SourceError
from runferry.losses import Fate, Loss
from runferry.model import ArtifactEntry, Blob, Tree
from runferry.paths import blob_at, inside
from runferry.readers.sqlite_files import opened
from runferry.readers.trackio.databases import Owner, Schema, text_of

_VERSIONS: Final = (
    "SELECT a.name, a.type, a.description, v.id, v.version, v.manifest, v.metadata, "
    "v.manifest_digest{more} FROM {links}artifact_versions AS v "
    "JOIN artifacts AS a ON a.id = v.artifact_id WHERE {which}"
)
_LINKS: Final = "run_artifact_links AS l JOIN "
_OF_RUN: Final = "(l.run_id = ? OR (l.run_id IS NULL AND l.run_name = ?))"
_OF_PROJECT: Final = " AND (l.run_project IS NULL OR l.run_project = ?)"
_EXTERNAL: Final = (
    "SELECT source_project, source_version_id, source_artifact, source_type, source_version, "
    "direction FROM external_run_artifact_links "
    "WHERE run_id = ? OR (run_id IS NULL AND run_name = ?) ORDER BY id"
)
_NEEDED: Final = {"artifact_versions", "artifacts"}

Relation = Literal["produced", "used"]
_RELATIONS: Final[dict[str, Relation]] = {"output": "produced", "input": "used"}


def artifacts(
    connection: sqlite3.Connection, schema: Schema, owner: Owner, path: Path
) -> Iterator[chunks.Chunk]:
    """Versions that the run made or used, with their members."""
    if _NEEDED | {"run_artifact_links"} <= schema.columns.keys():
        yield from _own(_Project(path, connection, schema), owner)
    if "external_run_artifact_links" in schema.columns:
        yield from _of_others(connection, owner, path)


def _own(project: _Project, owner: Owner) -> Iterator[chunks.Chunk]:
    which, known = f"{_OF_RUN}", [owner.run_id, owner.run_name]
    if "run_project" in project.schema.columns["run_artifact_links"]:
        which, known = f"{_OF_RUN}{_OF_PROJECT}", [*known, project.path.stem]
    link = f"{which} AND v.id = l.artifact_version_id ORDER BY l.id"
    query = _VERSIONS.format(more=", l.direction", links=_LINKS, which=link)
    for *cells, direction in project.connection.execute(query, known).fetchall():
        yield project.version(cells, _RELATIONS.get(direction, "used"))


def _of_others(connection: sqlite3.Connection, owner: Owner, path: Path) -> Iterator[chunks.Chunk]:
    for *stated, direction in connection.execute(_EXTERNAL, (owner.run_id, owner.run_name)):
        source, number, name, kind, version = stated
        relation = _RELATIONS.get(direction, "used")
        found = _in_other(path, str(source), number, relation)
        called = f"{source}/{name}"
        if isinstance(found, chunks.Artifact):
            yield replace(found, name=called)
            continue
        yield chunks.Artifact(called, kind, relation, version=f"v{version}")
        yield found or chunks.Lost(
            Loss(
                "missing-artifact",
                Fate.KEPT,
                f"{called}:v{version}",
                1,
                f"no such version in the database of its project {source}",
            )
        )


def _in_other(
    path: Path, source: str, number: int, relation: Relation
) -> chunks.Artifact | chunks.Lost | None:
    """A version in the database of another project; None where it is not to be had."""
    database = inside(path.parent, f"{source}{DATABASE}")
    if database is None:
        return None
    try:
        with opened(database) as connection:
            schema = Schema.of(connection)
            if not schema.columns.keys() >= _NEEDED:
                return None
            query = _VERSIONS.format(more="", links="", which="v.id = ?")
            cells = connection.execute(query, (number,)).fetchone()
            return cells and _Project(database, connection, schema).version([*cells], relation)
    except (sqlite3.Error, SourceError):
        return None


@dataclass(frozen=True, slots=True)
class _Project:
    """The database that versions lie in."""

    path: Path
    connection: sqlite3.Connection
    schema: Schema

    def version(self, cells: list[object], relation: Relation) -> chunks.Artifact | chunks.Lost:
        """One, or that it is none; `cells` are the columns of `_VERSIONS`."""
        name, kind, about, number, version, manifest, metadata, digest = cells
        try:
            entries = tuple(_members(parse_json(text_of(manifest)), self.path))
            more = parse_json(text_of(metadata)) if metadata else None
        except ValueError as error:
            where = f"{name}:v{version}"
            return chunks.Lost(Loss("unreadable-artifact", Fate.DROPPED, where, 1, str(error)))
        return chunks.Artifact(
            str(name),
            str(kind),
            relation,
            version=f"v{version}",
            aliases=self._aliases(number),
            description=None if about is None else str(about),
            metadata=more,
            digest=None if digest is None else str(digest),
            entries=entries,
        )

    def _aliases(self, version: object) -> tuple[str, ...]:
        if "artifact_aliases" not in self.schema.columns:
            return ()
        query = "SELECT alias FROM artifact_aliases WHERE artifact_version_id = ? ORDER BY alias"
        found = self.connection.execute(query, (version,))
        return tuple(str(alias) for (alias,) in found)


def _members(members: Tree, path: Path) -> Iterator[ArtifactEntry]:
    """What a manifest lists. Raises ValueError for what is no member."""
    if not isinstance(members, list):
        raise ValueError("its manifest is no list")
    for member in members:
        match member:
            case {"path": str(name), "digest": str(digest), "ref": str(reference)}:
                yield ArtifactEntry(name, reference=reference, digest=digest)
            case {"path": str(name), "digest": str(digest), "size": size}:
                yield ArtifactEntry(name, _bytes_of(digest, size, path))
            case _:
                raise ValueError("its manifest lists what is no file")


def _bytes_of(digest: str, size: Tree, path: Path) -> Blob:
    blobs = path.parent / ARTIFACTS / path.stem / "blobs" / "sha256"
    found = inside(blobs, f"{digest[:2]}/{digest}")
    if found is not None:
        return blob_at(found, sha256=digest)
    return Blob(size if isinstance(size, int) else None, sha256=digest)
