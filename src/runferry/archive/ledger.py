"""What was pushed where, and how far: one row a (uid, destination)."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from runferry.archive.record import loss_from_json, loss_to_json
from runferry.errors import ArchiveError, Corrupt, Locked, NewerFormat, NoSpace
from runferry.losses import Loss
from runferry.model import Uid

Stage = Literal["created", "sending", "sealed", "verified"]

LEDGER_VERSION = 2
_WAIT_SECONDS = 30.0
_ANEW = "move the ledger away: runs that carry our mark are found again"

SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    uid TEXT NOT NULL,
    destination TEXT NOT NULL,
    stage TEXT NOT NULL,
    remote TEXT NOT NULL,
    plan TEXT NOT NULL,
    generation INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    base INTEGER NOT NULL,
    digest TEXT NOT NULL,
    segments TEXT NOT NULL,  -- JSON list of hashes
    carries TEXT NOT NULL,   -- JSON list of hashes
    losses TEXT NOT NULL,    -- JSON list of [code, fate, where, count, detail]
    PRIMARY KEY (uid, destination)
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far one run got on its way to one destination."""

    uid: Uid
    destination: str  # a location without its credentials
    stage: Stage
    remote: str  # the run's id there
    plan: str  # hash of the plan it is sent under
    generation: int  # of the archive's record that is being sent
    sent: int = 0  # chunks that are known to have arrived
    base: int = 0  # number of the first chunk of what is being sent; growth counts on
    digest: str = ""  # of the record's content that is being sent
    segments: tuple[str, ...] = ()  # content hashes of the segments that are known to be there
    carries: tuple[str, ...] = ()  # and of those that will be, once this is sealed
    losses: tuple[Loss, ...] = field(default=())  # reported while sending


class Ledger:
    """Advances only after the effect; every write is durable when it returns. Thread-safe.

    Several processes may hold it open: sqlite's rollback journal, synced in full, so that it also
    works where shared memory does not. Opened on the first use; an archive that is only read
    needs none.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def get(self, uid: Uid, destination: str) -> Delivery | None:
        """How far this run got; None before it was created there."""
        with self._opened(creating=False) as connection:
            if connection is None:
                return None
            row = connection.execute(
                "SELECT stage, remote, plan, generation, sent, base, digest, segments,"
                " carries, losses FROM deliveries"
                " WHERE uid = ? AND destination = ?",
                (uid, destination),
            ).fetchone()
        if row is None:
            return None
        stage, remote, plan, generation, sent, base, digest, segments, carries, losses = row
        return Delivery(
            uid,
            destination,
            stage,
            remote,
            plan,
            generation,
            sent,
            base,
            digest,
            tuple(json.loads(segments)),
            tuple(json.loads(carries)),
            tuple(loss_from_json(loss) for loss in json.loads(losses)),
        )

    def put(self, delivery: Delivery) -> None:
        """State how far it got now."""
        row = (
            delivery.uid,
            delivery.destination,
            delivery.stage,
            delivery.remote,
            delivery.plan,
            delivery.generation,
            delivery.sent,
            delivery.base,
            delivery.digest,
            json.dumps(delivery.segments),
            json.dumps(delivery.carries),
            json.dumps([loss_to_json(loss) for loss in delivery.losses]),
        )
        with self._opened() as connection:
            if connection is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO deliveries VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", row
                )

    def forget(self, uid: Uid, destination: str) -> None:
        """The run is no longer there."""
        with self._opened(creating=False) as connection:
            if connection is not None:
                connection.execute(
                    "DELETE FROM deliveries WHERE uid = ? AND destination = ?", (uid, destination)
                )

    def upgrade(self, change: Callable[[sqlite3.Connection], None]) -> None:
        """Change a ledger of any version in one durable transaction, where there is one."""
        with self._lock, self._errors():
            if not self._path.exists():
                return
            with closing(self._connected(creating=False)) as connection:
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("BEGIN IMMEDIATE")
                change(connection)
                connection.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file; it is opened again when needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _opened(self, *, creating: bool = True) -> Iterator[sqlite3.Connection | None]:
        """The connection, for one statement that commits by itself; None if there is no file."""
        with self._lock, self._errors():
            if self._connection is None and (creating or self._path.exists()):
                self._connection = self._connect(creating=creating)
            yield self._connection

    def _connected(self, *, creating: bool) -> sqlite3.Connection:
        """To a ledger of whatever version."""
        mode = "rwc" if creating else "rw"
        return sqlite3.connect(
            f"{self._path.resolve().as_uri()}?mode={mode}",
            uri=True,
            timeout=_WAIT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )

    def _connect(self, *, creating: bool) -> sqlite3.Connection:
        connection = self._connected(creating=creating)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > LEDGER_VERSION:
                raise NewerFormat(
                    f"ledger version {version}; this runferry knows {LEDGER_VERSION}",
                    where=str(self._path),
                    hint="pip install -U runferry",
                )
            if 0 < version < LEDGER_VERSION:
                raise Corrupt(
                    f"ledger version {version}; this runferry writes {LEDGER_VERSION}",
                    where=str(self._path),
                    hint=_ANEW,
                )
            connection.execute("PRAGMA synchronous=FULL")
            if version == 0:
                connection.execute(SCHEMA)
                connection.execute(f"PRAGMA user_version={LEDGER_VERSION}")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            where = str(self._path)
            match error.sqlite_errorcode & 0xFF if hasattr(error, "sqlite_errorcode") else None:
                case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                    hint = "wait until the other process has finished, then run it again"
                    raise Locked(
                        "another process holds the ledger", where=where, hint=hint
                    ) from error
                case sqlite3.SQLITE_FULL:
                    hint = "free some space, then run the command again"
                    raise NoSpace("the disk is full", where=where, hint=hint) from error
                case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                    raise Corrupt("the ledger cannot be read", where=where, hint=_ANEW) from error
                case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_IOERR:
                    hint = "give write permission to the archive folder"
                    raise ArchiveError(f"ledger: {error}", where=where, hint=hint) from error
            raise
