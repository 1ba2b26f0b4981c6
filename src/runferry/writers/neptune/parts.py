"""The Parquet parts of one run in an archive of the exporter's format."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from runferry.dialects.neptune.export_files import PART_BYTES
from runferry.dialects.neptune.names import part_name, san
from runferry.dialects.neptune.own_store import UID_METADATA
from runferry.dialects.neptune.schema import EXPORT
from runferry.durable import replace_file, sync
from runferry.model import Uid

_SCRATCH = ".tmp"


class Parts:
    """Writes `<run>_part_<n>.parquet.tmp`, and a new part when one is large enough."""

    def __init__(self, folder: Path, run_id: str, uid: Uid) -> None:
        self._folder = folder
        self._run_id = run_id
        self._schema = EXPORT.with_metadata({UID_METADATA: uid.encode()})
        self._paths: list[Path] = []
        self._stream: Any = None
        self._writer: pq.ParquetWriter | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.remove_scratch()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        if not batch.num_rows:
            return
        if self._writer is not None and self._stream.tell() >= PART_BYTES:
            self.close()
        if self._writer is None:
            path = self._folder / f"{part_name(self._run_id, len(self._paths))}{_SCRATCH}"
            self._stream = pa.OSFile(str(path), "wb")
            self._writer = pq.ParquetWriter(self._stream, self._schema, compression="snappy")
            self._paths.append(path)
        self._writer.write_batch(batch)

    def publish(self) -> tuple[tuple[str, int], ...]:
        """Put the parts in their places, part 0 last; the names and sizes that they have there.

        Of an older run in this place part 0 goes first: nobody reads a mixture of both.
        """
        self.close()
        sync([*self._paths, self._folder])
        old = sorted(_numbered_parts(self._folder, self._run_id))
        for _, path in old[:1]:
            path.unlink(missing_ok=True)
        for number, path in old[1:]:
            if number >= len(self._paths):
                path.unlink(missing_ok=True)
        told = []
        for path in reversed(self._paths):
            place = path.with_suffix("")
            told.append((place.name, path.stat().st_size))
            if path == self._paths[0]:
                sync([self._folder])
            replace_file(path, place)
        sync([self._folder])
        return tuple(reversed(told))

    def close(self) -> None:
        """Complete the part that is being written."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def remove_scratch(self) -> None:
        """Take away what was not published."""
        for path in self._folder.glob(f"{san(self._run_id)}_part_*.parquet{_SCRATCH}"):
            with suppress(FileNotFoundError):
                path.unlink()


def _numbered_parts(folder: Path, run_id: str) -> list[tuple[int, Path]]:
    pattern = re.compile(rf"{re.escape(san(run_id))}_part_(\d+)\.parquet")
    named = ((pattern.fullmatch(path.name), path) for path in folder.iterdir())
    return [(int(match[1]), path) for match, path in named if match]


def owner_of(path: Path) -> str | None:
    """The uid in a part's metadata; None where there is none, as in the exporter's own.

    Raises FileNotFoundError. A file that is no Parquet is somebody else's.
    """
    try:
        metadata = pq.read_schema(path).metadata or {}
    except pa.ArrowInvalid:
        return None
    uid = metadata.get(UID_METADATA)
    return None if uid is None else uid.decode("ascii", "replace")
