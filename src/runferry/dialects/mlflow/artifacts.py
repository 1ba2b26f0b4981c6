"""A run's artifact folder, wherever it is: on this disk, or in a vendor's cloud."""

from __future__ import annotations

import filecmp
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from runferry.dialects.mlflow.paths import BUNDLE
from runferry.errors import MissingExtra, NoSpace, Refused, SourceError
from runferry.model import Blob


@dataclass(frozen=True, slots=True)
class Entry:
    """One file below an artifact folder; `path` is relative, with `/`."""

    path: str
    size: int | None


class ArtifactFolder(Protocol):
    """Where a run's artifacts are. Paths are relative, with `/`, and were made by `paths`."""

    def walk(self, below: str = "") -> Iterator[Entry]:
        """All files, sorted by path; nothing when the folder does not exist."""
        ...

    def blob(self, entry: Entry) -> Blob:
        """A file's bytes, read when they are asked for."""
        ...

    def put(self, path: str, source: BinaryIO) -> str:
        """Store a file, atomically; the path under which it now stands."""
        ...

    def replace(self, path: str, source: BinaryIO) -> None:
        """Store a file, atomically, in place of the one that is there."""
        ...

    def twin(self, path: str, copy: str, source: BinaryIO) -> None:
        """Store the same bytes once more; the same blocks where the disk can."""
        ...

    def settle(self) -> None:
        """Returns when all that was stored would survive a loss of power."""
        ...

    def remove(self, path: str) -> None:
        """Remove one file; fine when it is not there."""
        ...

    def remove_all(self) -> None:
        """Remove the whole folder."""
        ...


class NoFolder:
    """A run whose artifacts nobody can reach: nothing is listed, and nothing can be put."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    def walk(self, below: str = "") -> Iterator[Entry]:
        """Nothing."""
        return iter(())

    def blob(self, entry: Entry) -> Blob:
        """Missing bytes."""
        return Blob(entry.size)

    def put(self, path: str, source: BinaryIO) -> str:
        """Always Refused."""
        raise Refused(
            "the run's artifact folder cannot be reached from here",
            where=self._uri,
            hint="push to the tracking server that serves it: mlflow:http://HOST:PORT",
        )

    def replace(self, path: str, source: BinaryIO) -> None:
        """Always Refused."""
        self.put(path, source)

    def twin(self, path: str, copy: str, source: BinaryIO) -> None:
        """Always Refused."""
        self.put(copy, source)

    def settle(self) -> None:
        """Nothing was stored."""

    def remove(self, path: str) -> None:
        """Nothing to remove."""

    def remove_all(self) -> None:
        """Nothing to remove."""


class LocalFolder:
    """A folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._unsettled: set[Path] = set()

    def walk(self, below: str = "") -> Iterator[Entry]:
        """Regular files only; what a link leads to outside the folder is not ours to read."""
        top = self.root / below if below else self.root
        for folder, folders, files in os.walk(top):
            folders.sort()
            for name in sorted(files):
                path = Path(folder, name)
                relative = path.relative_to(self.root).as_posix()
                if path.is_file() and not path.is_symlink() and not _is_temporary(relative):
                    yield Entry(relative, path.stat().st_size)

    def blob(self, entry: Entry) -> Blob:
        """A file's bytes."""
        return Blob.from_path(self._inside(entry.path))

    def put(self, path: str, source: BinaryIO) -> str:
        """A temporary file, then one rename; a file of other content that is there is kept.

        Two names can meet on a disk that ignores case: who comes second gets a suffix.
        """
        try:
            return self._put(path, source)
        except OSError as error:
            raise _storage_error(error, self.root) from error

    def _put(self, path: str, source: BinaryIO) -> str:
        target = self._inside(
            free_path(path, lambda p: self._inside(p).is_file(), lambda p: self._inside(p).is_dir())
        )
        draft = self._draft(source)
        try:
            taken, copy = target, 1
            while taken.exists() and not filecmp.cmp(taken, draft, shallow=False):
                copy += 1
                taken = target.with_name(f"{target.stem}~{copy}{target.suffix}")
            taken.parent.mkdir(parents=True, exist_ok=True)
            draft.replace(taken)
            self._unsettled.add(taken)
        finally:
            draft.unlink(missing_ok=True)
        return taken.relative_to(self.root).as_posix()

    def replace(self, path: str, source: BinaryIO) -> None:
        """Store a file in place of the one that is there."""
        try:
            target = self._inside(path)
            draft = self._draft(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            draft.replace(target)
            self._unsettled.add(target)
        except OSError as error:
            raise _storage_error(error, self.root) from error

    def twin(self, path: str, copy: str, source: BinaryIO) -> None:
        """A hard link where the disk has such."""
        link = self._inside(copy)
        try:
            link.hardlink_to(self._inside(path))
        except FileExistsError:
            return
        except OSError:
            self.replace(copy, source)

    def _draft(self, source: BinaryIO) -> Path:
        folder = self.root / BUNDLE
        folder.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix=".part-", dir=folder)
        with os.fdopen(number, "wb") as draft:
            shutil.copyfileobj(source, draft, 1 << 20)
        Path(name).chmod(0o644)
        return Path(name)

    def settle(self) -> None:
        """Force to the disk what was stored, and the folders that name it."""
        paths = self._unsettled | {path.parent for path in self._unsettled}
        for path in sorted(paths):
            if path.is_dir() and sys.platform == "win32":
                continue  # no such thing there
            try:
                _force(path)
            except OSError as error:
                raise _storage_error(error, self.root) from error
        self._unsettled.clear()

    def remove(self, path: str) -> None:
        """One file."""
        self._inside(path).unlink(missing_ok=True)

    def remove_all(self) -> None:
        """The folder, and the run's own folder above it once that is empty."""
        shutil.rmtree(self.root, ignore_errors=True)
        if self.root.name == "artifacts" and self.root.parent.is_dir():
            try:
                self.root.parent.rmdir()
            except OSError:
                return  # somebody else's files are in there: they stay

    def _inside(self, path: str) -> Path:
        target = self.root.joinpath(*PurePosixPath(path).parts)
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise Refused("an artifact's path leads out of its folder", where=path)
        return target


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


def free_path(path: str, is_file: Callable[[str], bool], is_folder: Callable[[str], bool]) -> str:
    """The path, or one near it where a file stands for a folder of its name, or a folder for it.

    Trackers without folders may hold both `a` and `a/b`.
    """
    parts = path.split("/")
    for count in range(1, len(parts)):
        while is_file("/".join(parts[:count])):
            parts[count - 1] += "~d"
    while is_folder("/".join(parts)):
        parts[-1] += "~f"
    return "/".join(parts)


def local_path(uri: str) -> Path | None:
    """The folder behind an artifact URI of this machine; None for any other place.

    A drive letter of another system's path is not a scheme, and not a path here either.
    """
    if PureWindowsPath(uri).drive and sys.platform != "win32":
        return None
    parts = urlsplit(uri)
    if parts.scheme == "file":
        path = unquote(parts.path)
        if sys.platform == "win32" or PureWindowsPath(path.lstrip("/")).drive:
            path = path.lstrip("/")
        return None if PureWindowsPath(path).drive and sys.platform != "win32" else Path(path)
    return Path(uri) if not parts.scheme or len(parts.scheme) == 1 else None


def folder_at(uri: str | None) -> ArtifactFolder:
    """The folder behind a run's artifact URI, when it is not served by a tracking server."""
    if not uri:
        return NoFolder("")
    path = local_path(uri)
    if path is not None:
        return LocalFolder(path)
    scheme = urlsplit(uri).scheme
    if scheme in ("mlflow-artifacts", "http", "https", "file", "") or len(scheme) == 1:
        return NoFolder(uri)
    return VendorFolder(uri)


def _force(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_temporary(path: str) -> bool:
    return path.startswith(f"{BUNDLE}/.part-")


def _storage_error(error: OSError, root: Path) -> NoSpace | Refused | SourceError:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace("the disk is full", where=str(root), hint="free some space and run again")
    return Refused(
        f"the artifact folder cannot be written ({error.strerror})",
        where=str(root),
        hint="check its permissions, then run again",
    )
