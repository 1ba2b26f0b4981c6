"""The records of `backup.swanlab` (version 1 of the format): JSON, with rows among them.

    {"model_type": "Scalar", "data": {"key", "step", "epoch",
                                      "metric": {"index", "data", "create_time"}}}

Types seen: Header, Project, Experiment, Runtime, Column, Scalar, Media, Log, Footer (0.6.8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from runferry import chunks
from runferry.dialects.json_trees import JsonNotes, parse_json
from runferry.dialects.swanlab.names import COLUMN_TYPES
from runferry.dialects.times import time_ns_of
from runferry.model import Address, Tree
from runferry.readers.row_batches import whole_step
from runferry.readers.swanlab.facts import Facts
from runferry.readers.swanlab.media import MediaFound, captioned, named_item

DAMAGED: Final = (ValueError, KeyError, TypeError, AttributeError)
"""What taking JSON apart raises where it is not of this form."""
NUMBERS: Final = {"NaN": float("nan"), "INF": float("inf"), "-INF": float("-inf")}
"""How old clients spell what JSON has no number for."""
_STDOUT: Final = "INFO"
_STDERR: Final = ("WARN", "ERROR")  # what was printed there, and what a run that failed raised
_TYPES: Final = {name.upper(): number for number, (name, _) in COLUMN_TYPES.items()}


@dataclass(frozen=True, slots=True)
class Row:
    """A scalar."""

    key: str
    at: Address
    value: Tree


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end."""

    text: str
    stream: str
    time_ns: int | None


Found = chunks.Raw | Row | Line | MediaFound


class JsonRecords:
    """Takes records one by one."""

    def __init__(self, facts: Facts, home: Path) -> None:
        self._facts = facts
        self._home = home

    def take(self, seq: int, content: bytes) -> Iterator[Found]:
        """Rows, lines, media, and what is not known."""
        try:
            notes = JsonNotes()
            tree: Any = parse_json(content.decode(), notes)
            kind, data = tree["model_type"], tree["data"]
            yield from self._take(str(kind), data, seq, content)
        except DAMAGED as error:
            yield chunks.Raw("backup", f"not read: {type(error).__name__}", content, seq)
            return
        if notes != JsonNotes():
            yield chunks.Raw("backup", "keys or numbers that a tree cannot hold", content, seq)

    def _take(self, kind: str, data: dict[str, Any], seq: int, content: bytes) -> Iterator[Found]:
        match kind:
            case "Scalar":
                yield self._scalar(data, seq)
            case "Media":
                yield self._media(data, seq)
            case "Log":
                level = data.get("level")
                stream = "stderr" if level in _STDERR else "stdout"
                yield Line(str(data["message"]), stream, time_ns_of(data.get("create_time")))
                if level not in (_STDOUT, *_STDERR):
                    yield chunks.Raw(kind, f"a level that is not known: {level}", content, seq)
            case _:
                if not self._said(kind, data):
                    yield chunks.Raw(kind, "a record that is not known", content, seq)

    def _said(self, kind: str, data: dict[str, Any]) -> bool:
        """What a record says of the run; False for one that is not known."""
        facts = self._facts
        match kind:
            case "Header":
                begun = time_ns_of(data["create_time"])
                facts.put(created_ns=begun, started_ns=begun, state="running", status="RUNNING")
                facts.other["backup_type"] = data.get("backup_type")
            case "Project":
                facts.put(project=data["name"], entity=data.get("workspace"))
                if data.get("public") is not None:
                    facts.other["public"] = data["public"]
            case "Experiment":
                facts.put(
                    run_id=data["id"],
                    name=data["name"],
                    notes=data.get("description"),
                    tags=list(data.get("tags") or ()),
                    group=data.get("group"),
                    job_type=data.get("job_type"),
                )
                facts.other["colors"] = data.get("colors")
            case "Runtime":
                pass  # names of the files beside, which are read where they lie
            case "Column":
                facts.columns[str(data["key"])] = _column(data)
            case "Footer":
                facts.ended(1 if data["success"] else 2, "", time_ns_of(data.get("create_time")))
            case _:
                return False
        return True

    def _scalar(self, data: dict[str, Any], seq: int) -> Row:
        value = data["metric"]["data"]
        if isinstance(value, str):
            value = NUMBERS.get(value, value)
        return Row(str(data["key"]), _address(data, seq), value)

    def _media(self, data: dict[str, Any], seq: int) -> MediaFound:
        key = str(data["key"])
        column = self._facts.columns.get(key)
        stated = column.get("type") if isinstance(column, dict) else None
        kind = _TYPES.get(str(stated), 0)
        # clients that have a number for each key (0.6, 0.7) call the folder by it
        numbered = () if data.get("kid") is None else (str(data["kid"]),)
        folders = (*numbered, str(data.get("key_encoded") or quote(key, safe="")))
        items = tuple(
            named_item(self._home, folders, name, caption, kind)
            for name, caption in captioned(data["metric"])
        )
        return MediaFound(key, _address(data, seq), kind, items)


def _address(data: dict[str, Any], seq: int) -> Address:
    return address_of(seq, data["step"], data["metric"].get("create_time"))


def address_of(seq: int, step: Tree, created: Tree) -> Address:
    """Where a row stands. Raises ValueError for what is no step, or no time."""
    whole, time_ns = whole_step(step), time_ns_of(created)
    if whole is None or (time_ns is None and created is not None):
        raise ValueError("no step, or no time")
    return Address(seq, whole, None, time_ns)


def _column(data: dict[str, Any]) -> Tree:
    kept = {name: value for name, value in data.items() if value is not None and name != "key"}
    kept["class"] = kept.pop("cls", "CUSTOM")
    kept["type"] = kept.pop("column_type", "FLOAT")
    return kept
