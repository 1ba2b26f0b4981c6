"""An opened container as chunks: series page by page, and files when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from runferry import chunks
from runferry.dialects.neptune.file_places import told
from runferry.dialects.neptune.names import path_of, role_of, text_of
from runferry.errors import SourceChanged
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import ArtifactEntry, Attribute, Blob, Cursor, KeyPath, Run, Tree
from runferry.readers.declared import Declared
from runferry.readers.neptune.artifacts import entry_of
from runferry.readers.neptune.media import file_name, file_role_of, media_type_of
from runferry.readers.neptune.server.fetched import FetchedSet, opened
from runferry.readers.neptune.server.series import ServedSeries
from runferry.readers.neptune.server.values import tree_of
from runferry.readers.zip_members import UNREADABLE_ZIP

READER: Final = "neptune server"
_AGAIN: Final = "pull the run into a new archive"
_ATOMS: Final = ("Float", "Integer", "Boolean", "String", "Datetime")
_SERIES: Final = ("FloatSeries", "StringSeries", "FileSeries")


@dataclass
class ServedReading:
    """One pass over a container."""

    container: Any
    beyond: Mapping[str, Tree]
    """What the client cannot fetch, and a table has told."""
    where: str
    losses: LossLedger = field(default_factory=LossLedger)

    def read(self, header: Run, after: Cursor | None) -> Iterator[chunks.Chunk]:
        """All chunks, or those of values that came since. Raises SourceChanged."""
        series = self._series(after)
        found = dict(leaves(self.container.get_structure()))
        fetched = self.container.fetch()
        if after is None:
            yield chunks.Header(header)
        kinds = ((path, type(attribute).__name__) for path, attribute in found.items())
        attributes = (*self._attributes(found, fetched), *told(kinds))
        yield chunks.Attributes(attributes, is_whole=True)
        for path, attribute in found.items():
            kind = type(attribute).__name__
            if kind in _SERIES:
                yield from series.read(path, attribute)
            elif after is None:
                yield from self._belonging(path, kind, attribute)
        yield from series.drain()
        for loss in (*self.losses, *series.losses):
            yield chunks.Lost(loss)
        yield chunks.Header(header)
        yield chunks.Checkpoint(self._position(series, found))

    def _series(self, after: Cursor | None) -> ServedSeries:
        if after is None:
            return ServedSeries(Declared.after(()), self.where)
        match after.position:
            case {"reader": str(reader), "series": dict(done), "files": files} if reader == READER:
                found = dict(leaves(self.container.get_structure()))
                if files != self._files(found):
                    raise SourceChanged("files have come or gone", where=self.where, hint=_AGAIN)
                return ServedSeries(Declared.after(after.series), self.where, dict(done))
        raise SourceChanged("the cursor is not one of the neptune reader", hint=_AGAIN)

    def _position(self, series: ServedSeries, found: Mapping[KeyPath, Any]) -> Tree:
        return {"reader": READER, "series": series.done, "files": self._files(found)}

    def _files(self, found: Mapping[KeyPath, Any]) -> Tree:
        """What stands for the files of a container: the names of the attributes that are some."""
        kinds = ("File", "FileSet", "Artifact")
        return [text_of(path) for path, one in found.items() if type(one).__name__ in kinds]

    # --- single values

    def _attributes(
        self, found: Mapping[KeyPath, Any], fetched: Mapping[str, Any]
    ) -> Iterator[Attribute]:
        for path, attribute in found.items():
            kind = type(attribute).__name__
            if kind == "StringSet":
                yield Attribute(path, role_of(path), tree_of(attribute.fetch()))
            elif kind in _ATOMS:
                value = _value_at(fetched, path)
                value = attribute.fetch() if value is None else value
                yield Attribute(path, role_of(path), tree_of(value))
            elif kind in ("RunState", "GitRef", "NotebookRef"):
                yield from self._table_only(path, kind)

    def _table_only(self, path: KeyPath, kind: str) -> Iterator[Attribute]:
        """What the client cannot fetch; of a commit the table has its hash, and no more."""
        told = self.beyond.get(text_of(path))
        if told is not None:
            yield Attribute(path, role_of(path), told)
        if kind != "RunState":
            why = f"the client cannot fetch what a {kind} holds"
            fate = Fate.DROPPED if told is None else Fate.ROUNDED
            self.losses.add(Loss("unfetchable", fate, text_of(path), 1, why))

    # --- files and artifacts

    def _belonging(self, path: KeyPath, kind: str, attribute: Any) -> Iterator[chunks.Chunk]:
        match kind:
            case "File":
                name = file_name(path, attribute.fetch_extension() or "")
                download = partial(attribute.download, progress_bar=False)
                blob = Blob(None, media_type_of(name), None, partial(opened, download, self.where))
                yield chunks.File(name, file_role_of(path, name), blob)
            case "FileSet":
                yield from self._file_set(path, attribute)
            case "Artifact":
                yield self._artifact(path, attribute)
            case "StringSet" | "RunState" | "GitRef" | "NotebookRef":
                return
            case _ if kind not in _ATOMS:
                why = f"an attribute of the type {kind}, which is not known"
                self.losses.add(Loss("unknown-type", Fate.DROPPED, text_of(path), 1, why))

    def _file_set(self, path: KeyPath, attribute: Any) -> Iterator[chunks.Chunk]:
        whole = FetchedSet(partial(attribute.download, progress_bar=False), self.where)
        try:
            members = whole.members()
        except UNREADABLE_ZIP as error:
            why = f"the server gave no archive: {error}"
            self.losses.add(Loss("damaged-archive", Fate.DROPPED, text_of(path), 1, why))
            return
        for one in members:
            name = f"{text_of(path)}/{one.filename}"
            opener = whole.opener(one.filename)
            blob = Blob(one.file_size, media_type_of(one.filename), None, opener)
            yield chunks.File(name, file_role_of(path, one.filename), blob)

    def _artifact(self, path: KeyPath, attribute: Any) -> chunks.Artifact:
        listed = [tree_of(one.to_dto()) for one in attribute.fetch_files_list()]
        entries: list[ArtifactEntry] = [entry_of(one) for one in listed if isinstance(one, dict)]
        return chunks.Artifact(
            text_of(path),
            "artifact",
            "used",
            metadata={"files": listed},
            digest=attribute.fetch_hash(),
            entries=tuple(entries),
        )


def leaves(structure: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[KeyPath, Any]]:
    """The attributes of a structure by path, in order."""
    for name, one in structure.items():
        path = f"{prefix}/{name}" if prefix else name
        if isinstance(one, Mapping):
            yield from leaves(one, path)
        else:
            yield path_of(path), one


def _value_at(fetched: Mapping[str, Any], path: KeyPath) -> Any:
    """A value of what was fetched at once; None where it is not among it."""
    found: Any = fetched
    for name in path:
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return None if isinstance(found, Mapping) else found
