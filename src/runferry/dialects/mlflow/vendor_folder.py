"""An artifact folder of any other place (s3://, gs://, hdfs://, …), through the vendor's code."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from runferry.dialects.mlflow.artifacts import Entry
from runferry.errors import MissingExtra
from runferry.model import Blob


class VendorFolder:
    """Any other place (s3://, gs://, hdfs://, …), through MLflow's own artifact repositories."""

    def __init__(self, uri: str) -> None:
        try:
            from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
        except ImportError as error:
            raise MissingExtra("mlflow", "mlflow") from error
        self._repository = get_artifact_repository(uri)

    def walk(self, below: str = "") -> Iterator[Entry]:
        """Folder by folder."""
        for info in self._repository.list_artifacts(below or None):
            if info.is_dir:
                yield from self.walk(info.path)
            else:
                yield Entry(info.path, info.file_size)

    def blob(self, entry: Entry) -> Blob:
        """Downloaded to a temporary file when asked for."""

        def fetched() -> BinaryIO:
            with tempfile.TemporaryDirectory() as folder:
                path = self._repository.download_artifacts(entry.path, folder)
                copy = tempfile.TemporaryFile()  # noqa: SIM115  handed to the caller open
                with Path(path).open("rb") as source:
                    shutil.copyfileobj(source, copy)
            copy.seek(0)
            return copy

        return Blob(entry.size, open=fetched)

    def put(self, path: str, source: BinaryIO) -> str:
        """Uploaded from a temporary file of the same name."""
        pure = PurePosixPath(path)
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder, pure.name)
            with local.open("wb") as draft:
                shutil.copyfileobj(source, draft)
            parent = str(pure.parent) if pure.parent != PurePosixPath(".") else None
            self._repository.log_artifact(str(local), parent)
        return path

    def replace(self, path: str, source: BinaryIO) -> None:
        """Uploads always replace."""
        self.put(path, source)

    def twin(self, path: str, copy: str, source: BinaryIO) -> None:
        """Uploaded twice."""
        self.put(copy, source)

    def settle(self) -> None:
        """An upload that returned is there."""

    def remove(self, path: str) -> None:
        """One object."""
        self._repository.delete_artifacts(path)

    def remove_all(self) -> None:
        """The whole prefix."""
        self._repository.delete_artifacts()
