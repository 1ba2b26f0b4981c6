"""The server, the user, entities and organizations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runferry.testing.wandb_service import pages
from runferry.testing.wandb_service.graphql import resolves
from runferry.testing.wandb_service.ids import global_id
from runferry.testing.wandb_service.store import Record

if TYPE_CHECKING:
    from runferry.testing.wandb_service.service import WandbService

FEATURES = (
    "LARGE_FILENAMES",
    "ARTIFACT_TAGS",
    "CLIENT_IDS",
    "ARTIFACT_REGISTRY_SEARCH",
    "ARTIFACT_COLLECTION_MEMBERSHIP_FILES",
    "ARTIFACT_COLLECTION_MEMBERSHIP_FILE_DOWNLOAD_HANDLER",
    "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION",
    "PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP",
    "ARTIFACT_MEMBERSHIP_IN_LINK_ARTIFACT_RESPONSE",
    "TOTAL_COUNT_IN_FILE_CONNECTION",
    "ARTIFACT_COLLECTIONS_FILTERING_SORTING",
    "ARTIFACT_V2_DOWNLOAD_HANDLER_SUPPORTS_ARTIFACT_ID",
    "MARK_RUN_FILES_UPLOADED",
    "SWEEPS_QUERY_FILTERING",
    "FILESTREAM_GZIP",
    "ARTIFACT_DIGEST_ALGORITHM",
)
"""What the service can of what the vendor's client asks for before it uses it."""

VERSION = "0.80.0"


@resolves("Query.serverInfo")
def server_info(_: None, service: WandbService) -> Record:
    return {
        "cli_version_info": {"min_cli_version": "0.10.0", "max_cli_version": "99.0.0"},
        "latest_local_version_info": {
            "out_of_date": False,
            "latest_version_string": VERSION,
            "version_on_this_instance_string": VERSION,
        },
        "features": [{"name": name, "is_enabled": True} for name in FEATURES],
    }


@resolves("Query.viewer")
def viewer(_: None, service: WandbService) -> Record:
    return user(service)


def user(service: WandbService) -> Record:
    """The one user, as the schema's `User`."""
    account = service.account
    return {
        "id": global_id("User", 1),
        "name": account.name,
        "username": account.username,
        "email": account.email,
        "admin": False,
        "flags": json.dumps({"code_saving_enabled": False}),
        "entity": service.default_entity,
        "api_keys": {"edges": []},
    }


@resolves("User.teams")
def teams(_: Record, service: WandbService) -> Record:
    names = [service.account.username, *service.account.teams]
    return {"edges": [{"node": _entity_of(service, name)} for name in names]}


@resolves("User.organizations")
def organizations(_: Record, service: WandbService) -> list[Record]:
    return [_organization(service)]


@resolves("Query.users")
def users(_: None, service: WandbService, query: str | None = None) -> Record:
    account = service.account
    is_meant = query in (None, account.username, account.email)
    return {"edges": [{"node": user(service)}] if is_meant else []}


@resolves("Query.entities")
def entities(
    _: None,
    service: WandbService,
    user_name: str | None = None,
    after: str | None = None,
    first: int | None = None,
) -> Record:
    names = service.store.rows("SELECT name FROM entities ORDER BY id")
    found = [_entity_of(service, row["name"]) for row in names]
    return pages.page_of(found, after, first, key=lambda each: each["name"])


@resolves("Query.entity")
def entity(_: None, service: WandbService, name: str | None = None) -> Record | None:
    wanted = name or service.default_entity
    return _entity_of(service, wanted) if service.has_entity(wanted) else None


@resolves("Project.entity")
def entity_of_project(project: Record, service: WandbService) -> Record:
    return _entity_of(service, project["entity_name"])


def _entity_of(service: WandbService, name: str) -> Record:
    row = service.store.row("SELECT * FROM entities WHERE name = ?", name)
    assert row is not None
    return {
        **row,
        "id": global_id("Entity", row["id"]),
        "is_team": bool(row["is_team"]),
        "available": False,
        "read_only": False,
        "members": [],
        "limits": "{}",
    }


@resolves("Entity.user")
def user_of_entity(entity: Record, service: WandbService) -> Record | None:
    return user(service) if entity["name"] == service.account.username else None


@resolves("Entity.organization")
def organization_of_entity(entity: Record, service: WandbService) -> Record | None:
    is_personal = entity["name"] == service.account.username
    return None if is_personal else _organization(service)


@resolves("Query.organization")
def organization(_: None, service: WandbService, name: str) -> Record | None:
    return _organization(service) if name == service.account.organization else None


def _organization(service: WandbService) -> dict[str, Any]:
    return {
        "id": global_id("Organization", 1),
        "name": service.account.organization,
        "feature_flags": [],
        "advanced_registry_features": {"advanced_search": False},
    }


@resolves("Organization.orgEntity")
def entity_of_organization(_: Record, service: WandbService) -> Record:
    return _entity_of(service, service.account.registry_entity)


@resolves("Organization.featureFlags")
def feature_flags(_: Record, service: WandbService, ramp_id_type: str) -> list[Record]:
    return []
