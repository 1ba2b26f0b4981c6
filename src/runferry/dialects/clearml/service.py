"""ClearML's API: calls with a token that is asked for anew when it ends, and files.

What is asked may be asked twice: it only reads, or says what is to be so. Lines that are printed
are sent once (`send`): each would be a new one. Token and keys go to the API and to
its file server, and to nobody else.
"""

from __future__ import annotations

import errno
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO, Final, cast
from urllib.parse import quote, urlsplit

from runferry.dialects.clearml.account import Account, wrong_keys
from runferry.errors import AuthFailed, Declined, NotFound
from runferry.http import client as http
from runferry.http.pace import RateLimits
from runferry.redact import without_credentials

Answer = dict[str, Any]

_IN_MEMORY: Final = 8 << 20
_WORDS_AT_MOST: Final = 300
_GONE: Final = frozenset({404, 410})
_PLAIN: Final = re.compile(r"[A-Za-z0-9/%:@+,=&$!*'()~._-]*")
_LIST: Final = "runferry ls clearml:"
_NO_HEADERS: Final[Mapping[str, str]] = {}
_EVENTS_AT_ONCE: Final = 10_000
_RECORDS_AT_ONCE: Final = 500


class Service:
    """One server. May be shared between threads."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._pace = RateLimits()
        self._lock = threading.Lock()
        self._token = ""
        self._api = http.client(account.api_url, pace=self._pace)

    @property
    def where(self) -> str:
        """The server's URL."""
        return without_credentials(self.account.api_url)

    def ask(self, call: str, **body: object) -> Answer:
        """What a call gives. Raises AuthFailed, NotFound, Declined, Throttled, Unreachable."""
        return self._with_token(lambda token: self._asked(call, token, json=body))

    def send(self, events: Sequence[bytes], *, is_harmless: bool) -> Answer:
        """Add events, each a JSON object; `is_harmless` says that they may be sent twice.

        Raises what `ask` raises.
        """
        content, kind = b"\n".join(events), {"Content-Type": "application/json-lines"}

        def sent(token: str) -> Answer:
            call = "events.add_batch"
            return self._asked(call, token, kind, content=content, idempotent=is_harmless)

        return self._with_token(sent)

    def pages(self, call: str, field: str, **body: object) -> Iterator[Answer]:
        """All records of a `get_all` call."""
        page = 0
        while True:
            found = self.ask(call, page=page, page_size=_RECORDS_AT_ONCE, **body).get(field) or []
            yield from found
            if len(found) < _RECORDS_AT_ONCE:
                return
            page += 1

    def events(self, task: str, kind: str) -> Iterator[Answer]:
        """A task's events of one type, by time."""
        scroll: str | None = None
        while True:
            body: Answer = {"task": task, "event_type": kind, "order": "asc"}
            body |= {"batch_size": _EVENTS_AT_ONCE}
            if scroll is not None:
                body["scroll_id"] = scroll
            found = self.ask("events.get_task_events", **body)
            yield from found.get("events") or []
            scroll = found.get("scroll_id")
            if not found.get("events") or not scroll:
                return

    def count(self, task: str, kind: str) -> int:
        """How many events of one type there are."""
        found = self.ask("events.get_task_events", task=task, event_type=kind, batch_size=1)
        if found.get("scroll_id"):
            # a server has some hundreds of scrolls, each for an hour; before 2.18 of its API it
            # cannot be told that one is not needed
            with suppress(Declined):
                self.ask("events.clear_scroll", scroll_id=found["scroll_id"])
        return int(found.get("total") or 0)

    def is_ours(self, url: str) -> bool:
        """Whether a URL leads to the file server that takes our token."""
        return url.startswith(f"{self.account.files_url}/")

    def opened(self, url: str) -> BinaryIO:
        """A file of the file server, in memory while small.

        Raises FileNotFoundError, as a file of this machine would, where it is gone.
        """
        spool = cast(BinaryIO, tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115  the caller's
        try:
            self._download(url, spool)
        except BaseException as error:
            spool.close()
            if isinstance(error, Declined) and error.status in _GONE:
                raise FileNotFoundError(errno.ENOENT, "the server has it no more", url) from error
            raise
        spool.seek(0)
        return spool

    def close(self) -> None:
        """Let go of the connections; harmless when repeated."""
        self._api.close()

    def size_of(self, url: str) -> int | None:
        """The size of a file of the file server; None where there is none."""
        with self._files() as client:
            answer = client.request("HEAD", _path_of(url), expect=_GONE)
        if answer.status_code in _GONE:
            return None
        return int(answer.headers.get("content-length") or 0)

    def _download(self, url: str, into: BinaryIO) -> None:
        for is_again in (False, True):
            with self._files() as client:
                try:
                    client.download(_path_of(url), into)
                    return
                except AuthFailed:
                    if is_again:
                        raise
                    with self._lock:
                        self._token = ""  # it may have ended

    def _files(self) -> http.RetryingClient:
        parts = urlsplit(self.account.files_url)
        origin = f"{parts.scheme}://{parts.netloc}"
        return http.client(origin, auth=self._good_token(), pace=self._pace)

    # --- one request

    def _good_token(self) -> str:
        with self._lock:
            if not self._token:
                self._token = self._login()
            return self._token

    def _login(self) -> str:
        """A token for the keys. Raises AuthFailed."""
        account = self.account
        auth = account.token or (account.access_key, account.secret_key)
        with http.client(account.api_url, auth=auth, pace=self._pace) as client:
            try:
                answer = client.json("POST", "/auth.login", json={}, idempotent=True)
                return str(answer["data"]["token"])
            except AuthFailed as error:
                hint = wrong_keys(account)
                raise AuthFailed(self._said(error.what), where=self.where, hint=hint) from error
            except (KeyError, TypeError) as error:
                raise Declined("the server gave no token", where=self.where) from error

    def _with_token(self, request: Callable[[str], Answer]) -> Answer:
        try:
            return request(self._good_token())
        except AuthFailed:
            with self._lock:
                self._token = ""  # it may have ended
        try:
            return request(self._good_token())
        except AuthFailed as error:
            hint = wrong_keys(self.account)
            raise AuthFailed(self._said(error.what), where=self.where, hint=hint) from error

    def _asked(
        self, call: str, token: str, headers: Mapping[str, str] = _NO_HEADERS, **sent: Any
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}", **headers}
        try:
            sent = {"idempotent": True, **sent}
            answer = self._api.json("POST", f"/{call}", headers=headers, **sent)
        except Declined as error:
            what = self._said(error.what)
            if "invalid task id" in what.lower() or "invalid project id" in what.lower():
                raise NotFound(what, where=self.where, hint=_LIST) from error
            raise Declined(what, where=self.where, status=error.status) from error
        found = answer.get("data") if isinstance(answer, dict) else None
        return found if isinstance(found, dict) else {}

    def _said(self, words: str) -> str:
        return self.account.without_secrets(without_credentials(words))[:_WORDS_AT_MOST]


def _path_of(url: str) -> str:
    """The path of a URL that the server states as it was uploaded, blanks and all."""
    _, _, rest = url.partition("://")
    path = f"/{rest.partition('/')[2]}"
    return path if _PLAIN.fullmatch(path) else quote(path, safe="/%:@+,=&$!*'()~")
