"""What the first records of event files tell: which run a folder is, and what began it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from runferry import _native
from runferry.dialects.tensorboard.names import HPARAMS_TAG
from runferry.dialects.tensorboard.own_files import MARK_TAG, Mark
from runferry.errors import Damaged
from runferry.losses import Fate, Loss
from runferry.paths import spelled
from runferry.readers.finding import signature_of
from runferry.readers.lfs import POINTER, is_lfs_pointer, lfs_loss
from runferry.readers.tensorboard.folders import EventFolder
from runferry.readers.tensorboard.own import mark_in

if TYPE_CHECKING:
    from runferry._native import EventBatch

_LENGTH = 8  # bytes of a record's length, then four of its checksum
_RECORD_AT_MOST = 1 << 20  # bytes of a first record that tell it from others
_SCAN_AT_MOST = 1 << 20  # bytes that are searched for the first value
_FRAMING = ("file_version", "source_metadata")


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a folder's records, as its first usable file has it."""

    signature: str = ""  # of the first record; empty if there is none
    file: str = ""
    first_ns: int | None = None  # wall time of the first event
    file_version: str | None = None
    writer: str | None = None
    tag: str | None = None  # of the first value in any of the files
    is_scalar: bool = False  # that value is a number
    mark: Mark | None = None  # of a run that we wrote
    session: dict[str, Any] | None = None  # hparams' session_start_info, where it comes first


def head_of(folder: EventFolder) -> Head:
    """Looks at the first records of a folder's files. What is wrong with a file is told elsewhere.

    One closed to us or gone meanwhile is passed over here: reading it says so.
    """
    found = Head()
    for name in folder.files:
        path = folder.path / name
        try:
            if unusable(path) is not None:
                continue
            head = _scanned(path)
        except (OSError, Damaged):
            continue
        if not found.signature:
            found = head
        elif head.tag is not None:
            found = replace(found, tag=head.tag, is_scalar=head.is_scalar, session=head.session)
        if found.tag is not None:
            break
    return found if found.signature else _without_records(folder, found)


def unusable(path: Path) -> Loss | None:
    """What stands under the name of an event file, when it is none. Raises OSError."""
    with path.open("rb") as stream:
        is_empty = not stream.read(1)
    if is_empty:
        detail = "a file of 0 bytes: nothing was written to it yet, or all of it was lost"
        return Loss("empty-file", Fate.KEPT, spelled(path.name), 1, detail)
    return lfs_loss(spelled(path.name)) if is_lfs_pointer(path) else None


def _without_records(folder: EventFolder, found: Head) -> Head:
    """The folder has nothing that can be read: what stands there instead tells it from others."""
    for name in folder.files:
        try:
            with (folder.path / name).open("rb") as stream:
                start = stream.read(_SCAN_AT_MOST)
        except OSError:
            continue
        if start.startswith(POINTER):
            return replace(found, signature=signature_of(start), file=name)
    return replace(found, signature=signature_of(b""), file=next(iter(folder.files), ""))


def _first_record(path: Path) -> bytes:
    """The first record's content, or its beginning; empty if the file ends inside it."""
    with path.open("rb") as stream:
        framing = stream.read(_LENGTH + 4)
        length = int.from_bytes(framing[:_LENGTH], "little")
        content = stream.read(min(length, _RECORD_AT_MOST))
    return content if len(content) == min(length, _RECORD_AT_MOST) else b""


def _scanned(path: Path) -> Head:
    """Raises OSError, Damaged."""
    head = Head(signature_of(_first_record(path)), path.name)
    scanner = _native.EventScanner(str(path), rows=1)
    while head.tag is None and (batch := scanner.next()) is not None:
        head = _with(head, batch)
        if scanner.offset > _SCAN_AT_MOST:
            break
    return head


def _with(head: Head, batch: EventBatch) -> Head:
    """With what one more batch tells."""
    for kind, _, _, time_ns, message in batch.records:
        head = replace(head, first_ns=time_ns if head.first_ns is None else head.first_ns)
        match kind:
            case "file_version":
                head = replace(head, file_version=head.file_version or message.get("file_version"))
            case "source_metadata":
                head = replace(head, writer=head.writer or message.get("writer"))
            case "experiment" | "session_start_info" | "session_end_info":
                head = replace(head, tag=head.tag or f"{HPARAMS_TAG}{kind}")
                if kind == "session_start_info" and head.session is None:
                    head = replace(head, session=message)
            case "runferry":
                found = str(message["tag"])
                if found == MARK_TAG and head.mark is None:
                    head = replace(head, mark=mark_in(message["json"]))
                head = replace(head, tag=head.tag or found)
            case "layout" | "unknown":
                head = replace(head, tag=head.tag or str(message.get("tag") or kind))
    tables = [batch.points, batch.texts, batch.histograms, batch.media]
    times = [_first_time(pa.record_batch(table)) for table in tables if table is not None]
    known = [time for time in times if time is not None]
    if head.first_ns is None and known:
        head = replace(head, first_ns=min(known))
    if head.tag is None and batch.series:
        head = replace(head, tag=batch.series[0][0], is_scalar=batch.points is not None)
    return head


def _first_time(rows: pa.RecordBatch) -> int | None:
    micro, below = rows.column("time")[0], rows.column("time_ns")[0]
    if not micro.is_valid:
        return None
    return int(micro.value) * 1000 + int(below.as_py() or 0)
