"""An Aim repository, read without Aim: which runs it has, and what its database says of them.

.aim/run_metadata.sqlite            names, experiments, tags, notes (aim 3.29, storage/structured)
.aim/{meta,seqs}/chunks/<hash>/     a RocksDB each: parameters, and sequences
.aim/VERSION
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from runferry.dialects.aim.places import DATABASE, chunk_at, is_hash
from runferry.dialects.times import time_ns_of
from runferry.errors import SourceError
from runferry.losses import Fate, Loss
from runferry.model import Run, RunKey, Tree
from runferry.paths import folders_below, looked_into, regular, spelled
from runferry.readers.sqlite_files import failing_as_ours, opened

_MARKS: Final = {"VERSION", "meta", "seqs", ".repo_lock"}
_TABLES: Final = ".sst"
_LOG: Final = ".log"
_TRIES: Final = 20
_RUNS: Final = (
    "SELECT r.hash, r.name, r.description, r.created_at, r.finalized_at, r.is_archived, e.name "
    "FROM run AS r LEFT JOIN experiment AS e ON e.id = r.experiment_id ORDER BY r.id"
)
_TAGS: Final = (
    "SELECT r.hash, t.name FROM run_tag AS l JOIN run AS r ON r.id = l.run_id "
    "JOIN tag AS t ON t.id = l.tag_id ORDER BY t.id"
)

_NOTES: Final = (
    "SELECT r.hash, n.content FROM note AS n JOIN run AS r ON r.id = n.run_id ORDER BY n.id"
)


def is_repository(names: Collection[str]) -> bool:
    """Whether a folder with these names is one."""
    return DATABASE in names and not _MARKS.isdisjoint(names)


def repositories(root: Path) -> Iterator[Path]:
    """Those at or below a place."""
    if root.is_dir():
        for folder in folders_below(root):
            if is_repository(folder.names):
                yield folder.path


def runs_of(home: Path) -> list[tuple[Run, dict[str, Tree]]]:
    """The runs of a repository, and what a header has no place for. Raises SourceError."""
    database = home / DATABASE
    with failing_as_ours(database), opened(database) as connection:
        tables = {n for (n,) in connection.execute("SELECT name FROM sqlite_master")}
        rows = connection.execute(_RUNS).fetchall() if "run" in tables else []
        tags = _texts(connection, _TAGS) if {"run_tag", "tag"} <= tables else {}
        notes = _texts(connection, _NOTES) if "note" in tables else {}
    found: dict[str, tuple[Run, dict[str, Tree]]] = {}
    for run_hash, name, about, created, ended, is_archived, experiment in rows:
        ended_ns = time_ns_of(ended)
        run = Run(
            RunKey("aim", "", str(run_hash)),
            name=name,
            project=experiment,
            notes=about,
            tags=tuple(tags.get(run_hash, ())),
            created_ns=time_ns_of(created),
            started_ns=time_ns_of(created),
            ended_ns=ended_ns,
            state="unknown" if ended_ns is None else "finished",
            complete=ended_ns is not None,
            client="aim",
        )
        facts: dict[str, Tree] = {"archived": True} if is_archived else {}
        if run_hash in notes:
            facts["notes"] = [*notes[run_hash]]
        found[str(run_hash)] = (run, facts)
    for name in _chunks(home):
        found.setdefault(name, (Run(RunKey("aim", "", name), client="aim"), {}))
    return list(found.values())


def _texts(connection: sqlite3.Connection, query: str) -> dict[str, list[str]]:
    """By run, in order."""
    found: dict[str, list[str]] = {}
    for run_hash, text in connection.execute(query):
        found.setdefault(run_hash, []).append(str(text))
    return found


def _chunks(home: Path) -> list[str]:
    """Runs that have rows, whether or not the database knows them."""
    folder = home / "meta" / "chunks"
    return [name for name in looked_into(folder).names if is_hash(name)] if folder.is_dir() else []


def chunk_of(home: Path, kind: str, run_hash: str) -> Path | None:
    """The RocksDB of a run; None where it has none."""
    path = chunk_at(home, kind, run_hash)
    return path if is_hash(run_hash) and (path / "CURRENT").is_file() else None


@contextmanager
def copied(home: Path, run_hash: str) -> Iterator[tuple[Path, Path] | None]:
    """A run's two databases as they are at one moment, beside the repository's own.

    RocksDB writes to its folder even when it only reads, and what it reads may be compacted away
    meanwhile. None where the run has no rows. Raises SourceError.
    """
    meta = chunk_of(home, "meta", run_hash)
    if meta is None:
        yield None
        return
    seqs = chunk_of(home, "seqs", run_hash)
    with tempfile.TemporaryDirectory(prefix="runferry-") as folder:
        places = (Path(folder) / "meta", Path(folder) / "seqs")
        _copy(meta, places[0])
        if seqs is not None:
            _copy(seqs, places[1])
        yield places


def _copy(chunk: Path, copy: Path) -> None:
    """Files of a moment in which no table was made or done away with; the log may grow."""
    copy.mkdir()
    for _ in range(_TRIES):
        before = _stamps(chunk)
        for path in copy.iterdir():
            if path.suffix != _TABLES or path.name not in before:
                path.unlink()
        try:
            for name in before:
                if not (copy / name).exists():  # a table that was copied never changes
                    shutil.copyfile(chunk / name, copy / name)
        except FileNotFoundError:
            continue  # compacted away while we looked
        if _stamps(chunk) == before:
            return
    raise SourceError(
        "the run changes while it is copied",
        where=spelled(str(chunk)),
        hint="wait until the run has ended, or stop it; then run again",
    )


def _stamps(chunk: Path) -> dict[str, tuple[int, int] | None]:
    """What tells one state of the tables from another.

    Of the log, whose beginning is a log too, only the name counts: it is read while it is whole.
    """
    found: dict[str, tuple[int, int] | None] = {}
    for path in sorted(chunk.iterdir()):
        if path.name.startswith("LOG") or path.name == "LOCK":
            continue  # what RocksDB says of itself; nobody reads it
        if path.suffix == _LOG:
            found[path.name] = None
        elif (status := regular(path)) is not None:
            found[path.name] = (status.st_size, status.st_mtime_ns)
    return found


def no_rows(run_hash: str) -> Loss:
    """A run of which only the database knows."""
    why = "the repository has no rows of this run; they were deleted, or lie elsewhere"
    return Loss("missing-rows", Fate.KEPT, f"meta/chunks/{run_hash}", 1, why)
