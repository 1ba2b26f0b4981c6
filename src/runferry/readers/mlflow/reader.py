"""The reader: which store stands behind a location, and a run's chunks in order."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

from runferry.chunks import Checkpoint, Chunk, Header, Lost
from runferry.dialects.mlflow import schema
from runferry.dialects.mlflow.artifacts import Entry
from runferry.dialects.mlflow.bundle import all_parts
from runferry.dialects.mlflow.header import as_run
from runferry.dialects.mlflow.logged import JOB_TYPE, is_model_id
from runferry.dialects.mlflow.registry import is_model_key
from runferry.dialects.mlflow.tags import TRACKER
from runferry.errors import BadLocation, NotFound, SourceChanged
from runferry.model import Cursor, Kind, Run, Tree
from runferry.paths import looked_into, regular
from runferry.ports import Location, ReadOptions
from runferry.readers.mlflow.file_folders import META
from runferry.readers.mlflow.filestore import FileStore
from runferry.readers.mlflow.plain import foreign_folder, plain_chunks
from runferry.readers.mlflow.registered import model_chunks, model_runs, position_of
from runferry.readers.mlflow.restore import restored_chunks
from runferry.readers.mlflow.sqlite import SqliteStore
from runferry.readers.mlflow.store import Store, digest, gone

_log = logging.getLogger(__name__)
_MAGIC = b"SQLite format 3\0"


class MlflowReader:
    """Reads `./mlruns`, `sqlite:///runs.db` (or the file's path), `http://…`, any SQL URI."""

    name: ClassVar[str] = TRACKER
    gives: ClassVar[frozenset[Kind]] = frozenset({
        "scalar", "image", "table", "file", "other", "config", "environment", "artifact",
        "document",
    })  # fmt: skip

    def __init__(self, store: Store, where: str, options: ReadOptions) -> None:
        self._store = store
        self._where = where
        self._options = options

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """A folder of experiments, or a sqlite file with runs."""
        if path.is_dir():
            return _holds_experiments(path)
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC and _has_runs(path)

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound, BadLocation, UnknownVersion, AuthFailed, Unreachable, MissingExtra."""
        return cls(_store_at(where), str(where), options)

    def runs(self) -> Iterator[Run]:
        """Headers as MLflow holds them; `read` ends with the restored one."""
        for native in self._store.runs(include_deleted=self._options.include_deleted):
            yield as_run(native)
        for model, experiment in self._store.orphans():
            yield model.run(experiment)
        yield from model_runs(self._store)
        deleted = 0 if self._options.include_deleted else self._store.deleted()
        if deleted:
            _log.warning(
                "%s: deleted runs left out: %d (--include-deleted takes them too)",
                self._where,
                deleted,
            )

    def experiment_of(self, number: str) -> str | None:
        """The name of the experiment with this id; None where no run is in one."""
        runs = self._store.runs(include_deleted=self._options.include_deleted)
        return next((it.experiment for it in runs if it.experiment_id == number), None)

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """The run's chunks. A run that has changed in any way is read whole again."""
        if is_model_key(run.key):
            yield from self._read_model(run, after)
            return
        if run.job_type == JOB_TYPE and is_model_id(run.key.run_id):
            yield from self._read_orphan(run, after)
            return
        native = self._store.run(run.key.run_id)
        stored = list(self._store.folder(native).walk())
        # a run without our mark has no bundle: the folder is another run's
        is_foreign = native.uid is None and bool(all_parts(stored))
        entries = [] if is_foreign else stored
        position: dict[str, Tree] = {
            "state": self._store.state(native),
            "artifacts": digest([[e.path, e.size] for e in entries]),
        }
        if after is not None:
            if after.position == position:
                yield Checkpoint(position)
                return
            raise SourceChanged(
                f"run {run.key.run_id} is not what it was when it was last read",
                where=self._where,
            )
        if is_foreign:
            yield Lost(foreign_folder(len(stored)))
        if all_parts(entries):
            yield from restored_chunks(self._store, native, _by_path(entries))
        else:
            yield from plain_chunks(self._store, native, _by_path(entries))
        yield Checkpoint(position)

    def _read_orphan(self, run: Run, after: Cursor | None) -> Iterator[Chunk]:
        """A logged model that no run made: the run that stands for it holds nothing else."""
        for _ in self._store.losses():
            pass  # of the listing: whatever is read tells its own once more
        model = next((one for one, _ in self._store.orphans(run.key.run_id)), None)
        if model is None:
            raise gone(f"logged model {run.key.run_id}", self._where)
        position: dict[str, Tree] = {"model": digest(model.name, model.facts)}
        if after is not None and after.position != position:
            raise SourceChanged("the logged model has changed", where=self._where)
        if after is None:
            yield model.artifact(self._store.model_folder(model))
            for loss in self._store.losses():
                yield Lost(loss)
            yield Header(run)
        yield Checkpoint(position)

    def _read_model(self, run: Run, after: Cursor | None) -> Iterator[Chunk]:
        model = self._store.registry.model(run.key.run_id)
        if model is None:
            raise gone(f"registered model {run.key.run_id}", self._where)
        position = position_of(model)
        if after is not None and after.position != position:
            raise SourceChanged(
                f"the registered model {model.name} is not what it was when it was last read",
                where=self._where,
            )
        if after is None:
            yield from model_chunks(self._store, model)
        yield Checkpoint(position)

    def close(self) -> None:
        """Let go of files and connections."""
        self._store.close()


def _by_path(entries: list[Entry]) -> dict[str, Entry]:
    return {entry.path: entry for entry in entries}


def _store_at(where: Location) -> Store:
    uri = where.where
    if Path(uri).expanduser().exists():
        return _store_of_path(Path(uri).expanduser())
    if uri.startswith(("http://", "https://")):
        from runferry.dialects.mlflow.server import Server
        from runferry.readers.mlflow.server import ServerStore

        return ServerStore(Server.at(uri))
    if schema.is_sqlite(uri):
        return SqliteStore(schema.database_path(uri))
    if uri.startswith("file:"):
        from runferry.dialects.mlflow.located import local_path

        path = local_path(uri)
        if path is not None and path.exists():
            return _store_of_path(path)
    elif "://" in uri:
        from runferry.readers.mlflow.vendor import VendorStore

        return VendorStore(uri)
    raise NotFound("nothing there", where=str(where), hint="runferry formats")


def _store_of_path(path: Path) -> Store:
    if path.is_file():
        return SqliteStore(path)
    root = _root(path)
    if root is None:
        raise BadLocation(
            "no MLflow store: no folder below it has an experiment's meta.yaml",
            where=str(path),
            hint="mlflow:sqlite:///FILE.db, mlflow:http://HOST:PORT, or the folder mlruns itself",
        )
    return FileStore(root)


def _root(path: Path) -> Path | None:
    """The folder whose sub-folders are experiments: this one, or `mlruns` below it."""
    for root in (path, path / "mlruns"):
        if root.is_dir() and _holds_experiments(root):
            return root
    return None


def _holds_experiments(folder: Path) -> bool:
    return any(_is_experiment(below) for _, below in looked_into(folder).within())


def _is_experiment(folder: Path) -> bool:
    meta = folder / META
    if regular(meta) is None:
        return False
    text = meta.read_bytes()[:65_536]
    return b"experiment_id" in text and b"run_id" not in text and b"run_uuid" not in text


def _has_runs(path: Path) -> bool:
    import sqlite3

    try:
        connection = schema.connect(path, read_only=True, for_a_glance=True)
    except sqlite3.Error:
        return False
    try:
        return bool(
            schema.columns(connection, "runs") and schema.columns(connection, "experiments")
        )
    except sqlite3.Error as error:
        if locked := schema.locked(error, path):
            raise locked from error
        return False
    finally:
        connection.close()
