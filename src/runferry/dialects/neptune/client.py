"""The door to the vendor's client: what we use of it, its noise, its exceptions.

The token is the vendor's own `NEPTUNE_API_TOKEN`: read by it, and never by us.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NewType, Protocol

from runferry.dialects.neptune.client_errors import as_ours
from runferry.dialects.neptune.names import Container
from runferry.dialects.neptune.places import queues_in
from runferry.errors import MissingExtra
from runferry.settings import NeptuneMode
from runferry.thrift import stand_in_for_pandas

if TYPE_CHECKING:
    from datetime import datetime

_LOGGERS: Final = ("neptune", "neptune_no_prefix")
_LAST_IMPORTED: Final = "neptune.types"
_OPENERS: Final[dict[Container, str]] = {
    "run": "init_run",
    "model": "init_model",
    "model_version": "init_model_version",
}


class RemoteAttribute(Protocol):
    """`neptune.handler.Handler`, as far as we use it."""

    def assign(  # noqa: D102
        self, value: bool | int | float | str | datetime | NewSeries
    ) -> None: ...
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
    def fetch(self) -> str: ...  # noqa: D102


NewSeries = NewType("NewSeries", object)
"""What `new_series` makes."""


def new_series(
    values: Collection[object], *, steps: Collection[float], timestamps: Collection[float]
) -> NewSeries:
    """A series to be assigned: its values are numbers, or texts.

    The client checks each value of it once; `extend` twice, and each step and time besides.
    """
    from neptune.types import FloatSeries, StringSeries

    has_texts = all(isinstance(value, str) for value in values)
    kind = StringSeries if has_texts else FloatSeries
    return NewSeries(kind(values, steps=steps, timestamps=timestamps))


class RemoteRun(Protocol):
    """`neptune.Run`, as far as we use it."""

    def __getitem__(self, path: str) -> RemoteAttribute: ...
    def get_structure(self) -> dict[str, object]: ...  # noqa: D102
    def exists(self, path: str) -> bool: ...  # noqa: D102
    def wait(self) -> None: ...  # noqa: D102
    def sync(self) -> None: ...  # noqa: D102
    def stop(self, seconds: float | None = None) -> None: ...  # noqa: D102


def client() -> ModuleType:
    """The package `neptune`. Raises MissingExtra.

    It writes its log to stdout, which is for what a command prints: here it goes where ours goes.
    """
    try:
        if _LAST_IMPORTED not in sys.modules:
            _import_quietly()
        import neptune
        from neptune.common.warnings import NeptuneDeprecationWarning as Deprecated
    except ImportError as error:
        raise MissingExtra("neptune", "neptune") from error
    # that models ought to become runs, said to whoever has us make runs of them; the vendor's
    # filter, which shows it always, holds for the calls of others only
    warnings.filterwarnings("ignore", category=Deprecated, module=r"runferry\.")
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.ERROR)
    found: ModuleType = neptune
    return found


def _import_quietly() -> None:
    """Once, and not by each writer and for each file: meanwhile, no thread has pandas."""
    with stand_in_for_pandas(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages that it brings along
        import neptune.exceptions
        import neptune.management
        import neptune.types  # noqa: F401


@contextmanager
def in_our_words(where: str) -> Iterator[None]:
    """The vendor's exceptions as ours, which `client_errors` tells; others pass as they are."""
    try:
        yield
    except Exception as error:
        ours = as_ours(error, where)
        if ours is None:
            raise
        raise ours from error


def open_project(neptune: ModuleType, project: str, queue: Path) -> RemoteRun:
    """A project to write to; `queue` is where it keeps what is not sent yet."""
    with queues_in(queue), in_our_words(f"neptune:{project}"):
        opened: RemoteRun = neptune.init_project(project=project, mode="sync")
        return opened


def to_read(neptune: ModuleType, project: str) -> Any:
    """A project, to be read only."""
    return neptune.init_project(project=project, mode="read-only")


def container_to_read(neptune: ModuleType, project: str, kind: Container, sys_id: str) -> Any:
    """A run, model or model version, to be read only."""
    return getattr(neptune, _OPENERS[kind])(project=project, with_id=sys_id, mode="read-only")


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
