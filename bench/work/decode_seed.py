"""Decodes a `.wandb` file the way people do with the vendor's old reader, on wandb 0.29.

`DataStore` frames and checks the records, protobuf parses them, `MessageToDict` makes dictionaries
of them and each `value_json` is loaded. Nothing is asked of it beyond that: no columns.

Usage: decode_seed.py FILE
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from typing import Any

from google.protobuf.json_format import MessageToDict
from stopwatch import answer, stopwatch
from wandb.proto.wandb_internal_pb2 import Record
from wandb.sdk.internal.datastore import DataStore


def load(path: str) -> dict[str, list[Any]]:
    """One list of messages for each record type, in order."""
    messages: dict[str, list[Any]] = defaultdict(list)
    store = DataStore()
    store.open_for_scan(path)
    while (raw := store.scan_data()) is not None:
        record = Record()
        record.ParseFromString(raw)
        kind = record.WhichOneof("record_type")
        message = MessageToDict(record, preserving_proto_field_name=True)[kind]
        for field, items in message.items():
            if isinstance(items, list) and items and "value_json" in items[0]:
                message[field] = {
                    item["key"] if "key" in item else "/".join(item["nested_key"]): json.loads(
                        item["value_json"]
                    )
                    for item in items
                }
        messages[kind].append(message)
    return messages


def outcome_of(messages: dict[str, list[Any]]) -> dict[str, Any]:
    """The same facts as `columns.outcome_of`."""
    values: dict[str, list[float]] = defaultdict(list)
    step_sum = time_us_sum = 0
    for message in messages["history"]:
        row = message["item"]
        step_sum += row.pop("_step")
        time_us_sum += round(row.pop("_timestamp") * 1e6)
        for key, value in row.items():
            values[f"user:{key}"].append(value)
    for message in messages["stats"]:
        for key, value in message["item"].items():
            values[f"system:{key}"].append(value)
    summary: dict[str, Any] = {}
    for message in messages["summary"]:
        summary |= message["update"]
    return {
        "series": {key: [len(column), math.fsum(column)] for key, column in values.items()},
        "history": len(messages["history"]),
        "stats": len(messages["stats"]),
        "step_sum": step_sum,
        "time_us_sum": time_us_sum,
        "summary": summary,
        "records": {kind: len(rows) for kind, rows in messages.items()},
    }


with stopwatch() as lap:
    loaded = load(sys.argv[1])
answer(lap, outcome_of(loaded))
