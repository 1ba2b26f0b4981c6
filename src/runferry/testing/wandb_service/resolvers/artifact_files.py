"""The manifest of a version of an artifact, and where its files are."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from runferry.testing.wandb_service import manifests, pages
from runferry.testing.wandb_service.graphql import resolves
from runferry.testing.wandb_service.ids import global_id
from runferry.testing.wandb_service.refusals import Missing
from runferry.testing.wandb_service.store import Record

if TYPE_CHECKING:
    from runferry.testing.wandb_service.service import WandbService


@resolves("Artifact.currentManifest")
def manifest(artifact: Record, service: WandbService) -> Record | None:
    return manifests.manifest_of(service.store, artifact["id"])


@resolves("ArtifactManifest.id")
def id_of_manifest(manifest: Record, service: WandbService) -> str:
    return global_id("ArtifactManifest", manifest["id"])


@resolves("ArtifactManifest.file")
def file_of_manifest(manifest: Record, service: WandbService) -> Record:
    path = f"artifacts/{manifest['artifact']}/{manifest['name']}"
    return {**manifest, "id": global_id("ManifestFile", manifest["id"]), "path": path}


@resolves("Artifact.files")
def files(
    artifact: Record,
    service: WandbService,
    names: list[str] | None = None,
    after: str | None = None,
    first: int | None = None,
) -> Record:
    return _page(service, artifact["id"], names, after, first)


@resolves("ArtifactCollectionMembership.files")
def files_of_membership(
    membership: Record,
    service: WandbService,
    names: list[str] | None = None,
    after: str | None = None,
    first: int | None = None,
) -> Record:
    return _page(service, membership["artifact"], names, after, first)


@resolves("Artifact.filesByManifestEntries")
def files_by_entries(
    artifact: Record,
    service: WandbService,
    storage_layout: str,
    manifest_version: str,
    entries: list[Record] | None = None,
    storage_region: str | None = None,
) -> Record:
    wanted = [entry["name"] for entry in entries or ()]
    return _page(service, artifact["id"], wanted, None, len(wanted))


def _page(
    service: WandbService,
    number: int,
    names: list[str] | None,
    after: str | None,
    first: int | None,
) -> Record:
    entries = manifests.contents(service.store, number)
    found = [
        _file(service, number, name, entry)
        for name, entry in sorted(entries.items())
        if not names or name in names
    ]
    return pages.page_of(found, after, first, key=lambda file: file["name"])


def _file(service: WandbService, number: int, name: str, entry: dict[str, Any]) -> Record:
    digest = entry["digest"]
    record = {
        "id": global_id("File", number, name),
        "name": name,
        "path": f"artifacts/{number}/{name}",
        "size_bytes": entry.get("size") or 0,
        "digest": digest,
        "md5": digest,
        "storage_path": f"wandb_artifacts/{number}/{name}",
    }
    if ref := entry.get("ref"):
        return {**record, "url": ref, "direct_url": ref}
    known = manifests.known_bytes(service.store, digest)
    if known is None:
        raise Missing(f"the bytes of {name!r} never came")
    lasting = f"{service.url}/artifacts/-/{base64.b64decode(digest).hex()}"
    return {**record, "blob": known["blob"], "url": lasting}
