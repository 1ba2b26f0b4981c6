"""MLflow's REST interface, on the one client that waits, retries and explains."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO, Final, cast
from urllib.parse import quote, urlsplit, urlunsplit

from runferry import settings
from runferry.dialects.mlflow.credentials import HINT, credentials
from runferry.errors import AuthFailed, Declined, RunMissing
from runferry.http import client as http

API: Final = "/api/2.0/mlflow"
API_OF_TRACES: Final = "/api/3.0/mlflow/traces"
PROXY: Final = "/api/2.0/mlflow-artifacts/artifacts"


class Server:
    """One tracking server."""

    def __init__(self, client: http.RetryingClient) -> None:
        self._client = client

    @classmethod
    def at(cls, url: str) -> Server:
        """A server by its URL, with credentials where MLflow's own client looks for them.

        They may also stand in the URL. Raises BadSetting, BadLocation.
        """
        parts = urlsplit(url)
        base = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        given, chosen = credentials(), settings.current()
        if given.authority and chosen.ca_bundle is None:
            chosen = replace(chosen, ca_bundle=given.authority)
        return cls(http.client(base, auth=given.auth, settings=chosen, verifies=given.verifies))

    @property
    def where(self) -> str:
        """The server's URL without credentials."""
        return self._client.base_url

    def get(self, path: str, params: Mapping[str, str | int]) -> dict[str, Any]:
        """A GET of the tracking interface. Raises RunMissing for what is not there."""
        with _missing():
            return _mapping(self._client.json("GET", API + path, params=params))

    def post(
        self, path: str, body: Mapping[str, object], *, idempotent: bool = True, api: str = API
    ) -> dict[str, Any]:
        """A POST of the tracking interface. All but the creation of a run can be sent twice."""
        with _missing():
            answer = self._client.json("POST", api + path, json=body, idempotent=idempotent)
            return _mapping(answer)

    def send(self, method: str, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Any other request of the tracking interface with a body; it can be sent twice."""
        with _missing():
            return _mapping(self._client.json(method, API + path, json=body, idempotent=True))

    def listed(
        self, path: str, params: Mapping[str, str | int], field: str
    ) -> Iterator[dict[str, Any]]:
        """All items of a search by GET, page by page."""
        token = ""
        while True:
            answer = self.get(path, {**params, "page_token": token} if token else params)
            yield from answer.get(field, [])
            token = answer.get("next_page_token", "")
            if not token:
                return

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

        with _missing():
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
    """MLflow says "no such thing" by 404, or by 400 with a code; who is not let in, learns how."""
    try:
        yield
    except AuthFailed as error:
        raise AuthFailed(error.what, where=error.where, hint=HINT) from error
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
