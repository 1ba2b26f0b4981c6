"""Uploads as no client of the vendor's makes them in a test: in parts, wrong, without a length."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from runferry.testing.wandb_service import WandbService

CREATE = """mutation Create($input: CreateArtifactInput!) {
    createArtifact(input: $input) { artifact { id state } } }"""
FILES = """mutation Files($files: [CreateArtifactFileSpecInput!]!) {
    createArtifactFiles(input: {artifactFiles: $files}) { files { edges { node {
        uploadUrl storagePath
        uploadMultipartUrls { uploadID uploadUrlParts { partNumber uploadUrl } }
    } } } } }"""
COMPLETE = """mutation Complete($input: CompleteMultipartUploadArtifactInput!) {
    completeMultipartUploadArtifact(input: $input) { digest } }"""
RUN_FILES = """mutation RunFiles { createRunFiles(
    input: {entityName: "lab", projectName: "p", runName: "r", files: ["a.bin"]}
) { files { uploadUrl } } }"""


@pytest.fixture
def service() -> Iterator[WandbService]:
    with WandbService() as service:
        service.put_run("lab/p/r")
        yield service
        assert not service.failures


@pytest.fixture
def client(service: WandbService) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, auth=("api", service.account.key)) as client:
        yield client


def data(client: httpx.Client, query: str, **variables: Any) -> Any:
    answer = client.post("/graphql", json={"query": query, "variables": variables})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def new_artifact(client: httpx.Client) -> str:
    given = {
        "entityName": "lab", "projectName": "p", "artifactTypeName": "t", "digest": "d",
        "artifactCollectionName": "a", "digestAlgorithm": "MANIFEST_MD5",
    }  # fmt: skip
    found: str = data(client, CREATE, input=given)["createArtifact"]["artifact"]["id"]
    return found


def test_a_file_in_parts_is_put_together_in_their_order(client: httpx.Client) -> None:
    parts = [b"one", b"two", b"three"]
    artifact = new_artifact(client)
    numbered = [
        {"partNumber": number, "hexMD5": hashlib.md5(part).hexdigest()}
        for number, part in enumerate(parts, 1)
    ]
    spec = {"artifactID": artifact, "name": "big", "md5": md5(b"".join(parts))}
    asked = [{**spec, "uploadPartsInput": numbered}]
    (edge,) = data(client, FILES, files=asked)["createArtifactFiles"]["files"]["edges"]
    urls = edge["node"]["uploadMultipartUrls"]
    for part, url in zip(parts[::-1], urls["uploadUrlParts"][::-1], strict=True):
        sent = httpx.put(url["uploadUrl"], content=part, headers={"Content-MD5": md5(part)})
        assert sent.headers["ETag"] == f'"{hashlib.md5(part).hexdigest()}"'
    done = {
        "completeMultipartAction": "Complete",
        "completedParts": numbered,
        "artifactID": artifact,
        "storagePath": edge["node"]["storagePath"],
        "uploadID": urls["uploadID"],
    }
    found = data(client, COMPLETE, input=done)["completeMultipartUploadArtifact"]
    assert found["digest"] == spec["md5"]
    (again,) = data(client, FILES, files=asked)["createArtifactFiles"]["files"]["edges"]
    assert again["node"]["uploadUrl"] is None  # its bytes are known now


def test_bytes_that_are_not_those_announced_are_refused(
    service: WandbService, client: httpx.Client
) -> None:
    url = data(client, RUN_FILES)["createRunFiles"]["files"][0]["uploadUrl"]
    wrong = client.put(url, content=b"x" * 100_000, headers={"Content-MD5": md5(b"y")})
    assert wrong.status_code == 400
    assert client.put(url, content=iter([b"no", b"length"])).status_code == 411
    assert service.store.value("SELECT COUNT(*) FROM files WHERE is_uploaded") == 0
    assert client.put(url, content=b"right").status_code == 200
    assert service.store.row("SELECT name, size_bytes, md5 FROM files") == {
        "name": "a.bin", "size_bytes": 5, "md5": md5(b"right"),
    }  # fmt: skip


def test_a_file_stream_says_what_is_wrong_and_keeps_nothing_of_it(
    service: WandbService, client: httpx.Client
) -> None:
    path = "/files/lab/p/r/file_stream"
    good = json.dumps({"_step": 0, "x": 1})
    half = {"wandb-history.jsonl": {"offset": 0, "content": [good, "{"]}}
    assert client.post(path, json={"files": half}).status_code == 400
    assert service.store.value("SELECT COUNT(*) FROM history") == 0
    assert client.post("/files/lab/p/none/file_stream", json={}).status_code == 404
    whole = {"wandb-history.jsonl": {"offset": 0, "content": [good]}}
    for _ in range(2):  # the same lines again, as when an answer was lost
        assert client.post(path, json={"files": whole}).json()["stopped"] is False
    assert json.loads(service.run("lab/p/r")["history_keys"])["x"]["counts"] == {"number": 1}
    zipped = gzip.compress(json.dumps({"complete": True, "exitcode": 3}).encode())
    failed = client.post(path, content=zipped, headers={"Content-Encoding": "gzip"})
    assert failed.status_code == 200
    assert service.run("lab/p/r")["state"] == "failed"
