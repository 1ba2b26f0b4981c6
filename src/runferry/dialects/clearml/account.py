"""Which ClearML server is meant, and the keys for it, as ClearML's client looks for them (2.1).

The environment comes first, then `clearml.conf`. Nothing that is found is stored, and no message
names a key.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from runferry.dialects.clearml.conf_file import settings_in
from runferry.errors import AuthFailed, BadSetting

_log = logging.getLogger(__name__)
_DEFAULT_API: Final = "https://api.clear.ml"
_HINT: Final = (
    "clearml-init, or CLEARML_API_HOST, CLEARML_API_ACCESS_KEY and CLEARML_API_SECRET_KEY; "
    "sessions in a folder are clearml:./FOLDER"
)


@dataclass(frozen=True, slots=True)
class Account:
    """A server, and what it knows us by: a pair of keys, or a token."""

    api_url: str
    web_url: str
    files_url: str
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def environment(self) -> dict[str, str]:
        """The same for ClearML's own client."""
        said = {
            "CLEARML_API_HOST": self.api_url,
            "CLEARML_WEB_HOST": self.web_url,
            "CLEARML_FILES_HOST": self.files_url,
            "CLEARML_API_ACCESS_KEY": self.access_key,
            "CLEARML_API_SECRET_KEY": self.secret_key,
            "CLEARML_AUTH_TOKEN": self.token,
        }
        return {name: value for name, value in said.items() if value}

    def without_secrets(self, text: str) -> str:
        """A text in which none of the keys stands."""
        for secret in (self.secret_key, self.access_key, self.token):
            if secret:
                text = text.replace(secret, "…")
        return text


def account(address: str | None = None) -> Account:
    """The account that the environment and `clearml.conf` name.

    `address` is the app's or the API's, as `https://HOST`, where a location names one: keys go to
    no other server than theirs. Raises AuthFailed, BadSetting.
    """
    conf = _conf()
    api = _stated("API_HOST", conf, "api.api_server") or conf.get("api.host") or _DEFAULT_API
    api = api.rstrip("/")
    if not _is_url(api):
        raise BadSetting(
            "this is no URL of a ClearML server",
            where=f"CLEARML_API_HOST={api}",
            hint="export CLEARML_API_HOST=https://HOST",
        )
    web = (_stated("WEB_HOST", conf, "api.web_server") or _app_of(api)).rstrip("/")
    files = (_stated("FILES_HOST", conf, "api.files_server") or _files_of(web)).rstrip("/")
    if address is not None and address not in (_origin(api), _origin(web)):
        raise AuthFailed(
            f"the keys at hand are for {_origin(api)}, not for this server",
            where=address,
            hint=f"export CLEARML_API_HOST=… CLEARML_WEB_HOST={address}, with the keys for it",
        )
    token = os.environ.get("CLEARML_AUTH_TOKEN", "").strip()
    access = _stated("API_ACCESS_KEY", conf, "api.credentials.access_key").strip()
    secret = _stated("API_SECRET_KEY", conf, "api.credentials.secret_key").strip()
    if not token and not (access and secret):
        raise AuthFailed("there are no keys for this ClearML server", where=api, hint=_HINT)
    return Account(api, web, files, access, secret, token)


def wrong_keys(found: Account) -> str:
    """The hint for a server that does not take the keys."""
    return f"make new ones at {found.web_url}/settings/workspace-configuration; {_HINT}"


def _stated(variable: str, conf: Mapping[str, str], name: str) -> str:
    for prefix in ("CLEARML", "TRAINS"):
        if found := os.environ.get(f"{prefix}_{variable}"):
            return found
    return conf.get(name, "")


def _conf() -> dict[str, str]:
    named = os.environ.get("CLEARML_CONFIG_FILE") or os.environ.get("TRAINS_CONFIG_FILE")
    path = Path(named or "~/clearml.conf").expanduser()
    try:
        return settings_in(path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        _log.warning("%s was not read: %s", path, error.strerror)
        return {}


def _app_of(api: str) -> str:
    """The app's address, as ClearML's client derives it from that of the API."""
    if "://api." in api:
        return api.replace("://api.", "://app.", 1)
    return _with_port(api, 8080) if urlsplit(api).port == 8008 else api


def _files_of(web: str) -> str:
    """The file server's, as the client derives it from that of the app."""
    if "://app." in web:
        return web.replace("://app.", "://files.", 1)
    return _with_port(web, 8081)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, half of an IPv6 address
        return False


def _with_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host  # an IPv6 address
    return f"{parts.scheme}://{host}:{port}{parts.path}"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
