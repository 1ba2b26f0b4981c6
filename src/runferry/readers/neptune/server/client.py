"""The vendor's client: opening what it calls containers, and its errors as ours.

The token is the vendor's own `NEPTUNE_API_TOKEN`: read by it, and never by us.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from runferry.dialects.neptune.names import Container
from runferry.errors import (
    AuthFailed,
    Declined,
    MissingExtra,
    NotFound,
    RunferryError,
    ServiceError,
    Unreachable,
)

_LOGGERS: Final = ("neptune", "neptune_no_prefix")
_LOG_IN: Final = "export NEPTUNE_API_TOKEN=…  # User menu of the web app, Get your API token"
_OPENERS: Final[dict[Container, str]] = {
    "run": "init_run",
    "model": "init_model",
    "model_version": "init_model_version",
}


@contextmanager
def vendor(where: str) -> Iterator[Any]:
    """The package `neptune`, silent on standard output; its errors become ours.

    Raises MissingExtra, AuthFailed, NotFound, Declined, Unreachable, ServiceError.
    """
    try:
        import neptune
    except ModuleNotFoundError as error:
        if error.name != "neptune":
            raise
        raise MissingExtra("neptune", "neptune") from None
    _quiet()
    try:
        yield neptune
    except RunferryError:
        raise
    except Exception as error:
        ours = _as_ours(error, where)
        if ours is None:
            raise
        raise ours from error


def open_project(neptune: Any, project: str) -> Any:
    """A project, to be read only."""
    return neptune.init_project(project=project, mode="read-only")


def open_container(neptune: Any, project: str, kind: Container, sys_id: str) -> Any:
    """A run, model or model version, to be read only."""
    if kind == "project":
        return open_project(neptune, project)
    opener = getattr(neptune, _OPENERS[kind])
    return opener(project=project, with_id=sys_id, mode="read-only")


def _quiet() -> None:
    """The client's loggers write to standard output, which is for data."""
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)


def _as_ours(error: Exception, where: str) -> RunferryError | None:
    """Our error for one of the vendor's or of the network; None for a fault of the program."""
    import requests
    from bravado.exception import HTTPError
    from neptune import exceptions as known
    from neptune.common import exceptions as common

    what = next((line.strip() for line in str(error).splitlines() if _says_something(line)), "")
    what = f"Neptune's client: {what or type(error).__name__}"
    if isinstance(
        error,
        (
            known.NeptuneMissingApiTokenException,
            common.NeptuneInvalidApiTokenException,
            common.Unauthorized,
            common.Forbidden,
        ),
    ):
        return AuthFailed(what, where=where, hint=_LOG_IN)
    if isinstance(error, (known.MetadataContainerNotFound, known.ContainerUUIDNotFound)):
        return NotFound(what, where=where, hint="runferry ls neptune:WORKSPACE")
    if isinstance(
        error,
        (
            common.NeptuneConnectionLostException,
            common.InternalServerError,
            known.CannotResolveHostname,
            requests.RequestException,
            ConnectionError,
        ),
    ):
        return Unreachable(what, where=where, hint="is NEPTUNE_API_TOKEN of a server that runs?")
    if isinstance(error, HTTPError):
        return Declined(what, where=where, status=error.status_code)
    if isinstance(error, common.NeptuneException):
        return ServiceError(what, where=where, hint="pip install --upgrade neptune")
    return None


def _says_something(line: str) -> bool:
    """The vendor's messages begin with a line of dashes, colours, and the error's own name."""
    plain = line.strip()
    return bool(plain) and not plain.startswith("----") and "\x1b" not in line
