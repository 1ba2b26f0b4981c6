"""`runs.<form>`: one line a run, its config and summary as columns. For people.

It follows from the runs' own folders, and is made anew when these are not the ones it was made of:
so it is right again after whatever happened to the process that should have made it.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pyarrow as pa

from runferry.dialects import codec
from runferry.dialects.codec import FOREIGN
from runferry.dialects.plain_folder.folders import Folders
from runferry.dialects.plain_folder.forms import Form
from runferry.dialects.plain_folder.layout import (
    ATTRIBUTES,
    HIDDEN,
    RUN_FILE,
)
from runferry.dialects.plain_folder.run_file import read_run_file
from runferry.durable import sync, write_atomically
from runferry.errors import Damaged
from runferry.model import Run, Tree
from runferry.tables import TIME, dumps, loads

MAX_COLUMNS: Final = 4_000
_MADE_OF: Final = "listed.json"
_ROWS: Final = 256
_ROLES: Final = ("config", "summary")

_log = logging.getLogger(__name__)
_WORDS = pa.string()
_HEAD: Final = {
    "name": _WORDS, "id": _WORDS, "project": _WORDS, "group": _WORDS, "state": _WORDS,
    "created": TIME, "started": TIME, "ended": TIME, "tags": _WORDS, "notes": _WORDS,
    "user": _WORDS, "host": _WORDS, "parent": _WORDS, "sweep": _WORDS, "tracker": _WORDS,
    "folder": _WORDS,
}  # fmt: skip

Row = dict[str, Tree]


def refresh(root: Path, form: Form, scratch: str) -> None:
    """Make the index if other runs lie here than it was made of."""
    while (now := _listing(root)) != _made_of(root):
        _write(root, form, scratch)
        if _listing(root) == now:  # else another process has brought one meanwhile
            said = json.dumps(now).encode()
            write_atomically(root / HIDDEN / _MADE_OF, said, scratch=scratch)


def _listing(root: Path) -> list[list[object]]:
    """Which runs lie here: a run that was replaced is another file."""
    found: list[list[object]] = []
    for folder in Folders(root).in_place():
        with suppress(FileNotFoundError):  # another push is replacing it
            said = (folder / RUN_FILE).stat()
            found.append([folder.name, said.st_ino, said.st_mtime_ns])
    return found


def _made_of(root: Path) -> object:
    try:
        return json.loads((root / HIDDEN / _MADE_OF).read_bytes())
    except (OSError, ValueError):
        return None


def _write(root: Path, form: Form, scratch: str) -> None:
    """Twice through all runs: for the columns, then for the rows."""
    types = _types(root)
    schema = pa.schema([pa.field(name, kind) for name, kind in (_HEAD | types).items()])
    draft = root / HIDDEN / f"runs-{scratch}.{form.name}"
    sink = form.sink(draft, "runs", schema)
    waiting: list[Row] = []
    for row in _rows(root):
        waiting.append(row)
        if len(waiting) == _ROWS:
            sink.write(_batch(waiting, schema))
            waiting = []
    sink.write(_batch(waiting, schema))
    sink.close()
    sync([draft])
    draft.replace(root / f"runs.{form.name}")
    sync([root])


def _types(root: Path) -> dict[str, pa.DataType]:
    """A column for each value that some run states, as narrow as its values allow."""
    seen: dict[str, set[str]] = {}
    left_out = 0
    for row in _rows(root):
        for name, value in row.items():
            if name in _HEAD:
                continue
            if name not in seen and len(seen) == MAX_COLUMNS:
                left_out += 1
            else:
                seen.setdefault(name, set()).add(_kind_of(value))
    if left_out:
        _log.warning(
            "runs: only %d values of config and summary have a column; all are in %s of each run",
            MAX_COLUMNS, ATTRIBUTES,
        )  # fmt: skip
    return {name: _type_of(seen[name]) for name in sorted(seen)}


def _kind_of(value: Tree) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "bool"
        case int() if -(2**63) <= value < 2**63:
            return "int"
        case float():
            return "float"
        case _:
            return "word"


def _type_of(kinds: set[str]) -> pa.DataType:
    kinds = kinds - {""}
    if kinds == {"bool"}:
        return pa.bool_()
    if kinds == {"int"}:
        return pa.int64()
    return pa.float64() if kinds and kinds <= {"int", "float"} else _WORDS


def _rows(root: Path) -> Iterator[Row]:
    for folder in Folders(root).in_place():
        try:
            yield _head(read_run_file(folder).run, folder) | _values(folder)
        except FileNotFoundError:  # another push is replacing it, and makes the index anew
            continue
        except (Damaged, *FOREIGN) as error:
            _log.warning("no line for %s in runs.*: %s", folder.name, error)


def _head(run: Run, folder: Path) -> Row:
    return {
        "name": run.name,
        "id": run.key.run_id,
        "project": run.project,
        "group": run.group,
        "state": run.state,
        "created": run.created_ns,
        "started": run.started_ns,
        "ended": run.ended_ns,
        "tags": ", ".join(run.tags) or None,
        "notes": run.notes,
        "user": run.user,
        "host": run.host,
        "parent": run.parent,
        "sweep": run.sweep,
        "tracker": run.key.tracker,
        "folder": folder.name,
    }


def _values(folder: Path) -> Row:
    path = folder / ATTRIBUTES
    row: Row = {}
    if not path.is_file():
        return row
    with path.open("rb") as lines:
        for line in lines:
            item = codec.attribute_of(loads(line))
            if item.role in _ROLES:
                name, copy = _words(f"{item.role}.{'.'.join(item.path)}"), 1
                plain = name
                while name in row:
                    copy += 1
                    name = f"{plain}~{copy}"
                row[name] = item.value
    return row


def _batch(rows: list[Row], schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        pa.array([_cell(row.get(f.name), f.type) for row in rows], _stored(f.type)).cast(f.type)
        for f in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _stored(kind: pa.DataType) -> pa.DataType:
    return pa.int64() if kind == TIME else kind


def _cell(value: Tree, kind: pa.DataType) -> Tree:
    if value is None:
        return None
    if kind == TIME:
        us = int(value) // 1000  # type: ignore[arg-type]
        return us if -(2**63) <= us < 2**63 else None  # run.json has it
    if kind == _WORDS:
        return _words(value)
    return float(value) if kind == pa.float64() else value  # type: ignore[arg-type]


def _words(value: Tree) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = value if isinstance(value, str) else dumps(value)
    return text.encode("utf-8", "backslashreplace").decode()
