"""Broken trackers, and a broken core: each must fail the contract. Run by test_seeded_faults.py.

`caught_by` names the laws that must fail; the unbroken ones must keep all there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pyarrow.compute as pc
import pytest

from runferry import chunks
from runferry.archive.store import Archive
from runferry.losses import Fate
from runferry.model import Cursor, Run, Uid
from runferry.ports import Limits, Location, Progress, RemoteId
from runferry.testing.content import Content
from runferry.testing.reader_contract import ReaderContract
from runferry.testing.recording import Recording, Sample
from runferry.testing.reference import FaithfulWriter, ReferenceReader, StrictWriter, record
from runferry.testing.samples import SECOND_NS, START_NS, bulk, curve, header, steps, values
from runferry.testing.writer_contract import WriterContract
from runferry.transfer.beginning import Beginning
from runferry.transfer.destination import Listing
from runferry.transfer.names import Namer


def crossed() -> Sample:
    """Two series whose steps interleave, as one series after the other would not be taken."""
    run = Recording(header("crossed"))
    for step in range(10):
        row = {("a", "loss", "Loss")[step % 3]: step / 4}
        run.log(row, step=step, time_ns=START_NS + step * SECOND_NS)
    return run.sample()


class _Writers(WriterContract):
    reader = ReferenceReader
    samples: ClassVar[tuple[Sample, ...]] = (values(), steps(), crossed(), curve(30, batch=10))
    caught_by: ClassVar[frozenset[str]] = frozenset()
    cannot_replace = True  # the strict one only grows
    keeps_every_statement = True

    @pytest.fixture
    def destination(self, tmp_path: Path) -> Location:
        return Location("reference", str(tmp_path / "destination"))


class TestUnbrokenStrict(_Writers):
    writer = StrictWriter


class TestUnbrokenFaithful(_Writers):
    writer = FaithfulWriter


# --- writers --------------------------------------------------------------------------------------


class _IgnoresFind(StrictWriter):
    def find(self, uid: Uid) -> RemoteId | None:
        return None


class TestIgnoresFind(_Writers):
    writer = _IgnoresFind
    caught_by = frozenset({"test_a_push_from_another_machine_makes_no_second_run"})


class _TakesWhatIsThereForComplete(StrictWriter):
    def stored(self, remote: RemoteId) -> Progress | None:
        progress = super().stored(remote)
        return progress and Progress(10**9, is_sealed=True)


class TestTakesWhatIsThereForComplete(_Writers):
    writer = _TakesWhatIsThereForComplete
    caught_by = frozenset({"test_broken_anywhere_then_pushed_again_equals_one_clean_push"})


class _MergesUnforetold(StrictWriter):
    limits: ClassVar[Limits] = replace(StrictWriter.limits, duplicate_point=Fate.KEPT)

    @property
    def rules(self) -> Limits:
        return StrictWriter.limits


class TestMergesUnforetold(_Writers):
    writer = _MergesUnforetold
    caught_by = frozenset({"test_what_is_measured_was_foretold_or_reported"})


class _RoundsInSilence(FaithfulWriter):
    @property
    def rules(self) -> Limits:
        return replace(self.limits, inexact_int=Fate.ROUNDED)


class TestRoundsInSilence(_Writers):
    writer = _RoundsInSilence
    caught_by = frozenset({"test_what_is_measured_was_foretold_or_reported"})


class _SealsBeforeTheLastChunk(FaithfulWriter):
    _held: tuple[RemoteId, int, chunks.Chunk] | None = None

    def append(self, remote: RemoteId, number: int, chunk: chunks.Chunk) -> None:
        if self._held is not None:
            super().append(*self._held)
        self._held = (remote, number, chunk)

    def seal(self, remote: RemoteId, run: Run) -> None:
        super().seal(remote, run)
        if self._held is not None:
            held, self._held = self._held, None
            super().append(*held)


class TestSealsBeforeTheLastChunk(_Writers):
    writer = _SealsBeforeTheLastChunk
    caught_by = frozenset({"test_a_seal_is_visible_and_nothing_looks_sealed_before"})


# --- the core -------------------------------------------------------------------------------------


class TestLedgerAheadOfTheEffect(_Writers):
    """The ledger says `sealed` as soon as a run was created, and is believed without a look."""

    writer = StrictWriter
    caught_by = frozenset({"test_broken_anywhere_then_pushed_again_equals_one_clean_push"})

    @pytest.fixture(autouse=True)
    def _seed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        begun = Beginning._begun

        def ahead(self: Beginning, start: Any) -> Any:
            begun(self, start)
            self._books.put(start, "sealed", 0)
            return start

        monkeypatch.setattr(Beginning, "_begun", ahead)
        monkeypatch.setattr(Listing, "has", lambda self, writer, uid, remote: True)


class TestNamesThatCollide(_Writers):
    """Every name is what the destination makes of it, whoever else has it."""

    writer = StrictWriter
    caught_by = frozenset({"test_what_is_measured_was_foretold_or_reported"})

    @pytest.fixture(autouse=True)
    def _seed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Namer, "name", lambda self, key, identity=None: key.lower())


class TestSourceOrderInsteadOfSteps(_Writers):
    """One series after the other, though the destination drops what comes late."""

    writer = StrictWriter
    caught_by = frozenset({"test_what_is_measured_was_foretold_or_reported"})

    @pytest.fixture(autouse=True)
    def _seed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        in_order = Archive.chunks

        def as_stored(self: Archive, record: Any, **wishes: Any) -> Iterator[chunks.Chunk]:
            return in_order(self, record, **{**wishes, "order": "any"})

        monkeypatch.setattr(Archive, "chunks", as_stored)


# --- readers --------------------------------------------------------------------------------------


class _Readers(ReaderContract):
    samples: ClassVar[tuple[Sample, ...]] = (values(), curve(30, batch=10))
    caught_by: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        return record(self.samples, tmp_path / "source")

    def logged(self) -> dict[str, Content]:
        return {sample.run.key.run_id: Content.of(sample.chunks) for sample in self.samples}


class TestUnbrokenReader(_Readers):
    reader = ReferenceReader


class _DropsNaN(ReferenceReader):
    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        for chunk in super().read(run, after):
            if isinstance(chunk, chunks.Points):
                is_nan = pc.fill_null(pc.is_nan(chunk.batch.column("value")), False)
                chunk = chunks.Points(chunk.batch.filter(pc.invert(is_nan)))
            yield chunk


class TestDropsNaN(_Readers):
    reader = _DropsNaN
    caught_by = frozenset({"test_what_was_logged_is_read"})


class TestSisterDropsNaN(_Writers):
    writer = FaithfulWriter
    reader = _DropsNaN
    caught_by = frozenset({"test_what_is_measured_was_foretold_or_reported"})


class _CursorSkipsARow(ReferenceReader):
    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        skip = int(after is not None)
        for chunk in super().read(run, after):
            if isinstance(chunk, chunks.Points) and skip:
                chunk, skip = chunks.Points(chunk.batch.slice(skip)), 0
            yield chunk


class TestCursorSkipsARow(_Readers):
    reader = _CursorSkipsARow
    caught_by = frozenset({"test_reading_on_from_every_checkpoint_gives_exactly_the_rest"})


class _ReadsRowsForHeaders(ReferenceReader):
    def runs(self) -> Iterator[Run]:
        for run in super().runs():
            for _ in range(5):  # once may be quicker than the law looks, on a quick machine
                for _ in super().read(run):
                    pass
            yield run


class TestReadsRowsForHeaders(_Readers):
    reader = _ReadsRowsForHeaders
    caught_by = frozenset({"test_headers_are_cheap"})

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        return record([bulk(rows)], folder)
