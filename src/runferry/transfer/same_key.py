"""The same key again, with other content: whose is it, and where is it kept?

Identical content is one run. Content that extends what is kept replaces it, and content that what
is kept extends is an older state, and nothing new. Anything else is a second run, kept beside the
first as `…~2` and reported. Files, tags and parameters make no second run, and where ids are unique
everywhere, nor do tables and images that were stored anew. A reader that met two of a kind in one
tree has named them so itself; its `…~2` is looked up here like any other key, so a later pull of
either finds what is its own.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from runferry import chunks
from runferry.archive.working_folder import working_folder
from runferry.chunks import Chunk
from runferry.errors import Corrupt
from runferry.losses import Fate, Loss
from runferry.model import Run, RunKey, same_value
from runferry.transfer.relation import ADDED_TABLES, LOGGED_TABLES, Relation, relation_of
from runferry.transfer.report import Status

if TYPE_CHECKING:
    from runferry.archive.store import Archive, RunRecord

_COPY = re.compile(r"(?s)(.+)~(?:[2-9]|[1-9][0-9]+)")
_STRIPES = 64
SAME_KEY = "same-key"
OLDER_SOURCE = "older-source"


class Families:
    """One thread at a time works on keys that differ only in their copy number."""

    def __init__(self) -> None:
        self._locks = [threading.Lock() for _ in range(_STRIPES)]

    def of(self, key: RunKey) -> threading.Lock:
        """The lock of a key's family."""
        return self._locks[hash(_first(key)) % _STRIPES]


def _first(key: RunKey) -> RunKey:
    found = _COPY.fullmatch(key.run_id)
    return key if found is None else replace(key, run_id=found[1])


def _copies(key: RunKey) -> Iterator[RunKey]:
    first = _first(key)
    for number in count(2):
        copy = replace(first, run_id=f"{first.run_id}~{number}")
        if copy != key:
            yield copy


def records_of(archive: Archive, key: RunKey) -> tuple[RunRecord, ...]:
    """What is kept under a key, and under the keys of its copies."""
    own = archive.record(key.uid)
    if own is None:
        return ()
    known = [own]
    for copy in _copies(key):
        record = archive.record(copy.uid)
        if record is None:
            return tuple(known)
        known.append(record)
    raise AssertionError("copies are without end")


class Aside:
    """A reading of a run that is not in the archive yet: its own archive, on the same disk."""

    def __init__(self, archive: Archive, run: Run) -> None:
        self._archive = archive
        self.run = run

    def __enter__(self) -> Self:
        self._folder = working_folder(self._archive.path)
        folder = self._folder.__enter__()
        self.archive = type(self._archive).open(folder / "archive", create=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.__exit__(kind, error, trace)

    def fill(self, source: Iterable[Chunk]) -> None:
        """Put all of the run."""
        with self.archive.draft(self.run) as draft:
            for chunk in source:
                draft.put(chunk)
            self.record = draft.commit()

    def chunks(self, key: RunKey) -> Iterator[Chunk]:
        """All of the run again, under this key."""
        for chunk in self.archive.chunks(self.record):
            match chunk:
                case chunks.Header(run):
                    yield chunks.Header(replace(run, key=key))
                case _:
                    yield chunk


def settle(
    archive: Archive, aside: Aside, known: tuple[RunRecord, ...]
) -> tuple[RunRecord, Status | Literal["older"]]:
    """Put a reading in the place that is its own; the record there, and what that made of it.

    One that is older than what is kept is put nowhere.
    """
    for record in known:
        if record.digest == aside.record.digest:
            return _replace(archive, aside, record.run.key), "unchanged"
    for record in known:
        match _relation(archive, record, aside):
            case "extends" | "same":
                replaced = _replace(archive, aside, record.run.key)
                return replaced, "unchanged" if replaced.digest == record.digest else "replaced"
            case "is older":
                return record, "older"
            case _:
                continue
    key = next(copy for copy in _copies(aside.run.key) if archive.record(copy.uid) is None)
    told = Loss(
        SAME_KEY,
        Fate.RENAMED,
        str(aside.run.key),
        1,
        f"other content under a known key; kept beside it as {key.run_id}",
    )
    return _replace(archive, aside, key, told), "copied"


def _relation(archive: Archive, record: RunRecord, aside: Aside) -> Relation:
    """How a reading stands to what is kept. Without rows, what was configured decides.

    An id without a scope is unique everywhere: what is there under it is this run, however its
    tables and images were changed since, unless the values that were logged say otherwise.
    """
    tables = LOGGED_TABLES if record.run.key.scope else ADDED_TABLES
    read = aside.archive.chunks(aside.record)
    try:
        relation = relation_of(archive.chunks(record), read, archive.path, tables)
    except Corrupt:  # what is lost cannot be compared, and is healed by what was read
        is_kin = not record.run.key.scope or _is_kin(record, aside.record)
        return "extends" if is_kin else "differs"
    if relation == "differs" or any(record.of(table) for table in tables):
        return relation
    return relation if _is_kin(record, aside.record) else "differs"


def _is_kin(kept: RunRecord, read: RunRecord) -> bool:
    return kept.run.started_ns == read.run.started_ns and _config_fits(kept, read)


def _config_fits(kept: RunRecord, read: RunRecord) -> bool:
    values = {item.path: item.value for item in read.attributes if item.role == "config"}
    return all(
        item.path in values and same_value(values[item.path], item.value)
        for item in kept.attributes
        if item.role == "config"
    )


def renamed(record: RunRecord | None) -> list[Loss]:
    """What was told when a run got the key of a copy; every later reading of it tells it too."""
    return [loss for loss in record.losses if loss.code == SAME_KEY] if record else []


def older(run: Run) -> Loss:
    """The source has less of a run than was pulled before: told by each pull that finds it so."""
    detail = "the source has less of it than was pulled before; what is in the archive stays"
    return Loss(OLDER_SOURCE, Fate.KEPT, str(run.key), 1, detail)


def _replace(archive: Archive, aside: Aside, key: RunKey, told: Loss | None = None) -> RunRecord:
    said = renamed(archive.record(key.uid))
    with archive.draft(replace(aside.run, key=key)) as draft:
        for chunk in aside.chunks(key):
            draft.put(chunk)
        for loss in said if told is None else [told]:
            draft.put(chunks.Lost(loss))
        return draft.commit()
