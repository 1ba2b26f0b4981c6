"""A run that is written to plain files and not in sight yet, as what other forms are made of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from runferry.chunks import Console
from runferry.dialects.plain_folder import layout
from runferry.dialects.plain_folder.forms import SCHEMAS
from runferry.dialects.printed import Printed
from runferry.model import FileRole
from runferry.tables import from_json
from runferry.writers.plain_folder.draft import Draft

_LINES: Final = 8_192


@dataclass(frozen=True, slots=True)
class StagedFile:
    """A file whose bytes are there, by its place below the run's folder."""

    path: str
    role: FileRole
    staged: str


@dataclass(frozen=True, slots=True)
class StagedArtifact:
    """An artifact version, the members whose bytes are there: (path, place), and where the others
    lie: (path, reference)."""

    name: str
    version: str | None
    members: tuple[tuple[str, str], ...]
    references: tuple[tuple[str, str], ...] = ()


class Staged:
    """Reads a settled draft."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self.home = draft.home

    def batches(self, table: str) -> Iterator[pa.RecordBatch]:
        """Rows of one of `SCHEMAS`."""
        path = self.home / f"{table}.{self._draft.form.name}"
        if path.is_file():
            yield from self._draft.form.batches(path, SCHEMAS[table])

    def files(self) -> list[StagedFile]:
        """The run's files; of one that came twice the last."""
        found: dict[str, StagedFile] = {}
        for tree in self._listed(layout.FILES):
            if tree["file"] is not None:
                found[tree["path"]] = StagedFile(tree["path"], tree["role"], tree["file"])
        return list(found.values())

    def artifacts(self) -> Iterator[StagedArtifact]:
        """Artifact versions with bytes, or with references."""
        for tree in self._listed(layout.ARTIFACTS):
            members = tuple(
                (entry["path"], entry["blob"]["file"])
                for entry in tree["entries"]
                if entry["blob"]["file"] is not None
            )
            references = tuple(
                (entry["path"], entry["reference"])
                for entry in tree["entries"]
                if entry["blob"]["file"] is None and entry.get("reference")
            )
            if members or references:
                yield StagedArtifact(tree["name"], tree.get("version"), members, references)

    def printed(self, waiting: Printed | None = None) -> Iterator[pa.RecordBatch]:
        """What the run printed, as rows of `tables.CONSOLE`, a row a line.

        A source may have kept pieces of lines, as W&B does: a text and its line end are two.
        Lines stand in the order in which they ended. What has no end comes last; in a run that
        goes on it stays in `waiting`. Where the source knew no lines, its log has them.
        """
        has_lines = False
        pieces = Printed("ended") if waiting is None else waiting
        for batch in self.batches("console"):
            has_lines = True
            if pieces.open_lines or not pc.all(whole_lines(batch), min_count=0).as_py():
                yield from (chunk.batch for chunk in _put_together(pieces, batch))
            else:
                yield batch
        if waiting is None:
            yield from (chunk.batch for chunk in pieces.drain())
        if not has_lines:
            for file in self.files():
                if file.role == "console":
                    yield from self._lines(file)

    def _lines(self, file: StagedFile) -> Iterator[pa.RecordBatch]:
        schema = SCHEMAS["console"]
        with self.home.joinpath(*file.staged.split("/")).open(
            encoding="utf-8", errors="replace", newline="\n"
        ) as stream:
            lines: list[str] = []
            for line in stream:
                lines.append(line)
                if len(lines) == _LINES:
                    yield _console(lines, schema)
                    lines = []
            if lines:
                yield _console(lines, schema)

    def _listed(self, listing: str) -> Iterator[Any]:
        path = self.home / listing
        if path.is_file():
            with path.open("rb") as lines:
                for line in lines:
                    yield from_json(json.loads(line))


def whole_lines(batch: pa.RecordBatch) -> pa.BooleanArray:
    """Of each row of `tables.CONSOLE`, whether it is one line with its end."""
    line = batch.column("line")
    return pc.and_(pc.ends_with(line, "\n"), pc.equal(pc.count_substring(line, "\n"), 1))


def _put_together(pieces: Printed, batch: pa.RecordBatch) -> Iterator[Console]:
    """The lines that end in a batch; a line has the time at which it began."""
    micro = batch.column("time").cast(pa.int64()).to_pylist()
    below = batch.column("time_ns").to_pylist()
    streams = batch.column("stream").cast(pa.string()).to_pylist()
    for text, stream, time, rest in zip(
        batch.column("line").to_pylist(), streams, micro, below, strict=True
    ):
        yield from pieces.add(text, None if time is None else time * 1000 + (rest or 0), stream)
    yield from pieces.drain(is_over=False)


def _console(lines: list[str], schema: pa.Schema) -> pa.RecordBatch:
    rows = [{"line": line, "stream": "stdout", "seq": 0} for line in lines]
    return pa.RecordBatch.from_pylist(rows, schema=schema)
