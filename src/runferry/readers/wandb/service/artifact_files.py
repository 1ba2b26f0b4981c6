"""URLs of the files of one version of an artifact."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

from runferry.dialects.wandb.service import Service
from runferry.readers.wandb.service.files import following, nodes
from runferry.readers.wandb.service.queries import ARTIFACT_FILES

_PAGE: Final = 1_000


class ArtifactUrls:
    """Asks page by page, as far as a file is looked for; each URL is given once, then forgotten."""

    def __init__(self, service: Service, artifact_id: str) -> None:
        self._service = service
        self._id = artifact_id
        self._known: dict[str, str] = {}
        self._pages = self._page_after(None)

    def url(self, path: str, *, is_again: bool) -> str | None:
        """A URL of this file; None where the service lists no such file.

        `is_again` says that the last one was not good any more: all of them are asked for anew.
        """
        if is_again:
            self._known, self._pages = {}, self._page_after(None)
        while path not in self._known:
            page = next(self._pages, None)
            if page is None:
                return None
            self._known.update(page)
        return self._known.pop(path)

    def _page_after(self, cursor: str | None) -> Iterator[dict[str, str]]:
        while True:
            variables = {"id": self._id, "cursor": cursor, "perPage": _PAGE}
            answer = self._service.ask(ARTIFACT_FILES, variables)
            page = (answer.get("artifact") or {}).get("files") or {}
            yield {
                str(node["name"]): str(node["directUrl"])
                for node in nodes(page)
                if node.get("name") and node.get("directUrl")
            }
            cursor = following(page)
            if cursor is None:
                return


def fallback_url(node: dict[str, Any], path: str, entry: dict[str, Any], layout: str) -> str | None:
    """Where the server itself serves a member, by the rules of the vendor's client.

    V1: `/artifacts/ENTITY/HASH`. V2: `/artifactsV2/REGION/ENTITY/PROJECT/NAME/BIRTH/HASH/FILE`.
    """
    sequence = node.get("artifactSequence") or {}
    project = sequence.get("project") or {}
    entity = (project.get("entity") or {}).get("name")
    hashed = _hexadecimal(entry.get("digest"))
    if not entity or hashed is None:
        return None
    if layout == "V1":
        return f"artifacts/{_quoted(entity)}/{hashed}"
    names = (entity, project.get("name"), sequence.get("name"), entry.get("birthArtifactID"))
    if layout != "V2" or not all(names):
        return None
    parts = ["artifactsV2", "default", *names, hashed, path.rpartition("/")[2]]
    return "/".join(_quoted(part) for part in parts)


def _quoted(part: object) -> str:
    return quote(str(part), safe="")


def _hexadecimal(digest: object) -> str | None:
    try:
        return base64.b64decode(str(digest), validate=True).hex()
    except (binascii.Error, ValueError):
        return None
