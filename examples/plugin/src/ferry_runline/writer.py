"""Writes `.runline` files: each is authored aside, and put in its place when it is whole."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import ClassVar, Self

from ferry_runline.lines import HELD, NAME, SUFFIX, header_line, row_lines, series_line
from runferry import chunks
from runferry.errors import Refused, RunMissing
from runferry.losses import Fate
from runferry.model import Run, Uid
from runferry.ports import Limits, Location, Progress, RemoteId

DRAFTS = ".drafts"


class RunlineWriter:
    """What a run is called here is the uid of the run that it is a copy of: so it is found."""

    name: ClassVar[str] = NAME
    limits: ClassVar[Limits] = Limits(
        holds={"scalar": Fate.KEPT},  # any other kind is dropped, and the plan says so
        resend="atomic",
        nan=Fate.ROUNDED,  # JSON knows one NaN, floating-point numbers know many
        run_id=Fate.RENAMED,
        lineage=Fate.DROPPED,
        header_fields=dict.fromkeys(
            {field.name for field in fields(Run)} - {"key", "origin_uid", *HELD}, Fate.DROPPED
        ),
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises Refused."""
        try:
            (where.path / DRAFTS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refused(
                f"cannot make the folder ({error.strerror})",
                where=str(where),
                hint=f"ls -ld {where.path}",
            ) from error
        return cls(where.path)

    def find(self, uid: Uid) -> RemoteId | None:
        """The run of this mark, whole or half."""
        remote = RemoteId(uid)
        return remote if self._draft(remote).exists() or self._file(remote).exists() else None

    def present(self) -> Mapping[Uid, RemoteId]:
        """Every file whose name is a uid; others are of somebody else."""
        names = [path.stem for path in self._folder.glob(f"*{SUFFIX}")]
        return {Uid(n): RemoteId(n) for n in names if re.fullmatch("[0-9a-f]{32}", n)}

    def create(self, run: Run, uid: Uid) -> RemoteId:
        """A draft, which takes the place of one that was broken off."""
        remote = RemoteId(uid)
        self._draft(remote).write_bytes(header_line(run, uid))
        return remote

    def claim(self, remote: RemoteId, words: str) -> None:
        """A file beside the draft."""
        self._claim(remote).write_text(words, encoding="utf-8")

    def stored(self, remote: RemoteId) -> Progress:
        """Raises RunMissing. A draft is sent anew, so nobody asks how much of it there is."""
        if self.find(Uid(remote)) is None:
            raise RunMissing("no such run", where=remote, hint=f"ls {self._folder}")
        claim = self._claim(remote)
        words = claim.read_text(encoding="utf-8") if claim.exists() else None
        return Progress(is_sealed=not self._draft(remote).exists(), claim=words)

    def append(self, remote: RemoteId, number: int, chunk: chunks.Chunk) -> None:
        """More lines."""
        match chunk:
            case chunks.SeriesFacts(items):
                lines = iter([series_line(series) for series in items])
            case chunks.Points(batch):
                lines = row_lines(batch)
            case _:  # `limits` do not hold it
                return
        with self._draft(remote).open("ab") as draft:
            draft.writelines(lines)

    def seal(self, remote: RemoteId, run: Run) -> None:
        """How it ended, and then what nobody can see half of."""
        draft = self._draft(remote)
        if draft.exists():
            with draft.open("ab") as file:
                file.write(header_line(run, Uid(remote)))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._file(remote))
        self._claim(remote).unlink(missing_ok=True)

    def discard(self, remote: RemoteId) -> None:
        """A draft is ours alone; a file stays."""
        self._draft(remote).unlink(missing_ok=True)
        self._claim(remote).unlink(missing_ok=True)

    def close(self) -> None:
        """Nothing is held."""

    def _file(self, remote: RemoteId) -> Path:
        return self._folder / f"{remote}{SUFFIX}"

    def _draft(self, remote: RemoteId) -> Path:
        return self._folder / DRAFTS / remote

    def _claim(self, remote: RemoteId) -> Path:
        return self._folder / DRAFTS / f"{remote}.claim"
