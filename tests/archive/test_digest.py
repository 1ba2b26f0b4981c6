"""What the content digest promises of rows that are given as JSON."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runferry.archive import digest
from runferry.archive.digest import RowSum

SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["],\n[", '"]'])


def check_alike(rows: list[list[object]]) -> None:
    together, by_one = RowSum(), RowSum()
    together.add_items(iter(rows))
    for row in rows:
        by_one.add_item(row)
    assert together.state() == by_one.state()


@given(st.lists(st.lists(SCALARS, min_size=1, max_size=3)))
def test_rows_added_together_count_as_they_do_one_by_one(rows: list[list[object]]) -> None:
    check_alike(rows)


def test_more_rows_than_are_spelled_at_once_count_as_they_do_one_by_one() -> None:
    check_alike([[number, "line\n"] for number in range(digest._SPELLED_AT_ONCE + 1)])
