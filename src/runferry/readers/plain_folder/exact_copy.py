"""An exact copy as it was written; where it is damaged, what was made of it for the tracker.

Damaged rows or listings cost the whole copy: half of it beside half of what the tracker has were
a mixture that nobody wrote. Bytes of media, files and artifacts stand for themselves: those that
were damaged are taken from what was made of them, if they are there.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from runferry.chunks import Artifact, Checkpoint, Chunk, File, Header, Lost, Media
from runferry.dialects.plain_folder.layout import RUN_FILE
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.dialects.plain_folder.run_file import RunFile, read_run_file
from runferry.dialects.plain_folder.sums import changed_in, read_sums, unsummed_in
from runferry.errors import Damaged
from runferry.losses import Fate, Loss
from runferry.model import Blob, Run
from runferry.paths import blob_at, inside, spelled
from runferry.readers.plain_folder.reader import WrittenRun
from runferry.readers.plain_folder.run_folder import RunFolder
from runferry.readers.renaming import restored

CODE: Final = "damaged-copy"
INSTEAD: Final = "the exact copy cannot be read, and what was made of it is read instead"
_BYTES: Final = "bytes of the exact copy are damaged, and were found in what was made of it"
_SHOWN: Final = 3
_PIECE_BYTES: Final = 1 << 20

_log = logging.getLogger(__name__)


def exactly(
    folder: Path, run: Run, made: Callable[[], Iterator[Chunk]] | None, name: str | None = None
) -> Iterator[Chunk]:
    """The chunks of a copy under the names that the run had before it was written for the tracker.

    `made` reads what was made of it under the key of `run`. Where there is no such thing (None) the
    copy is all that there is: what can be read of it counts. Raises Damaged then. A loss is told of
    `name`, or of the folder.
    """
    name = name or spelled(folder.name)
    if made is None:
        yield from restored(WrittenRun(folder, ParquetForm()).read(run))
        return
    try:
        sums = read_sums(folder)
        damaged = [place for place in unsummed_in(folder, sums) if "/" not in place]
        damaged += changed_in(folder, {it: sums[it] for it in sums if "/" not in it})
        if damaged:  # told before the bytes of media are read, which are far more
            raise _changed(folder, damaged)
    except Damaged as error:
        yield from instead(folder, run, made(), name, error)
        return
    said, held = read_run_file(folder), _Held(folder, sums, made)
    yield from restored(RunFolder(folder, ParquetForm(), said, held.bytes_of).chunks())
    if held.taken:
        yield _told(name, len(held.taken), _BYTES, Fate.KEPT)
    yield Header(_header(said, run))


class _Held:
    """The bytes of media, files and artifacts of a copy, each looked at when its turn comes.

    So what takes them reads them from memory, where the system keeps what was read just before; and
    bytes that an archive has by the hash that is stated are not read again.
    """

    def __init__(
        self, folder: Path, sums: Mapping[str, str], made: Callable[[], Iterator[Chunk]]
    ) -> None:
        self._folder = folder
        self._sums = sums
        self._others = _bytes_in(made)
        self._seen: dict[str, Blob] = {}
        self.taken: set[str] = set()
        """Files that are damaged, and whose bytes the tracker has."""

    def bytes_of(self, file: str) -> Blob | None:
        """As they were written; None for what nobody has, or vouches for."""
        digest = self._sums.get(file)
        if digest is None:
            return None
        path = inside(self._folder, file)
        if path is not None and not changed_in(self._folder, {file: digest}):
            return blob_at(path, sha256=digest)
        found = self._seen.get(digest) or self._sought(digest)
        if found is not None:
            self.taken.add(file)
        return found

    def _sought(self, digest: str) -> Blob | None:
        """Of what the tracker has, as far as nobody has looked yet."""
        for other, blob in self._others:
            self._seen[other] = blob
            if other == digest:
                return blob
        return None


def _changed(folder: Path, names: list[str]) -> Damaged:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    told = ", ".join(names[:_SHOWN]) + more
    return Damaged(f"not as it was written: {told}", where=str(folder), offset=None)


def because(error: Exception) -> str:
    """What a loss says of a copy that cannot be read, and how it is mended where that is known."""
    if not isinstance(error, Damaged):
        return f"{INSTEAD}: {error}"
    return f"{INSTEAD}: {error.what}" + (f" ({error.hint})" if error.hint else "")


def _told(name: str, count: int, detail: str, fate: Fate) -> Lost:
    _log.warning("%s: %s", name, detail)
    return Lost(Loss(CODE, fate, name, count, detail))


def instead(
    folder: Path, run: Run, made: Iterator[Chunk], name: str, error: Exception
) -> Iterator[Chunk]:
    """What the tracker has, under the header of the copy if that is whole; the loss is told first.

    It gives no cursor: when the copy is mended, it is the copy that is read.
    """
    yield _told(name, 1, because(error), Fate.DROPPED)
    whole = _whole_header(folder)
    for chunk in made:
        match chunk:
            case Checkpoint():  # of a reader of other files than those of the copy
                continue
            case Header():
                yield chunk if whole is None else Header(_header(whole, run))
            case _:
                yield chunk


def _whole_header(folder: Path) -> RunFile | None:
    try:
        sums = read_sums(folder)
        if changed_in(folder, {RUN_FILE: sums[RUN_FILE]}):
            return None
        return read_run_file(folder)
    except Damaged:
        return None


def _header(said: RunFile, run: Run) -> Run:
    return replace(said.run, key=run.key, origin_uid=run.origin_uid)


def _bytes_in(made: Callable[[], Iterator[Chunk]]) -> Iterator[tuple[str, Blob]]:
    """Bytes and their digests, from when they are asked for."""
    for chunk in made():
        for blob in _blobs_of(chunk):
            digest = _digest(blob)
            if digest is not None:
                yield digest, blob


def _blobs_of(chunk: Chunk) -> Iterator[Blob]:
    match chunk:
        case Media(items):
            yield from (item.blob for item in items)
        case File(blob=blob):
            yield blob
        case Artifact(entries=entries):
            yield from (entry.blob for entry in entries)


def _digest(blob: Blob) -> str | None:
    if blob.open is None:
        return None
    digest = hashlib.sha256()
    with blob.open() as stream:
        while piece := stream.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()
