"""Who we are to a tracking server, from where MLflow's own tools take it.

As `mlflow.utils.credentials` of 3.17.2 reads them: the environment before `~/.mlflow/credentials`.
"""

from __future__ import annotations

import configparser
import logging
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runferry.errors import BadSetting

USERNAME: Final = "MLFLOW_TRACKING_USERNAME"
PASSWORD: Final = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105  the name of a variable
TOKEN: Final = "MLFLOW_TRACKING_TOKEN"  # noqa: S105  the same
INSECURE: Final = "MLFLOW_TRACKING_INSECURE_TLS"
AUTHORITY: Final = "MLFLOW_TRACKING_SERVER_CERT_PATH"
HINT: Final = (
    f"{USERNAME}=NAME {PASSWORD}=… runferry … (or {TOKEN}=…), and ask what this user may do there"
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request carries, and whom it trusts. Its `repr` shows no secret."""

    auth: tuple[str, str] | str | None
    authority: Path | None
    verifies: bool

    def __repr__(self) -> str:
        return "Credentials(…)"


def credentials() -> Credentials:
    """Raises BadSetting for variables that contradict each other, as MLflow does."""
    user, password = _from_file()
    user = os.environ.get(USERNAME) or user
    password = os.environ.get(PASSWORD) or password
    authority = os.environ.get(AUTHORITY) or None
    is_insecure = os.environ.get(INSECURE, "").strip().lower() in ("true", "1")
    if is_insecure and authority:
        raise BadSetting(
            f"{INSECURE} trusts any server, {AUTHORITY} names whom to trust",
            hint=f"unset {INSECURE}",
        )
    if is_insecure:
        _log.warning("%s is set: nobody vouches for the server that gets the password", INSECURE)
    return Credentials(
        (user, password or "") if user else os.environ.get(TOKEN) or None,
        None if authority is None else Path(authority),
        not is_insecure,
    )


def _from_file() -> tuple[str | None, str | None]:
    """Section `mlflow` of the file that MLflow's documentation names."""
    parser = configparser.ConfigParser(interpolation=None)
    path = Path("~/.mlflow/credentials").expanduser()
    try:
        parser.read(path, "utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise BadSetting(
            f"this file cannot be read ({type(error).__name__})",
            where=str(path),
            hint=f"ls -l {shlex.quote(str(path))}",
        ) from None
    if not parser.has_section("mlflow"):
        return None, None
    section = parser["mlflow"]
    return section.get(USERNAME.lower()), section.get(PASSWORD.lower())
