"""Runs of a repository that runferry wrote there: the exact copies beside them, as far as they
hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from runferry.chunks import Attributes, Chunk, Header
from runferry.dialects.aim.own_store import Logged, Stated, logged_of
from runferry.dialects.aim.places import DATABASE, STORE, STORE_MARK, TRACKER
from runferry.dialects.plain_folder.folders import Folders
from runferry.dialects.plain_folder.layout import form_of
from runferry.dialects.plain_folder.run_file import RunFile, read_run_file
from runferry.model import Attribute, Cursor, Run, Tree
from runferry.readers.aim.reading import AimRun
from runferry.readers.local_runs import LocalRun, RunAround
from runferry.readers.plain_folder.own_folder import DamagedCopies, OwnFolder


def runs_with_copies(home: Path, listed: list[tuple[Run, dict[str, Tree]]]) -> Iterator[LocalRun]:
    """The runs of a repository; of those that are ours and stand as they were written, the copy.

    Where somebody has logged on to one of ours since, what Aim has counts.
    """
    damaged = DamagedCopies()
    ours = {logged.run_hash: (folder, logged, said) for folder, logged, said in _own(home, damaged)}
    for run, facts in listed:
        made = AimRun(home, run, tuple(facts.items()))
        known = ours.get(run.key.run_id)
        if known is None:
            yield damaged.told_by(made, run.key.run_id, home)
            continue
        folder, logged, said = known
        made = replace(made, run=replace(run, origin_uid=said.uid))
        if not logged.stands(home):
            yield made
            continue
        own = OwnFolder(folder, (home / DATABASE,), said.run, made)
        changed = _changes(logged.stated, run, facts)
        yield Restated(own, changed) if changed else own


def _own(home: Path, damaged: DamagedCopies) -> Iterator[tuple[Path, Logged, RunFile]]:
    store = home / STORE
    if form_of(store) != STORE_MARK:
        return
    for folder in Folders(store).copies():
        logged = damaged.read(logged_of, folder, home)
        said = None if logged is None else damaged.read(read_run_file, folder, logged.run_hash)
        if logged is not None and said is not None:
            yield folder, logged, said


@dataclass(frozen=True, slots=True)
class Changes:
    """What users have changed in Aim's pages: fields of the header, and attributes."""

    fields: tuple[tuple[str, str | tuple[str, ...] | None], ...]
    attributes: tuple[Attribute, ...]

    def __bool__(self) -> bool:
        return bool(self.fields or self.attributes)

    def of(self, run: Run) -> Run:
        """A header with them."""
        return replace(run, **dict(self.fields))  # type: ignore[arg-type]


def _changes(stated: Stated, run: Run, facts: dict[str, Tree]) -> Changes:
    """What the database says otherwise than it was told."""
    pairs = {
        "name": (stated.name, run.name),
        "notes": (stated.description, run.notes),
        "project": (stated.experiment, run.project),
    }
    fields: dict[str, str | tuple[str, ...] | None] = {
        name: now for name, (then, now) in pairs.items() if then != now
    }
    if {*stated.tags} != {*run.tags}:
        fields["tags"] = run.tags
    found: list[Attribute] = []
    if facts.get("archived", False) != stated.archived:
        found.append(Attribute((TRACKER, "archived"), "other", not stated.archived))
    if facts.get("notes", []) != list(stated.notes):
        found.append(Attribute((TRACKER, "notes"), "other", facts.get("notes", [])))
    return Changes(tuple(fields.items()), tuple(found))


@dataclass(frozen=True, slots=True)
class Restated(RunAround):
    """A run of ours of which users have changed what Aim's database says."""

    changed: Changes

    def header(self) -> Run:
        """With what they changed."""
        return self.changed.of(self.run.header())

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `runferry.ports.Reader`."""
        for chunk in self.run.read(run, after):
            if isinstance(chunk, Header):
                yield Attributes(self.changed.attributes)
                yield Header(self.changed.of(chunk.run))
            else:
                yield chunk
