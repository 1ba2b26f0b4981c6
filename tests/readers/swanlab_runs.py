"""Makes run folders of SwanLab's clients record by record, each with its framing."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from run_folders import Gathered

from runferry import chunks
from runferry.dialects.protobuf import double, field, integer
from runferry.model import KeyPath, Run, RunKey, Tree
from runferry.writers.swanlab import messages

BLOCK = 32_768
START_NS = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def framed(records: Iterable[bytes], version: int = 2) -> bytes:
    """A whole file."""
    out = bytearray(b":SWL\xd6\xe1" + bytes([version]))
    for record in records:
        payload, is_first = record, True
        while True:
            left = BLOCK - len(out) % BLOCK
            if left < 7:
                out += bytes(left)
                continue
            part, payload = payload[: left - 7], payload[left - 7 :]
            kind = (1 if is_first else 4) if not payload else (2 if is_first else 3)
            out += struct.pack("<IHB", zlib.crc32(bytes([kind]) + part), len(part), kind) + part
            is_first = False
            if not payload:
                break
    return bytes(out)


def record(number: int, message: bytes, num: int = 1) -> bytes:
    return integer(1, num) + messages.timestamp(2, START_NS) + field(number, message)


def start(run_id: str = "r1", *, resume: int = 0, at_ns: int = START_NS, **fields: Any) -> bytes:
    run = Run(RunKey("swanlab", "proj", run_id), name="one", tags=("a", "b"), **fields)
    started = messages.start(run, run_id, "proj", "team", at_ns)
    return record(10, started + (integer(11, resume) if resume else b""), -1)


def finish(state: int = 1, error: str = "") -> bytes:
    ended = messages.timestamp(3, START_NS + 60 * SECOND)
    return record(11, integer(1, state) + (field(2, error) if error else b"") + ended, -2)


def scalar(key: str, step: int, value: float, time_ns: int | None = None) -> bytes:
    at = START_NS + step * SECOND if time_ns is None else time_ns
    head = field(1, key) + (integer(2, step) if step else b"") + integer(3, 1)
    return record(13, head + messages.timestamp(4, at) + field(5, double(1, value)))


def line(text: str, number: int, level: int = 0) -> bytes:
    head = field(1, text) + (integer(2, level) if level else b"")
    return record(16, head + messages.timestamp(3, START_NS) + integer(4, number))


def medium(key: str, step: int, kind: int, items: list[bytes]) -> bytes:
    return record(14, messages.media(key, step, kind, START_NS + step * SECOND, items))


def folder(
    root: Path, records: list[bytes], run_id: str = "r1", time: str = "20231114_221320"
) -> Path:
    """A run folder of clients since 0.8."""
    home = root / f"run-{time}-{run_id}"
    (home / "files").mkdir(parents=True)
    (home / "files" / "config.yaml").write_text(
        "lr:\n  desc: ''\n  sort: 0\n  value: 0.1\n"
        "net:\n  desc: how it is built\n  sort: 1\n  value:\n    layers: [1, 2]\n"
    )
    (home / "files" / "swanlab-metadata.json").write_text(
        '{"_version": 2, "runtime": {"hostname": "box"}, "swanlab": {"version": "0.10.3"}}'
    )
    (home / "files" / "requirements.txt").write_text("numpy\n")
    (home / f"run-{run_id}.swanlab").write_bytes(framed(records))
    return home


def backup(root: Path, kinds: Iterable[tuple[str, dict[str, Any]]], run_id: str = "old") -> Path:
    """A run folder of clients 0.6 and 0.7."""
    home = root / f"run-20231114_221320-{run_id}"
    home.mkdir(parents=True)
    lines = [
        json.dumps({"model_type": kind, "data": data}).encode() + b"\n" for kind, data in kinds
    ]
    (home / "backup.swanlab").write_bytes(framed(lines, 1))
    return home


def backup_scalar(key: str, step: int, value: Any, second: int = 0) -> tuple[str, dict[str, Any]]:
    created = f"2023-11-14T22:13:{second:02}.5+00:00"
    metric = {"index": step, "data": value, "create_time": created}
    return "Scalar", {"metric": metric, "key": key, "step": step, "epoch": step + 1}


RECORDS = [
    start(notes="why", group="g", job_type="train"),
    line("hello", 1),
    *(scalar(key, step, step / 7) for step in range(6) for key in ("loss", "a/b")),
    line("oh no", 2, level=1),
    finish(),
]  # fmt: skip
BACKUP: list[tuple[str, dict[str, Any]]] = [
    ("Header", {"backup_type": "DEFAULT", "create_time": "2023-11-14T22:13:20+00:00"}),
    ("Project", {"name": "proj", "workspace": "team", "public": None}),
    ("Experiment", {"id": "old", "name": "n", "description": "d", "tags": ["t"]}),
    ("Log", {"create_time": "2023-11-14T22:13:20+00:00", "message": "hi", "level": "INFO"}),
    ("Column", {"key": "__swanlab__.gpu", "cls": "SYSTEM", "column_type": "FLOAT"}),
    backup_scalar("__swanlab__.gpu", 0, 49.5),
    backup_scalar("loss", 0, 1.5, 1),
    backup_scalar("loss", 1, "NaN", 2),
    ("Footer", {"success": False, "create_time": "2023-11-14T22:14:20+00:00"}),
]  # fmt: skip


def header(found: Gathered) -> Run:
    """As it is known at the end."""
    return [chunk.run for chunk in found.chunks if isinstance(chunk, chunks.Header)][-1]


def attributes(found: Gathered) -> dict[tuple[str, KeyPath], Tree]:
    parts = (chunk.items for chunk in found.chunks if isinstance(chunk, chunks.Attributes))
    return {(it.role, it.path): it.value for items in parts for it in items}
