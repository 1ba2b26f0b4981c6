"""Writes the reference tracker: what its limits allow, and without a word about the rest."""

from __future__ import annotations

import os
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import ClassVar, Self

from runferry import chunks
from runferry.errors import Refused, RunMissing
from runferry.losses import Fate
from runferry.model import Run, Uid
from runferry.ports import KeyRule, Limits, Location, Progress, RemoteId
from runferry.testing.reference.log import (
    NAME,
    PRIVATE,
    SUFFIX,
    codec_of,
    first_line,
    is_sealed,
    logs,
    spell,
)
from runferry.testing.reference.state import RunState
from runferry.testing.reference.strictness import hold_header

EVERYTHING: Mapping[str, Fate] = dict.fromkeys(
    (
        *("scalar", "text", "histogram", "config", "summary", "environment", "other"),
        *("image", "audio", "video", "table", "plot", "html", "object3d", "molecule"),
        *("console", "file", "artifact", "document", "raw"),
    ),
    Fate.KEPT,
)
"""Every kind, held as it is."""


class ReferenceWriter:
    """Holds what `limits` say, to the letter; names beyond its rules are refused.

    `limits.resend` is how it is written to. "continue": a log that only grows, in which a chunk
    that is sent twice is there twice, so that one has to ask `stored` first. "atomic": authored
    in a folder that nobody reads, and published whole, in place of what was there, by the seal.
    """

    name: ClassVar[str] = NAME
    limits: ClassVar[Limits] = Limits(holds=EVERYTHING, resend="continue", run_id=Fate.RENAMED)

    @property
    def rules(self) -> Limits:
        """What it does to what it is given: just what it says it does."""
        return self.limits

    def __init__(self, where: Path) -> None:
        self._where = where
        self._codec = codec_of(where)
        self._states: dict[RemoteId, RunState] = {}
        self._is_atomic = self.limits.resend == "atomic"

    @classmethod
    def open(cls, where: Location) -> Self:
        """Raises Refused when a file stands where the folder should be, or it cannot be made."""
        try:
            (where.path / PRIVATE).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Refused(
                f"cannot make the folder ({error.strerror})",
                where=str(where),
                hint=f"ls -ld {where.path}",
            ) from error
        return cls(where.path)

    def find(self, uid: Uid) -> RemoteId | None:
        """The run that carries this mark."""
        for path in (*logs(self._where), *logs(self._where / PRIVATE)):
            stated = first_line(path)
            if stated is not None and stated["mark"] == uid:
                return RemoteId(path.stem)
        return None

    def present(self) -> Mapping[Uid, RemoteId] | None:
        """The public logs that end with a seal."""
        found: dict[Uid, RemoteId] = {}
        for path in logs(self._where):
            stated = first_line(path)
            if stated is not None and stated["mark"] is not None and is_sealed(path):
                found.setdefault(Uid(stated["mark"]), RemoteId(path.stem))
        return found

    def create(self, run: Run, uid: Uid) -> RemoteId:
        """A new log each time, as in any tracker that gives ids itself; one a mark if atomic."""
        head = spell({"run": self._codec.encode(hold_header(run, self.rules)), "mark": uid})
        if self._is_atomic:
            remote = RemoteId(f"u{uid}")
            self._states.pop(remote, None)
            self._private(remote).write_bytes(head)
            return remote
        for number in count(len(logs(self._where))):
            remote = RemoteId(f"r{number:06d}")
            try:
                with self._public(remote).open("xb") as log:
                    log.write(head)
            except FileExistsError:
                continue
            return remote
        raise AssertionError("unreachable")  # count() has no end

    def stored(self, remote: RemoteId) -> Progress | None:
        """How many chunks have arrived, and whether the run is sealed."""
        state, claim = self._state(remote), self._claim(remote)
        words = claim.read_text() if claim.is_file() else None
        return Progress(state.arrived, state.is_sealed, claim=words)

    def claim(self, remote: RemoteId, words: str) -> None:
        """A file beside the logs."""
        self._log(remote)
        self._claim(remote).write_text(words)

    def append(self, remote: RemoteId, number: int, chunk: chunks.Chunk) -> None:
        """One more line."""
        state = self._state(remote)
        held = state.take(chunk)
        line: dict[str, object] = {"number": number}
        if held is not None:
            line |= {"kind": type(held).__name__, "chunk": self._codec.encode(held)}
        with self._log(remote).open("ab") as log:
            log.write(spell(line))
        state.arrived, state.is_sealed = number + 1, False

    def seal(self, remote: RemoteId, run: Run) -> None:
        """The last line; until somebody adds more of a run that has grown."""
        state, path = self._state(remote), self._log(remote)
        if state.is_sealed:
            return
        with path.open("ab") as log:
            log.write(spell({"seal": self._codec.encode(hold_header(run, self.rules))}))
        path.replace(self._public(remote))
        state.is_sealed = True
        self._claim(remote).unlink(missing_ok=True)

    def discard(self, remote: RemoteId) -> None:
        """Raises Refused for a run that is sealed or not ours."""
        stated = first_line(self._log(remote))
        if stated is None or stated["mark"] is None or self._state(remote).is_sealed:
            raise Refused("not an unsealed run of ours", where=remote, hint=f"ls {self._where}")
        self._log(remote).unlink()
        self._claim(remote).unlink(missing_ok=True)
        del self._states[remote]

    def close(self) -> None:
        """Forget what was known of the logs."""
        self._states.clear()

    def _public(self, remote: RemoteId) -> Path:
        return self._where / f"{os.path.basename(remote)}{SUFFIX}"  # noqa: PTH119  never elsewhere

    def _private(self, remote: RemoteId) -> Path:
        return self._where / PRIVATE / self._public(remote).name

    def _claim(self, remote: RemoteId) -> Path:
        return self._private(remote).with_suffix(".claim")

    def _log(self, remote: RemoteId) -> Path:
        """What is being written, else what was published. Raises RunMissing."""
        for path in (self._private(remote), self._public(remote)):
            if path.is_file() and first_line(path) is not None:
                return path
        raise RunMissing("no such run", where=remote, hint=f"ls {self._where}")

    def _state(self, remote: RemoteId) -> RunState:
        path = self._log(remote)
        if remote not in self._states:
            self._states[remote] = RunState.of(path, self._codec, self.rules)
        return self._states[remote]


class FaithfulWriter(ReferenceWriter):
    """Loses nothing, and publishes whole runs."""

    limits: ClassVar[Limits] = Limits(holds=EVERYTHING, resend="atomic", run_id=Fate.RENAMED)


class StrictWriter(ReferenceWriter):
    """As strict as trackers get: order of steps, whole steps, milliseconds, short tame names."""

    name: ClassVar[str] = "strict"
    limits: ClassVar[Limits] = Limits(
        holds={
            **dict.fromkeys(EVERYTHING, Fate.KEPT),
            **dict.fromkeys(("raw", "document", "molecule", "environment"), Fate.DROPPED),
        },
        order="step",
        resend="continue",
        run_id=Fate.RENAMED,
        batch_rows=1000,
        series_key=KeyRule(
            max_length=120,
            allowed=r"[A-Za-z0-9_ ./:~-]",
            forbidden=("//", ".."),
            reserved=("step", "time"),
            reserved_prefixes=("_",),
            ignores_case=True,
        ),
        attribute_key=KeyRule(max_length=120, ignores_case=True),
        null_step=Fate.DROPPED,
        fractional_step=Fate.ROUNDED,
        negative_step=Fate.DROPPED,
        falling_step=Fate.DROPPED,
        duplicate_point=Fate.MERGED,
        source_order=Fate.DROPPED,
        time_unit_ns=1_000_000,
        finer_time=Fate.ROUNDED,
        null_time=Fate.ROUNDED,
        negative_time=Fate.ROUNDED,
        nan=Fate.KEPT,
        infinity=Fate.ROUNDED,
        null_value=Fate.DROPPED,
        inexact_int=Fate.ROUNDED,
        number_kind=Fate.ROUNDED,
        attribute_type=Fate.ROUNDED,
        max_attribute_length=500,
        long_attribute=Fate.ROUNDED,
        max_text_length=5000,
        long_text=Fate.ROUNDED,
        key_path=Fate.KEPT,
        series_facts=Fate.DROPPED,
        header_times=Fate.KEPT,
        header_fields={"notes": Fate.DROPPED, "host": Fate.DROPPED},
        lineage=Fate.DROPPED,
    )


def tracker(limits: Limits, name: str = NAME) -> type[ReferenceWriter]:
    """A reference writer with these limits. Raises ValueError: it cannot be sent things twice."""
    if limits.resend == "harmless":
        raise ValueError("the reference tracker continues, or is atomic")
    return type("TrackerWriter", (ReferenceWriter,), {"limits": limits, "name": name})
