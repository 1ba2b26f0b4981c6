"""A run that is in our own store and not in sight yet, for whoever makes something of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from runferry.dialects.plain_folder import layout
from runferry.dialects.plain_folder.forms import SCHEMAS
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

    def lines(self, file: StagedFile) -> Iterator[pa.RecordBatch]:
        """The lines of a console log, as rows of `tables.CONSOLE`."""
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


def _console(lines: list[str], schema: pa.Schema) -> pa.RecordBatch:
    rows = [{"line": line, "stream": "stdout", "seq": 0} for line in lines]
    return pa.RecordBatch.from_pylist(rows, schema=schema)
