"""A run's history: exports in Parquet, and live rows behind them.

A live row that is exported moves from the table `history` into a Parquet file. Lines of a file
stream are numbered over both, so that an upload may go on after an export.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from runferry.testing.wandb_service import history_keys
from runferry.testing.wandb_service.rows import Row, as_json, rows_of, table_of, without_bare_nan
from runferry.testing.wandb_service.store import Record, Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

STEP = "_step"


@dataclass(frozen=True)
class ReadyHistory:
    """A history that was written once and may be given to any number of runs."""

    parts: tuple[tuple[str, int, int, int], ...] = ()  # blob, lines, first step, last step
    live: tuple[tuple[int, int, str], ...] = ()  # line, step, JSON
    keys: str = "{}"
    last_step: int = -1
    exported_lines: int = field(default=0)


def prepare(
    store: Store,
    columns: Mapping[str, Any] | pa.Table,
    *,
    live_rows: int = 0,
    parts: int = 1,
    row_group_rows: int = 65_536,
) -> ReadyHistory:
    """Write columns (Arrow or numpy, all of one length) as exports and live rows.

    `_step` is counted where it is not given. The last `live_rows` rows stay live; the others are
    cut into `parts` Parquet files of about the same number of rows.
    """
    import pyarrow as pa

    table = columns if isinstance(columns, pa.Table) else pa.table(dict(columns))
    if STEP not in table.column_names:
        table = table.add_column(0, STEP, pa.array(range(table.num_rows), pa.int64()))
    exported = max(table.num_rows - live_rows, 0)
    stats: history_keys.Stats = {}
    history_keys.count_columns(stats, table)
    bounds = [exported * part // parts for part in range(parts + 1)]
    written = tuple(
        _export(store, table.slice(start, end - start), row_group_rows)
        for start, end in pairwise(bounds)
        if end > start
    )
    live = tuple(
        (exported + number, int(row[STEP]), as_json(row))
        for number, row in enumerate(rows_of(table.slice(exported)))
    )
    last = max(table.column(STEP).to_pylist(), default=-1) if table.num_rows else -1
    return ReadyHistory(written, live, json.dumps(stats), int(last), exported)


def _export(store: Store, table: pa.Table, row_group_rows: int) -> tuple[str, int, int, int]:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    blob = store.new_blob()
    pq.write_table(table, store.blob_path(blob), row_group_size=row_group_rows)
    steps = pc.min_max(table.column(STEP))
    return blob, table.num_rows, int(steps["min"].as_py()), int(steps["max"].as_py())


def give(store: Store, run: int, ready: ReadyHistory) -> None:
    """Make this the history of a run that has none."""
    with store.together():
        store.execute_many(
            "INSERT INTO exports VALUES (?, ?, ?, ?, ?, ?)",
            ((run, number, *part) for number, part in enumerate(ready.parts)),
        )
        store.execute_many(
            "INSERT INTO history VALUES (?, ?, ?, ?)", ((run, *row) for row in ready.live)
        )
        store.update(
            "runs",
            run,
            history_keys=ready.keys,
            last_step=ready.last_step,
            exported_lines=ready.exported_lines,
        )


def line_count(store: Store, run: Record) -> int:
    """How many rows the service says there are, exported or live."""
    live = store.value("SELECT COUNT(*) FROM history WHERE run = ?", run["id"])
    return int(run["exported_lines"]) + int(live)


def write_lines(store: Store, run: Record, offset: int, lines: Sequence[Row]) -> None:
    """Rows of a file stream, at their line numbers; a line that came before is replaced.

    Line 0 begins the history anew: a run that is logged again under its id, or synced again,
    overwrites what was (wandb/wandb #3841, #5865).
    """
    rows: list[Row] = [without_bare_nan(row) for row in lines]
    with store.together():
        if offset == 0:
            _clear(store, int(run["id"]))
        fresh = store.row("SELECT * FROM runs WHERE id = ?", run["id"])
        assert fresh is not None
        exported = int(fresh["exported_lines"])
        known = line_count(store, fresh)
        numbered = [
            (run["id"], offset + index, int(row.get(STEP, offset + index)), as_json(row))
            for index, row in enumerate(rows)
            if offset + index >= exported  # what was exported came before, and is the same
        ]
        store.execute_many("INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?)", numbered)
        stats = json.loads(fresh["history_keys"])
        history_keys.count_rows(stats, rows[max(known - offset, 0) :])
        last = max([fresh["last_step"], *(step for _, _, step, _ in numbered)])
        store.update("runs", run["id"], history_keys=json.dumps(stats), last_step=last)


def _clear(store: Store, run: int) -> None:
    for table in ("history", "exports"):
        store.execute(f"DELETE FROM {table} WHERE run = ?", run)
    store.update("runs", run, history_keys="{}", last_step=-1, exported_lines=0)


def export(store: Store, run: Record, *, keep_live: int = 0) -> None:
    """Move live rows into an export, but for the last `keep_live` of them."""
    with store.together():
        live = store.rows(
            "SELECT line, content FROM history WHERE run = ? ORDER BY line", run["id"]
        )
        moved = live[: max(len(live) - keep_live, 0)]
        if not moved:
            return
        part = _export(store, table_of([json.loads(row["content"]) for row in moved]), 65_536)
        number = store.value("SELECT COUNT(*) FROM exports WHERE run = ?", run["id"])
        store.execute("INSERT INTO exports VALUES (?, ?, ?, ?, ?, ?)", run["id"], number, *part)
        store.execute(
            "DELETE FROM history WHERE run = ? AND line <= ?", run["id"], moved[-1]["line"]
        )
        store.execute(
            "UPDATE runs SET exported_lines = exported_lines + ? WHERE id = ?",
            len(moved),
            run["id"],
        )


def exports_of(store: Store, run: Record) -> list[Record]:
    """The exports of a run, in the order of their rows."""
    return store.rows("SELECT * FROM exports WHERE run = ? ORDER BY part", run["id"])


def live_between(store: Store, run: Record, first: int, end: int) -> list[str]:
    """Live rows as JSON with `first` ≤ step < `end`, in the order they were logged."""
    found = store.rows(
        "SELECT content FROM history WHERE run = ? AND step >= ? AND step < ? ORDER BY step, line",
        run["id"],
        first,
        end,
    )
    return [row["content"] for row in found]


def exported_between(store: Store, run: Record, first: int, end: int) -> Iterator[str]:
    """Exported rows as JSON with `first` ≤ step < `end`."""
    import pyarrow.parquet as pq

    for part in exports_of(store, run):
        if part["last_step"] < first or part["first_step"] >= end:
            continue
        table = pq.read_table(
            store.blob_path(part["blob"]), filters=[(STEP, ">=", first), (STEP, "<", end)]
        )
        yield from map(as_json, rows_of(table))


def sampled(lines: Sequence[str], samples: int) -> Sequence[str]:
    """At most so many of the rows, evenly spread, the first and the last among them."""
    if samples <= 0 or len(lines) <= samples:
        return lines if samples > 0 else []
    if samples == 1:
        return lines[:1]
    last = len(lines) - 1
    return [lines[round(index * last / (samples - 1))] for index in range(samples)]
