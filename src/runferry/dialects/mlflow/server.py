"""A thin client of MLflow's REST interface, on httpx; retries what is worth it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Final
from urllib.parse import quote, urlsplit, urlunsplit

from runferry.dialects.mlflow.artifacts import Entry
from runferry.errors import AuthFailed, Refused, RunferryError, RunMissing, Throttled, Unreachable
from runferry.model import Blob
from runferry.redact import without_credentials

if TYPE_CHECKING:
    import httpx

API: Final = "/api/2.0/mlflow"
PROXY: Final = "/api/2.0/mlflow-artifacts/artifacts"
_RETRIED: Final = (429, 500, 502, 503, 504)
_BLOCK: Final = 1 << 20


class Server:
    """One tracking server. `attempts` and `pause` (seconds, doubling) bound the patience."""

    def __init__(self, client: httpx.Client, *, attempts: int = 5, pause: float = 0.5) -> None:
        self._client = client
        self._attempts = attempts
        self._pause = pause

    @classmethod
    def at(cls, url: str) -> Server:
        """A server by its URL, credentials as MLflow's own client takes them.

        `MLFLOW_TRACKING_USERNAME` and `_PASSWORD`, or `MLFLOW_TRACKING_TOKEN`; or in the URL.
        """
        import httpx

        parts = urlsplit(url)
        user = os.environ.get("MLFLOW_TRACKING_USERNAME")
        password = os.environ.get("MLFLOW_TRACKING_PASSWORD")
        token = os.environ.get("MLFLOW_TRACKING_TOKEN")
        headers = {"Authorization": f"Bearer {token}"} if token and not user else {}
        auth = (user, password or "") if user else None
        verify: bool | str = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True
        if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("1", "true"):
            verify = False
        base = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        return cls(
            httpx.Client(
                base_url=base,
                auth=auth,
                headers=headers,
                verify=verify,
                timeout=httpx.Timeout(60.0, connect=10.0),
            )
        )

    @property
    def where(self) -> str:
        """The server's URL without credentials."""
        return without_credentials(str(self._client.base_url))

    def get(self, path: str, params: Mapping[str, str | int]) -> dict[str, Any]:
        """A GET of the tracking interface."""
        return self._json(self._send("GET", API + path, params=dict(params)))

    def post(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """A POST of the tracking interface."""
        return self._json(self._send("POST", API + path, json=dict(body)))

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

        def body() -> Iterator[bytes]:
            source.seek(0)
            while block := source.read(_BLOCK):
                yield block

        self._send("PUT", f"{PROXY}/{quote(path)}", body=body)

    def remove(self, path: str) -> None:
        """Remove a file or folder through the artifact proxy; fine when it is not there."""
        try:
            self._send("DELETE", f"{PROXY}/{quote(path)}")
        except RunMissing:
            return

    def download(self, path: str, params: Mapping[str, str]) -> BinaryIO:
        """What a GET gives, as a temporary file that vanishes when closed."""
        import shutil
        import tempfile

        copy = tempfile.TemporaryFile()  # noqa: SIM115  handed to the caller open
        answer = self._send("GET", path, params=dict(params))
        shutil.copyfileobj(_Blocks(answer), copy)
        copy.seek(0)
        return copy

    def _json(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            parsed = answer.json()
        except ValueError as error:
            raise Unreachable(
                "the server's answer is no JSON; is this an MLflow tracking server?",
                where=self.where,
            ) from error
        return parsed if isinstance(parsed, dict) else {}

    def _send(self, method: str, path: str, *, body: Any = None, **request: Any) -> httpx.Response:
        import httpx

        for attempt in range(self._attempts):
            if body is not None:
                request["content"] = body()
            last = attempt + 1 == self._attempts
            try:
                answer = self._client.request(method, path, **request)
            except httpx.TransportError as error:
                if last:
                    raise Unreachable(
                        f"no answer ({type(error).__name__})",
                        where=self.where,
                        hint="is the server running? run the same command again to resume",
                    ) from error
                time.sleep(self._pause * 2**attempt)
                continue
            if answer.is_success:
                return answer
            if answer.status_code not in _RETRIED or last:
                raise self._failure(answer)
            time.sleep(max(_retry_after(answer), self._pause * 2**attempt))
        raise AssertionError("attempts is at least 1")

    def _failure(self, answer: httpx.Response) -> RunferryError:
        try:
            fields = answer.json()
            code, message = fields.get("error_code", ""), fields.get("message", "")
        except (ValueError, AttributeError):
            code, message = "", answer.text[:200]
        said = f"{answer.status_code} {code} {message}"[:500].strip()
        where = self.where
        if answer.status_code in (401, 403):
            return AuthFailed(
                "the server does not accept our credentials",
                where=where,
                hint="set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD,"
                " or MLFLOW_TRACKING_TOKEN",
            )
        if answer.status_code == 429:
            return Throttled("the server asks us to wait", where=where, after=_retry_after(answer))
        if answer.status_code == 404 or code == "RESOURCE_DOES_NOT_EXIST":
            return RunMissing(f"the server says: {said}", where=where)
        if answer.status_code >= 500:
            return Unreachable(
                f"the server fails: {said}",
                where=where,
                hint="look into its log; run the same command again to resume",
            )
        return Refused(f"the server says: {said}", where=where)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _retry_after(answer: httpx.Response) -> float:
    """Seconds that the server asks us to wait; a date instead of a number is not waited for."""
    stated = answer.headers.get("Retry-After", "")
    return min(float(stated), 60.0) if stated.isdigit() else 0.0


class _Blocks:
    """An answer's bytes as something to read from."""

    def __init__(self, answer: httpx.Response) -> None:
        self._blocks = answer.iter_bytes(_BLOCK)

    def read(self, _size: int = -1) -> bytes:
        return next(self._blocks, b"")


class ServedFolder:
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
        return Blob(entry.size, open=lambda: self._server.download("/get-artifact", params))

    def put(self, path: str, source: BinaryIO) -> str:
        """One PUT."""
        self._server.upload(f"{self._proxied.strip('/')}/{path}", source)
        return path

    def replace(self, path: str, source: BinaryIO) -> None:
        """Uploads always replace."""
        self.put(path, source)

    def twin(self, path: str, copy: str, source: BinaryIO) -> None:
        """Uploaded twice."""
        self.put(copy, source)

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
        return Blob(entry.size, open=lambda: self._server.download(path, params))
