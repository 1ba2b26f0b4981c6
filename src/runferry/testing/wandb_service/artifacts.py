"""Artifacts: versions in sequences, linked into portfolios, under aliases; and their manifests.

A version is PENDING until it is committed: then it gets its number and the alias `latest`. Bytes
are known by their digest, and are uploaded once.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from runferry.testing.wandb_service import manifests, times
from runferry.testing.wandb_service.refusals import Conflicting, Missing
from runferry.testing.wandb_service.store import Record, Store

COLLECTION = "SELECT *, kind AS __typename FROM collections"
CollectionKind = Literal["ArtifactSequence", "ArtifactPortfolio"]


@dataclass(frozen=True)
class Draft:
    """What a new version is made of, before its files come."""

    digest: str
    digest_algorithm: str = "MANIFEST_MD5"
    description: str | None = None
    metadata: str | None = None
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    history_step: int | None = None
    ttl_duration_seconds: int | None = None
    client_id: str | None = None
    run: int | None = None
    created_at: str | None = None


def collection(store: Store, project: int, name: str) -> Record | None:
    """A sequence or a portfolio by its name."""
    return store.row(f"{COLLECTION} WHERE project = ? AND name = ?", project, name)


def ensure_type(store: Store, project: int, name: str) -> int:
    """The number of an artifact type, made if there is none."""
    found = store.value(
        "SELECT id FROM artifact_types WHERE project = ? AND name = ?", project, name
    )
    if found is not None:
        return int(found)
    return store.insert("artifact_types", project=project, name=name, created_at=times.now())


def ensure_collection(
    store: Store, project: int, name: str, type_name: str, kind: CollectionKind
) -> Record:
    """A collection, made if there is none. Raises Conflicting where it is of another type."""
    found = collection(store, project, name)
    type_id = ensure_type(store, project, type_name)
    if found is None:
        time = times.now()
        store.insert(
            "collections",
            project=project,
            kind=kind,
            name=name,
            artifact_type=type_id,
            created_at=time,
            updated_at=time,
        )
        found = collection(store, project, name)
    assert found is not None
    if found["artifact_type"] != type_id:
        raise Conflicting(f"artifact {name!r} already exists with another type than {type_name!r}")
    return found


def create(store: Store, sequence: Record, draft: Draft, *, is_deduplicated: bool) -> Record:
    """A PENDING version; or the newest one, if its digest is the same and that is asked for.

    Older versions are not looked at, so that a repeated upload of several makes them all again, as
    users of the real service found (wandb/wandb #3962).
    """
    with store.together():
        newest = store.row(
            "SELECT * FROM artifacts WHERE sequence = ? AND state = 'COMMITTED'"
            " ORDER BY version_index DESC LIMIT 1",
            sequence["id"],
        )
        if is_deduplicated and newest is not None and newest["digest"] == draft.digest:
            for alias in draft.aliases:
                put_alias(store, sequence["id"], alias, newest["id"])
            return newest
        time = draft.created_at or times.now()
        number = store.insert(
            "artifacts",
            sequence=sequence["id"],
            digest=draft.digest,
            digest_algorithm=draft.digest_algorithm,
            state="PENDING",
            description=draft.description,
            metadata=draft.metadata,
            tags=json.dumps(draft.tags),
            aliases_asked=json.dumps(draft.aliases),
            history_step=draft.history_step,
            ttl_duration_seconds=draft.ttl_duration_seconds,
            client_id=draft.client_id,
            run=draft.run,
            commit_hash=uuid.uuid4().hex[:20],
            created_at=time,
            updated_at=time,
        )
        return artifact(store, number)


def artifact(store: Store, number: int) -> Record:
    """A version by its number. Raises Missing."""
    found = store.row("SELECT * FROM artifacts WHERE id = ?", number)
    if found is None:
        raise Missing(f"artifact {number} not found")
    return found


def commit(store: Store, number: int) -> Record:
    """Give a version its number and its aliases, once its manifest is there."""
    with store.together():
        draft = artifact(store, number)
        if draft["state"] == "COMMITTED":
            return draft
        entries = manifests.contents(store, number)
        sequence = int(draft["sequence"])
        newest = store.value(
            "SELECT MAX(version_index) FROM artifacts WHERE sequence = ?", sequence
        )
        version = 0 if newest is None else int(newest) + 1
        store.update(
            "artifacts",
            number,
            state="COMMITTED",
            version_index=version,
            size=sum(int(entry.get("size") or 0) for entry in entries.values()),
            file_count=len(entries),
        )
        _join(store, sequence, number, version)
        for alias in ("latest", *json.loads(draft["aliases_asked"])):
            put_alias(store, sequence, alias, number)
    return artifact(store, number)


def link(store: Store, number: int, portfolio: Record, aliases: Iterable[str]) -> Record:
    """Put a version into a portfolio; its membership, with its number there."""
    with store.together():
        membership = _membership(store, portfolio["id"], number)
        if membership is None:
            count = store.value(
                "SELECT COUNT(*) FROM memberships WHERE collection = ?", portfolio["id"]
            )
            _join(store, portfolio["id"], number, int(count))
            membership = _membership(store, portfolio["id"], number)
        for alias in ("latest", *aliases):
            put_alias(store, portfolio["id"], alias, number)
    assert membership is not None
    return membership


def unlink(store: Store, number: int, portfolio: int) -> None:
    """Take a version out of a portfolio."""
    with store.together():
        for table in ("memberships", "aliases"):
            store.execute(
                f"DELETE FROM {table} WHERE collection = ? AND artifact = ?",
                portfolio,
                number,
            )


def delete(store: Store, number: int) -> None:
    """Take a version out of everything; its row stays, as DELETED."""
    with store.together():
        for table in ("memberships", "aliases", "used_artifacts"):
            store.execute(f"DELETE FROM {table} WHERE artifact = ?", number)
        store.update("artifacts", number, state="DELETED")


def _join(store: Store, collection_id: int, number: int, version: int) -> None:
    store.insert(
        "memberships",
        collection=collection_id,
        artifact=number,
        version_index=version,
        created_at=times.now(),
    )


def _membership(store: Store, collection_id: int, number: int) -> Record | None:
    return store.row(
        "SELECT * FROM memberships WHERE collection = ? AND artifact = ?", collection_id, number
    )


def put_alias(store: Store, collection_id: int, alias: str, number: int) -> None:
    """Let an alias of a collection stand for this version from now on."""
    store.execute(
        "INSERT INTO aliases (collection, alias, artifact) VALUES (?, ?, ?)"
        " ON CONFLICT (collection, alias) DO UPDATE SET artifact = excluded.artifact",
        collection_id,
        alias,
        number,
    )


def membership_of(store: Store, collection_id: int, alias: str) -> Record | None:
    """What `v3`, or any alias, stands for in a collection."""
    if alias.startswith("v") and alias[1:].isdigit():
        return store.row(
            "SELECT * FROM memberships WHERE collection = ? AND version_index = ?",
            collection_id,
            int(alias[1:]),
        )
    return store.row(
        "SELECT memberships.* FROM memberships JOIN aliases USING (collection, artifact)"
        " WHERE collection = ? AND alias = ?",
        collection_id,
        alias,
    )


def membership_by_name(store: Store, project: int, name: str) -> Record | None:
    """What `COLLECTION:ALIAS` stands for in a project; without an alias, the latest."""
    collection_name, _, alias = name.partition(":")
    found = collection(store, project, collection_name)
    return membership_of(store, found["id"], alias or "latest") if found else None
