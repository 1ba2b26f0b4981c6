"""Event files of ours: how they are named, how they begin and end, where a run's bytes lie.

    events.out.tfevents.<seconds>.runferry.<uid>
        file_version, source_metadata; two session_log where this file replaces another
        runferry/mark            {"uid", "run"}: whose file it is
        … chunks, each ended by runferry/end {"chunk": number, "states": {what: digest}}; one that
          states what stands there already is not written, and the end behind it tells of it too
        runferry/seal            complete; more may follow
    runferry_files/<sha256>      bytes that TensorBoard shows in no event

Of several files with one uid in a folder the last one is the run: it has replaced the others.

The values of plugin "runferry" hold JSON as `tables.dumps` spells it.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from runferry import _native
from runferry.chunks import Raw
from runferry.dialects import codec
from runferry.dialects.chunk_trees import blob_facts
from runferry.dialects.tensorboard.names import BLOBS, TAG_PREFIX
from runferry.dialects.tensorboard.wire import record_event
from runferry.model import Attribute, Blob, Run, Tree, Uid
from runferry.tables import dumps, loads

MARK_TAG: Final = f"{TAG_PREFIX}mark"
SEAL_TAG: Final = f"{TAG_PREFIX}seal"
ATTRIBUTES_TAG: Final = f"{TAG_PREFIX}all-attributes"
LOST_TAG: Final = f"{TAG_PREFIX}lost"
CONFIG_TAG: Final = f"{TAG_PREFIX}config"
"""A digest of the configuration that TensorBoard was shown, which only the first can be."""

_NAMED = re.compile(r"events\.out\.tfevents\.\d{10,12}\.runferry\.([0-9a-f]{32})")
_MARK_WITHIN: Final = 5
"""Records at the beginning, of which one is the mark."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


def file_name(run: Run, uid: Uid, *, after: int = -1) -> str:
    """The name of a run's event file; TensorBoard orders files by the time in it.

    That is when the run began, but later than `after` (seconds), when a file of that time was
    replaced.
    """
    start = run.started_ns if run.started_ns is not None else run.created_ns
    seconds = max((start or 0) // 10**9, after + 1)
    return f"events.out.tfevents.{seconds:010d}.runferry.{uid}"


def is_own_name(name: str) -> bool:
    """Whether a file is called like one of ours; its mark decides."""
    return uid_in_name(name) is not None


def uid_in_name(name: str) -> str | None:
    """Whose file it is by its name; its mark decides."""
    named = _NAMED.fullmatch(name)
    return None if named is None else named[1]


MALFORMED: Final = (ValueError, KeyError, TypeError, AttributeError)
"""What a codec raises for JSON that we did not write."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Whose file it is."""

    uid: Uid
    run: Run

    def content(self) -> bytes:
        """As the value of `runferry/mark`."""
        return spelled({"uid": self.uid, "run": codec.run_tree(self.run)})

    @classmethod
    def of(cls, content: bytes) -> Mark:
        """The inverse of `content`."""
        stated = cast("dict[str, Any]", loads(content))
        return cls(Uid(stated["uid"]), codec.run_of(stated["run"]))


def mark_of(path: Path) -> Mark | None:
    """The mark of an event file; None where it has none, as one of somebody else's, or is gone."""
    offset = 0
    try:
        for _ in range(_MARK_WITHIN):
            found = _native.event_record(path, offset)
            if found is None:
                return None
            tag, content, offset = found
            if tag == MARK_TAG:
                return Mark.of(content)
    except (FileNotFoundError, *MALFORMED):
        return None
    return None


@dataclass(frozen=True, slots=True)
class Seal:
    """The run is complete with so many chunks, and the header of this digest."""

    chunks: int
    header: str

    def content(self) -> bytes:
        """As the value of `runferry/seal`: always of the same length, so that it is found."""
        return f'{{"chunks":{self.chunks:>20},"header":"{self.header}"}}'.encode()

    @classmethod
    def of(cls, content: bytes) -> Seal:
        """The inverse of `content`."""
        stated = json.loads(content)
        return cls(stated["chunks"], stated["header"])


def header_digest(run: Run) -> str:
    """Tells whether a header is the one that was sealed."""
    return digest_of(codec.run_tree(run)).decode()


def digest_of(tree: Tree) -> bytes:
    """Tells one tree from another."""
    return hashlib.blake2b(spelled(tree), digest_size=16).hexdigest().encode()


def seal_event(seal: Seal) -> bytes:
    """The last event of a complete run."""
    return record_event(SEAL_TAG, seal.content())


_SEAL_RECORD: Final = len(seal_event(Seal(0, "0" * 32))) + 16


def is_sealed(path: Path) -> bool:
    """Whether the last record is the seal: one look at the end of the file."""
    offset = path.stat().st_size - _SEAL_RECORD
    found = _native.event_record(path, offset) if offset > 0 else None
    return found is not None and found[0] == SEAL_TAG


def key_in_file(tag: str) -> str:
    """The key of the series that a tag stands for.

    Rows that another plugin shows than the first value of their key have `runferry/<plugin>/<key>`.
    """
    if not tag.startswith(TAG_PREFIX):
        return tag
    return tag.removeprefix(TAG_PREFIX).partition("/")[2]


def spelled(tree: Tree) -> bytes:
    """A tree as a value of ours holds it."""
    return dumps(tree).encode("utf-8", "surrogatepass")


# --- bytes ----------------------------------------------------------------------------------------


def at_file(blob: Blob, sha256: str | None) -> dict[str, Tree]:
    """A blob whose bytes lie in `runferry_files`; None where they are missing."""
    return {**blob_facts(blob), "file": sha256}


def at_event(blob: Blob, offset: int, size: int) -> dict[str, Tree]:
    """A blob whose bytes stand in the event file itself, where TensorBoard shows them."""
    return {**blob_facts(blob), "at": offset, "length": size}


def attributes_in(content: bytes) -> list[Attribute]:
    """What a record of attributes holds."""
    return list(map(codec.attribute_of, cast("list[Tree]", loads(content))))


def raw_at_event(raw: Raw, offset: int) -> Tree:
    """A raw record whose payload stands in the event file, at the beginning of an event."""
    stated = cast("dict[str, Tree]", codec.raw_tree(raw))
    return {**stated, "payload": None, "at": offset, "length": len(raw.payload)}


def raw_of(event_file: Path, tree: Tree) -> Raw:
    """The inverse, and that of `codec.raw_tree`. Raises what is `MALFORMED`."""
    stated = dict(cast("dict[str, Any]", tree))
    if stated["payload"] is None:
        at, length = int(stated.pop("at")), int(stated.pop("length"))
        with _part(event_file, at, length) as part:
            stated["payload"] = part.read()
    return codec.raw_of(stated)


def is_sha256(name: str) -> bool:
    """Whether this can be the name of a file of ours, and of no other."""
    return _SHA256.fullmatch(name) is not None


def kept_blob(event_file: Path, tree: Tree) -> Blob:
    """The inverse of both; nothing in the tree can name another file."""
    stated = cast("dict[str, Any]", tree)
    opener = None
    if isinstance(stated.get("at"), int):
        opener = partial(_part, event_file, stated["at"], int(stated["length"]))
    elif stated.get("file") is not None and is_sha256(stated["file"]):
        path = event_file.parent / BLOBS / stated["file"]
        opener = partial(path.open, "rb") if path.is_file() else None
    return Blob(stated["size"], stated["media_type"], stated["sha256"], opener)


def _part(path: Path, offset: int, size: int) -> BinaryIO:
    """A part of a file, as a stream of its own. Raises OSError."""
    with path.open("rb") as source:
        whole = source.seek(0, io.SEEK_END)
        source.seek(min(max(offset, 0), whole))
        return io.BytesIO(source.read(min(max(size, 0), whole)))  # a record may state anything
