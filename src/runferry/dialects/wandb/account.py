"""Which server of W&B is meant, and the key for it, as W&B's own tools look for them (0.31).

Nothing that is found here is stored, and no message names a key.
"""

from __future__ import annotations

import configparser
import logging
import netrc
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from runferry.dialects.wandb.addresses import DEFAULT_BASE, Address, app_of, base_of
from runferry.errors import AuthFailed, BadSetting

_log = logging.getLogger(__name__)
_SECTION: Final = "default"
_SAME_SERVER: Final = {
    "api.wandb.ai": "api.forge.coreweave.com",
    "api.forge.coreweave.com": "api.wandb.ai",
}
_KEY: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Account:
    """A server and the key for it."""

    base_url: str
    key: str = field(repr=False)
    entity: str | None = None  # the default one, where the user's settings name it

    @property
    def auth(self) -> tuple[str, str]:
        """User and password of HTTP's Basic scheme."""
        return "api", self.key


def account(address: Address | None = None) -> Account:
    """The account for an address, else the one that the environment and W&B's files name.

    WANDB_API_KEY is for the server that these name, and no other gets it: where a location has the
    URL of another one, that one's key is netrc's. Raises AuthFailed where there is no key,
    BadSetting for a base URL that is none.
    """
    files = _settings_files()
    base = os.environ.get("WANDB_BASE_URL") or files.get("base_url") or DEFAULT_BASE
    base = stated = base.strip().rstrip("/")
    if address is not None and address.app is not None and address.app != app_of(base):
        base = base_of(address.app)
    if urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).hostname:
        raise BadSetting(
            "this is no URL of a W&B server",
            where=f"WANDB_BASE_URL={base}",
            hint="export WANDB_BASE_URL=https://HOST",
        )
    entity = os.environ.get("WANDB_ENTITY") or files.get("entity") or None
    of_environment = _of_environment(base) if _is_same_server(base, stated) else None
    return Account(base, _key(base, of_environment, files), entity)


def wrong_key(base: str) -> str:
    """The hint for a server that does not take the key."""
    return (
        f"wandb login --relogin --host={base}, or {_variables(base)}; "
        "check also what the key may see"
    )


def _variables(base: str) -> str:
    """What to set for a server."""
    server = "" if base == DEFAULT_BASE else f"WANDB_BASE_URL={base} and "
    return f"{server}WANDB_API_KEY with a key of {app_of(base)}/authorize"


def _is_same_server(base: str, stated: str) -> bool:
    here, there = urlsplit(base), urlsplit(stated)
    return here.scheme == there.scheme and here.netloc in (
        there.netloc,
        _SAME_SERVER.get(there.netloc),
    )


def _of_environment(base: str) -> str | None:
    """The key that the environment has. Raises AuthFailed for one that is not exchanged."""
    key = os.environ.get("WANDB_API_KEY")
    if os.environ.get("WANDB_IDENTITY_TOKEN_FILE") and not key:
        raise AuthFailed(
            "runferry does not exchange the identity token of WANDB_IDENTITY_TOKEN_FILE",
            where=base,
            hint=f"set {_variables(base)}",
        )
    return key


def _key(base: str, of_environment: str | None, files: dict[str, str]) -> str:
    """The environment's, then that of netrc, then that of the settings files."""
    stated = (files.get("base_url") or DEFAULT_BASE).strip().rstrip("/")
    of_files = files.get("api_key") if stated == base else None
    for found in (of_environment, _netrc(base), of_files):
        if found and (key := found.strip()):
            if not _KEY.fullmatch(key):
                raise AuthFailed(
                    "the key holds a character that no key has",
                    where=base,
                    hint="copy the key again, whole and on one line",
                )
            return key
    raise AuthFailed(
        "there is no key for this W&B server",
        where=base,
        hint=(
            f"wandb login --host={base}, or {_variables(base)}; runs in a folder are wandb:./FOLDER"
        ),
    )


def _netrc(base: str) -> str | None:
    path = _netrc_path()
    try:
        entries = netrc.netrc(str(path))
    except FileNotFoundError:
        return None
    except netrc.NetrcParseError as error:  # its text may hold a part of a password
        _log.warning("%s was not read: it is no netrc file at line %s", path, error.lineno)
        return None
    except OSError as error:
        _log.warning("%s was not read: %s", path, error.strerror)
        return None
    host = urlsplit(base).netloc
    for name in filter(None, (host, _SAME_SERVER.get(host))):
        if (found := entries.authenticators(name)) and found[2]:
            return found[2]
    return None


def _netrc_path() -> Path:
    if named := os.environ.get("NETRC"):
        return Path(named).expanduser()
    usual, windows = Path("~/.netrc").expanduser(), Path("~/_netrc").expanduser()
    return windows if windows.exists() and not usual.exists() else usual


def _settings_files() -> dict[str, str]:
    """The user's settings, and over them those of the current folder."""
    folder = Path(os.environ.get("WANDB_CONFIG_DIR") or "~/.config/wandb").expanduser()
    root = Path(os.environ.get("WANDB_DIR") or ".").expanduser()
    hidden = root / ".wandb"
    return {
        **_settings(folder / "settings"),
        **_settings((hidden if hidden.is_dir() else root / "wandb") / "settings"),
    }


def _settings(path: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
        return dict(parser.items(_SECTION)) if parser.has_section(_SECTION) else {}
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        _log.warning("%s was not read: %s", path, type(error).__name__)
        return {}
