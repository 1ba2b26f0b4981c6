"""Two sides of one run, value by value: rows in DuckDB, which spills, so memory stays flat.

Rows are paired in passes, each on what the former left: first on step, time (in the destination's
unit) and value, then with the step, the time or the value left open. What differs within a pair,
and what found no partner, is counted by series and by the code that `foretell` would give it.
Values are compared as bits, so −0.0 and the payload of a NaN count.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from runferry import chunks
from runferry.chunks import Chunk
from runferry.losses import Fate
from runferry.ports import Limits
from runferry.transfer.compare_tables import TABLES, Table, columns_of

if TYPE_CHECKING:
    import duckdb

Relation = Literal["same", "extends", "is older", "differs"]

LOGGED_TABLES = ("points", "texts", "histograms", "media")

_MEMORY = "256MB"
_ADDRESS = ("step", "frac")

_PASSES: tuple[tuple[str, ...], ...] = (
    ("step", "frac", "tick", "value"),
    ("tick", "value"),  # another step
    ("step", "frac", "value"),  # another time
    ("value",),  # another step and another time
    ("step", "frac", "tick"),  # another value
    ("step", "frac"),  # another time and another value
    ("tick",),  # another step and another value
    (),  # nothing but the series
)


Way = Literal["changed", "absent", "invented"]


@dataclass(frozen=True, slots=True)
class Difference:
    """So many rows of a series differ in this way."""

    series: int
    kind: str  # as in Limits.holds
    way: Way
    code: str
    rows: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What the destination's limits mean for rows."""

    time_unit_ns: int = 1
    max_step: int = 2**63 - 1
    max_text_length: int = 2**31
    fates: Mapping[str, Fate] = field(default_factory=dict)  # by code

    @classmethod
    def of(cls, limits: Limits) -> Rules:
        """The rules of a destination."""
        codes = (
            "null_step", "fractional_step", "negative_step", "step_beyond", "falling_step",
            "null_time", "negative_time", "finer_time", "nan", "infinity", "null_value",
            "inexact_int", "long_text", "duplicate_point",
        )  # fmt: skip
        fates = {code.replace("_", "-"): getattr(limits, code) for code in codes}
        if limits.order == "step" and limits.null_step is not Fate.KEPT:
            fates["null-step"] = Fate.DROPPED  # what it becomes may come too late
        return cls(limits.time_unit_ns, limits.max_step, limits.max_text_length, fates)

    def drops(self, code: str) -> bool:
        """Whether rows of this kind do not arrive."""
        return self.fates.get(code) is Fate.DROPPED

    def case(self, cases: Iterable[tuple[str, str]], otherwise: str) -> str:
        """SQL for the code whose condition holds; of several, the one of the worst fate."""
        ranked = sorted(cases, key=lambda case: -self.fates.get(case[0], Fate.KEPT))
        whens = "".join(f" WHEN {condition} THEN '{code}'" for code, condition in ranked)
        return f"CASE{whens} ELSE '{otherwise}' END" if whens else f"'{otherwise}'"


class RowComparison:
    """Two sides' rows. Fill both with `add`, then ask `differences`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, rules: Rules) -> None:
        self._sql = connection
        self._rules = rules
        self._serial = 0
        self._filled: set[str] = set()
        self.rows = 0

    def add(self, side: Literal["a", "b"], chunk: Chunk, numbers: Mapping[str, int]) -> None:
        """Rows of one side; `numbers` gives each series key its number on both sides."""
        found = columns_of(chunk, numbers)
        if found is None or not found[1].num_rows:
            return
        table, rows = found
        if table.name not in self._filled:
            for each in "ab":
                self._sql.execute(
                    f"CREATE OR REPLACE TABLE {each}_{table.name} (id BIGINT, {table.declared})"
                )
            self._filled.add(table.name)
        self._sql.register("arriving", rows)
        self._sql.execute(
            f"INSERT INTO {side}_{table.name} SELECT {self._serial} + row_number() OVER (), *"
            " FROM arriving"
        )
        self._sql.unregister("arriving")
        self._serial += rows.num_rows
        self.rows += rows.num_rows if side == "a" else 0

    def differences(self) -> Iterator[Difference]:
        """Everything in which the sides differ."""
        for table in TABLES:
            if table.name in self._filled:
                yield from _TableComparison(self._sql, table, self._rules).differences()

    def unpaired(self, tables: tuple[str, ...]) -> tuple[int, int]:
        """How many rows of either side have no exact partner, leaving `seq` aside."""
        sums = [0, 0]
        for table in TABLES:
            if table.name in tables and table.name in self._filled:
                left, right = _TableComparison(self._sql, table, Rules()).unpaired()
                sums[0] += left
                sums[1] += right
        return sums[0], sums[1]


class _TableComparison:
    def __init__(self, connection: duckdb.DuckDBPyConnection, table: Table, rules: Rules) -> None:
        self._sql = connection
        self._table = table
        self._rules = rules
        unit = rules.time_unit_ns
        self._tick = "t" if unit == 1 else f"t - ((t % {unit}) + {unit}) % {unit}"

    def unpaired(self) -> tuple[int, int]:
        self._prepare()
        if self._count("left_a") and self._count("left_b"):
            self._pair(_PASSES[0])
        return self._count("left_a"), self._count("left_b")

    def differences(self) -> Iterator[Difference]:
        self._prepare()
        for columns in _PASSES:
            if not (self._count("left_a") and self._count("left_b")):
                break
            self._pair(columns)
        yield from self._changed()
        yield from self._reordered()
        if self._count("left_a"):
            yield from self._absent()
        if self._count("left_b"):
            query = f"SELECT sid, {self._table.kind}, 'invented' FROM left_b"
            yield from self._grouped("invented", query)

    def _prepare(self) -> None:
        """Rows that the destination cannot hold at all are the last to be given a partner."""
        name, cases = self._table.name, self._cases("")
        dropped = [test for code, test in cases if self._rules.drops(code)]
        is_dropped = " OR ".join(dropped) or "false"
        for side in "ab":
            self._sql.execute(
                f"CREATE OR REPLACE TABLE left_{side} AS SELECT *, {self._tick} AS tick,"
                f" coalesce({is_dropped if side == 'a' else 'false'}, false) AS dropped"
                f" FROM {side}_{name}"
            )
        self._sql.execute(
            "CREATE OR REPLACE TABLE pairs AS SELECT a.*, b.* FROM"
            f" (SELECT {self._named('a')} FROM left_a LIMIT 0) a,"
            f" (SELECT {self._named('b')} FROM left_b LIMIT 0) b"
        )

    def _named(self, side: str) -> str:
        columns = ("id", *self._table.columns, "tick")
        return ", ".join(f"{column} AS {side}_{column}" for column in columns)

    def _pair(self, columns: tuple[str, ...]) -> None:
        table = self._table
        same = ["sid"]
        for column in columns:
            same += table.values if column == "value" else [column]
        rest = [c for c in ("dropped", "seq", "step", "frac", "t", *table.aspects) if c not in same]
        ranked = (
            f"row_number() OVER (PARTITION BY {', '.join(same)} ORDER BY {', '.join(rest)}, id)"
        )
        on = " AND ".join(f"a.a_{c} IS NOT DISTINCT FROM b.b_{c}" for c in same)
        self._sql.execute(
            f"INSERT INTO pairs SELECT a.* EXCLUDE (a_rank), b.* EXCLUDE (b_rank) FROM"
            f" (SELECT {self._named('a')}, {ranked} AS a_rank FROM left_a) a JOIN"
            f" (SELECT {self._named('b')}, {ranked} AS b_rank FROM left_b) b"
            f" ON a.a_rank = b.b_rank AND {on}"
        )
        for side in "ab":
            self._sql.execute(f"DELETE FROM left_{side} WHERE id IN (SELECT {side}_id FROM pairs)")

    def _changed(self) -> Iterator[Difference]:
        """What differs within a pair."""
        kind = "a_media_type" if self._table.name == "media" else self._table.kind
        step = "a_step IS DISTINCT FROM b_step OR a_frac IS DISTINCT FROM b_frac"
        value = " OR ".join(f"a_{c} IS DISTINCT FROM b_{c}" for c in self._table.values)
        times = [*self._time_cases("a_"), ("finer-time", "a_tick = b_tick")]
        tests = [
            (step, self._rules.case(self._step_cases("a_"), "step")),
            ("a_t IS DISTINCT FROM b_t", self._rules.case(times, "time")),
            (value, self._rules.case(self._value_cases("a_"), "value")),
        ]
        tests += [
            (f"a_{column} IS DISTINCT FROM b_{column} AND NOT ({value})", f"'{code}'")
            for column, code in self._table.aspects.items()
        ]
        queries = [f"SELECT a_sid, {kind}, {code} FROM pairs WHERE {test}" for test, code in tests]
        yield from self._grouped("changed", " UNION ALL ".join(queries))

    def _step_cases(self, row: str) -> list[tuple[str, str]]:
        return [
            ("null-step", f"{row}step IS NULL"),
            ("fractional-step", f"{row}frac IS NOT NULL"),
            ("negative-step", f"{row}step < 0"),
            ("step-beyond", f"{row}step > {self._rules.max_step}"),
        ]

    def _time_cases(self, row: str) -> list[tuple[str, str]]:
        return [("null-time", f"{row}t IS NULL"), ("negative-time", f"{row}t < 0")]

    def _value_cases(self, row: str) -> list[tuple[str, str]]:
        return self._table.value_cases(row, self._rules.max_text_length)

    def _cases(self, row: str) -> list[tuple[str, str]]:
        """Every reason for which a destination may drop a row, from the row alone."""
        return [*self._value_cases(row), *self._step_cases(row), *self._time_cases(row)]

    def _absent(self) -> Iterator[Difference]:
        """Rows without a partner: by what they are, and as duplicates of rows that have one."""
        table = self._table
        same = ["sid", "step", "frac", "tick", *table.values]
        on = " AND ".join(f"l.{c} IS NOT DISTINCT FROM p.b_{c}" for c in same)
        falls = (
            f"EXISTS (SELECT 1 FROM a_{table.name} e WHERE e.sid = l.sid AND e.seq < l.seq"
            " AND e.step > l.step)"
        )
        merges = self._rules.fates.get("duplicate-point", Fate.KEPT) >= Fate.MERGED
        cases = [
            ("duplicate-point", f"EXISTS (SELECT 1 FROM pairs p WHERE {on})"),
            *(case for case in self._cases("l.") if not merges or self._rules.drops(case[0])),
            ("falling-step", falls),
        ]
        code = self._rules.case(cases, "duplicate-point" if merges else "missing")
        yield from self._grouped("absent", f"SELECT sid, {table.kind}, {code} FROM left_a l")

    def _reordered(self) -> Iterator[Difference]:
        """Pairs that stand elsewhere in the source's order, or are grouped otherwise.

        Copies that are equal in all but their place stand for each other, whoever was their pair.
        """
        if not self._count("pairs WHERE a_seq <> b_seq"):
            return
        cells = ("sid", "step", "frac", "t", *self._table.values, *self._table.aspects)
        equal = f"dense_rank() OVER (ORDER BY {', '.join(f'b_{cell}' for cell in cells)})"
        self._sql.execute(
            f"CREATE OR REPLACE TABLE places AS SELECT *, {equal} AS twins FROM pairs"
        )
        ranked = [
            f"(SELECT twins, {side}_seq, row_number() OVER (PARTITION BY twins ORDER BY {side}_seq)"
            f" AS place FROM places) {side}"
            for side in "ab"
        ]
        yield from self._grouped(
            "changed",
            "SELECT 0, 'row', 'source-order' FROM (SELECT"
            " dense_rank() OVER (ORDER BY a_seq) AS ra, dense_rank() OVER (ORDER BY b_seq) AS rb"
            f" FROM {' JOIN '.join(ranked)} USING (twins, place)) WHERE ra <> rb",
        )

    def _grouped(self, way: Way, query: str) -> Iterator[Difference]:
        rows = self._sql.execute(
            f"SELECT sid, kind, code, count(*) FROM ({query}) AS found(sid, kind, code)"
            " GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        for series, kind, code, count in rows:
            yield Difference(series, kind, way, code, count)

    def _count(self, table: str) -> int:
        row = self._sql.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(row[0]) if row else 0


@contextmanager
def row_database(folder: Path | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A private database that keeps little in memory and spills below `folder`."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix=".compare-", dir=folder) as spill:
        settings: dict[str, Any] = {
            "memory_limit": _MEMORY,
            "threads": 1,
            "temp_directory": spill,
            "preserve_insertion_order": False,
        }
        connection = duckdb.connect(":memory:", config=settings)
        try:
            yield connection
        finally:
            connection.close()


def relation_of(kept: Iterable[Chunk], read: Iterable[Chunk], folder: Path) -> Relation:
    """Whether what was read extends what is kept, by the rows that were logged."""
    with row_database(folder) as connection:
        comparison = RowComparison(connection, Rules())
        numbers: dict[str, int] = {}
        for side, source in (("a", kept), ("b", read)):
            for chunk in source:
                if isinstance(chunk, chunks.SeriesFacts):
                    for series in chunk.items:
                        numbers.setdefault(series.key, len(numbers))
                comparison.add("a" if side == "a" else "b", chunk, numbers)
        only_kept, only_read = comparison.unpaired(LOGGED_TABLES)
    if not only_kept:
        return "extends" if only_read else "same"
    return "differs" if only_read else "is older"
