"""What MLflow keeps about a run outside of it, and what no run of ours holds: it is counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from runferry.dialects.mlflow import schema
from runferry.dialects.mlflow.sql_cells import any_text
from runferry.losses import Fate, Loss

_KINDS: Final = (
    (
        "issue",
        {"issues": {"source_run_id"}},
        "SELECT source_run_id, count(*) FROM issues WHERE source_run_id IS NOT NULL"
        " GROUP BY source_run_id",
        "issues that were found in the run are not carried",
    ),
)


def beyond_runs(connection: sqlite3.Connection) -> Mapping[str, list[Loss]]:
    """By run id; one pass over each table, since none is indexed by the run."""
    found: dict[str, list[Loss]] = {}
    for code, needed, query, detail in _KINDS:
        if any(names - schema.columns(connection, table) for table, names in needed.items()):
            continue  # before MLflow had such a thing
        with any_text(connection):
            rows = connection.execute(query).fetchall()
        for run_id, count in rows:
            found.setdefault(str(run_id), []).append(Loss(code, Fate.DROPPED, "", count, detail))
    return found
