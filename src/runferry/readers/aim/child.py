"""Reads runs of Aim in a process of its own, and writes what it finds to standard output.

Each line of standard input names a run: a list of the folders of its two databases and its hash.
The process ends when there are no more.

It imports nothing of runferry, since its Python may be another one: only `aim` and the `numpy` that
aim needs. A frame is its two lengths (u32, u64, little-endian), JSON, and bytes: columns one after
the other, or what an object holds. The last frame of a run says that all was read, or what failed.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import tempfile
from contextlib import closing
from typing import Any

import numpy as np
from aim.storage.object import CustomObject
from aim.storage.rockscontainer import RocksContainer

# it is started as a file, and finds what lies beside it by its bare name
from child_columns import BATCH, Column  # type: ignore[import-not-found]

NUMBERS = ("float", "float64", "int")


class Frames:
    """Standard output, kept from whatever else prints there."""

    def __init__(self) -> None:
        self._out = os.fdopen(os.dup(1), "wb", buffering=1 << 20)
        os.dup2(2, 1)

    def put(self, told: dict[str, Any], payload: bytes = b"") -> None:
        """Write one frame."""
        text = json.dumps(told, default=_spelled).encode("utf-8", "surrogatepass")
        self._out.write(struct.pack("<IQ", len(text), len(payload)) + text)
        self._out.write(payload)

    def end(self, **told: str) -> None:
        """Say that all was read of a run, or what failed."""
        self.put({"kind": "end", **told})
        self._out.flush()


def _spelled(value: Any) -> Any:
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, CustomObject):
        return {"type": value.AIM_NAME, **_fields(value)[0]}
    return repr(value)


def _get(tree: Any, key: Any, otherwise: Any) -> Any:
    try:
        return tree.subtree(key).collect()
    except KeyError:
        return otherwise


def main() -> None:
    """Write all frames of each run that is asked for."""
    frames = Frames()
    for line in sys.stdin:
        try:
            _read(frames, *json.loads(line))
        except Exception as error:  # noqa: BLE001  the other side tells it, and may ask on
            frames.end(error=f"{type(error).__name__}: {error}")
        else:
            frames.end()


def _read(frames: Frames, meta: str, seqs: str, run_hash: str) -> None:
    with closing(_opened(meta)) as container:
        run = container.tree().subtree(("meta", "chunks", run_hash))
        _facts(frames, run)
        if os.path.isdir(seqs):  # noqa: PTH112
            with closing(_opened(seqs)) as rows:
                _sequences(frames, run, rows.tree().subtree("seqs"), run_hash)


def _opened(path: str) -> Any:
    return RocksContainer(path, read_only=True, skip_read_optimization=True)


def _facts(frames: Frames, run: Any) -> None:
    contexts = run.get("contexts", {})
    frames.put(
        {
            "kind": "run",
            "attrs": _get(run, "attrs", {}),
            "contexts": {str(number): context for number, context in contexts.items()},
            "end_time": run.get("end_time", None),
            "artifacts": _artifacts(run),
        }
    )


def _sequences(frames: Frames, run: Any, rows: Any, run_hash: str) -> None:
    for number in run.get("contexts", {}):
        names = run.get(("traces", number), {})
        for name in sorted(names):
            facts = names[name]
            version, dtype = facts.get("version", 1), facts.get("dtype", "float")
            place = ("chunks", run_hash) if version == 1 else (f"v{version}", "chunks", run_hash)
            series = rows.subtree((*place, number, name))
            if dtype in NUMBERS:
                _metric(frames, series, number, name, version)
            else:
                _objects(frames, series, number, name, dtype)


def _artifacts(run: Any) -> dict[str, Any]:
    found = {}
    for name, item in _get(run, "artifacts", {}).items():
        found[str(name)] = _fields(item)[0] if isinstance(item, CustomObject) else item
    return found


def _column(series: Any, name: str) -> dict[Any, Any]:
    try:
        places, values = series.array(name).sparse_list()
    except KeyError:
        return {}
    return dict(zip(places, values))  # noqa: B905  Python 3.9 may run this


def _spelled_value(one: Any) -> tuple[float, int, bool]:
    is_whole = isinstance(one, int)
    return float(one), int(one) if is_whole else 0, is_whole and not isinstance(one, bool)


def _metric(frames: Frames, series: Any, context: Any, name: str, version: int) -> None:
    with tempfile.TemporaryDirectory(prefix="runferry-aim-") as home:
        kinds = {"near": "<f8", "exact": "<i8", "is_int": "u1"}
        values = Column(series, "val", kinds, _spelled_value, home)
        epochs = Column(
            series, "epoch", {"epoch": "<i8", "has": "u1"}, lambda one: (one or 0, one is not None),
            home,
        )  # fmt: skip
        times = Column(series, "time", {"time": "<f8"}, lambda one: (_number(one),), home)
        order, steps = _by_step(series, values, version, home)
        half = len(values) - len(order)  # a value is stored before its step
        if half:
            frames.put({"kind": "half", "name": name, "context": str(context), "rows": half})
        told = {"kind": "metric", "name": name, "context": str(context)}
        for begin in range(0, len(order), BATCH):
            rows = order[begin : begin + BATCH]
            places, all_there = values.places.found[rows], np.ones(len(rows), bool)
            epoch, time = epochs.rows_of(places), times.rows_of(places)
            columns = [
                steps[rows].astype("<i8"),
                *(values.take(rows, all_there, kind, 0) for kind in kinds),
                epochs.take(*epoch, "epoch", 0),
                epochs.take(*epoch, "has", 0),
                times.take(*time, "time", float("nan")),
            ]
            frames.put(
                {**told, "rows": len(rows)}, b"".join(column.tobytes() for column in columns)
            )


def _by_step(series: Any, values: Column, version: int, home: str) -> tuple[Any, Any]:
    """Rows of values in the order of their steps, and the step of each row."""
    places = values.places.found
    if version == 1:  # the place is the step
        steps, is_there = places.view("<i8"), np.ones(len(places), bool)
    else:
        column = Column(series, "step", {"step": "<i8"}, lambda one: (one,), home)
        rows, is_there = column.rows_of(places)
        steps = column.take(rows, is_there, "step", 0)
    known = np.flatnonzero(is_there)
    return known[np.argsort(steps[known], kind="stable")], steps


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _objects(frames: Frames, series: Any, context: Any, name: str, dtype: str) -> None:
    epochs, times = _column(series, "epoch"), _column(series, "time")
    for step, value in series.array("val").items():
        items = value if isinstance(value, (list, tuple)) else [value]
        for index, item in enumerate(items):
            fields, content, is_text = _fields(item)
            frames.put(
                {
                    "kind": "object",
                    "name": name,
                    "context": str(context),
                    "dtype": dtype,
                    "type": getattr(item, "AIM_NAME", type(item).__name__),
                    "step": step,
                    "index": index,
                    "count": len(items),
                    "epoch": epochs.get(step),
                    "time": times.get(step),
                    "fields": fields,
                    "text": is_text,
                },
                content,
            )


def _fields(item: Any) -> tuple[dict[str, Any], bytes, bool]:
    """What an object holds: its small values, its bytes, and whether these are a text."""
    if not isinstance(item, CustomObject):
        return {"value": item}, b"", False
    fields: dict[str, Any] = {}
    content: Any = b""
    for key, value in item.storage.items():
        loaded = value.load() if hasattr(value, "load") else value
        if key == "data":
            content = loaded
        else:
            fields[str(key)] = loaded
    if isinstance(content, str):
        return fields, content.encode("utf-8", "surrogatepass"), True
    if not isinstance(content, (bytes, bytearray)):
        return {**fields, "data": content}, b"", False
    return fields, bytes(content), False


if __name__ == "__main__":
    main()
