"""What the content digest promises of rows that are given as JSON."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runferry.archive import digest
from runferry.archive.digest import Packed, RowSum

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=9)
    | st.sampled_from(["],\n[", '"]'])
)
BYTES = st.none() | st.binary(max_size=9)


def check_alike(columns: list[list[object]], packed: set[int]) -> None:
    """Rows given by column count as they do one by one, with their bytes in hex."""
    together, by_one = RowSum(), RowSum()
    together.add_columns(
        [Packed(column) if at in packed else column for at, column in enumerate(columns)]  # type: ignore[arg-type]
    )
    for row in zip(*columns, strict=True):
        by_one.add_item([item.hex() if isinstance(item, bytes) else item for item in row])
    assert together.state() == by_one.state()


@given(st.data(), st.lists(st.booleans(), min_size=1, max_size=4), st.integers(0, 5))
def test_rows_added_together_count_as_they_do_one_by_one(
    data: st.DataObject, are_packed: list[bool], rows: int
) -> None:
    columns = [
        data.draw(st.lists(BYTES if is_packed else SCALARS, min_size=rows, max_size=rows))
        for is_packed in are_packed
    ]
    check_alike(columns, {at for at, is_packed in enumerate(are_packed) if is_packed})


def test_more_rows_than_are_spelled_at_once_count_as_they_do_one_by_one() -> None:
    count = digest._SPELLED_AT_ONCE + 1
    check_alike([list(range(count)), [b"\n"] * count, ["line\n"] * count], {1})
