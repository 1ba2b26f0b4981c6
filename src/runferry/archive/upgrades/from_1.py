"""Version 1 to 2: digests by the hashes of today, and what the ledger says of pushes under way.

In version 1 a row was BLAKE2b of its canonical JSON, and other constants hashed scalars; the files
of the rows are the same. So the rows of each run are read and hashed anew, and the ledger, which
knows by the digests what was sent, is told the new ones. Ledgers of that time may lack the column
`carries`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa

from runferry.archive.digest import RowSum
from runferry.archive.layout import ROW_TABLES, SNAPSHOT_TABLES
from runferry.archive.ledger import SCHEMA
from runferry.archive.reading import batches
from runferry.archive.record import RunRecord, Sum
from runferry.archive.run_facts import RunFacts

if TYPE_CHECKING:
    from runferry.archive.store import Archive

Pairs = Iterable[tuple[RunRecord, RunRecord]]
"""Each run's record as it was, and as it will be."""


def upgraded(archive: Archive, record: RunRecord) -> RunRecord:
    """The record with digests of version 2. Raises Corrupt where files are not as committed."""
    archive.check(record)
    sums = {table: _sum(archive, record, table) for table in ROW_TABLES if record.of(table)}
    facts = RunFacts(record.run)
    facts.restore(archive, record)
    tables = {table: [*archive.snapshot(record, table)] for table in SNAPSHOT_TABLES}
    return replace(record, sums=sums, digest=facts.digest(tables, sums))


def _sum(archive: Archive, record: RunRecord, table: str) -> Sum:
    total = RowSum()
    add = total.add_points if table == "points" else total.add_rows
    for batch in batches(archive.path, record.of(table)):
        add(pa.Table.from_batches([batch]))
    return total.state()


def upgrade_ledger(connection: sqlite3.Connection, pairs: Pairs) -> None:
    """Tell the ledger of the new digests, within one transaction; harmless when repeated.

    A digest in the ledger may have the choice of series behind it, which stays.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 1:
        connection.execute("ALTER TABLE deliveries RENAME TO earlier")
        connection.execute(SCHEMA)
        connection.execute(
            f"INSERT INTO deliveries ({_COLUMNS}, carries) SELECT {_COLUMNS},"
            " CASE WHEN stage IN ('sealed', 'verified') THEN segments ELSE '[]' END FROM earlier"
        )
        connection.execute("DROP TABLE earlier")
        connection.execute("PRAGMA user_version=2")
    connection.executemany(
        "UPDATE deliveries SET digest = ? || substr(digest, 33)"
        " WHERE uid = ? AND substr(digest, 1, 32) = ?",
        ((after.digest, before.run.uid, before.digest) for before, after in pairs),
    )


_COLUMNS = "uid, destination, stage, remote, plan, generation, sent, base, digest, segments, losses"
