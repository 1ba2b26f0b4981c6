"""What others see of what was written for Neptune: the exporter's loaders, and `neptune sync`."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from runferry.dialects.neptune.schema import EXPORT


def exported(root: Path) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Rows by run id and attribute path, read as neptune-exporter's `ParquetReader` reads them.

    It takes the folders of `data`, in each the runs with a part 0, and of those all parts, with its
    own schema.
    """
    found: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for project in (root / "data").iterdir():
        if not project.is_dir() or project.name.startswith("."):
            continue
        for first in project.glob("*_part_0.parquet"):
            prefix = first.stem.replace("_part_0", "")
            rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
            for part in sorted(project.glob(f"{prefix}_part_*.parquet"), key=_number):
                for row in pq.read_table(part, schema=EXPORT).to_pylist():
                    rows[row["attribute_path"]].append(row)
            (run_id,) = {row["run_id"] for some in rows.values() for row in some}
            found[run_id] = dict(rows)
    return found


def _number(path: Path) -> int:
    return int(path.stem.rsplit("_part_", 1)[1])


def value_of(rows: list[dict[str, Any]]) -> Any:
    """The value of an attribute that has one."""
    (row,) = rows
    column = {"file_set": "file", "file": "file"}.get(row["attribute_type"], row["attribute_type"])
    return row[f"{column}_value"]


def points_of(rows: list[dict[str, Any]]) -> list[tuple[float, Any, Any]]:
    """Step, time and value of a series."""
    column = rows[0]["attribute_type"].removesuffix("_series")
    return [(float(row["step"]), row["timestamp"], row[f"{column}_value"]) for row in rows]


def bytes_of(root: Path, path: str) -> bytes:
    """The bytes of a `file_value`, looked for where the loaders do."""
    (project,) = (root / "files").iterdir()
    return (project / path).read_bytes()


def names_in(root: Path, path: str) -> list[str]:
    """The files of a file set."""
    (project,) = (root / "files").iterdir()
    folder = project / path
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def operations(queue: Path) -> list[dict[str, Any]]:
    """The operations of one container in the order in which `neptune sync` sends them."""
    found = []
    for file in sorted(queue.glob("data-*.log"), key=lambda p: int(p.stem.split("-")[1])):
        text, at, decoder = file.read_text(), 0, json.JSONDecoder()
        while at < len(text):
            entry, at = decoder.raw_decode(text, at)
            found.append(entry["obj"])
            while at < len(text) and text[at].isspace():
                at += 1
    return found


def replayed(queue: Path) -> dict[str, Any]:
    """Attributes by path: a value, a set, a list of (step, seconds, value), or paths of files."""
    state: dict[str, Any] = {}
    for operation in operations(queue):
        path = "/".join(operation["path"])
        match operation["type"]:
            case "AssignFloat" | "AssignInt" | "AssignBool" | "AssignString" | "AssignDatetime":
                state[path] = operation["value"]
            case "AddStrings":
                state.setdefault(path, set()).update(operation["values"])
            case "LogFloats" | "LogStrings" | "LogImages":
                rows = [(v["step"], v["ts"], v["value"]) for v in operation["values"]]
                state.setdefault(path, []).extend(rows)
            case "UploadFileSet":
                state[path] = operation["file_globs"]
            case "UploadFile":
                state[path] = operation["file_path"]
            case "DeleteAttribute" | "ClearFloatLog" | "ClearStringLog":
                state.pop(path, None)
            case "ConfigFloatSeries":
                assert [operation[name] for name in ("min", "max", "unit")] == [None] * 3
            case other:
                raise AssertionError(other)
    return state
