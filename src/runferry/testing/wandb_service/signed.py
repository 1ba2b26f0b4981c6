"""URLs that say by themselves who may use them, as object stores sign them.

A URL of the storage carries its method, its time and a signature. It may end after a time, or
after it was used so many times; what comes later is 403 with the XML body of such stores.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlsplit

from runferry.testing.wandb_service.refusals import Forbidden

PREFIX = "/storage/"


class Signer:
    """Signs URLs of blobs, and says which are good."""

    def __init__(self, base: Callable[[], str]) -> None:
        self._base = base
        self._secret = secrets.token_bytes(32)
        self._serial = itertools.count(1)
        self._uses: Counter[str] = Counter()
        self._lock = threading.Lock()

    def url(self, blob: str, shown_as: str, *, method: str = "GET", seconds: float = 86_400) -> str:
        """A URL for one blob and one method; `shown_as` is the path that it shows."""
        expires = f"{time.time() + seconds:.3f}"
        serial = str(next(self._serial))
        signature = self._signature(blob, method, expires, serial)
        return (
            f"{self._base()}{PREFIX}{quote(shown_as)}?X-Goog-Algorithm=GOOG4-RSA-SHA256"
            f"&X-Goog-Object={blob}&X-Goog-Method={method}&X-Goog-Serial={serial}"
            f"&X-Goog-Expires={expires}&X-Goog-Signature={signature}"
        )

    def blob_of(self, target: str, method: str, *, uses: int | None) -> str:
        """The blob that a URL's path and query stand for. Raises Forbidden."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        blob, serial = query.get("X-Goog-Object", ""), query.get("X-Goog-Serial", "")
        expires = query.get("X-Goog-Expires", "0")
        signed_for = query.get("X-Goog-Method", "")
        right = self._signature(blob, signed_for, expires, serial)
        if not hmac.compare_digest(right, query.get("X-Goog-Signature", "")):
            raise Forbidden("SignatureDoesNotMatch")
        if ("GET" if method == "HEAD" else method) != signed_for:
            raise Forbidden("SignatureDoesNotMatch")
        if time.time() > float(expires):
            raise Forbidden("ExpiredToken")
        if uses is not None and method == "GET":
            with self._lock:
                self._uses[serial] += 1
                if self._uses[serial] > uses:
                    raise Forbidden("ExpiredToken")
        return blob

    def _signature(self, *parts: str) -> str:
        return hmac.new(self._secret, "\n".join(parts).encode(), hashlib.sha256).hexdigest()
