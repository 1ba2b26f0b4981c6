"""Tables as MLflow's viewer and `mlflow.load_table` want them: pandas' `split` form, and a tag.

Facts from MLflow 3.17.2: `MlflowClient.log_table`, `MlflowClient.load_table`.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Sequence
from typing import Final

from runferry.dialects.mlflow.tags import MAX_TAG
from runferry.model import Blob

_MAX_BYTES: Final = 32 << 20  # what is larger is kept, but no browser would show it
_PARQUET: Final = b"PAR1"
_SPLIT: Final = {"columns", "data", "index"}


def split_form(blob: Blob) -> bytes | None:
    """The table's columns and rows; None for what is no JSON table, missing or too large to show.

    NaN and infinities become null, for JSON has no word for them; the original is kept beside.
    """
    table = _parsed(blob)
    if table is None:
        return None
    return json.dumps({"columns": list(map(str, table["columns"])), "data": table["data"]}).encode()


def is_loadable(path: str, blob: Blob) -> bool:
    """Whether `mlflow.load_table` takes the file at this path as it is: somebody logged it so."""
    if blob.open is None:
        return False
    suffix = posixpath.splitext(path)[1]
    if suffix == ".parquet":
        with blob.open() as source:
            return source.read(len(_PARQUET)) == _PARQUET
    if suffix != ".json":
        return False
    if blob.size is not None and blob.size > _MAX_BYTES:
        return True  # only MLflow logs tables of that size as one file
    table = _parsed(blob)
    return table is not None and table.keys() <= _SPLIT


def _parsed(blob: Blob) -> dict[str, list[object]] | None:
    if blob.open is None or blob.size is None or blob.size > _MAX_BYTES:
        return None
    with blob.open() as source:
        content = source.read()
    try:
        table = json.loads(content, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    if not isinstance(table, dict):
        return None
    columns, rows = table.get("columns"), table.get("data")
    if not isinstance(columns, list) or not isinstance(rows, list):
        return None
    if any(not isinstance(row, list) or len(row) != len(columns) for row in rows):
        return None
    return table


def tables_tag(paths: Sequence[str]) -> str:
    """The value of `mlflow.loggedArtifacts`; the latest tables, where it cannot hold all."""
    items = [{"path": path, "type": "table"} for path in dict.fromkeys(paths)]
    while len(value := json.dumps(items)) > MAX_TAG:
        del items[: max(1, len(items) * (len(value) - MAX_TAG) // len(value))]
    return value
