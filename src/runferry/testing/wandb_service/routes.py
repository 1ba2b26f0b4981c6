"""From a request to its answer: who asks, what goes wrong, which part of the service it is for."""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from runferry.testing.wandb_service import file_stream, graphql, manifests
from runferry.testing.wandb_service.faults import Trouble
from runferry.testing.wandb_service.http_server import Answer, BrokenError, Request, as_json
from runferry.testing.wandb_service.refusals import (
    Forbidden,
    LengthRequired,
    Missing,
    NotLoggedIn,
    Refusal,
)
from runferry.testing.wandb_service.signed import PREFIX

if TYPE_CHECKING:
    from runferry.testing.wandb_service.service import WandbService

LIMITED = ("graphql:", "filestream")


def respond(service: WandbService, request: Request) -> tuple[Answer, Trouble | None]:
    """Answer one request. Raises BrokenError where the connection is to end."""
    path = unquote(urlsplit(request.target).path)
    body = request.read() if request.method == "POST" else b""
    asked = _asked(body) if request.method == "POST" else {}
    place = _place(request.method, path, asked)
    service.requests.came(place, request.body.length)
    faults = service.faults
    if faults.latency_seconds:
        time.sleep(faults.latency_seconds)
    trouble = faults.trouble_at(place)
    answer = _troubled(trouble) if trouble else None
    headers: dict[str, str] = {}
    if answer is None and place.startswith(LIMITED):
        is_within, headers = faults.take_from_limit()
        if not is_within:
            answer = _refused(HTTPStatus.TOO_MANY_REQUESTS, "rate limit exceeded")
    if answer is None:
        answer = _answer(service, request, path, place, asked)
    answer = Answer(
        answer.status, answer.body, answer.kind, {**answer.headers, **headers}, answer.file
    )
    size = len(answer.body) if answer.file is None else answer.file.stat().st_size
    service.requests.went(int(answer.status), size)
    return answer, trouble


def _asked(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body or b"{}")
    except ValueError:
        return {}
    return asked if isinstance(asked, dict) else {}


def _place(method: str, path: str, asked: Mapping[str, Any]) -> str:
    if path == "/graphql":
        return f"graphql:{graphql.operation_of(asked)}"
    if path.startswith(PREFIX):
        return f"storage:{method}"
    return "filestream" if path.endswith("/file_stream") else path.split("/")[1]


def _troubled(trouble: Trouble) -> Answer | None:
    match trouble.kind:
        case "reset":
            raise BrokenError
        case "delay":
            time.sleep(trouble.seconds)
        case "call":
            trouble.do()
        case "status":
            after = trouble.retry_after
            headers = {} if after is None else {"Retry-After": f"{after:g}"}
            return _refused(trouble.status, HTTPStatus(trouble.status).phrase, headers)
    return None


def _refused(status: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    plain = as_json({"errors": [{"message": message}]})
    return Answer(status, plain.body, headers=headers or {})


def _answer(
    service: WandbService, request: Request, path: str, place: str, asked: dict[str, Any]
) -> Answer:
    try:
        if path.startswith(PREFIX):
            return _storage(service, request)
        if not service.account.is_of(request.headers.get("Authorization")):
            raise NotLoggedIn("user is not logged in")
        if place.startswith("graphql:"):
            status, body = graphql.answer(service, asked)
            return Answer(status, body)
        if place == "filestream":
            return _stream(service, path, asked)
        if path.startswith("/files/"):
            return _file(service, path)
        if path.startswith(("/artifacts/", "/artifactsV2/")):
            return _artifact_file(service, path)
        raise Missing(f"nothing at {path}")
    except (Forbidden, LengthRequired) as refusal:
        text = f"<?xml version='1.0'?><Error><Code>{refusal}</Code></Error>"
        return Answer(refusal.status, text.encode(), "application/xml")
    except Refusal as refusal:
        error = {"message": str(refusal), "extensions": {"code": refusal.code}}
        return as_json({"errors": [error], "data": None}, refusal.status)
    except Exception as error:  # noqa: BLE001 - a bug of ours is an answer too, and is told
        service.failed(error)
        return _refused(HTTPStatus.INTERNAL_SERVER_ERROR, "the stand-in failed")


def _stream(service: WandbService, path: str, asked: dict[str, Any]) -> Answer:
    run_path = path.removeprefix("/files/").removesuffix("/file_stream")
    run = service.run(run_path)
    file_stream.take(service.store, run, asked)
    if asked.get("complete") and service.exports_when_finished:
        service.export(run_path)
    return as_json({"exitcode": None, "limits": {}, "stopped": bool(run["stopped"])})


def _file(service: WandbService, path: str) -> Answer:
    """A file by its lasting URL: sent on to a signed one."""
    parts = path.removeprefix("/files/").split("/")
    run, name = service.run("/".join(parts[:3])), "/".join(parts[3:])
    row = service.store.row(
        "SELECT * FROM files WHERE run = ? AND name = ? AND is_uploaded", run["id"], name
    )
    if row is None:
        raise Missing(f"file {name!r} not found")
    url = service.signed(row["blob"], path.removeprefix("/files/"))
    return Answer(HTTPStatus.FOUND, headers={"Location": url})


def _artifact_file(service: WandbService, path: str) -> Answer:
    """`/artifacts/ENTITY/MD5` and `/artifactsV2/REGION/…/MD5/NAME`: sent on to a signed URL."""
    parts = path.split("/")
    digest = parts[-1] if parts[1] == "artifacts" else parts[-2]
    try:
        md5 = base64.b64encode(bytes.fromhex(digest)).decode()
    except ValueError as error:
        raise Missing(f"nothing at {path}") from error
    known = manifests.known_bytes(service.store, md5)
    if known is None:
        raise Missing(f"nothing at {path}")
    url = service.signed(known["blob"], f"artifacts/{known['artifact']}/{known['name']}")
    return Answer(HTTPStatus.FOUND, headers={"Location": url})


def _storage(service: WandbService, request: Request) -> Answer:
    blob = service.signer.blob_of(request.target, request.method, uses=service.faults.url_uses)
    path = service.store.blob_path(blob)
    if request.method == "PUT":
        return _upload(service, request, blob)
    if not path.is_file():
        raise Missing("NoSuchKey")
    kind = mimetypes.guess_type(urlsplit(request.target).path)[0] or "application/octet-stream"
    return Answer(file=path, kind=kind)


def _upload(service: WandbService, request: Request, blob: str) -> Answer:
    digest = hashlib.md5(usedforsecurity=False)
    path = service.store.blob_path(blob)
    beside = path.with_name(f"{blob}.{service.store.new_blob()}")
    if "Transfer-Encoding" in request.headers:
        raise LengthRequired("MissingContentLength")
    with beside.open("wb") as file:
        for block in request.body.blocks():
            digest.update(block)
            file.write(block)
    given = request.headers.get("Content-MD5")
    md5 = base64.b64encode(digest.digest()).decode()
    if request.body.left or (given and given != md5):
        beside.unlink()
        raise Refusal("IncompleteBody" if request.body.left else "BadDigest")
    beside.replace(path)
    service.was_uploaded(blob, md5, request.body.length)
    return Answer(HTTPStatus.OK, kind="text/plain", headers={"ETag": f'"{digest.hexdigest()}"'})
