"""Reads an MLflow sqlite file with read-only SQL; no mlflow package needed."""

from __future__ import annotations

import logging
import shlex
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from runferry.chunks import Artifact, Document, File, Lost
from runferry.dialects.mlflow import schema
from runferry.dialects.mlflow.artifacts import ArtifactFolder, NoFolder
from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.local_folder import LocalFolder
from runferry.dialects.mlflow.located import folder_at, local_path
from runferry.dialects.mlflow.logged import LoggedModel, ModelFiles
from runferry.dialects.mlflow.points import NativePoints
from runferry.dialects.mlflow.sql_registry import SqlRegistry
from runferry.dialects.mlflow.tags import DELETED_TAG
from runferry.errors import Damaged, NotFound, RunferryError, SourceError, UnknownVersion
from runferry.losses import Loss
from runferry.model import Tree
from runferry.readers.mlflow.beyond import beyond_runs
from runferry.readers.mlflow.sql_header import COLUMNS, SqlHeaders
from runferry.readers.mlflow.sql_inputs import SqlInputs
from runferry.readers.mlflow.sql_metrics import SqlMetrics
from runferry.readers.mlflow.sql_models import SqlModels
from runferry.readers.mlflow.sql_traces import SqlTraces
from runferry.readers.mlflow.store import digest, gone, used
from runferry.readers.sqlite_files import has_wal_mode, is_cut_short, opened

_log = logging.getLogger(__name__)
_RUNS: Final = f"""
SELECT {COLUMNS} FROM runs r LEFT JOIN experiments e ON e.experiment_id = r.experiment_id
"""
_IS_GONE: Final = f"""(r.lifecycle_stage IS 'deleted' AND NOT EXISTS
(SELECT 1 FROM tags d WHERE d.run_uuid = r.run_uuid AND d.key = '{DELETED_TAG}'))"""


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that leaves nothing beside the file, while a server may go on writing to it.

    Of a database with a write-ahead log sqlite makes an index beside it even when it only reads; it
    is there already where somebody has it open.
    """
    if not has_wal_mode(path) or path.with_name(f"{path.name}-shm").exists():
        with closing(schema.connect(path, read_only=True)) as connection:
            if not is_cut_short(connection):
                yield connection
                return
    with opened(path) as connection:
        yield connection


class SqliteStore:
    """One file. Any schema that has the columns we need is read, whatever its version says."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            hint = f"ls -l {shlex.quote(str(path.parent))}"
            raise NotFound("no such MLflow database", where=str(path), hint=hint)
        self._path = path
        self._losses: list[Loss] = []
        self._beyond: Mapping[str, Sequence[Loss]] | None = None
        with ExitStack() as opening, self._reading():
            self._connection = opening.enter_context(_connected(path))
            self._check_schema()
            self.registry = SqlRegistry(self._connection, self._reading)
            self._headers = SqlHeaders(self._connection)
            self._metrics = SqlMetrics(self._connection)
            self._inputs = SqlInputs(self._connection)
            self._models = SqlModels(self._connection)
            self._traces = SqlTraces(self._connection)
            self._open = opening.pop_all()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Around everything that asks sqlite, also for the next row. Raises Locked, Damaged."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._as_ours(error) from error

    def _as_ours(self, error: sqlite3.Error) -> RunferryError:
        path = shlex.quote(str(self._path))
        if "unable to open" in str(error):
            told = f"sqlite cannot open this file ({error})"
            return SourceError(told, where=str(self._path), hint=f"ls -l {path}*")
        return schema.locked(error, self._path) or Damaged(
            f"sqlite cannot read this file ({error})",
            where=str(self._path),
            hint=f"sqlite3 {path} .recover | sqlite3 mended.db",
            offset=None,
        )

    def _check_schema(self) -> None:
        found = schema.version(self._connection)
        for table, needed in schema.TABLES.items():
            missing = needed - schema.columns(self._connection, table)
            if missing:
                raise UnknownVersion(
                    f"table {table} lacks {', '.join(sorted(missing))} (alembic version {found})",
                    where=str(self._path),
                    hint=f"on a copy: mlflow db upgrade sqlite:///{self._path}",
                )

    def runs(self, *, include_deleted: bool) -> Iterator[NativeRun]:
        """In the order in which they were created."""
        where = "" if include_deleted else f" WHERE NOT {_IS_GONE}"
        with self._reading():
            told_when_it_is_read = list[Loss]()
            query = f"{_RUNS}{where} ORDER BY r.rowid"
            yield from self._headers.of(query, losses=told_when_it_is_read)

    def deleted(self) -> int:
        """By the mark that MLflow sets."""
        query = f"SELECT count(*) FROM runs r WHERE {_IS_GONE}"
        return self._number(query)

    def run(self, run_id: str) -> NativeRun:
        """One run with its params."""
        with self._reading():
            query = f"{_RUNS} WHERE r.run_uuid = ?"
            asked = self._headers.of(query, run_id, losses=self._losses, with_params=True)
            found = next(asked, None)
        if found is None:
            raise gone(f"run {run_id}", f"mlflow:sqlite:///{self._path}")
        return found

    def _number(self, query: str, *values: str) -> int:
        with self._reading():
            return int(self._connection.execute(query, values).fetchone()[0])

    def metrics(self, run_id: str) -> Iterator[NativePoints]:
        """In the order in which they were inserted."""
        with self._reading():
            yield from self._metrics.of_run(run_id, self._losses)

    def rows(self, run_id: str) -> int:
        """Exactly."""
        query = "SELECT count(*) FROM metrics WHERE run_uuid = ?"
        return self._number(query, run_id)

    def losses(self) -> Iterator[Loss]:
        """What no cell says any more, and what is finer than can be held."""
        told, self._losses = self._losses, []
        return iter(told)

    def belongings(self, native: NativeRun) -> Iterator[Document | Artifact | File | Lost]:
        """Tables of MLflow 2.4 (`inputs`), 2.14 (`trace_info`) and 3.0 (`logged_models`)."""
        with self._reading():
            if self._beyond is None:
                self._beyond = beyond_runs(self._connection)
            yield from map(Lost, self._beyond.get(native.run_id, ()))
            yield from self._inputs.datasets(native.run_id, self._losses)
            for model_id in self._inputs.models(native.run_id, self._losses):
                for model in self._models.of_id(model_id, self._losses):
                    yield from used(model)
            for model in self._models.of_run(native.run_id, self._losses):
                yield model.artifact(self.model_folder(model))
            yield from self._traces.chunks(native.run_id, self.located)

    def orphans(self, only: str | None = None) -> Iterator[tuple[LoggedModel, str]]:
        """Logged models that no run made, each with the name of its experiment.

        What of one cannot be read is told when it is asked for by its id.
        """
        with self._reading():
            unnamed = self._models.unnamed(None)
            if only is None and unnamed:
                _log.warning("%s: logged models whose id is no text: %d", self._path, unnamed)
            losses = [] if only is None else self._losses
            for model_id in self._models.ids(None):
                if only in (None, model_id):
                    for model in self._models.of_id(model_id, losses):
                        yield model, self._models.experiment_of(model_id)

    def model_folder(self, model: LoggedModel) -> ModelFiles:
        """Where the files of a logged model are."""
        return self.located(model.location)

    def run_folder(self, run_id: str) -> tuple[ArtifactFolder, str] | None:
        """A run's artifacts, and the URI that its row gives for them."""
        query = "SELECT artifact_uri FROM runs WHERE run_uuid = ?"
        with self._reading():
            row = self._connection.execute(query, (run_id,)).fetchone()
        if row is None or not isinstance(row[0], str) or not row[0]:
            return None
        return self.located(row[0]), row[0]

    def logged_model(self, model_id: str) -> ArtifactFolder | None:
        """A logged model's artifacts."""
        with self._reading():
            found = next(self._models.of_id(model_id, []), None)
        return None if found is None else self.located(found.location)

    def folder(self, native: NativeRun) -> ArtifactFolder:
        """Where the run's row says, or the same place beside a database that was moved."""
        return self.located(native.artifact_uri)

    def located(self, uri: str | None) -> ArtifactFolder:
        """What stands behind a URI, or the same beside a database that was moved."""
        if not uri:
            return NoFolder("")
        stated = local_path(uri)
        if stated is not None and not stated.is_absolute():
            stated = self._path.parent / stated
        if stated is not None and stated.is_dir():
            return LocalFolder(stated)
        tail = _parts(uri)
        for count in range(min(len(tail), 6), 1, -1):
            beside = self._path.parent.joinpath(*tail[-count:])
            if beside.is_dir():
                return LocalFolder(beside)
        return folder_at(uri) if stated is None else LocalFolder(stated)

    def state(self, native: NativeRun) -> Tree:
        """Rows, the last of them, and a hash of the header: MLflow never changes a metric's row."""
        query = "SELECT count(*), max(rowid) FROM metrics WHERE run_uuid = ?"
        with self._reading():
            rows = self._connection.execute(query, (native.run_id,)).fetchone()
            models, inputs = self._models.state(native.run_id), self._inputs.state(native.run_id)
            traces = [digest(trace.info) for trace in self._traces.of_run(native.run_id, [])]
            facts = (native.status, native.start_ms, native.end_ms, native.name, native.lifecycle)
            beside = (models, inputs, traces) if traces else (models, inputs)
            return [*rows, digest(facts, dict(native.tags), dict(native.params), *beside)]

    def close(self) -> None:
        """Close the file."""
        self._open.close()


def _parts(uri: str) -> tuple[str, ...]:
    """The names in a path of any system, without `..` and without what would lead elsewhere."""
    text = uri.partition("://")[2] or uri
    pure = PureWindowsPath(text) if "\\" in text else PurePosixPath(text)
    return tuple(part for part in pure.parts if part not in ("/", "..", pure.anchor))
