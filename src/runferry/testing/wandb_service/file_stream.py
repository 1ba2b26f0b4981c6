"""The file stream: lines of history, system metrics, summary and console, at their offsets.

A request is `{"files": {NAME: {"offset", "content": [LINE, …]}}, "uploaded", "complete",
"exitcode", "preempting"}`; the same lines may come again, at the same offsets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runferry.testing.wandb_service import history, times
from runferry.testing.wandb_service.refusals import Refusal
from runferry.testing.wandb_service.rows import without_bare_nan
from runferry.testing.wandb_service.store import Record, Store

LINES = {"wandb-events.jsonl": "events", "output.log": "console"}


def take(store: Store, run: Record, request: Mapping[str, Any]) -> None:
    """Keep what one request brought, all of it or nothing."""
    with store.together():
        for name, chunk in (request.get("files") or {}).items():
            _take_chunk(store, run, name, int(chunk["offset"]), list(chunk["content"]))
        time = times.now()
        changes: dict[str, object] = {"heartbeat_at": time, "updated_at": time}
        if request.get("preempting"):
            changes["state"] = "preempting"
        if request.get("complete"):
            code = int(request.get("exitcode") or 0)
            changes |= {"exit_code": code, "state": "failed" if code else "finished"}
        elif run["state"] in ("pending", "crashed"):
            changes["state"] = "running"
        store.update("runs", run["id"], **changes)
        for name in request.get("uploaded") or ():
            store.execute(
                "UPDATE files SET is_uploaded = 1 WHERE run = ? AND name = ?", run["id"], name
            )


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise Refusal(f"a line of the file stream is no JSON: {error}") from error


def _take_chunk(store: Store, run: Record, name: str, offset: int, lines: list[str]) -> None:
    if name == "wandb-history.jsonl":
        history.write_lines(store, run, offset, [_parsed(line) for line in lines])
    elif name == "wandb-summary.json":  # only the last one counts
        summary = json.dumps(without_bare_nan(_parsed(lines[-1])))
        store.update("runs", run["id"], summary_metrics=summary)
    elif table := LINES.get(name):
        if offset == 0 and table == "events":  # as with the history
            store.execute("DELETE FROM events WHERE run = ?", run["id"])
        write(store, table, int(run["id"]), offset, lines)
        if table == "events":
            latest = system_metrics(run["system_metrics"], lines)
            store.update("runs", run["id"], system_metrics=latest)


def system_metrics(known_json: str, lines: list[str]) -> str:
    """The field `systemMetrics`: the last value of each metric."""
    known = json.loads(known_json)
    for line in lines:
        known |= {
            name: value for name, value in json.loads(line).items() if name.startswith("system")
        }
    return json.dumps(without_bare_nan(known))


def write(store: Store, table: str, run: int, offset: int, lines: list[str]) -> None:
    """Lines of system metrics or of the console, from a line number on."""
    store.execute_many(
        f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)",
        ((run, offset + number, line) for number, line in enumerate(lines)),
    )
