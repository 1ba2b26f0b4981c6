"""The laws of a reader: subclass `ReaderContract`, say where a source is, and run pytest.

    class TestMyReader(ReaderContract):
        reader = MyReader

        @pytest.fixture
        def source(self, tmp_path):
            ...                                   # make one, with the tracker's own SDK
            return Location("mine", str(tmp_path))

Override `grow`, `sized` and `logged` where the format allows: their laws are skipped otherwise.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import ClassVar, NoReturn

import pytest

from runferry import chunks, tables
from runferry.errors import RunferryError, SourceChanged
from runferry.model import Cursor, Run, Series, Tree
from runferry.ports import BATCH_ROWS, Location, Reader, ReadOptions
from runferry.testing.content import Content, everything, kinds_of, snapshot

FOREIGN: tuple[Tree, ...] = (
    {},
    [],
    "elsewhere",
    -1,
    {"offset": 10**15, "digest": "0" * 64},
    [10**15, "0" * 64],
)
"""Positions that no reader gave."""

_MEASURE = """
import importlib, sys
from runferry.ports import Location, ReadOptions
from runferry.testing.peak import peak_bytes
module, name, tracker, where = sys.argv[1:]
reader = getattr(importlib.import_module(module), name)
rows = 0
source = reader.open(Location(tracker, where), ReadOptions())
for run in source.runs():
    for chunk in source.read(run):
        rows += getattr(getattr(chunk, "batch", None), "num_rows", 0)
print(rows, peak_bytes())
"""


class ReaderContract:
    """What every reader promises. `source` must hold at least one run with at least one row."""

    reader: ClassVar[type[Reader]]
    options: ClassVar[ReadOptions] = ReadOptions()
    flat_bytes: ClassVar[int] = 48 << 20
    """How much more memory a source may cost that is many times larger."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        """A source with some runs in it."""
        raise NotImplementedError("a subclass says where its source is")

    def grow(self, source: Location) -> None:
        """Log more to at least one run of the source."""
        pytest.skip("no growing source is offered")

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        """A source with about so many rows in one run."""
        pytest.skip("no large source is offered")

    def logged(self) -> Mapping[str, Content]:
        """What was logged into `source`, by run id."""
        pytest.skip("what was logged is not stated")

    @contextmanager
    def opened(self, where: Location) -> Iterator[Reader]:
        """The reader, open."""
        reader = self.reader.open(where, self.options)
        try:
            yield reader
        finally:
            reader.close()

    # --- runs

    def test_runs_are_stable_and_each_key_comes_once(self, source: Location) -> None:
        """Two readers list the same runs in the same order."""
        with self.opened(source) as first, self.opened(source) as second:
            runs = list(first.runs())
            assert runs
            assert runs == list(first.runs()) == list(second.runs())
        assert len({run.key for run in runs}) == len(runs)
        assert len({run.uid for run in runs}) == len(runs)

    def test_the_last_header_is_of_the_same_run(self, source: Location) -> None:
        """What `read` says of the run has the key that `runs` gave."""
        with self.opened(source) as reader:
            for run in reader.runs():
                header = Content.of(reader.read(run)).header
                assert header is not None, f"{run.key}: no Header states the ending"
                assert header.key == run.key
                assert header.origin_uid == run.origin_uid

    def test_what_was_logged_is_read(self, source: Location) -> None:
        """Every value, bit by bit."""
        logged = self.logged()
        found = everything(self.reader, source, self.options)
        assert {k: v.comparable() for k, v in found.items()} == {
            k: v.comparable() for k, v in logged.items()
        }

    # --- chunks

    def test_batches_have_the_columns_of_their_table_and_no_more_than_the_limit(
        self, source: Location
    ) -> None:
        """Schemas conform; at most 65,536 rows."""
        schemas = {
            chunks.Points: tables.POINTS,
            chunks.Texts: tables.TEXTS,
            chunks.Histograms: tables.HISTOGRAMS,
            chunks.Console: tables.CONSOLE,
        }
        for chunk in self._chunks(source):
            if type(chunk) in schemas:
                batch = tables.conform(chunk.batch, schemas[type(chunk)])  # type: ignore[union-attr]
                batch.validate(full=True)
                assert 0 < batch.num_rows <= BATCH_ROWS

    def test_what_is_given_was_declared(self, source: Location) -> None:
        """No kind of data comes that `gives` does not name, unless runferry wrote the run."""
        with self.opened(source) as reader:
            for run in reader.runs():
                whole = list(reader.read(run))
                header = Content.of(whole).header
                if header is None or header.origin_uid is None:
                    given = frozenset[str]().union(*map(kinds_of, whole))
                    assert given <= self.reader.gives, (run.key, given - self.reader.gives)

    def test_a_series_is_declared_before_its_first_row(self, source: Location) -> None:
        """And no two series share a key, or a stream and path."""
        with self.opened(source) as reader:
            for run in reader.runs():
                _check_declared(reader.read(run))

    def test_rows_of_a_series_keep_the_order_in_which_they_were_logged(
        self, source: Location
    ) -> None:
        """`seq` of one key rises from row to row."""
        with self.opened(source) as reader:
            for run in reader.runs():
                latest: dict[tuple[str, str], int] = {}
                for table, key, seq in _addresses(reader.read(run)):
                    assert seq > latest.get((table, key), -1), (run.key, table, key)
                    latest[(table, key)] = seq

    def test_numbers_say_the_same_in_all_their_columns(self, source: Location) -> None:
        """An integer column only where a float is not exact, a null only for a null."""
        for chunk in self._chunks(source):
            if isinstance(chunk, chunks.Points):
                batch = tables.conform(chunk.batch, tables.POINTS)
                for row in batch.select(["value", "value_i64", "kind", "step_frac"]).to_pylist():
                    assert row["kind"] in tables.POINT_KINDS
                    assert (row["value"] is None) == (row["kind"] == "null"), row
                    if row["value_i64"] is not None:
                        assert row["kind"] == "int"
                        assert int(row["value"]) != row["value_i64"], row
                    assert row["step_frac"] is None or 0 < row["step_frac"] < 1_000_000, row

    def test_two_reads_are_equal(self, source: Location) -> None:
        """Nothing depends on the moment or on what was read before."""
        first = everything(self.reader, source, self.options)
        second = everything(self.reader, source, self.options)
        assert {k: v.comparable() for k, v in first.items()} == {
            k: v.comparable() for k, v in second.items()
        }

    # --- cursors

    def test_reading_on_from_every_checkpoint_gives_exactly_the_rest(
        self, source: Location
    ) -> None:
        """Nothing twice, nothing skipped, wherever a pull stopped."""
        with self.opened(source) as reader:
            for run in reader.runs():
                whole = list(reader.read(run))
                complete = Content.of(whole).comparable()
                for at, cursor in _cursors(whole):
                    rest = list(reader.read(run, cursor))
                    joined = Content.of([*whole[: at + 1], *rest])
                    assert joined.comparable() == complete, (run.key, cursor.position)

    def test_what_can_be_continued_ends_with_a_checkpoint(self, source: Location) -> None:
        """What comes after the last one would be read twice."""
        with self.opened(source) as reader:
            for run in reader.runs():
                told = [isinstance(chunk, chunks.Checkpoint) for chunk in reader.read(run)]
                assert told[-1] or not any(told), run.key

    def test_what_grows_is_read_on_without_a_gap(self, source: Location) -> None:
        """Old cursors stay good, and give what was added."""
        with self.opened(source) as reader:
            before = [(run, list(reader.read(run))) for run in reader.runs()]
        self.grow(source)
        for run, old in before:
            cursors = list(_cursors(old))
            if not cursors:
                continue
            at, cursor = cursors[-1]
            with self.opened(source) as reader:
                whole = Content.of(reader.read(run)).comparable()
                joined = Content.of([*old[: at + 1], *reader.read(run, cursor)])
            assert joined.comparable() == whole, run.key

    def test_a_cursor_that_does_not_fit_is_refused(self, source: Location) -> None:
        """SourceChanged, never rows from somewhere else, or all rows again: whoever gives no cursor
        may be given one of another source that has a run of the same key."""
        with self.opened(source) as reader:
            run = next(reader.runs())
            for position in FOREIGN:
                with pytest.raises(SourceChanged):
                    list(reader.read(run, Cursor(position)))

    # --- manners

    def test_close_can_be_repeated(self, source: Location) -> None:
        """Also after reading half."""
        reader = self.reader.open(source, self.options)
        run = next(reader.runs())
        next(iter(reader.read(run)))
        reader.close()
        reader.close()

    def test_reading_changes_nothing(self, source: Location, tmp_path: Path) -> None:
        """No file appears, grows or goes, in the source or beside it."""
        before = snapshot(tmp_path)
        everything(self.reader, source, self.options)
        assert snapshot(tmp_path) == before

    def test_nothing_is_unpickled(self, source: Location, monkeypatch: pytest.MonkeyPatch) -> None:
        """A pickle in the data is bytes, not code."""

        def refuse(*_: object, **__: object) -> NoReturn:
            raise AssertionError("a reader unpickled something")

        monkeypatch.setattr(pickle, "loads", refuse)
        monkeypatch.setattr(pickle, "load", refuse)
        monkeypatch.setattr(pickle, "Unpickler", refuse)
        everything(self.reader, source, self.options)

    def test_nothing_there_is_an_error_with_a_hint(self, source: Location, tmp_path: Path) -> None:
        """Never an empty list."""
        with pytest.raises(RunferryError) as caught:
            self._listed(self.nowhere(tmp_path))
        assert caught.value.hint, f"no hint: {caught.value}"

    def _listed(self, where: Location) -> list[Run]:
        with closing(self.reader.open(where, self.options)) as reader:
            return list(reader.runs())

    def nowhere(self, tmp_path: Path) -> Location:
        """A location behind which nothing is."""
        return Location(self.reader.name, str(tmp_path / "not" / "there"))

    # --- size

    @pytest.fixture(scope="class")
    @classmethod
    def sizes(cls, tmp_path_factory: pytest.TempPathFactory) -> tuple[Location, Location]:
        """A small source and a large one."""
        folder = tmp_path_factory.mktemp("sized")
        return cls.sized(folder / "small", 10_000), cls.sized(folder / "large", 300_000)

    def test_memory_is_flat(self, sizes: tuple[Location, Location]) -> None:
        """A source many times larger costs no more memory."""
        (few, low), (many, high) = map(self._measured, sizes)
        assert many > 10 * few
        assert high - low < self.flat_bytes, f"{few:,} rows {low:,} B, {many:,} rows {high:,} B"

    def test_headers_are_cheap(self, sizes: tuple[Location, Location]) -> None:
        """Listing runs does not read their rows."""
        with self.opened(sizes[1]) as reader:
            began = time.perf_counter()
            (run, *_) = reader.runs()
            listed = time.perf_counter() - began
            assert _takes(2 * (listed - 0.05), reader.read(run)), f"listed in {listed:.2f} s"

    def _measured(self, where: Location) -> tuple[int, int]:
        """Rows read, and the most memory a process held that read them."""
        name, tracker = self.reader.__qualname__, where.tracker
        ended = subprocess.run(
            [sys.executable, "-c", _MEASURE, self.reader.__module__, name, tracker, where.where],
            check=True,
            capture_output=True,
            text=True,
        )
        rows, peak = ended.stdout.split()
        return int(rows), int(peak)

    def _chunks(self, source: Location) -> Iterator[chunks.Chunk]:
        with self.opened(source) as reader:
            for run in reader.runs():
                yield from reader.read(run)


def _addresses(stream: Iterator[chunks.Chunk]) -> Iterator[tuple[str, str, int]]:
    """(table, key, seq) of every row; several media of one row count once."""
    for chunk in stream:
        if isinstance(chunk, chunks.Points | chunks.Texts | chunks.Histograms):
            name, batch = type(chunk).__name__, chunk.batch
            for key, seq in zip(
                batch.column("key").to_pylist(), batch.column("seq").to_pylist(), strict=True
            ):
                yield name, key, seq
        elif isinstance(chunk, chunks.Media):
            for item in chunk.items:
                if item.index == 0:
                    yield "Media", item.key, item.at.seq


def _takes(seconds: float, stream: Iterator[chunks.Chunk]) -> bool:
    """Whether a stream takes longer; it is left as soon as that is known."""
    began = time.perf_counter()
    for _ in stream:
        if time.perf_counter() - began > seconds:
            return True
    return time.perf_counter() - began > seconds


def _check_declared(stream: Iterator[chunks.Chunk]) -> None:
    declared: dict[str, tuple[str, tuple[str, ...]]] = {}
    for chunk in stream:
        if isinstance(chunk, chunks.SeriesFacts):
            for item in chunk.items:
                place = (item.stream, item.path)
                assert declared.setdefault(item.key, place) == place, item.key
        for _, key, _ in _addresses(iter([chunk])):
            assert key in declared, f"{key!r} has rows before it was declared"
    assert len(set(declared.values())) == len(declared), "one path under two keys"


def _cursors(whole: list[chunks.Chunk]) -> Iterator[tuple[int, Cursor]]:
    """Every checkpoint as the archive would hand it back, with where it came."""
    known: dict[str, Series] = {}
    for at, chunk in enumerate(whole):
        if isinstance(chunk, chunks.SeriesFacts):
            known.update((item.key, item) for item in chunk.items)
        elif isinstance(chunk, chunks.Checkpoint):
            # as the archive hands it back
            position = tables.loads(tables.dumps(chunk.position))
            yield at, Cursor(position, tuple(known.values()))
