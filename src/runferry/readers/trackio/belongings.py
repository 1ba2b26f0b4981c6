"""What a run of trackio has besides logged values: its config, alerts and traces."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from runferry import chunks
from runferry.dialects.json_trees import JsonNotes, leaves, parse_json
from runferry.dialects.times import time_ns_of
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Tree
from runferry.readers.run_folders.documents import noted
from runferry.readers.trackio.databases import Owner, Schema, config_of, text_of
from runferry.readers.trackio.values import number_of


def config_attributes(
    connection: sqlite3.Connection, schema: Schema, owner: Owner
) -> Iterator[chunks.Chunk]:
    """The config; what trackio adds to it under names with `_` is of the role `other`."""
    notes = JsonNotes()
    try:
        config = config_of(connection, schema, owner, notes)
    except ValueError as error:
        yield chunks.Lost(Loss("unreadable-config", Fate.DROPPED, "configs", 1, str(error)))
        return
    yield from map(chunks.Lost, noted(notes, "configs"))
    told = [
        Attribute(path, "other" if path[0].startswith("_") else "config", number_of(value))
        for path, value in leaves(config)
    ]
    if told:
        yield chunks.Attributes(tuple(told), is_whole=True)


def alert_of(row: sqlite3.Row) -> tuple[dict[str, Tree], Tree, int | None]:
    """An alert as a value of the series `alerts`, its step and its time."""
    told: dict[str, Tree] = {name: row[name] for name in ("title", "text", "level")}
    return {"alerts": [told]}, row["step"], time_ns_of(row["timestamp"])


def trace_of(row: sqlite3.Row, notes: JsonNotes) -> tuple[dict[str, Tree], Tree, int | None]:
    """A trace as a value of its series. Raises ValueError for what is no JSON."""
    told: dict[str, Tree] = {"_type": "trackio.trace"}
    for name in ("messages", "metadata", "spans"):
        if name in row.keys():  # noqa: SIM118  a Row is no mapping
            told[name] = parse_json(text_of(row[name]), notes)
    if row["trace_index"] is not None:
        told["index"] = row["trace_index"]
    return {str(row["key"]): [told]}, row["step"], time_ns_of(row["timestamp"])
