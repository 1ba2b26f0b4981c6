"""What a run of trackio has besides rows: its config, and artifacts that it made or used."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from runferry import chunks
from runferry.dialects.json_trees import leaves, parse_json
from runferry.dialects.times import time_ns_of
from runferry.dialects.trackio.places import ARTIFACTS
from runferry.losses import Fate, Loss
from runferry.model import ArtifactEntry, Attribute, Blob, Tree
from runferry.paths import blob_at, inside
from runferry.readers.trackio.databases import Owner, Schema, config_of, text_of

_LINKED: Final = (
    "SELECT a.name, a.type, a.description, v.id, v.version, v.manifest, v.metadata, "
    "v.manifest_digest, l.direction FROM run_artifact_links AS l "
    "JOIN artifact_versions AS v ON v.id = l.artifact_version_id "
    "JOIN artifacts AS a ON a.id = v.artifact_id "
    "WHERE l.run_id = ? OR (l.run_id IS NULL AND l.run_name = ?) ORDER BY l.id"
)
_RELATIONS: Final[dict[str, Literal["produced", "used"]]] = {"output": "produced", "input": "used"}


def config_attributes(
    connection: sqlite3.Connection, schema: Schema, owner: Owner
) -> Iterator[chunks.Chunk]:
    """The config; what trackio adds to it under names with `_` is of the role `other`."""
    try:
        config = config_of(connection, schema, owner)
    except ValueError as error:
        yield chunks.Lost(Loss("unreadable-config", Fate.DROPPED, "configs", 1, str(error)))
        return
    told = [
        Attribute(path, "other" if path[0].startswith("_") else "config", value)
        for path, value in leaves(config)
    ]
    if told:
        yield chunks.Attributes(tuple(told), is_whole=True)


def artifacts(
    connection: sqlite3.Connection, schema: Schema, owner: Owner, path: Path
) -> Iterator[chunks.Chunk]:
    """Versions that the run made or used, with their members."""
    if not {"run_artifact_links", "artifact_versions", "artifacts"} <= schema.columns.keys():
        return
    rows = connection.execute(_LINKED, (owner.run_id, owner.run_name)).fetchall()
    for name, kind, about, number, version, manifest, metadata, digest, direction in rows:
        try:
            entries = tuple(_members(parse_json(text_of(manifest)), path))
            more = parse_json(text_of(metadata)) if metadata else None
        except ValueError as error:
            where = f"{name}:v{version}"
            yield chunks.Lost(Loss("unreadable-artifact", Fate.DROPPED, where, 1, str(error)))
            continue
        yield chunks.Artifact(
            name,
            kind,
            _RELATIONS.get(direction, "used"),
            version=f"v{version}",
            aliases=_aliases(connection, schema, number),
            description=about,
            metadata=more,
            digest=digest,
            entries=entries,
        )


def _aliases(connection: sqlite3.Connection, schema: Schema, version: int) -> tuple[str, ...]:
    if "artifact_aliases" not in schema.columns:
        return ()
    query = "SELECT alias FROM artifact_aliases WHERE artifact_version_id = ? ORDER BY alias"
    return tuple(str(alias) for (alias,) in connection.execute(query, (version,)))


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


def alert_of(row: sqlite3.Row) -> tuple[dict[str, Tree], Tree, int | None]:
    """An alert as a value of the series `alerts`, its step and its time."""
    told: dict[str, Tree] = {name: row[name] for name in ("title", "text", "level")}
    return {"alerts": [told]}, row["step"], time_ns_of(row["timestamp"])


def trace_of(row: sqlite3.Row) -> tuple[dict[str, Tree], Tree, int | None]:
    """A trace as a value of its series. Raises ValueError for what is no JSON."""
    told: dict[str, Tree] = {"_type": "trackio.trace"}
    for name in ("messages", "metadata", "spans"):
        if name in row.keys():  # noqa: SIM118  a Row is no mapping
            told[name] = parse_json(text_of(row[name]))
    if row["trace_index"] is not None:
        told["index"] = row["trace_index"]
    return {str(row["key"]): [told]}, row["step"], time_ns_of(row["timestamp"])
