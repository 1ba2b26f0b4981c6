"""Where the files of a version of a registered model are: its source in any of MLflow's spellings.

A source is free text that anybody may have written. Of this machine only folders are read that hold
a model, or lie among a run's artifacts.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from runferry.dialects.mlflow.artifacts import ArtifactFolder, Entry, NoFolder
from runferry.dialects.mlflow.local_folder import LocalFolder
from runferry.dialects.mlflow.located import local_path
from runferry.dialects.mlflow.logged import ModelFiles
from runferry.dialects.mlflow.registry import NativeVersion
from runferry.model import Blob

_MODEL: Final = "MLmodel"


class Places(Protocol):
    """What a store knows of the places that sources name."""

    def run_folder(self, run_id: str) -> tuple[ArtifactFolder, str] | None:
        """A run's artifacts, and the URI that its row gives for them."""
        ...

    def logged_model(self, model_id: str) -> ArtifactFolder | None:
        """A logged model's artifacts."""
        ...

    def located(self, uri: str) -> ArtifactFolder:
        """Any other place."""
        ...


def files_of(version: NativeVersion, places: Places) -> ModelFiles:
    """The version's files; `NoFolder` where we cannot look."""
    if version.model_id is not None:
        found = places.logged_model(version.model_id)
        if found is not None:
            return Below(found)
    source = version.location or version.source
    if source.startswith("runs:"):
        run_id, _, path = urlsplit(source).path.strip("/").partition("/")
        run = places.run_folder(run_id)
        return NoFolder(source) if run is None else Below(run[0], _plain(path))
    if version.run_id:
        run = places.run_folder(version.run_id)
        inside = None if run is None else _within(source, run[1])
        if run is not None and inside is not None:
            return Below(run[0], inside)
    return _elsewhere(source, places)


def _elsewhere(source: str, places: Places) -> ModelFiles:
    folder = places.located(source)
    if isinstance(folder, NoFolder):
        return folder
    if isinstance(folder, LocalFolder) and not (folder.root / _MODEL).is_file():
        return NoFiles()
    return Below(folder)


@dataclass(frozen=True, slots=True)
class Below:
    """A folder inside an artifact folder, as one of its own."""

    folder: ArtifactFolder
    path: str = ""

    def walk(self) -> Iterator[Entry]:
        """All files, seen from here."""
        prefix = f"{self.path.strip('/')}/" if self.path.strip("/") else ""
        for entry in self.folder.walk(prefix.rstrip("/")):
            yield Entry(entry.path.removeprefix(prefix), entry.size)

    def blob(self, entry: Entry) -> Blob:
        """See `ArtifactFolder`."""
        path = "/".join(filter(None, (self.path.strip("/"), entry.path)))
        return self.folder.blob(Entry(path, entry.size))


class NoFiles:
    """A place that is there, and holds nothing that is ours to read."""

    def walk(self) -> Iterator[Entry]:
        """Nothing."""
        return iter(())

    def blob(self, entry: Entry) -> Blob:
        """Missing bytes."""
        return Blob(entry.size)


def _within(source: str, root: str) -> str | None:
    """The path of a source below an artifact root; None where it is elsewhere."""
    seen, base = _spelled(source), _spelled(root)
    if seen == base:
        return ""
    return _plain(seen.removeprefix(f"{base}/")) if seen.startswith(f"{base}/") else None


def _spelled(uri: str) -> str:
    path = local_path(uri)
    return (uri if path is None else path.as_posix()).rstrip("/")


def _plain(path: str) -> str:
    """A relative path without a way out of its folder."""
    plain = posixpath.normpath(f"/{unquote(path)}").lstrip("/")
    return "" if plain == "." else plain
