"""MLflow's REST interface, on the one client that waits, retries and explains."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final, cast
from urllib.parse import quote, urlsplit, urlunsplit

from runferry import http, settings
from runferry.dialects.mlflow.artifacts import Entry, free_path
from runferry.errors import Declined, RunMissing
from runferry.model import Blob

API: Final = "/api/2.0/mlflow"
PROXY: Final = "/api/2.0/mlflow-artifacts/artifacts"


class Server:
    """One tracking server."""

    def __init__(self, client: http.RetryingClient) -> None:
        self._client = client

    @classmethod
    def at(cls, url: str) -> Server:
        """A server by its URL, with credentials where MLflow's own client looks for them.

        `MLFLOW_TRACKING_USERNAME` and `_PASSWORD`, or `MLFLOW_TRACKING_TOKEN`; or in the URL. A
        private authority may also be named by `MLFLOW_TRACKING_SERVER_CERT_PATH`.
        """
        parts = urlsplit(url)
        base = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        user = os.environ.get("MLFLOW_TRACKING_USERNAME")
        password = os.environ.get("MLFLOW_TRACKING_PASSWORD", "")
        token = os.environ.get("MLFLOW_TRACKING_TOKEN")
        chosen = settings.current()
        authority = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH")
        if authority and chosen.ca_bundle is None:
            chosen = replace(chosen, ca_bundle=Path(authority))
        return cls(http.client(base, auth=(user, password) if user else token, settings=chosen))

    @property
    def where(self) -> str:
        """The server's URL without credentials."""
        return self._client.base_url

    def get(self, path: str, params: Mapping[str, str | int]) -> dict[str, Any]:
        """A GET of the tracking interface. Raises RunMissing for what is not there."""
        with _missing():
            return _mapping(self._client.json("GET", API + path, params=params))

    def post(
        self, path: str, body: Mapping[str, object], *, idempotent: bool = True
    ) -> dict[str, Any]:
        """A POST of the tracking interface. All but the creation of a run can be sent twice."""
        with _missing():
            answer = self._client.json("POST", API + path, json=body, idempotent=idempotent)
            return _mapping(answer)

    def pages(self, path: str, body: Mapping[str, object], field: str) -> Iterator[dict[str, Any]]:
        """All items of a search, page by page."""
        token = ""
        while True:
            answer = self.post(path, {**body, "page_token": token} if token else body)
            yield from answer.get(field, [])
            token = answer.get("next_page_token", "")
            if not token:
                return

    def upload(self, path: str, source: BinaryIO) -> None:
        """Store a file through the artifact proxy; sent again from the start on a retry."""

        def again() -> BinaryIO:
            return cast("BinaryIO", io.BufferedReader(_Rewound(source)))

        self._client.upload(f"{PROXY}/{quote(path)}", again)

    def remove(self, path: str) -> None:
        """Remove a file or folder through the artifact proxy; fine when it is not there."""
        try:
            with _missing():
                self._client.request("DELETE", f"{PROXY}/{quote(path)}")
        except RunMissing:
            return

    def opened(self, path: str, params: Mapping[str, str]) -> BinaryIO:
        """What a GET gives, as an open file."""
        with _missing():
            return self._client.opened(path, params=params)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


@contextmanager
def _missing() -> Iterator[None]:
    """MLflow says "no such thing" by 404, or by 400 with a code."""
    try:
        yield
    except Declined as error:
        if error.status == 404 or error.code == "RESOURCE_DOES_NOT_EXIST":
            raise RunMissing(error.what, where=error.where, hint=error.hint) from error
        raise


def _mapping(answer: object) -> dict[str, Any]:
    return answer if isinstance(answer, dict) else {}


class _Rewound(io.RawIOBase):
    """A source from its start, for one attempt; the source stays open for the next."""

    def __init__(self, source: BinaryIO) -> None:
        source.seek(0)
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._source.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)


class ServedFolder:
    """A run's artifacts, listed and fetched through its server, and stored through the proxy."""

    def __init__(self, server: Server, run_id: str, artifact_uri: str) -> None:
        self._server = server
        self._run_id = run_id
        self._files: set[str] | None = None
        self._folders: set[str] = set()
        self._proxied = urlsplit(artifact_uri).path.strip("/").removeprefix(PROXY.strip("/"))

    def walk(self, below: str = "") -> Iterator[Entry]:
        """Folder by folder."""
        token = ""
        while True:
            try:
                answer = self._listed(below, {"page_token": token} if token else {})
            except RunMissing:
                return
            for item in sorted(answer.get("files", []), key=lambda f: str(f["path"])):
                if item.get("is_dir"):
                    yield from self.walk(item["path"])
                else:
                    size = item.get("file_size")
                    yield Entry(item["path"], None if size is None else int(size))
            token = answer.get("next_page_token", "")
            if not token:
                return

    def _listed(self, below: str, params: dict[str, str | int]) -> dict[str, Any]:
        params |= {"run_id": self._run_id} | ({"path": below} if below else {})
        return self._server.get("/artifacts/list", params)

    def blob(self, entry: Entry) -> Blob:
        """Fetched when asked for."""
        params = {"run_id": self._run_id, "path": entry.path}
        return Blob(entry.size, open=lambda: self._server.opened("/get-artifact", params))

    def put(self, path: str, source: BinaryIO) -> str:
        """One PUT, where neither a file nor a folder is in the way."""
        if self._files is None:
            self._files = set()
            for entry in self.walk():
                self._note(entry.path)
        path = free_path(path, self._files.__contains__, self._folders.__contains__)
        self.replace(path, source)
        self._note(path)
        return path

    def _note(self, path: str) -> None:
        if self._files is not None:
            self._files.add(path)
        self._folders.update(path[:at] for at, letter in enumerate(path) if letter == "/")

    def replace(self, path: str, source: BinaryIO) -> None:
        """Uploads always replace."""
        self._server.upload(f"{self._proxied.strip('/')}/{path}", source)

    def twin(self, path: str, copy: str, source: BinaryIO) -> None:
        """Uploaded twice."""
        self.replace(copy, source)

    def settle(self) -> None:
        """An upload that returned is there."""

    def remove(self, path: str) -> None:
        """One DELETE."""
        self._server.remove(f"{self._proxied.strip('/')}/{path}")

    def remove_all(self) -> None:
        """One DELETE."""
        self._server.remove(self._proxied.strip("/"))


class ServedModelFolder(ServedFolder):
    """A logged model's artifacts; listed and fetched through end points of their own."""

    def __init__(self, server: Server, model_id: str) -> None:
        super().__init__(server, "", "")
        self._model_id = model_id

    def _listed(self, below: str, params: dict[str, str | int]) -> dict[str, Any]:
        params |= {"artifact_directory_path": below} if below else {}
        return self._server.get(f"/logged-models/{self._model_id}/artifacts/directories", params)

    def blob(self, entry: Entry) -> Blob:
        """Fetched when asked for."""
        path = f"/ajax-api/2.0/mlflow/logged-models/{self._model_id}/artifacts/files"
        params = {"artifact_file_path": entry.path}
        return Blob(entry.size, open=lambda: self._server.opened(path, params))
