"""The files of a run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from runferry.testing.wandb_service import pages
from runferry.testing.wandb_service.graphql import resolves
from runferry.testing.wandb_service.ids import global_id
from runferry.testing.wandb_service.store import Record

if TYPE_CHECKING:
    from runferry.testing.wandb_service.service import WandbService

LISTED = "run = ? AND is_uploaded"


@resolves("Run.fileCount")
def file_count(run: Record, service: WandbService) -> int:
    sql = f"SELECT COUNT(*) FROM files WHERE {LISTED}"
    return int(service.store.value(sql, run["id"]))


@resolves("Run.files")
def files(
    run: Record,
    service: WandbService,
    names: list[str | None] | None = None,
    after: str | None = None,
    first: int | None = None,
    pattern: str | None = None,
) -> Record:
    sql = f"SELECT * FROM files WHERE {LISTED} ORDER BY name"
    found = service.store.rows(sql, run["id"])
    if names:
        found = [row for row in found if row["name"] in names]
    elif pattern:
        like = re.compile(_like(pattern), re.DOTALL | re.IGNORECASE)
        found = [row for row in found if like.fullmatch(row["name"])]
    return pages.page_of(
        [file_record(service, run, row) for row in found], after, first, key=lambda f: f["name"]
    )


def _like(pattern: str) -> str:
    """MySQL's LIKE as a regular expression."""
    return "".join({"%": ".*", "_": "."}.get(sign, re.escape(sign)) for sign in pattern)


def file_record(service: WandbService, run: Record, row: Record) -> Record:
    """A file of a run, as the schema's `File`; its URLs are signed when they are asked for."""
    path = f"{service.path_of(run)}/{row['name']}"
    return {**row, "id": global_id("File", row["id"]), "path": path, "method": "GET"}


@resolves("File.url")
def url(file: Record, service: WandbService, upload: bool | None = False) -> str | None:
    if "url" in file:
        found: str | None = file["url"]
        return found
    if upload:
        return service.signed(file["blob"], file["path"], method="PUT")
    return f"{service.url}/files/{quote(file['path'])}"


@resolves("File.directUrl")
def direct_url(file: Record, service: WandbService) -> str:
    return file.get("direct_url") or service.signed(file["blob"], file["path"])


@resolves("File.uploadUrl")
def upload_url(file: Record, service: WandbService) -> str | None:
    """None says that the bytes are there already."""
    if file.get("is_known"):
        return None
    return service.signed(file["blob"], file["path"], method="PUT")


@resolves("File.uploadHeaders")
def upload_headers(file: Record, service: WandbService) -> list[str]:
    return []


@resolves("File.displayName")
def display_name(file: Record, service: WandbService) -> str:
    name: str = file["name"]
    return name
