"""When a request is sent again, how long that goes on, and what is raised in the end.

Retried: no connection, a connection that broke or fell silent, 429, and 5xx except 501. Everything
else is an answer. Where no connection was ever made, the address is wrong or nothing runs there:
that is tried for half a minute at most. A server that has answered before is tried for all of
`patience`. Whether a request that may have arrived can be sent twice is the caller's statement
(`idempotent`); one that surely did not arrive is always sent again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass

import httpx

from runferry.errors import (
    AuthFailed,
    BadLocation,
    Declined,
    ServiceError,
    Throttled,
    Unreachable,
)
from runferry.http import waits
from runferry.http.answers import one_line, reason, retry_after
from runferry.http.connection import is_distrust, proxy_before
from runferry.http.heard import HEARD
from runferry.http.pace import Pace
from runferry.redact import without_credentials
from runferry.settings import Settings

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
PATIENCE_WITH_NOBODY = 30.0
_SAFE_TWICE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})  # RFC 9110, 9.2.2
_LATER = "run the same command again later: it continues where it stopped"
_NOBODY = "start the server, or correct the address"


@dataclass(frozen=True, slots=True)
class _Fault:
    """Why one attempt failed, and may not fail the next time."""

    error: ServiceError
    arrived: bool  # the server may have acted on it
    pause: float | None = None  # what the server asked for
    is_unconnected: bool = False  # nobody was there to act on it


class Persistence:
    """Calls an attempt until it is answered or patience ends."""

    def __init__(
        self,
        base_url: str,
        settings: Settings,
        secrets: tuple[str, ...],
        pause: Callable[[float], None] | None,
        clock: Callable[[], float],
        pace: Pace | None = None,
    ) -> None:
        self._settings = settings
        self._secrets = secrets
        self._pause = pause
        self._clock = clock
        self._pace = pace
        self.base_url = base_url

    def __call__(
        self,
        attempt: Callable[[], httpx.Response],
        method: str,
        path: str,
        *,
        idempotent: bool | None,
        expect: Collection[int] = (),
    ) -> httpx.Response:
        """The answer: 2xx or a status in `expect`. Raises every kind of ServiceError."""
        may_repeat = method in _SAFE_TWICE if idempotent is None else idempotent
        began, count = self._clock(), 0
        while True:
            outcome = self._outcome(attempt, f"{method} {bare(path)}", expect)
            if isinstance(outcome, httpx.Response):
                return outcome
            if outcome.arrived and not may_repeat:
                raise outcome.error
            wait = outcome.pause or _backoff(count)  # "at once" for ever would be a storm
            is_nobody = outcome.is_unconnected and self.base_url not in HEARD
            patience = self._settings.patience
            if is_nobody:
                patience = min(patience, PATIENCE_WITH_NOBODY)
            if self._clock() + wait > began + patience:
                raise self._nobody(outcome.error) if is_nobody else outcome.error
            if self._pause is None:
                waits.wait(wait, outcome.error.what)
            else:
                self._pause(wait)
            count += 1

    def _outcome(
        self, attempt: Callable[[], httpx.Response], request: str, expect: Collection[int]
    ) -> httpx.Response | _Fault:
        """One attempt: an answer the caller wants, or a fault to retry; raises everything else."""
        if self._pace is not None:
            self._pace.ready()
        try:
            answer = attempt()
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise BadLocation("this is no address of a server", where=self.base_url) from error
        except (httpx.LocalProtocolError, httpx.TooManyRedirects) as error:
            what = f"{request} cannot be sent: {one_line(str(error), self._secrets)}"
            raise Declined(what, where=self.base_url) from error
        except httpx.RequestError as error:
            return self._silence(error)
        HEARD.add(self.base_url)
        if self._pace is not None:
            self._pace.heard(answer.status_code, answer.headers, retry_after(answer))
        if answer.is_success or answer.status_code in expect:
            return answer
        return self._refusal(answer, request)

    def _silence(self, error: httpx.RequestError) -> _Fault:
        """What a connection that failed says about the request."""
        if is_distrust(error):
            raise Unreachable(
                f"the server's certificate is not trusted: {one_line(str(error), self._secrets)}",
                where=self.base_url,
                hint="RUNFERRY_CA_BUNDLE=/path/to/authority.pem",
            ) from error
        if isinstance(error, httpx.TimeoutException):
            what = f"no answer within {self._settings.timeout:g} s"
        else:
            said = one_line(str(error), self._secrets) or type(error).__name__
            what = f"the connection failed: {said}"
        fault = Unreachable(what, where=self.base_url, hint="check the address and the network")
        fault.__cause__ = error
        never_sent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
        is_unconnected = isinstance(error, never_sent)
        return _Fault(fault, arrived=not is_unconnected, is_unconnected=is_unconnected)

    def _nobody(self, error: ServiceError) -> Unreachable:
        what, hint = f"no server answers: {error.what}", _NOBODY
        proxy = proxy_before(self.base_url, self._settings)
        if proxy is not None:
            hint = f"requests go through {proxy}: start or correct that proxy; or {_NOBODY}"
        nobody = Unreachable(what, where=self.base_url, hint=hint, has_answered=False)
        nobody.__cause__ = error.__cause__
        return nobody

    def _refusal(self, answer: httpx.Response, request: str) -> _Fault:
        """What an answer that is not 2xx says; raises what would be said again."""
        code, message = reason(answer)
        message = one_line(message, self._secrets)
        status = answer.status_code
        what = f"{request} was answered {status}{': ' if message else ''}{message}"
        if status in (401, 403):
            hint = "check the key or the password, and what it may do"
            raise AuthFailed(what, where=self.base_url, hint=hint)
        pause = retry_after(answer)
        if status == 429:
            throttled = Throttled(what, where=self.base_url, hint=_LATER, after=pause or 0.0)
            return _Fault(throttled, arrived=False, pause=pause)
        if status >= 500 and status != 501:
            fault = Unreachable(what, where=self.base_url, hint=_LATER)
            return _Fault(fault, arrived=True, pause=pause)
        hint = ""
        if answer.has_redirect_location:
            target = one_line(answer.headers["location"], self._secrets)
            hint = f"the server points to {target}: use that address"
        raise Declined(what, where=self.base_url, hint=hint, status=status, code=code)


def _backoff(count: int) -> float:
    """Half fixed, half random, so that workers that failed together do not return together."""
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(count, 16))
    return pause / 2 + random.uniform(0, pause / 2)


def bare(path: str) -> str:
    """The path as a message may show it."""
    return without_credentials(path.partition("?")[0])
