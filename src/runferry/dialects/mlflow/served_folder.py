"""Artifact folders that a tracking server lists, gives and, through its proxy, takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from runferry.dialects.mlflow.artifacts import Entry, UploadFolder
from runferry.dialects.mlflow.server import PROXY, Server
from runferry.errors import RunMissing
from runferry.model import Blob


class ServedFolder(UploadFolder):
    """A run's artifacts, listed and fetched through its server, and stored through the proxy."""

    def __init__(self, server: Server, run_id: str, artifact_uri: str) -> None:
        self._server = server
        self._run_id = run_id
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

    def upload(self, path: str, source: BinaryIO) -> None:
        """One PUT."""
        self._server.upload(f"{self._proxied.strip('/')}/{path}", source)

    def remove(self, path: str) -> None:
        """One DELETE."""
        self._server.remove(f"{self._proxied.strip('/')}/{path}")

    def remove_all(self) -> None:
        """One DELETE."""
        self._server.remove(self._proxied.strip("/"))


class ServedModelFolder(ServedFolder):
    """A logged model's artifacts; listed and fetched through end points of their own."""

    def __init__(self, server: Server, model_id: str, artifact_uri: str) -> None:
        super().__init__(server, "", artifact_uri)
        self._model_id = model_id

    def _listed(self, below: str, params: dict[str, str | int]) -> dict[str, Any]:
        params |= {"artifact_directory_path": below} if below else {}
        return self._server.get(f"/logged-models/{self._model_id}/artifacts/directories", params)

    def blob(self, entry: Entry) -> Blob:
        """Fetched when asked for."""
        path = f"/ajax-api/2.0/mlflow/logged-models/{self._model_id}/artifacts/files"
        params = {"artifact_file_path": entry.path}
        return Blob(entry.size, open=lambda: self._server.opened(path, params))
