"""Who asks: the one key of the service and the account behind it."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Account:
    """The user whose key is good, and the entities that are theirs."""

    username: str = "grace"
    name: str = "Grace"
    email: str = "grace@example.org"
    teams: tuple[str, ...] = ("lab",)
    organization: str = "institute"
    key: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)

    @property
    def registry_entity(self) -> str:
        """The entity below which an organization keeps its registries."""
        return f"{self.organization}-org"

    def is_of(self, authorization: str | None) -> bool:
        """Whether a header `Authorization` carries the key, Basic (`api:KEY`) or Bearer."""
        scheme, _, given = (authorization or "").partition(" ")
        if scheme.lower() == "basic":
            try:
                given = base64.b64decode(given, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return False
        return hmac.compare_digest(given.encode(), self.key.encode())
