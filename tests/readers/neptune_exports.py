"""Archives as neptune-exporter writes them, made without it: it is on no package index."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pyarrow as pa
import pyarrow.parquet as pq

from runferry.dialects.neptune.names import part_name, san
from runferry.dialects.neptune.schema import ATOMS, EXPORT, SERIES
from runferry.model import Tree

PROJECT = "team/vision"
BEGAN = datetime(2025, 3, 1, 12, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)


def row(run_id: str, path: str, kind: str, value: Any, **more: Any) -> dict[str, Any]:
    """One row, its value in the column of its type."""
    column = {**ATOMS, **SERIES}.get(kind, "file_value")
    filled = {"project_id": PROJECT, "run_id": run_id, "attribute_path": path}
    return {**filled, "attribute_type": kind, column: value, **more}


def atoms(run_id: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = {bool: "bool", int: "int", float: "float", str: "string", datetime: "datetime"}
    kinds[list] = "string_set"
    return [row(run_id, path, kinds[type(value)], value) for path, value in values.items()]


def sys_v3(run_id: str, **more: Any) -> list[dict[str, Any]]:
    """What a run of Neptune 3 has below `sys`."""
    values: dict[str, Any] = {
        "sys/id": "VIS-1",
        "sys/custom_run_id": run_id,
        "sys/name": "baseline",
        "sys/description": "the first one",
        "sys/owner": "somebody",
        "sys/creation_time": BEGAN,
        "sys/modification_time": BEGAN + timedelta(hours=2),
        "sys/tags": ["a", "b"],
        "sys/group_tags": ["g"],
        "sys/failed": False,
    }
    given = {f"sys/{name.replace('__', '/')}": value for name, value in more.items()}
    return atoms(run_id, {**values, **given})


def points(
    run_id: str, path: str, values: Iterable[tuple[str, Any]], kind: str = "float_series"
) -> list[dict[str, Any]]:
    """(step, value), a second apart."""
    return [
        row(run_id, path, kind, value, step=Decimal(step), timestamp=BEGAN + timedelta(seconds=n))
        for n, (step, value) in enumerate(values)
    ]


def bins(counts: list[float], kind: str = "COUNTING") -> dict[str, Any]:
    return {"type": kind, "edges": [float(n) for n in range(len(counts) + 1)], "values": counts}


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=EXPORT)


def write_part(path: Path, rows: list[dict[str, Any]], group_rows: int = 1 << 20) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(rows), path, row_group_size=group_rows, compression="snappy")
    return path


def write_run(
    data: Path, run_id: str, *parts: list[dict[str, Any]], scope: str = "", project: str = PROJECT
) -> list[Path]:
    """A run's parts below the folder `data`."""
    folder = data / san(project) / scope
    return [
        write_part(folder / part_name(run_id, number), rows) for number, rows in enumerate(parts)
    ]


def put_file(data: Path, path: str, content: bytes, files: str = "files") -> str:
    """A file of the project, below FILES; gives its path there."""
    place = data.parent / files / san(PROJECT) / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return path


def full_run(data: Path, run_id: str = "swift-owl") -> list[Path]:
    """A run with everything that Neptune 3 has, in two parts."""
    steps = [(f"{n * 0.5}", 1 / (n + 1)) for n in range(20)]
    parameters = [
        *sys_v3(run_id, forking__parent="old-owl", forking__step=7.25),
        *atoms(run_id, {"params/lr": 0.1, "params/n": 2**60, "params/flag": True}),
        *atoms(run_id, {"params/when": BEGAN, "params/words": ["x", "y"], "params/s": ""}),
        row(run_id, "params/of another run", "float", None),
    ]
    series = [
        *points(run_id, "train/loss", steps),
        *points(run_id, "val/loss", [("0.000001", 0.5), ("3", None), ("7.5", float("inf"))]),
        *points(run_id, "notes", [("1", "first"), ("2", "")], "string_series"),
        *points(run_id, "weights", [("0", bins([1.0, 2.0]))], "histogram_series"),
        *points(run_id, "density", [("0", bins([0.25, 0.75], "DENSITY"))], "histogram_series"),
        *points(
            run_id,
            "runtime/stdout",
            [(f"0.{n + 1:06}", f"line {n}") for n in range(3)],
            "string_series",
        ),
    ]
    images = [
        (str(n), {"path": put_file(data, f"{run_id}/samples/step_{n}.png", PNG + bytes([n]))})
        for n in range(2)
    ]
    report = put_file(data, f"{run_id}/report.html", b"<html>")
    gone = {"path": f"{run_id}/gone.bin"}
    files = [
        *points(run_id, "samples", images, "file_series"),
        row(run_id, "report", "file", {"path": report}),
        row(run_id, "gone", "file", gone),
    ]
    return write_run(data, run_id, [*parameters, *series], files)


def old_run(data: Path, run_id: str = "VIS-7", scope: str = "", **more: Tree) -> list[Path]:
    """A run (or a model) of Neptune 2, with sets of files and artifacts."""
    base = f"{scope}/{run_id}" if scope else f"{PROJECT}/{run_id}"
    files = "model_files" if scope else "files"
    archive = data.parent / files / san(PROJECT) / base / "source_code/files" / "files.zip"
    archive.parent.mkdir(parents=True)
    with ZipFile(archive, "w") as opened:
        opened.writestr("train.py", "print()")
        opened.writestr("lib/net.py", "net")
    listed = [
        {
            "filePath": "a.csv",
            "fileHash": "f" * 40,
            "type": "Local",
            "size": 3,
            "metadata": [{"key": "file_path", "value": "file:///data/a.csv"}],
        },
        {"filePath": "b.csv", "fileHash": "e" * 40, "type": "S3", "size": None, "metadata": []},
    ]
    tracked = put_file(data, f"{base}/data/files_list.json", json.dumps(listed).encode(), files)
    plain = put_file(data, f"{base}/weights", b"w", files)
    values = {"sys/id": run_id, "sys/name": "old", "sys/creation_time": BEGAN, **more}
    rows = [
        *atoms(run_id, values),
        *points(run_id, "loss", [("0", 1.0), ("1", 0.5)]),
        *points(run_id, "monitoring/stdout", [("0", "a"), ("1", "b")], "string_series"),
        row(run_id, "source_code/files", "file_set", {"path": f"{base}/source_code/files"}),
        row(run_id, "data", "artifact", {"path": tracked}),
        row(run_id, "weights", "file", {"path": plain}),
    ]
    return write_run(data, run_id, rows, scope=scope)


def shuffled(paths: list[Path], seed: int = 0) -> None:
    """The rows of parts in an order of nobody's, spread over all of them."""
    rows = [one for path in paths for one in pq.read_table(path).to_pylist()]
    random.Random(seed).shuffle(rows)
    each = -(-len(rows) // len(paths))
    for number, path in enumerate(paths):
        write_part(path, rows[number * each : (number + 1) * each], group_rows=7)
