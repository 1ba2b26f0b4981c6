"""What the vendor's client raises, as our errors: one rule for whoever reads or writes.

The client itself waits and asks again for a minute (`NEPTUNE_RETRIES_TIMEOUT`) where a server is
down or wants to be asked later, before it says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from runferry.errors import (
    AuthFailed,
    Declined,
    NotFound,
    Refused,
    RunferryError,
    Throttled,
    Unreachable,
)

_LOG_IN: Final = "export NEPTUNE_API_TOKEN=…  # User menu of the web app, Get your API token"
_AGAIN: Final = "is NEPTUNE_API_TOKEN of a server that runs? then the same command again resumes"
_TOO_MANY: Final = 429
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
_QUOTED: Final = re.compile(r'"([^"\s]+)"')

Types = tuple[type[Exception], ...]


@dataclass(frozen=True)
class _Kinds:
    """The exceptions of the vendor and of what it calls, by what they mean."""

    no_token: Types
    closed: Types
    missing: Types
    refused: Types
    silent: Types
    status: Types
    vendors: Types


@cache
def _kinds() -> _Kinds:
    from bravado.exception import HTTPError, HTTPServerError
    from neptune import exceptions as known
    from neptune.common import exceptions as common
    from neptune.management import exceptions as managing
    from requests import RequestException

    return _Kinds(
        no_token=(known.NeptuneMissingApiTokenException,),
        closed=(common.NeptuneInvalidApiTokenException, common.Unauthorized, common.Forbidden),
        missing=(
            known.MetadataContainerNotFound,
            known.ContainerUUIDNotFound,
            managing.ProjectNotFound,
            managing.WorkspaceNotFound,
            managing.WorkspaceOrUserNotFound,
            managing.ObjectNotFound,
        ),
        refused=(
            known.MetadataInconsistency,
            known.FileUploadError,
            known.FileSetUploadError,
            known.NeptuneLimitExceedException,
            known.NeptuneFieldCountLimitExceedException,
            known.NeptuneStorageLimitException,
            common.WritingToArchivedProjectException,
        ),
        silent=(
            common.NeptuneConnectionLostException,
            common.InternalServerError,
            known.CannotResolveHostname,
            known.NeptuneSynchronizationAlreadyStoppedException,
            HTTPServerError,
            RequestException,
            ConnectionError,
            TimeoutError,
        ),
        status=(common.ClientHttpError, HTTPError),
        vendors=(common.NeptuneException, managing.ManagementOperationFailure),
    )


def as_ours(error: Exception, where: str) -> RunferryError | None:
    """Our error for one of the vendor's or of the network; None for every other.

    No or a wrong token is AuthFailed; what is not there NotFound; a limit of the rate Throttled; no
    answer Unreachable; what the destination will not hold Refused; any other no is Declined.
    """
    kinds, said = _kinds(), f"Neptune: {_first_line(error)}"
    if isinstance(error, kinds.no_token):
        return AuthFailed("no token for Neptune is set", where=where, hint=_LOG_IN)
    if isinstance(error, kinds.closed):
        return AuthFailed("Neptune does not accept the token here", where=where, hint=_LOG_IN)
    if isinstance(error, kinds.missing):
        return _not_found(error, where)
    if isinstance(error, kinds.refused):
        return Refused(said, where=where)
    status = _status_of(error)
    if status == _TOO_MANY:
        return Throttled("Neptune asks to wait", where=where, hint=_AGAIN, after=_pause_of(error))
    if isinstance(error, kinds.silent):
        return Unreachable(said, where=where, hint=_AGAIN)
    if isinstance(error, (*kinds.status, *kinds.vendors)):
        return Declined(said, where=where, status=status)
    return None


def _first_line(error: Exception) -> str:
    """What it says; the vendor's messages begin with colours, and its name between dashes."""
    lines = (line.strip() for line in _COLOURS.sub("", str(error)).splitlines())
    told = (line for line in lines if line and not line.startswith(("-", "─")))
    return next(told, type(error).__name__)[:300]


def _not_found(error: Exception, where: str) -> NotFound:
    """With a hint that lists what there is around it.

    Where the client lists projects beside the missing one, its `container_id` is all of that.
    """
    told = str(getattr(error, "container_id", ""))
    quoted = _QUOTED.search(told)
    name = told if "\n" not in told else quoted[1] if quoted else ""
    kind = getattr(getattr(error, "container_type", None), "value", "object")
    what = f"there is no {kind} of this name" if name else _first_line(error)
    around = name.rpartition("/")[0] or "WORKSPACE"
    return NotFound(f"Neptune: {what}", where=name or where, hint=f"runferry ls neptune:{around}")


def _answered(error: Exception) -> Exception:
    """The answer of the server for which the client gave up, where there was one."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, Exception) else error


def _status_of(error: Exception) -> int:
    answered = _answered(error)
    response = getattr(answered, "response", None)
    for holder, name in (
        (answered, "status"),
        (answered, "status_code"),
        (response, "status_code"),
    ):
        status = getattr(holder, name, None)
        if isinstance(status, int):
            return status
    return 0


def _pause_of(error: Exception) -> float:
    """Seconds that the server asks for; 0 where it does not say."""
    headers = getattr(getattr(_answered(error), "response", None), "headers", None) or {}
    try:
        return float(headers.get("retry-after", 0))
    except ValueError:  # a date
        return 0.0
