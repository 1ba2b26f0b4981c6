"""An archive as a destination: the writer `archive`.

Chunks wait as files of their own, one a number, until the run is sealed; sealing puts them into a
draft in the order of their numbers and commits it. So every append survives this process and may be
repeated, and nobody sees half a run.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self, get_args

from runferry.archive.blobs import Blobs, stored_blob
from runferry.archive.chunk_file import from_bytes, to_bytes
from runferry.archive.durable import disk_errors
from runferry.archive.layout import checked_uid, new_attempt
from runferry.archive.origins import Origins
from runferry.archive.record import RunRecord, run_from_json, run_to_json
from runferry.archive.store import Archive
from runferry.chunks import Artifact, Attributes, Chunk, File, Header, Media
from runferry.durable import write_atomically
from runferry.errors import RunMissing
from runferry.losses import Fate
from runferry.model import Blob, MediaType, Run, Uid
from runferry.ports import Limits, Location, Progress, RemoteId

_KINDS = (
    "scalar", "text", "histogram", *get_args(MediaType), "config", "summary", "environment",
    "other", "console", "file", "artifact", "document", "raw",
)  # fmt: skip

_BEGUN = "begun.json"
_CLAIM = "claim.txt"


class ArchiveWriter:
    """Puts runs into an archive, which holds everything. A run's id there is its uid."""

    name: ClassVar[str] = "archive"
    limits: ClassVar[Limits] = Limits(holds=dict.fromkeys(_KINDS, Fate.KEPT), resend="atomic")

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._origins = Origins(archive)

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises NotFound when the folder holds something else, NewerFormat, Corrupt."""
        return cls(Archive.open(where.path, create=True))

    def find(self, uid: Uid) -> RemoteId | None:
        """The run that carries this mark, be it sealed or not."""
        checked_uid(uid)
        if self._staging(uid).is_dir() or self._archive.record(uid) is not None:
            return RemoteId(uid)
        found = self._origins.find(uid)
        return None if found is None else RemoteId(found)

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The runs that were committed."""
        found: dict[Uid, RemoteId] = {}
        for record in self._archive.records():
            run = record.run
            found[run.uid] = RemoteId(run.uid)
            if run.origin_uid is not None:
                found.setdefault(run.origin_uid, RemoteId(run.uid))
        return found

    def create(self, run: Run, uid: Uid) -> RemoteId:
        """Begin a run; one that is there is replaced when this one is sealed."""
        if run.uid != uid and run.origin_uid is None:
            run = replace(run, origin_uid=uid)
        self._begin(run, None)
        return RemoteId(run.uid)

    def stored(self, remote: RemoteId) -> Progress | None:
        """How many chunks have arrived without a gap; raises RunMissing."""
        staging = self._staging(remote)
        if staging.is_dir():
            numbers = {int(path.stem) for path in _chunk_files(staging)}
            arrived = 0
            while arrived in numbers:
                arrived += 1
            claim = staging / _CLAIM
            return Progress(arrived, claim=claim.read_text() if claim.is_file() else None)
        self._sealed(remote)
        return Progress(is_sealed=True)

    def claim(self, remote: RemoteId, words: str) -> None:
        """A file beside the chunks that wait; a committed run needs none."""
        staging = self._staging(remote)
        if staging.is_dir():
            with disk_errors(self._archive.path):
                (staging / _CLAIM).write_text(words)

    def append(self, remote: RemoteId, number: int, chunk: Chunk) -> None:
        """Store one chunk durably; to a sealed run this begins what it has grown by."""
        staging = self._staging(remote)
        if not staging.is_dir():
            record = self._sealed(remote)
            self._begin(record.run, record)
        self._archive.let_vacuum_finish()  # what it takes away is put back
        path = staging / f"{number:012d}.chunk"
        with disk_errors(self._archive.path):
            chunk = self._with_blobs(chunk)
            if not path.exists():
                before = self._archive.folders.chain([staging]) - {staging}
                write_atomically(path, to_bytes(chunk), scratch=new_attempt(), before=before)

    def seal(self, remote: RemoteId, run: Run) -> None:
        """Commit all chunks in one step; harmless when repeated."""
        staging = self._staging(remote)
        if not staging.is_dir():
            record = self._sealed(remote)
            if record.run != self._marked(record.run, run):
                with self._archive.draft(record.run, after=record) as draft:
                    draft.put(Header(self._marked(record.run, run)))
                    draft.commit()
            return
        begun = json.loads((staging / _BEGUN).read_bytes())
        current = self._archive.record(_uid(remote))
        if current is None or current.token != begun["token"]:
            self._commit(staging, begun, current, run)
        self._remove(staging)

    def discard(self, remote: RemoteId) -> None:
        """Remove what was not sealed; a sealed run stays."""
        staging = self._staging(remote)
        if staging.is_dir():
            self._remove(staging)

    def close(self) -> None:
        """Nothing is held open."""

    # --- staging ----------------------------------------------------------------------------------

    def _staging(self, remote: str) -> Path:
        return self._archive.path / "staging" / checked_uid(remote)

    def _sealed(self, remote: RemoteId) -> RunRecord:
        record = self._archive.record(_uid(remote))
        if record is None:
            raise RunMissing(f"no run {remote} is in the archive", where=str(self._archive.path))
        return record

    def _begin(self, run: Run, base: RunRecord | None) -> None:
        """Name the staging folder only once it says what it is for."""
        staging = self._staging(run.uid)
        begun = {
            "run": run_to_json(run),
            "base": base.generation if base else None,
            "token": secrets.token_hex(8),
        }
        with disk_errors(self._archive.path):
            if staging.is_dir():
                self._remove(staging)
            scratch = staging.with_name(f".{staging.name}.{new_attempt()}")
            write_atomically(scratch / _BEGUN, json.dumps(begun).encode(), scratch=new_attempt())
            scratch.rename(staging)
            self._archive.folders.sync([staging.parent])
        self._archive.let_vacuum_finish()  # one that begins from now on sees us

    def _remove(self, staging: Path) -> None:
        """Out of sight in one step, then away."""
        gone = staging.with_name(f".{staging.name}.{new_attempt()}")
        staging.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)  # the rest is vacuum's, which may be at it

    def _commit(
        self, staging: Path, begun: dict[str, Any], current: RunRecord | None, run: Run
    ) -> None:
        first = run_from_json(begun["run"])
        after = current if begun["base"] is not None else None
        if after is not None and after.generation != begun["base"]:
            raise RunMissing(
                f"run {first.key} was replaced in the archive since this push began",
                where=str(self._archive.path),
                hint="run the command again",
            )
        stored = partial(stored_blob, self._archive.path)
        with self._archive.draft(first, after=after) as draft:
            for path in _chunk_files(staging):
                draft.put(from_bytes(path.read_bytes(), stored))
            draft.put(Header(self._marked(first, run)))
            draft.commit(token=begun["token"])

    def _marked(self, first: Run, run: Run) -> Run:
        """The header with the mark that `create` gave it."""
        return replace(run, origin_uid=run.origin_uid or first.origin_uid)

    # --- blobs ------------------------------------------------------------------------------------

    def _with_blobs(self, chunk: Chunk) -> Chunk:
        """The chunk with its bytes in the archive, and durable."""
        blobs = Blobs(self._archive.folders, new_attempt())

        def held(blob: Blob, where: str) -> Blob:
            return blobs.put(blob, where).blob

        match chunk:
            case Media(items):
                chunk = Media(
                    tuple(replace(item, blob=held(item.blob, item.key)) for item in items)
                )
            case File(path, _, blob):
                chunk = replace(chunk, blob=held(blob, path))
            case Artifact():
                entries = tuple(
                    replace(entry, blob=held(entry.blob, entry.path)) for entry in chunk.entries
                )
                chunk = replace(chunk, entries=entries)
            case Attributes(items):  # names are what push would call them elsewhere
                return replace(chunk, items=tuple(replace(item, name=None) for item in items))
            case _:
                return chunk
        blobs.publish()
        self._archive.folders.sync(blobs.shelves)
        blobs.settle()
        return chunk


def _uid(remote: RemoteId) -> Uid:
    return checked_uid(remote)


def _chunk_files(staging: Path) -> Iterator[Path]:
    yield from sorted(staging.glob("[0-9]*.chunk"))
