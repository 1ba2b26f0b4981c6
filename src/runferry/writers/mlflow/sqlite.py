"""Writes an MLflow sqlite file by plain SQL, into schema versions that we know.

The rows are those that `SqlAlchemyStore` of mlflow 3.17.2 would write; a test compares all tables.
"""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path

from runferry.dialects.mlflow import schema
from runferry.dialects.mlflow.artifacts import ArtifactFolder, NoFolder
from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.located import above, below, folder_at, local_path
from runferry.dialects.mlflow.points import NativePoints
from runferry.dialects.mlflow.sql_registry import SqlRegistry
from runferry.dialects.mlflow.tags import DELETED_TAG, SEALED, SEALED_TAG, UID_TAG, is_run_id
from runferry.errors import Conflict, NoSpace, Refused, RunferryError, RunMissing
from runferry.writers.mlflow.backend import Batch
from runferry.writers.mlflow.sqlite_marks import MARKS, RUNS, SqliteMarks
from runferry.writers.mlflow.sqlite_shelf import SqliteShelf

# many rows a statement: 1.7 times as fast as one; 501 variables, of 999 that any sqlite takes
_ROWS = 100
_METRICS = "INSERT INTO metrics (run_uuid, key, value, timestamp, step, is_nan) VALUES "
_UNLESS_THERE = " ON CONFLICT DO NOTHING"  # a null or a broken CHECK is an error all the same
# SqlAlchemyStore._update_latest_metrics_if_necessary: strictly greater replaces
_LATEST = """
INSERT INTO latest_metrics (key, value, timestamp, run_uuid, step, is_nan)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (key, run_uuid) DO UPDATE SET
  value = excluded.value, timestamp = excluded.timestamp,
  step = excluded.step, is_nan = excluded.is_nan
WHERE (excluded.step, excluded.timestamp, excluded.value)
    > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)
"""
_RELATEST = """
INSERT INTO latest_metrics (key, value, timestamp, run_uuid, step, is_nan)
SELECT key, value, timestamp, run_uuid, step, is_nan FROM metrics
WHERE run_uuid = ? AND key = ? ORDER BY step DESC, timestamp DESC, value DESC, rowid LIMIT 1
"""
_PARAM = """
INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)
ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value
"""
_TAG = """
INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)
ON CONFLICT (key, run_uuid) DO UPDATE SET value = excluded.value
"""
_RUN = """
INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status,
                  start_time, end_time, source_version, lifecycle_stage, artifact_uri,
                  experiment_id, deleted_time)
VALUES (?, ?, 'UNKNOWN', '', '', ?, 'RUNNING', ?, NULL, '', 'active', ?, ?, NULL)
"""
_WAS_DELETED = (
    f"EXISTS (SELECT 1 FROM tags d WHERE d.run_uuid = r.run_uuid AND d.key = '{DELETED_TAG}')"
)
_IS_THERE = f"(r.lifecycle_stage = 'active' OR {_WAS_DELETED})"
_BY_TAG = f"""
SELECT t.run_uuid FROM tags t JOIN runs r ON r.run_uuid = t.run_uuid
WHERE t.key = ? AND t.value = ? AND {_IS_THERE}
"""
_IS_SEALED = f"(r.lifecycle_stage = 'deleted') = {_WAS_DELETED}"


class SqliteBackend:
    """One file, one connection; transactions are short, so that workers take turns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection = schema.connect(path, read_only=False)
        self._marks = SqliteMarks(self._connection, RUNS)
        self._has_workspaces = "workspace" in schema.columns(self._connection, "experiments")

        self.registry = SqlRegistry(self._connection, self._transaction)
        self.shelf = SqliteShelf(self._connection, self._transaction)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; what sqlite says against it becomes our error."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise _as_ours(error, self._path) from error

    def find(self, tag: str, value: str) -> Sequence[str]:
        """Marks at the same cost among few runs and among many; other tags have few runs each."""
        try:
            if tag in MARKS:
                return self._marks.ids(tag, value, _IS_THERE)
            rows = self._connection.execute(_BY_TAG, (tag, value)).fetchall()
        except sqlite3.Error as error:
            raise _as_ours(error, self._path) from error
        return [run_id for (run_id,) in rows]

    def present(self) -> Mapping[str, str]:
        """One query."""
        query = (
            "SELECT t.value, t.run_uuid FROM tags t"
            f" JOIN runs r ON r.run_uuid = t.run_uuid AND {_IS_SEALED}"
            " JOIN tags s ON s.run_uuid = t.run_uuid AND s.key = ? AND s.value = ?"
            " WHERE t.key = ?"
        )
        try:
            rows = self._connection.execute(query, (SEALED_TAG, SEALED, UID_TAG)).fetchall()
        except sqlite3.Error as error:
            raise _as_ours(error, self._path) from error
        return dict(rows)

    def create(self, native: NativeRun, wished_ids: Sequence[str]) -> str:
        """The experiment too, where it is missing."""
        with self._transaction() as connection:
            uid = native.tags[UID_TAG]
            begun = self.find(UID_TAG, uid) or self._begun_as(wished_ids, uid)
            if begun:
                return begun[0]  # another process was first
            number, location = self._experiment(native.experiment)
            free = (wish for wish in wished_ids if self._is_free(wish, location))
            run_id = next(free, None) or uuid.uuid4().hex
            uri = below(location, run_id, "artifacts")
            if isinstance(folder_at(uri), NoFolder):
                raise Refused(
                    "the experiment's artifacts are kept by a tracking server",
                    where=location,
                    hint="push to that server instead: mlflow:http://HOST:PORT",
                )
            connection.execute(
                _RUN, (run_id, native.name, native.user or "", native.start_ms, uri, number)
            )
            self._put_tags(run_id, native.tags)
        return run_id

    def _begun_as(self, wished_ids: Sequence[str], uid: str) -> Sequence[str]:
        """The run by the ids that any push would have given it, whatever our marks know.

        They know nothing of a row that was given the number of one that went, where the last mark
        went too and came back with the number that it had.
        """
        query = f"{_BY_TAG} AND r.run_uuid = ?"
        asked = (self._connection.execute(query, (UID_TAG, uid, wish)) for wish in wished_ids)
        return [run_id for rows in asked for (run_id,) in rows]

    def _is_free(self, run_id: str, location: str) -> bool:
        """Whether MLflow takes this id, no run has it, and nothing stands where it would be kept.

        Of a store that shares this one's artifact root, the run with this id has its folder there.
        """
        if not is_run_id(run_id):
            return False
        taken = self._connection.execute("SELECT 1 FROM runs WHERE run_uuid = ?", (run_id,))
        if taken.fetchone() is not None:
            return False
        uri = below(location, run_id)
        path = local_path(uri)
        if path is not None:
            return not path.exists()
        return next(folder_at(uri).walk(), None) is None

    def _experiment(self, name: str) -> tuple[int, str]:
        scope = " AND workspace = 'default'" if self._has_workspaces else ""
        row = self._connection.execute(
            "SELECT experiment_id, artifact_location, lifecycle_stage FROM experiments"
            f" WHERE name = ?{scope}",
            (name,),
        ).fetchone()
        if row is None:
            return self._new_experiment(name)
        if row[2] == "deleted":
            raise Conflict(
                f"the experiment {name!r} was deleted in MLflow",
                where=str(self._path),
                hint=f"mlflow experiments restore --experiment-id {row[0]}, or: mlflow gc",
            )
        return row[0], row[1]

    def _new_experiment(self, name: str) -> tuple[int, str]:
        now = int(time.time() * 1000)
        number = self._connection.execute(
            "INSERT INTO experiments (name, artifact_location, lifecycle_stage, creation_time,"
            " last_update_time) VALUES (?, NULL, 'active', ?, ?)",
            (name, now, now),
        ).lastrowid
        if number is None:
            raise AssertionError("an INSERT has a row id")
        location = below(self._artifact_root(), str(number))
        self._connection.execute(
            "UPDATE experiments SET artifact_location = ? WHERE experiment_id = ?",
            (location, number),
        )
        return number, location

    def _artifact_root(self) -> str:
        """Where the default experiment's artifacts are, as the vendor's store was told once."""
        row = self._connection.execute(
            "SELECT artifact_location FROM experiments WHERE experiment_id = 0"
        ).fetchone()
        root = None if row is None or not row[0] else above(row[0], "0")
        if root is not None:
            return root
        return (self._path.absolute().parent / "mlruns").as_posix()

    def run(self, run_id: str) -> NativeRun:
        """The run with its tags."""
        row = self._connection.execute(
            "SELECT e.name, r.name, r.status, r.lifecycle_stage, r.artifact_uri FROM runs r"
            " JOIN experiments e ON e.experiment_id = r.experiment_id WHERE r.run_uuid = ?",
            (run_id,),
        ).fetchone()
        if row is None:
            raise RunMissing(f"no run {run_id}", where=str(self._path))
        tags = self._connection.execute("SELECT key, value FROM tags WHERE run_uuid = ?", (run_id,))
        experiment, name, status, lifecycle, uri = row
        return NativeRun(run_id, experiment, name, None, status, lifecycle=lifecycle,
                         artifact_uri=uri, tags=dict(tags))  # fmt: skip

    def frozen(self, run_id: str, params: Mapping[str, str]) -> Mapping[str, str]:
        """None: a later value takes the place of an earlier one."""
        return {}

    def log(self, run_id: str, batch: Batch) -> None:
        """One transaction."""
        with self._transaction() as connection:
            if batch.points is not None:
                for rows, bound in _statements(batch.points, run_id):
                    statement = _METRICS + ", ".join(rows) + _UNLESS_THERE
                    connection.executemany(statement, bound)
                connection.executemany(_LATEST, _rows(batch.points.latest(), run_id))
            connection.executemany(_PARAM, ((k, v, run_id) for k, v in batch.params.items()))
            self._put_tags(run_id, batch.tags)

    def _put_tags(self, run_id: str, tags: Mapping[str, str]) -> None:
        for mark in MARKS:
            if mark in tags:
                self._marks.unless_equal(mark, tags[mark], run_id)
        self._connection.executemany(_TAG, ((k, v, run_id) for k, v in tags.items()))

    def forget(self, run_id: str, batch: Batch) -> None:
        """One transaction; the latest rows of the keys that lost some are found anew."""
        with self._transaction() as connection:
            for table, pairs in (("params", batch.params), ("tags", batch.tags)):
                connection.executemany(
                    f"DELETE FROM {table} WHERE key = ? AND run_uuid = ?",
                    ((key, run_id) for key in pairs),
                )
            if batch.points is None:
                return
            connection.executemany(
                "DELETE FROM metrics WHERE key = ? AND value = ? AND timestamp = ?"
                " AND run_uuid = ? AND step = ? AND is_nan = ?",
                _rows(batch.points, run_id),
            )
            keys = [(run_id, key) for key in dict.fromkeys(batch.points.row_keys())]
            connection.executemany(
                "DELETE FROM latest_metrics WHERE run_uuid = ? AND key = ?", keys
            )
            connection.executemany(_RELATEST, keys)

    def finish(self, run_id: str, native: NativeRun) -> None:
        """One transaction."""
        with self._transaction() as connection:
            changed = connection.execute(
                "UPDATE runs SET status = ?, end_time = coalesce(?, end_time), name = ?"
                " WHERE run_uuid = ?",
                (native.status, native.end_ms, native.name, run_id),
            ).rowcount
            if not changed:
                raise RunMissing(f"no run {run_id}", where=str(self._path))
            self._put_tags(run_id, native.tags)

    def bury(self, run_id: str) -> None:
        """As `SqlAlchemyStore.delete_run` does it."""
        self._stage(run_id, "deleted", int(time.time() * 1000))

    def revive(self, run_id: str) -> None:
        """As `SqlAlchemyStore.restore_run` does it."""
        self._stage(run_id, "active", None)

    def _stage(self, run_id: str, stage: str, deleted_ms: int | None) -> None:
        with self._transaction() as connection:
            connection.execute(
                "UPDATE runs SET lifecycle_stage = ?, deleted_time = ? WHERE run_uuid = ?",
                (stage, deleted_ms, run_id),
            )

    def delete(self, run_id: str) -> None:
        """The run's rows in all tables."""
        with self._transaction() as connection:
            for table in ("metrics", "latest_metrics", "params", "tags", "runs"):
                connection.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (run_id,))

    def folder(self, run_id: str) -> ArtifactFolder:
        """Where the run's row says."""
        return folder_at(self.run(run_id).artifact_uri)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _statements(
    points: NativePoints, run_id: str
) -> Iterator[tuple[list[str], Iterator[list[object]]]]:
    """The rows of a statement, and what is bound in each repetition: the run's id, then 5 a row."""
    flat: list[object] = [None] * (5 * len(points))
    flat[0::5] = points.row_keys()
    flat[1::5] = points.value.tolist()
    flat[2::5] = points.timestamp.tolist()
    flat[3::5] = points.step.tolist()
    flat[4::5] = points.is_nan.tolist()
    whole = len(flat) - len(flat) % (5 * _ROWS)
    for first, last, width in ((0, whole, 5 * _ROWS), (whole, len(flat), len(flat) - whole)):
        if width and first < last:
            rows = [
                f"(?1, ?{i}, ?{i + 1}, ?{i + 2}, ?{i + 3}, ?{i + 4})"
                for i in range(2, width + 2, 5)
            ]
            yield rows, ([run_id, *flat[at : at + width]] for at in range(first, last, width))


def _rows(points: NativePoints, run_id: str) -> Iterator[tuple[object, ...]]:
    return zip(
        points.row_keys(),
        points.value.tolist(),
        points.timestamp.tolist(),
        repeat(run_id),
        points.step.tolist(),
        points.is_nan.tolist(),
        strict=False,
    )


def _as_ours(error: sqlite3.Error, path: Path) -> RunferryError:
    said = str(error)
    where = str(path)
    locked = schema.locked(error, path)
    if locked is not None:
        return locked
    if "readonly" in said or "read-only" in said:
        return Refused("the database is read-only", where=where, hint="check its permissions")
    if "full" in said:
        return NoSpace("the disk is full", where=where, hint="free some space and run again")
    return Refused(f"sqlite says: {said}", where=where)
