"""SwanLab's messages as bytes, by the numbers of `swanlab/proto` in 0.10.3."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from runferry.dialects.protobuf import field, integer
from runferry.dialects.swanlab.names import CUSTOM_CLASS, SYSTEM_CLASS
from runferry.dialects.times import NS
from runferry.model import Run, RunState

_STATES: Final[dict[RunState, int]] = {"finished": 1, "failed": 2, "killed": 3}
_PUBLIC_SECTION, _SYSTEM_SECTION = 3, 4


def timestamp(number: int, time_ns: int) -> bytes:
    """A `google.protobuf.Timestamp`."""
    seconds, nanos = divmod(time_ns, NS)
    return field(number, integer(1, seconds) + integer(2, nanos))


def start(run: Run, run_id: str, project: str, workspace: str, started_ns: int) -> bytes:
    """`StartRecord`; its texts as SwanLab takes them."""
    texts = ((1, project), (2, workspace), (4, run.name), (5, run.notes))
    more = ((7, run.group), (8, run.job_type), (10, run_id))
    spelled = [field(number, text) for number, text in texts if text]
    spelled += [field(6, tag) for tag in run.tags]
    spelled += [field(number, text) for number, text in more if text]
    return b"".join(spelled) + timestamp(12, started_ns)


def finish(run: Run, ended_ns: int) -> bytes | None:
    """`FinishRecord`; None for a run that has not ended."""
    state = _STATES.get(run.state)
    if state is None and not run.complete:
        return None
    failed = "" if state in (None, 1) else (run.status or run.state)
    if run.exit_code:
        failed = f"{failed} (exit code {run.exit_code})"
    return integer(1, state or 1) + (field(2, failed) if failed else b"") + timestamp(3, ended_ns)


def column(
    key: str, column_type: int, *, is_system: bool, x_axis: str | None, is_hidden: bool
) -> bytes:
    """`ColumnRecord`; its section is what stands before the first slash, as the client has it."""
    section = "" if is_system else key.partition("/")[0] if "/" in key else ""
    return b"".join(
        (
            integer(1, SYSTEM_CLASS if is_system else CUSTOM_CLASS),
            integer(2, column_type),
            field(3, key),
            field(5, section) if section else b"",
            integer(6, _SYSTEM_SECTION if is_system else _PUBLIC_SECTION),
            field(13, x_axis) if x_axis else b"",
            integer(14, 1) if is_hidden else b"",
        )
    )


def item(name: str, sha256: str, size: int, caption: str | None, payload: bytes | None) -> bytes:
    """`MediaItem`; with a payload there is no file."""
    spelled = field(1, name) + field(2, sha256) + integer(3, size)
    spelled += field(4, caption) if caption else b""
    return spelled if payload is None else spelled + field(5, payload)


def media(key: str, step: int, column_type: int, time_ns: int, items: Iterable[bytes]) -> bytes:
    """`MediaRecord`."""
    value = b"".join(field(1, one) for one in items)
    head = field(1, key) + (integer(2, step) if step else b"") + integer(3, column_type)
    return head + timestamp(4, time_ns) + field(5, value)


def save(name: str, source_path: str, save_type: int) -> bytes:
    """`SaveRecord`."""
    return field(1, name) + field(2, source_path) + (integer(5, save_type) if save_type else b"")
