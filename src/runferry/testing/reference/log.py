"""The reference tracker's files: one log a run, one line a chunk.

<where>/<run>.jsonl      first {"run", "mark"}, then {"kind", "number", "chunk"} …, {"seal"}
<where>/blobs/<sha256>   bytes
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from runferry.ports import Location
from runferry.testing.recording import Sample
from runferry.testing.reference.codec import ChunkCodec

NAME = "reference"
SUFFIX = ".jsonl"
PRIVATE = "private"
"""The folder of runs that are not published yet."""


def codec_of(where: Path) -> ChunkCodec:
    """The notation of the logs in this folder."""
    return ChunkCodec(where / "blobs")


def logs(where: Path) -> list[Path]:
    """Every log, in a stable order."""
    return sorted(where.glob(f"*{SUFFIX}"))


def spell(stated: object) -> bytes:
    """One line."""
    return json.dumps(stated, separators=(",", ":")).encode() + b"\n"


def whole_lines(path: Path) -> Iterator[bytes]:
    """The lines of a log; one that a crash has torn at the end is no line."""
    with path.open("rb") as log:
        yield from (line for line in log if line.endswith(b"\n"))


def first_line(path: Path) -> dict[str, Any] | None:
    """What a log begins with; None if it was torn there, or is gone since it was listed."""
    try:
        line = next(whole_lines(path), None)
    except FileNotFoundError:
        return None
    stated: dict[str, Any] | None = None if line is None else json.loads(line)
    return stated


def is_sealed(path: Path) -> bool:
    """Whether the last line of a log is the seal."""
    last = b""
    for line in whole_lines(path):
        last = line
    return last.startswith(b'{"seal"')


def record(samples: Iterable[Sample], where: Path) -> Location:
    """Put runs into a folder as their own tracker would; recording more of a run makes it grow."""
    where.mkdir(parents=True, exist_ok=True)
    codec = codec_of(where)
    for sample in samples:
        path = where / f"{sample.run.uid}{SUFFIX}"
        known = sum(1 for _ in whole_lines(path)) if path.exists() else 0
        lines: list[object] = [{"run": codec.encode(sample.run), "mark": None}]
        for chunk in sample.chunks:
            kind = type(chunk).__name__
            lines.append({"kind": kind, "number": None, "chunk": codec.encode(chunk)})
        with path.open("ab") as log:
            log.writelines(map(spell, lines[known:]))
    return Location(NAME, str(where))
