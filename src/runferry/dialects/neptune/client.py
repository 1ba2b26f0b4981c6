"""The door to the vendor's client: what we use of it, its noise, its exceptions."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, Protocol

from runferry.dialects.neptune.places import queues_in
from runferry.errors import (
    AuthFailed,
    Declined,
    MissingExtra,
    Refused,
    RunferryError,
    Unreachable,
)
from runferry.settings import NeptuneMode

if TYPE_CHECKING:
    from datetime import datetime

_LOGGERS: Final = ("neptune", "neptune_no_prefix")
_AUTH: Final = {
    "NeptuneInvalidApiTokenException", "NeptuneMissingApiTokenException", "Unauthorized",
    "NeptuneAuthTokenExpired", "Forbidden",
}  # fmt: skip
_SILENT: Final = {
    "NeptuneConnectionLostException", "InternalServerError", "CannotResolveHostname",
    "NeptuneSynchronizationAlreadyStoppedException",
}  # fmt: skip


class RemoteAttribute(Protocol):
    """`neptune.handler.Handler`, as far as we use it."""

    def assign(self, value: bool | int | float | str | datetime) -> None: ...  # noqa: D102
    def add(self, values: Collection[str]) -> None: ...  # noqa: D102
    def extend(  # noqa: D102
        self,
        values: Collection[object],
        *,
        steps: Collection[float],
        timestamps: Collection[float],
    ) -> None: ...
    def upload(self, value: str) -> None: ...  # noqa: D102
    def upload_files(self, value: str) -> None: ...  # noqa: D102
    def track_files(self, path: str, *, destination: str | None) -> None: ...  # noqa: D102
    def pop(self) -> None: ...  # noqa: D102
    def clear(self) -> None: ...  # noqa: D102


class RemoteRun(Protocol):
    """`neptune.Run`, as far as we use it."""

    def __getitem__(self, path: str) -> RemoteAttribute: ...
    def get_structure(self) -> dict[str, object]: ...  # noqa: D102
    def exists(self, path: str) -> bool: ...  # noqa: D102
    def wait(self) -> None: ...  # noqa: D102
    def sync(self) -> None: ...  # noqa: D102
    def stop(self) -> None: ...  # noqa: D102


def client() -> ModuleType:
    """The package `neptune`. Raises MissingExtra.

    It writes its log to stdout, which is for what a command prints: here it goes where ours goes.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of packages that it brings along
            import neptune
            import neptune.exceptions
            import neptune.management
            import neptune.types
    except ImportError as error:
        raise MissingExtra("neptune", "neptune") from error
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.ERROR)
    found: ModuleType = neptune
    return found


@contextmanager
def in_our_words(where: str) -> Iterator[None]:
    """The vendor's exceptions as ours."""
    from neptune.common.exceptions import NeptuneException
    from neptune.management.exceptions import ManagementOperationFailure

    try:
        yield
    except (NeptuneException, ManagementOperationFailure) as error:
        raise _said(error, where) from error
    except (ConnectionError, TimeoutError) as error:
        raise Unreachable(
            "Neptune does not answer", where=where, hint="run the same command again to resume"
        ) from error


def _said(error: Exception, where: str) -> RunferryError:
    name = type(error).__name__
    lines = (line.strip() for line in str(error).splitlines())
    said = next((line for line in lines if line and not line.startswith(("-", "─"))), name)[:300]
    if name in _AUTH:
        return AuthFailed(
            "Neptune does not accept the token", where=where, hint="set NEPTUNE_API_TOKEN"
        )
    if name in _SILENT:
        return Unreachable(said, where=where, hint="run the same command again to resume")
    if name in ("ClientHttpError", "ProjectsLimitReached", "ActiveProjectsLimitReachedException"):
        return Declined(said, where=where)
    return Refused(said, where=where)


def open_project(neptune: ModuleType, project: str, queue: Path) -> RemoteRun:
    """A project to write to; `queue` is where it keeps what is not sent yet."""
    with queues_in(queue), in_our_words(f"neptune:{project}"):
        opened: RemoteRun = neptune.init_project(project=project, mode="sync")
        return opened


def cell(entry: Any, path: str) -> object:
    """A cell of the table of runs; None where the run has no such attribute."""
    try:
        value: object = entry.get_attribute_value(path)
    except ValueError:
        return None
    return value


def open_run(
    neptune: ModuleType, mode: NeptuneMode, project: str, run_id: str | None, queue: Path
) -> RemoteRun:
    """A run with nothing captured; `queue` is where it keeps what is not sent yet."""
    with queues_in(queue), in_our_words(f"neptune:{project}"):
        opened: RemoteRun = neptune.init_run(
            project=project,
            custom_run_id=run_id,
            mode=mode,
            source_files=[],
            capture_stdout=False,
            capture_stderr=False,
            capture_hardware_metrics=False,
            capture_traceback=False,
            fail_on_exception=False,
            git_ref=False,
            monitoring_namespace="monitoring",
        )
        return opened
