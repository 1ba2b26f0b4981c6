"""One run while it is written: in a folder that nobody reads, complete when its run.json is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa

from runferry.chunks import (
    Artifact,
    Attributes,
    Checkpoint,
    Chunk,
    Console,
    Document,
    File,
    Header,
    Histograms,
    Lost,
    Media,
    Points,
    Raw,
    SeriesFacts,
    Texts,
)
from runferry.dialects import codec
from runferry.dialects.plain_folder import layout
from runferry.dialects.plain_folder.forms import SCHEMAS, Form, TableSink
from runferry.dialects.plain_folder.run_file import RunFile, run_file_text
from runferry.dialects.plain_folder.sums import digests_of, sums_text, write_sums
from runferry.dialects.row_tables import media_batch, raw_batch
from runferry.durable import sync, sync_tree
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Attribute, KeyPath, Role, Run, Series, Tree, Uid
from runferry.tables import conform, dumps
from runferry.writers.plain_folder.blob_files import BlobFiles, blob_tree
from runferry.writers.plain_folder.wide import WideTables

_TABLE_OF: dict[type[Chunk], str] = {
    Points: "points",
    Texts: "texts",
    Histograms: "histograms",
    Console: "console",
}


_BEGUN: Final = f".{layout.RUN_FILE}"


class Draft:
    """One attempt to write a run, in a new folder of its own."""

    def __init__(
        self, home: Path, form: Form, run: Run, uid: Uid, *, is_beside: bool = False
    ) -> None:
        """`is_beside`: an exact copy beside what others read of the run. It needs no tables for
        people, and says what its files hold."""
        self.home = home
        self.run = run
        self.uid = uid
        self.form = form
        (home / _BEGUN).touch(exist_ok=False)
        self._tables: dict[str, TableSink] = {}
        self._rows: dict[str, int] = {}
        self._listings: dict[str, BinaryIO] = {}
        self._blobs = BlobFiles(home, is_summed=is_beside)
        self._wide = None if is_beside else WideTables(home, form)
        self._attributes: dict[tuple[Role, KeyPath], Attribute] = {}
        self._series: dict[str, Series] = {}
        self._losses = LossLedger()
        self._is_settled = False

    @property
    def attributes(self) -> Iterable[Attribute]:
        """What was put of them, the last value of each."""
        return self._attributes.values()

    @property
    def series(self) -> Mapping[str, Series]:
        """Those that were declared, by key."""
        return self._series

    @property
    def _left_out(self) -> tuple[str, ...]:
        return () if self._wide is None else self._wide.left_out

    def put(self, chunk: Chunk) -> None:
        """Add one chunk."""
        match chunk:
            case Points(batch) | Texts(batch) | Histograms(batch) | Console(batch):
                self._put_rows(_TABLE_OF[type(chunk)], batch)
            case Media(items):
                files = [self._blobs.media(item) for item in items]
                rows = media_batch(items)
                self._put_rows("media", rows.append_column("file", pa.array(files, pa.string())))
            case Raw():
                self._put_rows("raw", raw_batch(chunk))
            case Attributes(items, is_whole):
                if is_whole:
                    self._attributes.clear()
                self._attributes.update({(it.role, it.path): it for it in items})
            case SeriesFacts(items):
                self._series.update({item.key: replace(item, counts=None) for item in items})
            case Lost(loss):
                self._losses.add(loss)
            case Header() | Checkpoint():  # the seal brings the last header
                pass
            case _:
                self._put_thing(chunk)

    def _put_rows(self, table: str, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        batch = conform(batch, SCHEMAS[table])
        sink = self._tables.get(table)
        if sink is None:
            path = self.home / f"{table}.{self.form.name}"
            sink = self._tables[table] = self.form.sink(path, table, SCHEMAS[table])
        sink.write(batch)
        self._rows[table] = self._rows.get(table, 0) + batch.num_rows
        if table == "points" and self._wide is not None:
            self._wide.put(batch, self._series)

    def _put_thing(self, thing: File | Artifact | Document) -> None:
        match thing:
            case File(path, role, blob):
                kept = blob_tree(blob, self._blobs.file(path, blob))
                self._list(layout.FILES, {"path": path, "role": role, **kept})
            case Artifact(name=name, version=version, entries=entries):
                folder = f"{name}-{version}" if version else name
                trees: list[Tree] = [
                    codec.entry_tree(it, blob_tree(it.blob, self._blobs.entry(folder, it)))
                    for it in entries
                ]
                self._list(layout.ARTIFACTS, codec.artifact_tree(thing, trees))
            case Document():
                self._list(layout.DOCUMENTS, codec.document_tree(thing))

    def _list(self, listing: str, tree: Tree) -> None:
        stream = self._listings.get(listing)
        if stream is None:
            stream = self._listings[listing] = (self.home / listing).open("xb")
        stream.write(f"{dumps(tree)}\n".encode())

    # --- the end ----------------------------------------------------------------------------------

    def settle(self) -> None:
        """Write what is left: nothing more is put, and all but `run.json` can be read."""
        if self._is_settled:
            return
        self._is_settled = True
        for item in self._attributes.values():
            shown: Tree = {"role": item.role, "path": list(item.path), "value": item.value}
            self._list(layout.ATTRIBUTES, shown)
        for series in self._series.values():
            self._list(layout.SERIES, codec.series_tree(series))
        self._close_files()
        if self._wide is not None:
            self._wide.finish()

    def complete(self, run: Run) -> None:
        """Write what is left, and `run.json` once all else would survive a loss of power.

        Raises FileNotFoundError when somebody took this attempt away.
        """
        self.settle()
        said = self.text(run)
        if (sums := self.sums_text(said)) is not None:
            write_sums(self.home, sums)
        sync_tree(self.home)
        self._finish(said.encode())

    def header(self, run: Run) -> Run:
        """The header as it is kept: known by its mark, whatever it is a copy of."""
        origin = run.origin_uid or self.run.origin_uid
        if origin is not None:
            origin = None if run.uid == self.uid else self.uid
        return replace(run, origin_uid=origin)

    def text(self, run: Run) -> str:
        """What `run.json` is to say."""
        said = RunFile(
            self.uid,
            self.header(run),
            dict(sorted(self._rows.items())),
            tuple(self._losses),
            self._left_out,
        )
        return run_file_text(said)

    def sums_text(self, said: str) -> str | None:
        """What `SHA256SUMS` of a settled copy is to say, beside `run.json` with this content."""
        if self._blobs.sums is None:
            return None
        tables = (f"{table}.{self.form.name}" for table in self._rows)
        own = digests_of(self.home, (*tables, *layout.LISTINGS))
        run = hashlib.sha256(said.encode()).hexdigest()
        return sums_text({**self._blobs.sums, **own, layout.RUN_FILE: run})

    def _finish(self, said: bytes) -> None:
        """The file that becomes `run.json` was there from the beginning.

        Who took the attempt away took it too, and what was written since into a folder of the same
        name cannot be completed.
        """
        with (self.home / _BEGUN).open("r+b") as stream:
            stream.write(said)
        sync([self.home / _BEGUN])
        (self.home / _BEGUN).rename(self.home / layout.RUN_FILE)
        sync([self.home])

    @property
    def is_there(self) -> bool:
        """Whether nobody took this attempt away."""
        return any((self.home / name).exists() for name in (_BEGUN, layout.RUN_FILE))

    def told(self) -> tuple[Loss, ...]:
        """Tables for people that were not made; what they would show is in the others."""
        return tuple(
            Loss("wide-table-left-out", Fate.KEPT, detail=reason) for reason in self._left_out
        )

    def close(self) -> None:
        """Let go of all files; what was written stays."""
        with ExitStack() as last:
            last.callback(self._close_files)
            if self._wide is not None:
                last.callback(self._wide.close)

    def _close_files(self) -> None:
        """All of them, also where the disk is full for one."""
        with ExitStack() as last:
            while self._tables:
                last.callback(self._tables.popitem()[1].close)
            while self._listings:
                last.callback(self._listings.popitem()[1].close)
