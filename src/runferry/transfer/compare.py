"""Two sides of one run, value by value: rows in DuckDB, which spills, so memory stays flat.

`pairing` says which row is which. What differs within a pair, and what found no partner, is counted
by series and by the code that `foretell` would give it. Values are compared as bits, so −0.0 and
the payload of a NaN count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from runferry.chunks import Chunk
from runferry.losses import Fate
from runferry.transfer.compare_tables import TABLES, Table, columns_of
from runferry.transfer.pairing import Pairing
from runferry.transfer.rules import CROWDED, FLOAT_BITS, SYSTEM, Case, Rules

if TYPE_CHECKING:
    import duckdb

Way = Literal["changed", "absent", "invented"]


@dataclass(frozen=True, slots=True)
class Difference:
    """So many rows of a series differ in this way."""

    series: int
    kind: str  # as in Limits.holds
    way: Way
    code: str
    rows: int


class RowComparison:
    """Two sides' rows. Fill both with `add`, then ask `differences`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, rules: Rules) -> None:
        self._sql = connection
        self._rules = rules
        self._serial = 0
        self._filled: set[str] = set()
        self.rows = 0
        self._sql.execute(f"CREATE OR REPLACE TABLE {SYSTEM} (sid INTEGER)")

    def system(self, number: int) -> None:
        """The series of this number is of the machine."""
        self._sql.execute(f"INSERT INTO {SYSTEM} VALUES (?)", [number])

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
        if self._rules.changes("repeated-step"):
            self._find_crowded()
        for table in TABLES:
            if table.name in self._filled:
                yield from _TableComparison(self._sql, table, self._rules).differences()

    def _find_crowded(self) -> None:
        """The first step for which a destination with whole steps needs more rows than one."""
        stepped = self._filled & {"points", "texts", "histograms", "media"}
        rows = [f"SELECT sid, step, frac, seq FROM a_{name}" for name in sorted(stepped)]
        nothing = "SELECT 0 AS sid, NULL::BIGINT AS step, NULL::INTEGER AS frac, 0 AS seq"
        self._sql.execute(
            f"CREATE OR REPLACE TABLE {CROWDED} AS SELECT min(step) AS step FROM"
            f" (SELECT step FROM ({' UNION ALL '.join([nothing, *rows])}) WHERE step IS NOT NULL"
            f" AND sid NOT IN (SELECT sid FROM {SYSTEM})"
            " GROUP BY sid, step HAVING count(DISTINCT seq) > 1 OR bool_or(frac IS NOT NULL))"
        )

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
        self._pairing = Pairing(connection, table, rules)
        self._count = self._pairing.count

    def unpaired(self) -> tuple[int, int]:
        self._pairing.pair_equal()
        return self._count("left_a"), self._count("left_b")

    def differences(self) -> Iterator[Difference]:
        self._pairing.pair_all()
        yield from self._changed()
        yield from self._reordered()
        if self._count("left_a"):
            yield from self._absent()
        if self._count("left_b"):
            query = f"SELECT sid, {self._table.kind}, 'invented' FROM left_b"
            yield from self._grouped("invented", query)

    def _changed(self) -> Iterator[Difference]:
        """What differs within a pair."""
        kind = "a_media_type" if self._table.name == "media" else self._table.kind
        step = "a_step IS DISTINCT FROM b_step OR a_frac IS DISTINCT FROM b_frac"
        value = " OR ".join(f"a_{c} IS DISTINCT FROM b_{c}" for c in self._table.values)
        times = [*self._rules.time_cases("a_"), ("finer-time", "a_tick = b_tick")]
        values = [*self._value_cases("a_"), *self._bits_cases("a_")]
        tests = [
            (step, self._rules.case(self._step_cases("a_"), "step")),
            ("a_t IS DISTINCT FROM b_t", self._rules.case(times, "time")),
            (value, self._rules.case(values, "value")),
        ]
        tests += [
            (f"a_{column} IS DISTINCT FROM b_{column} AND NOT ({value})", f"'{code}'")
            for column, code in self._table.aspects.items()
        ]
        queries = [f"SELECT a_sid, {kind}, {code} FROM pairs WHERE {test}" for test, code in tests]
        yield from self._grouped("changed", " UNION ALL ".join(queries))

    def _value_cases(self, row: str) -> list[tuple[str, str]]:
        return self._table.value_cases(row, self._rules.max_text_length)

    def _bits_cases(self, row: str) -> list[Case]:
        is_told = self._rules.changes(FLOAT_BITS)
        return [(FLOAT_BITS, f"{self._table.bits_case(row)} AND a_plain = b_plain")] * is_told

    def _cases(self, row: str) -> list[tuple[str, str]]:
        """Every reason for which a destination may drop a row, from the row alone."""
        rules = self._rules
        return [*self._value_cases(row), *self._step_cases(row), *rules.time_cases(row)]

    def _step_cases(self, row: str) -> list[Case]:
        return self._rules.step_cases(row) if self._table.is_stepped else []

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
            *([] if self._rules.is_in_order else [("falling-step", falls)]),
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
