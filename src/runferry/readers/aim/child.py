"""Reads runs of Aim in a process of its own, and writes what it finds to standard output.

Each line of standard input names a run: a list of the folders of its two databases and its hash.
The process ends when there are no more.

It imports nothing of runferry, since its Python may be another one: only `aim` and the `numpy` that
aim needs. A frame is its two lengths (u32, u64, little-endian), JSON, and bytes: columns one after
the other, or what an object holds. The last frame of a run says that all was read, or what failed.
"""

from __future__ import annotations

import json
import math
import os
import struct
import sys
from contextlib import closing
from typing import Any, Iterator  # noqa: UP035  Python 3.9 may run this

import numpy as np
from aim.storage.object import CustomObject
from aim.storage.rockscontainer import RocksContainer

# it is started as a file, and finds what lies beside it by its bare name
from child_columns import ALL_BITS, NOTHING, Beside, Rows, places_of  # type: ignore[import-not-found]

# "number" is what Aim makes of a sequence that holds both integers and others
NUMBERS = ("float", "float64", "int", "number")
# what is sent of each row, column by column: see `metrics.Sequence`
_SENT = [
    ("step", "<i8"), ("millionths", "<i4"), ("near", "<f8"), ("exact", "<i8"), ("is_int", "u1"),
    ("epoch", "<f8"), ("has", "u1"), ("is_int_epoch", "u1"), ("time", "<f8"),
]  # fmt: skip
_ROW = [*_SENT, ("rounded", "u1")]


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
                _objects(frames, series, number, name, dtype, version)


def _artifacts(run: Any) -> dict[str, Any]:
    found = {}
    for name, item in _get(run, "artifacts", {}).items():
        found[str(name)] = _fields(item)[0] if isinstance(item, CustomObject) else item
    return found


def _metric(frames: Frames, series: Any, context: Any, name: str, version: int) -> None:
    told = {"kind": "metric", "name": name, "context": str(context)}
    half = [0]
    rows = Rows(_ROW)
    rows.fill(_rows(series, version, half))
    if half[0]:
        frames.put({"kind": "half", "name": name, "context": str(context), "rows": half[0]})
    for block in rows.by_step():
        payload = b"".join(block[column].tobytes() for column, _ in _SENT)
        rounded = int(block["rounded"].sum())
        frames.put({**told, "rows": len(block), "rounded": rounded}, payload)


def _rows(series: Any, version: int, half: list[int]) -> Iterator[tuple[Any, ...]]:
    """Rows of `_ROW`; values whose step is not there yet, since it is stored after them, are
    counted in `half`."""
    steps, epochs, times = (Beside(series, name) for name in ("step", "epoch", "time"))
    for place, value in places_of(series, "val"):
        if version == 1:  # the place is the step
            step = (place - 2**64 if place >= 2**63 else place, 0, False)
        elif (stated := steps.at(place)) is NOTHING:
            half[0] += 1
            continue
        else:
            step = _spelled_step(stated)
        yield (
            *step[:2],
            *_spelled_value(value),
            *_spelled_epoch(epochs.at(place, None)),
            _number(times.at(place, None)),
            step[2],
        )


def _spelled_value(one: Any) -> tuple[float, int, bool]:
    is_whole = isinstance(one, int)
    return float(one), int(one) if is_whole else 0, is_whole and not isinstance(one, bool)


def _spelled_step(step: float) -> tuple[int, int, bool]:
    whole = math.floor(step)
    millionths = round((step - whole) * 1e6)
    return whole, millionths, whole + millionths / 1e6 != step


def _spelled_epoch(one: Any) -> tuple[float, bool, bool]:
    return _number(one), one is not None, isinstance(one, int)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _objects(
    frames: Frames, series: Any, context: Any, name: str, dtype: str, version: int
) -> None:
    steps, epochs, times = (Beside(series, column) for column in ("step", "epoch", "time"))
    told = {"name": name, "context": str(context)}
    half = 0
    for signed, value in series.array("val").items():
        place = signed & ALL_BITS
        step = signed if version == 1 else steps.at(place)
        if step is NOTHING:
            half += 1
            continue
        whole, millionths, is_rounded = _spelled_step(step)
        epoch, time = epochs.at(place, None), times.at(place, None)
        items = value if isinstance(value, (list, tuple)) else [value]
        for index, item in enumerate(items):
            fields, content, is_text = _fields(item)
            frames.put(
                {
                    **told,
                    "kind": "object",
                    "dtype": dtype,
                    "type": getattr(item, "AIM_NAME", type(item).__name__),
                    "step": whole,
                    "millionths": millionths,
                    "rounded": is_rounded,
                    "index": index,
                    "count": len(items),
                    "epoch": epoch,
                    "time": time,
                    "fields": fields,
                    "text": is_text,
                },
                content,
            )
    if half:
        frames.put({**told, "kind": "half", "rows": half})


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
