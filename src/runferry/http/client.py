"""A client for one server: requests, JSON, downloads and uploads in blocks."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import httpx

from runferry import settings as ambient
from runferry.errors import Unreachable
from runferry.http.answers import described
from runferry.http.connection import Auth, connect, secrets_in
from runferry.http.pace import Pace
from runferry.http.persistence import Persistence, bare
from runferry.redact import without_credentials
from runferry.settings import Settings

Query = Mapping[str, str | int | list[str]]

BLOCK_BYTES = 1 << 20
_MAY_FOLLOW = frozenset({"GET", "HEAD"})  # a redirected POST would silently become a GET


def client(
    base_url: str,
    *,
    auth: Auth = None,
    settings: Settings | None = None,
    headers: Mapping[str, str] | None = None,
    pace: Pace | None = None,
    verifies: bool = True,
) -> RetryingClient:
    """A client for one server, with the process's settings unless others are given.

    Clients of one server may share a `pace`. Without `verifies` any certificate is taken.

    Raises BadLocation for a URL that is none, BadSetting for an impossible proxy or CA bundle.
    """
    return RetryingClient(
        base_url, auth=auth, settings=settings, headers=headers, pace=pace, verifies=verifies
    )


class RetryingClient:
    """See the module. May be shared between threads; `pause` and `clock` are there for tests."""

    def __init__(
        self,
        base_url: str,
        *,
        auth: Auth = None,
        settings: Settings | None = None,
        headers: Mapping[str, str] | None = None,
        pace: Pace | None = None,
        pause: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        verifies: bool = True,
    ) -> None:
        chosen = settings or ambient.current()
        self.base_url = without_credentials(base_url)
        self._client = connect(base_url, auth, chosen, headers or {}, verifies=verifies)
        self._until_answered = Persistence(
            self.base_url, chosen, secrets_in(base_url, auth), pause, clock, pace
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        idempotent: bool | None = None,
        expect: Collection[int] = (),
        params: Query | None = None,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer, read whole: 2xx, or one of the statuses in `expect`.

        `idempotent=None` takes what RFC 9110 says of the method. Raises AuthFailed (401, 403),
        Throttled, Unreachable, and Declined for every other answer.
        """

        def attempt() -> httpx.Response:
            return self._client.request(
                method,
                path,
                params=params,
                json=json,
                content=content,
                headers=headers,
                follow_redirects=method in _MAY_FOLLOW,
            )

        return self._until_answered(attempt, method, path, idempotent=idempotent, expect=expect)

    def json(self, method: str, path: str, **options: Any) -> Any:
        """`request`, and the answer decoded. Raises Unreachable when it is no JSON."""
        answer = self.request(method, path, **options)
        try:
            return answer.json() if answer.content else {}
        except ValueError as error:
            raise Unreachable(
                f"the answer to {method} {bare(path)} is no JSON but {described(answer)}",
                where=self.base_url,
                hint="check the address: this may be a login page or another service",
            ) from error

    def download(
        self,
        path: str,
        into: BinaryIO,
        *,
        params: Query | None = None,
        method: str = "GET",
        json: object = None,
    ) -> int:
        """The body written to a seekable file, in blocks, from its present position on.

        A body that is cut short is fetched again from its start, so a question that `json` holds
        must be harmless to repeat. Returns the size in bytes.
        """
        start = into.tell()

        def attempt() -> httpx.Response:
            into.seek(start)
            into.truncate()
            with self._client.stream(
                method, path, params=params, json=json, follow_redirects=method in _MAY_FOLLOW
            ) as answer:
                if answer.is_success:
                    for block in answer.iter_bytes():  # as they come: gathering them costs a copy
                        into.write(block)
                else:
                    answer.read()
                return answer

        self._until_answered(attempt, method, path, idempotent=True)
        return into.tell() - start

    def opened(self, path: str, *, params: Query | None = None) -> BinaryIO:
        """The body as an open file, in memory while small; gone from disk when closed."""
        memory = 8 * BLOCK_BYTES
        spool = cast(BinaryIO, tempfile.SpooledTemporaryFile(memory))  # noqa: SIM115  the caller's
        try:
            self.download(path, spool, params=params)
        except BaseException:
            spool.close()
            raise
        spool.seek(0)
        return spool

    def upload(
        self,
        path: str,
        source: Callable[[], BinaryIO],
        *,
        size: int | None = None,
        method: str = "PUT",
        idempotent: bool = True,
        params: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send bytes in blocks; `source` opens them anew for each attempt."""
        sent = dict(headers or {})
        if size is not None:
            sent["Content-Length"] = str(size)

        def attempt() -> httpx.Response:
            with source() as stream:
                return self._client.request(
                    method, path, params=params, content=_blocks(stream), headers=sent
                )

        return self._until_answered(attempt, method, path, idempotent=idempotent)

    def close(self) -> None:
        """Let go of the connections; harmless when repeated."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    while block := stream.read(BLOCK_BYTES):
        yield block
