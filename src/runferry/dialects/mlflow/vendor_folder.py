"""An artifact folder of any other place (s3://, gs://, hdfs://, …), through the vendor's code."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from runferry.dialects.mlflow.artifacts import Entry, UploadFolder
from runferry.dialects.mlflow.vendor import missing_driver, refused_as
from runferry.errors import MissingExtra, Refused, RunferryError, Unreachable
from runferry.model import Blob
from runferry.redact import without_credentials

_PASSING: Final = ("connect", "timeout", "timedout", "throttl", "slowdown", "unavailable")
"""Words in the names of errors that are worth another try."""


class VendorFolder(UploadFolder):
    """Any other place, through MLflow's own artifact repositories."""

    def __init__(self, uri: str) -> None:
        try:
            from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
        except ImportError as error:
            raise MissingExtra("mlflow", "mlflow") from error
        self._where = without_credentials(uri)
        with self._ours():
            self._repository = get_artifact_repository(uri)

    def walk(self, below: str = "") -> Iterator[Entry]:
        """Folder by folder."""
        with self._ours():
            infos = list(self._repository.list_artifacts(below or None))
        for info in infos:
            if info.is_dir:
                yield from self.walk(info.path)
            else:
                yield Entry(info.path, info.file_size)

    def blob(self, entry: Entry) -> Blob:
        """Downloaded to a temporary file when asked for."""

        def fetched() -> BinaryIO:
            with tempfile.TemporaryDirectory() as folder:
                with self._ours():
                    path = self._repository.download_artifacts(entry.path, folder)
                copy = tempfile.TemporaryFile()  # noqa: SIM115  handed to the caller open
                with Path(path).open("rb") as source:
                    shutil.copyfileobj(source, copy)
            copy.seek(0)
            return copy

        return Blob(entry.size, open=fetched)

    def upload(self, path: str, source: BinaryIO) -> None:
        """From a temporary file of the same name."""
        pure = PurePosixPath(path)
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder, pure.name)
            with local.open("wb") as draft:
                shutil.copyfileobj(source, draft)
            parent = str(pure.parent) if pure.parent != PurePosixPath(".") else None
            with self._ours():
                self._repository.log_artifact(str(local), parent)

    def remove(self, path: str) -> None:
        """One object."""
        with self._ours():
            self._repository.delete_artifacts(path)

    def remove_all(self) -> None:
        """The whole prefix."""
        with self._ours():
            self._repository.delete_artifacts()

    @contextmanager
    def _ours(self) -> Iterator[None]:
        """What the SDK of any cloud raises, in our words."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except MlflowException as error:
            raise refused_as(error, self._where) from error
        except ModuleNotFoundError as error:
            raise missing_driver(error) from error
        except Exception as error:
            raise self._as_ours(error) from error

    def _as_ours(self, error: Exception) -> RunferryError:
        kind = type(error).__name__
        said = without_credentials(str(error).partition("\n")[0][:200])
        what = f"the artifact store failed ({kind}: {said})"
        code = f"{kind} {said}".lower().replace(" ", "")
        if isinstance(error, OSError) or any(word in code for word in _PASSING):
            return Unreachable(what, where=self._where, hint="run the same command again to resume")
        return Refused(what, where=self._where, hint="check the store's address and credentials")
