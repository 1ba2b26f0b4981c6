"""Settings into a connection: proxies, private authorities, credentials, timeouts."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from socket import socket
from typing import Any, Self
from urllib.request import getproxies, proxy_bypass

import httpx

from runferry._version import VERSION
from runferry.errors import AuthFailed, BadLocation, BadSetting
from runferry.http.rate import PROCESS
from runferry.redact import without_credentials
from runferry.settings import Settings


class _WithoutCredentials(logging.Filter):
    """httpx logs each URL whole, also a signed one; whoever hears it hears no credentials."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record goes on."""
        record.msg, record.args = without_credentials(record.getMessage()), ()
        return True


logging.getLogger("httpx").addFilter(_WithoutCredentials())

Auth = httpx.Auth | tuple[str, str] | str | None
"""httpx's own, a user with a password, a bearer token, or nobody."""


def connect(
    base_url: str,
    auth: Auth,
    settings: Settings,
    headers: Mapping[str, str],
    *,
    verifies: bool = True,
) -> httpx.Client:
    """Raises BadLocation for a URL that is none, BadSetting for an impossible proxy or bundle."""
    sent = {"User-Agent": f"runferry/{VERSION}", **headers}
    if isinstance(auth, str):
        sent["Authorization"] = f"Bearer {_header_safe(auth.strip(), base_url)}"
        auth = None
    try:
        return httpx.Client(
            base_url=base_url,
            auth=auth,
            headers=sent,
            verify=_trust(base_url, _bundles(settings.ca_bundle)) if verifies else False,
            proxy=settings.proxy,
            timeout=settings.timeout,
            event_hooks={"request": _hooks(settings.rate)},
        )
    except httpx.InvalidURL as error:
        place = without_credentials(base_url)
        raise BadLocation("this is no address of a server", where=place) from error
    except (ValueError, ImportError) as error:  # an odd scheme; SOCKS without its package
        place = without_credentials(settings.proxy or "the environment's proxy variables")
        raise BadSetting(
            f"this proxy cannot be used: {without_credentials(str(error))}", where=place
        ) from error


def proxy_before(base_url: str, settings: Settings) -> str | None:
    """The proxy that requests to this server go through, to be shown; None where none does."""
    if settings.proxy is not None:
        return f"{without_credentials(settings.proxy)} (the setting `proxy`)"
    server = httpx.URL(base_url)
    if proxy_bypass(server.netloc.decode("ascii")):
        return None
    for kind in (server.scheme, "all"):
        proxy = getproxies().get(kind)
        if proxy:
            return f"{without_credentials(proxy)} ({kind.upper()}_PROXY)"
    return None


def _hooks(rate: float | None) -> list[Callable[[httpx.Request], None]]:
    """What is done before each request, one that follows a redirect too."""
    if rate is None:
        return []
    return [lambda request: PROCESS.wait(request.url.netloc.decode("ascii"), rate)]


def secrets_in(base_url: str, auth: Auth) -> tuple[str, ...]:
    """What must not come out again in any message, longest first."""
    found: set[str] = set()
    if isinstance(auth, str):
        found.add(auth.strip())
    elif isinstance(auth, tuple):
        found.add(auth[1])
    with suppress(httpx.InvalidURL):  # reported by connect
        found.add(httpx.URL(base_url).password)
    return tuple(sorted(filter(None, found), key=len, reverse=True))


def is_distrust(error: BaseException | None) -> bool:
    """Whether a certificate that nobody vouches for is behind this error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _header_safe(key: str, base_url: str) -> str:
    if not (key.isascii() and key.isprintable()):
        raise AuthFailed(
            "the key holds a character that no key has",
            where=without_credentials(base_url),
            hint="copy the key again, whole and on one line",
        )
    return key


def _bundles(bundle: Path | None) -> tuple[str, ...]:
    """Files with the user's own authorities."""
    named = (bundle, os.environ.get("SSL_CERT_FILE"), os.environ.get("REQUESTS_CA_BUNDLE"))
    return tuple(os.fspath(file) for file in named if file)


def _trust(base_url: str, bundles: tuple[str, ...]) -> ssl.SSLContext:
    """The system's authorities, the public ones, and the user's own."""
    if base_url.lower().startswith("https:"):
        return _whole_trust(bundles)
    for file in bundles:
        _look_at(file)
    return _TrustWhenNeeded(bundles)


@lru_cache(maxsize=8)
def _whole_trust(bundles: tuple[str, ...]) -> ssl.SSLContext:
    """Made once: reading the public ones takes longer than a request."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(cafile=certifi.where())
    for file in bundles:
        try:
            context.load_verify_locations(cafile=file)
        except OSError as error:  # ssl.SSLError is one
            raise _bad_bundle(file, error) from error
    return context


def _look_at(file: str) -> None:
    """Raises BadSetting for what is no bundle at first sight."""
    try:
        if b"-----BEGIN " not in Path(file).read_bytes():
            raise _bad_bundle(file, "no certificate in it")
    except OSError as error:
        raise _bad_bundle(file, error) from error


def _bad_bundle(file: str, error: object) -> BadSetting:
    return BadSetting(
        f"this CA bundle cannot be used: {error}",
        where=file,
        hint="ca_bundle, SSL_CERT_FILE and REQUESTS_CA_BUNDLE want a PEM file",
    )


class _TrustWhenNeeded(ssl.SSLContext):
    """Reads the authorities before the first handshake: who is asked without TLS never needs them.

    A redirect or a proxy may still lead to one.
    """

    _bundles: tuple[str, ...]
    _protocols: tuple[str, ...]

    def __new__(cls, bundles: tuple[str, ...]) -> Self:
        """Of a client."""
        made = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        made._bundles, made._protocols = bundles, ()
        return made

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """See `ssl.SSLContext`. Said before each handshake."""
        self._protocols = tuple(alpn_protocols)

    def wrap_socket(self, sock: socket, *args: Any, **options: Any) -> ssl.SSLSocket:
        """See `ssl.SSLContext`."""
        return self._whole().wrap_socket(sock, *args, **options)

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        """See `ssl.SSLContext`."""
        return self._whole().wrap_bio(*args, **options)

    def _whole(self) -> ssl.SSLContext:
        whole = _whole_trust(self._bundles)
        whole.set_alpn_protocols(self._protocols)
        return whole
