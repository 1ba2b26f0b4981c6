"""Which row of the copy is which row of the original, in DuckDB, which spills.

First every row that has to arrive is given a partner that differs from it only where the limits
say that it may: those that may differ nowhere choose first. Where a row was taken that another
needed more, `rematching` finds out who can do with which other one. What is left after that differs
in a way that nobody foretold; it is paired by what it still has in common, so that the report can
say what became of it.

An open cell is one that may arrive as something else. Rows that the destination cannot hold at all
are given what is left of those that they may have become.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runferry.transfer.compare_tables import Table
from runferry.transfer.rematching import Contest, rematched
from runferry.transfer.rules import FLOAT_BITS, Case, Rules

if TYPE_CHECKING:
    import duckdb

MOST_CONTESTED = 50_000
"""Rows whose partners are thought over again; more would not fit into memory that stays flat."""

_WITH_VALUE: tuple[list[str], ...] = (
    ["step", "frac", "tick"],
    ["tick"],  # another step
    ["step", "frac"],  # another time
    [],  # another step and another time
)
_WITHOUT_VALUE: tuple[list[str], ...] = (
    ["step", "frac", "tick"],  # another value
    ["step", "frac"],  # another time and another value
    ["tick"],  # another step and another value
    [],  # nothing but the series
)
"""What is left has this in common, and the value or not."""


_ADDRESS = 0b11
_VALUE = 0b100
"""The bits of `open` that stand for step and time, and for the values."""


class Pairing:
    """Makes the tables `pairs` (a_…, b_…), `left_a` and `left_b` for one table of rows."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: Table, rules: Rules) -> None:
        self._sql = connection
        self._table = table
        self._rules = rules
        unit = rules.time_unit_ns
        self._tick = "t" if unit == 1 else f"t - ((t % {unit}) + {unit}) % {unit}"
        self._time = "tick" if rules.changes("finer-time") else "t"
        # each bit of `open` stands for a group of cells
        groups: list[list[str]] = [["step", "frac"], [self._time], table.values]
        groups += [[aspect] for aspect in table.aspects]
        self._groups = {1 << place: columns for place, columns in enumerate(groups)}

    def count(self, table: str) -> int:
        """How many rows a table has."""
        row = self._sql.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(row[0]) if row else 0

    def pair_equal(self) -> None:
        """Pair only what is equal, leaving order and aspects aside.

        A medium without bytes, as its file was not there yet, is the one that has them by now.
        """
        self._prepare()
        at = ["step", "frac", "t"]
        self._pair([*at, *self._table.values])
        if self._table.name == "media":
            rest = [value for value in self._table.values if value != "sha256"]
            self._pair([*at, *rest, "path"], "sha256 IS NULL")

    def pair_all(self) -> None:
        """Pair as long as there is something on both sides."""
        self._prepare()
        self._pair_foretold()
        if self._rules.changes(FLOAT_BITS):
            self._groups[_VALUE] = ["plain", *self._table.values[1:]]
            self._pair_foretold()
        self._rematch()
        for columns in _WITH_VALUE:
            self._pair([*columns, *self._groups[_VALUE]], "NOT dropped")
        self._pair_foretold("dropped")
        if self._rules.is_in_order:  # those without a step may come in time
            self._pair(self._groups[_VALUE], "dropped AND step IS NULL")
        for columns in _WITHOUT_VALUE:
            self._pair(columns, "NOT dropped")

    def _pair_foretold(self, chosen: str = "NOT dropped") -> None:
        """Pair what agrees in all closed cells: what is alike in the open ones, too, goes first."""
        orders: list[list[str]] = [[]] if self._rules.changes("source-order") else [["seq"], []]
        for order in orders:
            for used in (0, _ADDRESS, ~_VALUE, ~0):
                for mask in self._masks(used, chosen):
                    same = [*order, *self._closed(mask)]
                    self._pair(same, f"open & {used} = {mask} AND {chosen}")

    def _is_left(self) -> bool:
        return bool(self.count("left_a") and self.count("left_b"))

    # --- what is known of each row

    def _prepare(self) -> None:
        for side in "ab":
            self._sql.execute(f"CREATE OR REPLACE TABLE left_{side} AS {self._judged(side)}")
        self._sql.execute(
            "CREATE OR REPLACE TABLE pairs AS SELECT a.*, b.* FROM"
            f" (SELECT {self._named('a')} FROM left_a LIMIT 0) a,"
            f" (SELECT {self._named('b')} FROM left_b LIMIT 0) b"
        )

    def _judged(self, side: str) -> str:
        """The rows of a side; those of the original with what may become of them."""
        dropped, mask = "false", "0"
        if side == "a":
            dropped, mask = self._dropped(), self._open()
        return (
            f"SELECT *, {self._tick} AS tick, {self._table.plain} AS plain,"
            f" {dropped} AS dropped, {mask} AS open"
            f" FROM {side}_{self._table.name}"
        )

    def _dropped(self) -> str:
        rules = self._rules
        values = self._table.value_cases("", rules.max_text_length)
        return rules.dropped([*values, *self._step_cases(), *rules.time_cases("")])

    def _open(self) -> str:
        rules, table = self._rules, self._table
        # an integer that is no double arrives as the nearest one, which it is known by here, too
        cases = table.value_cases("", rules.max_text_length)
        value = rules.changed(case for case in cases if case[0] not in table.aspects.values())
        tests = [rules.changed(self._step_cases()), rules.changed(rules.time_cases("")), value]
        # with another value come other aspects
        tests += ["true" if rules.changes(code) else value for code in table.aspects.values()]
        bits = (f"{test}::INTEGER * {1 << place}" for place, test in enumerate(tests))
        return " + ".join(bits)

    def _step_cases(self) -> list[Case]:
        return self._rules.step_cases("") if self._table.is_stepped else []

    def _masks(self, used: int, chosen: str) -> list[int]:
        """Which of these cells are open, in any row; the fewest first."""
        query = f"SELECT DISTINCT open & {used} FROM left_a WHERE {chosen}"
        rows = self._sql.execute(query).fetchall()
        return sorted((int(mask) for (mask,) in rows), key=lambda mask: (mask.bit_count(), mask))

    def _closed(self, mask: int) -> list[str]:
        return [c for bit, columns in self._groups.items() if not mask & bit for c in columns]

    def _named(self, side: str) -> str:
        columns = ("id", *self._table.columns, "tick", "plain")
        return ", ".join(f"{column} AS {side}_{column}" for column in columns)

    # --- partners

    def _pair(self, same: list[str], chosen: str = "true") -> None:
        """Partners have `same` in common; of several, the first with the first."""
        if not self._is_left():
            return
        same = ["sid", *same]
        rest = ("dropped", "seq", "step", "frac", "t", *self._table.aspects)
        order = ", ".join((*(c for c in rest if c not in same), "id"))
        ranked = f"row_number() OVER (PARTITION BY {', '.join(same)} ORDER BY {order})"
        on = " AND ".join(f"a.a_{c} IS NOT DISTINCT FROM b.b_{c}" for c in same)
        self._sql.execute(
            f"INSERT INTO pairs SELECT a.* EXCLUDE (a_rank), b.* EXCLUDE (b_rank) FROM"
            f" (SELECT {self._named('a')}, {ranked} AS a_rank FROM left_a WHERE {chosen}) a JOIN"
            f" (SELECT {self._named('b')}, {ranked} AS b_rank FROM left_b) b"
            f" ON a.a_rank = b.b_rank AND {on}"
        )
        for side in "ab":
            self._sql.execute(f"DELETE FROM left_{side} WHERE id IN (SELECT {side}_id FROM pairs)")

    def _rematch(self) -> None:
        """Think over who goes with whom where a row that has to arrive got no partner."""
        self._sql.execute(
            "CREATE OR REPLACE TABLE contested AS"
            f" SELECT sid FROM (SELECT sid FROM ({self._judged('a')}) WHERE NOT dropped"
            f" UNION ALL SELECT sid FROM ({self._judged('b')})) WHERE sid IN"
            " (SELECT sid FROM left_a WHERE NOT dropped INTERSECT SELECT sid FROM left_b)"
            " GROUP BY sid"
            f" QUALIFY sum(count(*)) OVER (ORDER BY count(*), sid) <= {MOST_CONTESTED}"
        )
        if not self.count("contested"):
            return
        contest = Contest({m: self._closed(m) for m in self._masks_of_contested()})
        for row in self._contested("a"):
            contest.add_wanting(row)
        for row in self._contested("b"):
            contest.add_wanted(row)
        partners = self._sql.execute(
            "SELECT a_id, b_id FROM pairs WHERE a_sid IN (FROM contested)"
        ).fetchall()
        self._take(rematched(contest, dict(partners)))

    def _masks_of_contested(self) -> list[int]:
        rows = self._sql.execute(
            f"SELECT DISTINCT open FROM ({self._judged('a')}) WHERE sid IN (FROM contested)"
        )
        return [int(mask) for (mask,) in rows.fetchall()]

    def _contested(self, side: str) -> Iterator[dict[str, Any]]:
        found = self._sql.execute(
            f"SELECT * FROM ({self._judged(side)}) WHERE sid IN (FROM contested) AND NOT dropped"
        )
        names = [column[0] for column in found.description or ()]
        while rows := found.fetchmany(1000):
            yield from (dict(zip(names, row, strict=True)) for row in rows)

    def _take(self, partners: dict[int, int]) -> None:
        """Put these pairs in place of what their rows were paired with."""
        if not partners:
            return
        import pyarrow as pa

        chosen = pa.table({"a": list(partners), "b": list(partners.values())})
        self._sql.register("chosen", chosen)
        self._sql.execute("DELETE FROM pairs WHERE a_id IN (SELECT a FROM chosen)")
        self._sql.execute(
            "INSERT INTO pairs SELECT a.*, b.* FROM chosen JOIN"
            f" (SELECT {self._named('a')} FROM ({self._judged('a')})) a ON a.a_id = chosen.a JOIN"
            f" (SELECT {self._named('b')} FROM ({self._judged('b')})) b ON b.b_id = chosen.b"
        )
        self._sql.unregister("chosen")
        for side in "ab":
            self._sql.execute(f"DELETE FROM left_{side} WHERE id IN (SELECT {side}_id FROM pairs)")
