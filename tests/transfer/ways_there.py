"""Where each destination of the registry can be written to in a test, and read back from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from runferry import registry, settings
from runferry.ports import Location


class Way(Protocol):
    """Gives an empty destination as long as it is open; what it makes lies below the folder."""

    def __call__(self, folder: Path) -> AbstractContextManager[Location]: ...


@contextmanager
def _mlflow_sqlite(folder: Path) -> Iterator[Location]:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    yield Location("mlflow", f"sqlite:///{folder}/runs.db")


@contextmanager
def _wandb_service(folder: Path) -> Iterator[Location]:
    """The stand-in; the vendor's own `wandb sync` uploads."""
    pytest.importorskip("wandb", reason="wandb is not installed")
    from runferry.testing.wandb_service import WandbService

    with WandbService() as service, _environment(service.environment(_home(folder))):
        yield Location("wandb", "lab/moved")
        assert not service.failures


@contextmanager
def _neptune_queue(folder: Path) -> Iterator[Location]:
    pytest.importorskip("neptune", reason="neptune is not installed")
    with (
        _environment({"NEPTUNE_DATA_DIRECTORY": str(folder / ".neptune")}),
        _set(settings.Settings(neptune_mode="offline")),
    ):
        yield Location("neptune", "team/project")


@contextmanager
def _neptune_server(folder: Path) -> Iterator[Location]:
    """The vendor's client against a stand-in that keeps what it sends."""
    pytest.importorskip("neptune", reason="neptune is not installed")
    from runferry.testing.neptune_backend import NeptuneServer

    with pytest.MonkeyPatch.context() as patch, _set(settings.Settings(neptune_mode="sync")):
        server = NeptuneServer(folder / "server")
        server.install(patch.setattr)
        server.add("team/project")
        yield Location("neptune", "team/project")
        assert server.refused == []


@contextmanager
def _clearml_server(folder: Path) -> Iterator[Location]:
    """The vendor's importer against a stand-in."""
    pytest.importorskip("clearml", reason="clearml is not installed")
    from runferry.testing.clearml_server import ClearmlServer

    with ClearmlServer() as server, _environment(server.environment(_home(folder))) as patch:
        patch.delenv("CLEARML_OFFLINE_MODE", raising=False)
        yield Location("clearml", "lab/moved")


@contextmanager
def _trackio_project(folder: Path) -> Iterator[Location]:
    with _environment({"TRACKIO_DIR": str(folder / "trackio")}):
        yield Location("trackio", "moved")


@contextmanager
def _aim_repository(folder: Path) -> Iterator[Location]:
    pytest.importorskip("aim", reason="aim is not installed")
    yield Location("aim", str(folder / "there"))


SERVED: Mapping[str, Mapping[str, Way]] = {
    "aim": {"repository": _aim_repository},
    "clearml": {"server": _clearml_server},
    "mlflow": {"sqlite": _mlflow_sqlite},
    "neptune": {"queue": _neptune_queue, "server": _neptune_server},
    "trackio": {"project": _trackio_project},
    "wandb": {"service": _wandb_service},
}
"""Places that are no folder, and what stands in for the server there."""

SLOW = frozenset(
    {
        "aim-repository",
        "clearml-server",
        "mlflow-sqlite",
        "neptune-queue",
        "neptune-server",
        "wandb-service",
    }
)
"""Where a vendor's own tool or database takes seconds for a run, or milliseconds for a key."""

SHARED = frozenset(
    {"csv-folder", "jsonl-folder", "neptune-folder", "trackio-folder", "trackio-project"}
)
"""Whose runs are kept by the code that keeps those of `parquet` and `swanlab`."""

NO_FOLDER = frozenset({"aim", "mlflow"})
"""Writers that cannot write to a folder by themselves: Aim's needs its SDK, and MLflow's file store
is only read."""

ONE_WAY = frozenset({"swanlab"})
"""Writers whose server gives nothing back, so that there is no way home: its cloud."""


@dataclass(frozen=True)
class Pair:
    """A destination, and a way there and back."""

    writer: str
    place: str
    way: Way

    def __str__(self) -> str:
        return f"{self.writer}-{self.place}"


def pairs() -> Iterator[Pair]:
    """Every destination that the registry knows: in a folder, and by what is named above."""
    for name in registry.writer_names():
        if name not in NO_FOLDER:
            yield Pair(name, "folder", _in_folder(name))
        for place, way in SERVED.get(name, {}).items():
            yield Pair(name, place, way)


def _in_folder(name: str) -> Way:
    @contextmanager
    def way(folder: Path) -> Iterator[Location]:
        yield Location(name, str(folder / "there"))

    return way


def _home(folder: Path) -> Path:
    home = folder / "home"
    home.mkdir()
    return home


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield patch


@contextmanager
def _set(chosen: settings.Settings) -> Iterator[None]:
    settings.install(chosen)
    try:
        yield
    finally:
        settings.install(None)
