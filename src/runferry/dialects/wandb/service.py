"""W&B's interface: questions in GraphQL, and bytes behind URLs that it hands out.

Everything here only reads, so every request may be sent twice. The key goes to the server itself
and to nobody else: URLs of other hosts carry their own signature.
"""

from __future__ import annotations

import errno
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, cast
from urllib.parse import urljoin, urlsplit

from runferry.dialects.wandb.account import Account, wrong_key
from runferry.errors import AuthFailed, Declined, NotFound
from runferry.http import client as http
from runferry.http.pace import RateLimits
from runferry.redact import without_credentials

Variables = Mapping[str, object]
Answer = dict[str, Any]

_GRAPHQL: Final = "/graphql"
_VIEWER: Final = "query GetDefaultEntity { viewer { id entity } }"  # as W&B's own client 0.31 asks
_IN_MEMORY: Final = 8 << 20
_WORDS_AT_MOST: Final = 300
_NO_ACCESS: Final = ("permission denied", "not authorized", "unauthorized")
_NOTHING_THERE: Final = 404
_EXPIRED: Final = frozenset({400, _NOTHING_THERE, 410})
_STORAGE: Final = (
    "run the command again; if it stays so, what the server signs does not open its storage from"
    " here: check the clock and the proxy of this machine, or ask whoever runs the storage"
)


class Service:
    """One server. May be shared between threads; all of them keep to its rate limits together."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._pace = RateLimits()
        self._origin = _origin(account.base_url)
        self._clients: dict[str, http.RetryingClient] = {}  # by origin
        self._lock = threading.Lock()
        self._is_closed = False
        with self._client(self._origin):
            pass  # an address that is none is told now

    @property
    def where(self) -> str:
        """The server's URL."""
        return without_credentials(self.account.base_url)

    @property
    def own_entity(self) -> str:
        """The user's settings', else the account's default one. Raises NotFound."""
        found = self.account.entity
        if found is None:
            viewer = self.ask(_VIEWER).get("viewer") or {}
            found = viewer.get("entity")
        if not found:
            raise NotFound(
                "the account has no default entity", where=self.where, hint="name one: wandb:ENTITY"
            )
        return str(found)

    def ask(self, document: str, variables: Variables | None = None) -> Answer:
        """What a query gives. Raises AuthFailed, NotFound, Declined, Throttled, Unreachable."""
        body = {"query": document, "variables": dict(variables or {})}
        with self._explained(), self._client(self._origin) as client:
            found = client.json("POST", _GRAPHQL, json=body, idempotent=True)
        answer = found if isinstance(found, dict) else {}
        found = answer.get("data")
        given: Answer = found if isinstance(found, dict) else {}
        if answer.get("errors"):
            is_partial = any(value is not None for value in given.values())
            raise self._refusal(answer["errors"], is_partial=is_partial)
        return given

    def ask_into(self, document: str, variables: Variables, into: BinaryIO) -> None:
        """The whole answer, errors and all, as text: for one that memory need not hold."""
        body = {"query": document, "variables": dict(variables)}
        with self._explained(), self._client(self._origin) as client:
            client.download(_GRAPHQL, into, method="POST", json=body)

    def fetch(self, url: str, into: BinaryIO) -> None:
        """The bytes behind a URL. Raises Expired where it is not, or no longer, good."""
        whole = urljoin(f"{self.account.base_url}/", url)
        try:
            with self._client(_origin(whole)) as client:
                client.download(whole, into)
        except AuthFailed as error:
            raise Expired(error.what, where=error.where, hint=_STORAGE) from error
        except Declined as error:
            if error.status in _EXPIRED:
                raise Expired(
                    error.what, where=error.where, hint=_STORAGE, status=error.status
                ) from error
            raise

    def opened(self, url_of: Callable[[bool], str | None], what: str) -> BinaryIO:
        """The bytes of a thing as an open file, in memory while they are few.

        `url_of(is_again)` is its URL, asked for anew after one that had expired; None where it is
        gone. Raises FileNotFoundError, as a file of this machine would, also where the storage says
        of a fresh URL that nothing lies there; Expired where it refuses that one.
        """
        spool = cast(BinaryIO, tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115  the caller's
        try:
            self._fetched(url_of, what, spool)
        except BaseException:
            spool.close()
            raise
        spool.seek(0)
        return spool

    def _fetched(self, url_of: Callable[[bool], str | None], what: str, into: BinaryIO) -> None:
        for is_again in (False, True):
            url = url_of(is_again)
            if url is None:
                raise FileNotFoundError(errno.ENOENT, "the service has it no more", what)
            try:
                self.fetch(url, into)
                return
            except Expired as error:
                if is_again and error.status == _NOTHING_THERE:
                    why = "the service lists it, and its storage does not have it"
                    raise FileNotFoundError(errno.ENOENT, why, what) from error
                if is_again:
                    raise

    def close(self) -> None:
        """Let go of the connections; harmless when repeated.

        Bytes that somebody opens later are fetched over a connection of their own.
        """
        with self._lock:
            self._is_closed = True
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    @contextmanager
    def _client(self, origin: str) -> Iterator[http.RetryingClient]:
        """Who asks a server."""
        with self._lock:
            client = self._clients.get(origin) or self._connected(origin)
            is_kept = not self._is_closed
            if is_kept:
                self._clients[origin] = client
        try:
            yield client
        finally:
            if not is_kept:
                client.close()

    def _connected(self, origin: str) -> http.RetryingClient:
        """With the key only to the server that it is for."""
        if origin != self._origin:
            return http.client(origin)
        account = self.account
        return http.client(account.base_url, auth=account.auth, pace=self._pace)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except AuthFailed as error:
            hint = wrong_key(self.account.base_url)
            raise AuthFailed(error.what, where=error.where, hint=hint) from error
        except Declined as error:
            if error.status == 404:
                raise NotFound(error.what, where=error.where, hint=error.hint) from error
            raise

    def _refusal(self, errors: object, *, is_partial: bool) -> AuthFailed | NotFound | Declined:
        """What the service says where it does not give what was asked for.

        Where it gives a part, only the rest is closed to us, and other runs need not be.
        """
        words = "; ".join(_messages(errors))[:_WORDS_AT_MOST]
        what = f"W&B answered: {without_credentials(words).replace(self.account.key, '…')}"
        lowered = words.lower()
        if is_partial:
            return Declined(what, where=self.where)
        if any(sign in lowered for sign in _NO_ACCESS):
            return AuthFailed(what, where=self.where, hint=wrong_key(self.account.base_url))
        if "not found" in lowered or "could not find" in lowered:
            return NotFound(what, where=self.where)
        return Declined(what, where=self.where)


class Expired(Declined):
    """A URL that the service handed out is not good any more; it gives another one."""


def _messages(errors: object) -> Iterator[str]:
    for error in errors if isinstance(errors, list) else [errors]:
        yield str(error.get("message", error)) if isinstance(error, dict) else str(error)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
