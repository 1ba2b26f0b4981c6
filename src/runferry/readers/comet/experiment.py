"""One offline experiment: an archive or a folder, and what it is read into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runferry import chunks
from runferry.model import Cursor, Run, RunKey
from runferry.readers.comet.members import MESSAGES, members_of
from runferry.readers.comet.reading import Reading
from runferry.readers.local_runs import refuse_cursor
from runferry.readers.missing import MissingBytes

_HEADER_LINES: Final = 200


@dataclass(frozen=True, slots=True)
class CometRun:
    """The archive or folder of an experiment: small, and made to be pickled."""

    key: RunKey
    path: Path

    @property
    def sources(self) -> tuple[Path, ...]:
        """The archive, or the messages."""
        return (self.path / MESSAGES if self.path.is_dir() else self.path,)

    def header(self) -> Run:
        """What `experiment.json` and the first messages say."""
        members = members_of(self.path)
        if members is None:
            return Run(self.key)
        reading = Reading(self.key, self.path, members)
        for _ in reading.messages(_HEADER_LINES):
            pass
        return reading.header()

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """All of it: an archive is written once. Raises SourceChanged."""
        refuse_cursor(after, self.path)
        members = members_of(self.path)
        if members is None:
            raise FileNotFoundError(2, "no experiment is here any more", str(self.path))
        reading = Reading(self.key, self.path, members)
        missing = MissingBytes()
        yield from missing.watched(reading.messages())
        yield from missing.watched(reading.ending())
        yield from map(chunks.Lost, missing.losses())
        yield chunks.Header(reading.header())
