"""A writer of archives written from docs/archive.md alone; it writes runs of one shape.

Nothing of runferry is imported here.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tests.docs.archive_reader import ArchivedRun, uid_of

TIME = pa.timestamp("us", "UTC")
POINTS = pa.schema(
    [
        ("key", pa.string()),
        ("step", pa.int64()),
        ("step_frac", pa.int32()),
        ("time", TIME),
        ("time_ns", pa.int16()),
        ("value", pa.float64()),
        ("value_i64", pa.int64()),
        ("kind", pa.string()),
        ("seq", pa.int64()),
    ]
)


def write_run(root: Path, run_id: str, losses: list[float], notes: bytes) -> str:
    """A run with a series `loss` and a file; returns its uid."""
    root.mkdir(exist_ok=True)
    (root / "archive.json").write_text('{"format": "runferry-archive", "version": 2}\n')
    uid = uid_of(["by hand", "", run_id])
    rows = [
        {"key": "loss", "step": step, "time": 1_700_000_000_000_000 + step, "value": loss}
        | {"kind": "float64", "seq": step}
        for step, loss in enumerate(losses)
    ]
    segment = _segment(root, uid, pa.Table.from_pylist(rows, schema=POINTS))
    series = {"key": "loss", "path": ["loss"], "stream": "user", "kind": "scalar", "hidden": False}
    file = {"path": "notes.txt", "role": "other", **_blob(root, notes)}
    commit: dict[str, Any] = {
        "commit_version": 1,
        "uid": uid,
        "generation": 1,
        "digest": "",
        "run": {"key": ["by hand", "", run_id], "name": run_id, "state": "finished"},
        "attributes": [["config", ["model", "lr"], 0.1], ["summary", ["best"], {"$float": "nan"}]],
        "losses": [],
        "segments": [segment],
        "cursor": [],
        "token": "",
        "media": {},
        "sums": {},
        "tables": {"series": [series | {"tally": {}}], "files": [file]},
    }
    run = ArchivedRun(root, commit)
    commit["sums"] = run.sums()
    commit["digest"] = run.digest()
    place = root / "commits" / uid[:2] / f"{uid}.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{uid}.json.0a")
    draft.write_text(json.dumps(commit) + "\n", "ascii")
    draft.replace(place)
    return uid


def _segment(root: Path, uid: str, table: pa.Table) -> dict[str, Any]:
    name = f"data/run={uid}/points-1-0a.parquet"
    path = root / name
    path.parent.mkdir(parents=True)
    pq.write_table(table, path, compression="zstd", store_schema=False)
    content = path.read_bytes()
    stated = {"rows": table.num_rows, "size": len(content)}
    sha256 = hashlib.sha256(content).hexdigest()
    return {"table": "points", "number": 1, "path": name, "sha256": sha256, **stated}


def _blob(root: Path, content: bytes) -> dict[str, Any]:
    sha256 = hashlib.sha256(content).hexdigest()
    path = root / "blobs" / "sha256" / sha256[:2] / sha256
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return {"sha256": sha256, "size": len(content), "mime": "text/plain", "present": True}
