"""Where a file of separated values ends: cut, unended, still growing, or swallowed by a quote."""

from __future__ import annotations

from pathlib import Path

import pytest
from csv_cells import cells_of, read, table_of

from runferry.errors import NotFound, SourceChanged
from runferry.losses import Fate

SMALL = 'step,loss,note\r\n0,0.125,"a ""b"", c"\r\n1,,"two\r\nlines"\r\n2,-3.5e2,é\r\n'
ROW_ENDS = {16, 38, 55}  # of the header and of rows; behind them nothing is cut


def test_truncated_anywhere_gives_an_exact_prefix(tmp_path: Path) -> None:
    whole = SMALL.encode()
    (tmp_path / "whole.csv").write_bytes(whole)
    complete, losses = read(tmp_path / "whole.csv")
    assert len(complete) == 8
    assert not losses
    for end in range(len(whole)):
        path = tmp_path / "cut.csv"
        path.write_bytes(whole[:end])
        try:
            found, losses = read(path)
        except NotFound:
            assert end == 0
            continue
        rows = {row for row, _ in found}
        assert rows == set(range(len(rows))), end
        assert found == {at: value for at, value in complete.items() if at[0] in rows}, end
        assert bool(losses) == (end > 16 and end not in ROW_ENDS), end


def test_an_export_truncated_anywhere_has_exact_rows_and_a_last_one_that_is_told(
    tmp_path: Path,
) -> None:
    whole = SMALL.encode()
    path = tmp_path / "t.csv"
    path.write_bytes(whole)
    complete, _ = read(path)
    told = 0
    for end in range(16, len(whole)):
        path.write_bytes(whole[:end])
        found, losses = read(path, takes_unended=True)
        rows = {row for row, _ in found}
        unended = [loss for loss in losses if loss.code == "unended-line"]
        told += len(unended)
        if unended:
            assert (losses, unended[0].fate) == (unended, Fate.KEPT), end
            last = max(rows)
            rows.remove(last)
            if whole[end:] in (b"\n", b"\r\n"):
                rows.add(last)
        assert rows == set(range(len(rows))), end
        exact = {at: value for at, value in found.items() if at[0] in rows}
        assert exact == {at: value for at, value in complete.items() if at[0] in rows}, end
    assert told > 5


@pytest.mark.parametrize("takes_unended", [False, True])
def test_what_grows_behind_any_byte_is_read_on_without_a_gap(
    tmp_path: Path, takes_unended: bool
) -> None:
    """Unless a row that was taken without its line break goes on: then all is read anew."""
    whole = (SMALL + '3,"cut\r\n4",x\r\nragged\r\n5,6,"7\r\n"\r\n8,9,10').encode()
    path = tmp_path / "t.csv"
    path.write_bytes(whole)
    complete, _ = read(path, takes_unended=takes_unended)
    anew = 0
    for end in range(17, len(whole)):
        path.write_bytes(whole[:end])
        table = table_of(path, takes_unended=takes_unended)
        before = list(table.blocks(table.begin(), []))
        place = table.sign(before[-1].place if before else table.begin())
        path.write_bytes(whole)
        try:
            table.check(place)
        except SourceChanged:
            assert takes_unended
            anew += 1
            continue
        after = list(table.blocks(place, []))
        joined = {
            (int(block.number[row]), column): value
            for block in (*before, *after)
            for (row, column), value in cells_of(block.values).items()
        }
        assert joined == complete, end
        assert sum(len(block.number) for block in (*before, *after)) == len(
            {row for row, _ in complete}
        )
    assert bool(anew) == takes_unended


def test_a_last_line_without_a_break_may_be_cut(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n3,0.12")
    found, (loss,) = read(path)
    assert set(found) == {(0, 0), (0, 1)}
    assert (loss.code, loss.fate, loss.where) == ("unended-line", Fate.DROPPED, "t.csv:3")
    path.write_text("a,b\n1,2\n3")
    _, (loss,) = read(path)
    assert (loss.code, loss.fate) == ("cut-tail", Fate.KEPT)


UNENDED = {
    "3,0.12": ["unended-line"],
    "3,0.12\r": ["unended-line"],
    '3,"0.12"': [],
    '3,""': [],
    '3,"word"': ["unended-line"],
    '3,"two\nlines"': ["unended-line"],
}


@pytest.mark.parametrize("last", UNENDED, ids=repr)
def test_an_exports_last_row_is_read_without_a_line_break(tmp_path: Path, last: str) -> None:
    path = tmp_path / "t.csv"
    for rows in (["1,2", "3,4"], []):
        path.write_bytes("\n".join(["a,b", *rows, last, ""]).encode())
        expected, _ = read(path)
        path.write_bytes("\n".join(["a,b", *rows, last]).encode())
        found, losses = read(path, takes_unended=True)
        assert found == expected
        assert [loss.code for loss in losses] == UNENDED[last]
        assert {loss.fate for loss in losses} <= {Fate.KEPT}
        assert {loss.where for loss in losses} <= {f"t.csv:{len(rows) + 2}"}


ODD_LAST = {
    "odd-row": (b"3,4,5", {}),
    "repeated-header": (b"a,b", {}),
    "bad-utf8": ("3,gr\xf6\xdfe".encode("latin-1"), {(1, 0): 3, (1, 1): "gr\ufffd\ufffde"}),
}


@pytest.mark.parametrize("code", ODD_LAST)
def test_an_exports_last_row_is_odd_as_any_other_is(tmp_path: Path, code: str) -> None:
    last, expected = ODD_LAST[code]
    path = tmp_path / "t.csv"
    said = []
    for ending in (b"\n", b""):
        path.write_bytes(b"a,b\n1,2\n" + last + ending)
        found, losses = read(path, takes_unended=True)
        assert found == {(0, 0): 1, (0, 1): 2, **expected}
        said.append([loss for loss in losses if loss.code != "unended-line"])
        assert len(losses) == 1 + (code == "bad-utf8" and not ending)
    assert said[0] == said[1]
    assert said[0][0].code == code


@pytest.mark.parametrize("last", ["3", '3,"0.1', '3,"a ""', "3,4\r5", "3,gr\ufffd"])
def test_a_last_row_that_is_surely_cut_is_told_and_not_taken(tmp_path: Path, last: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"a,b\n1,2\n{last}")
    found, (loss,) = read(path, takes_unended=True)
    assert set(found) == {(0, 0), (0, 1)}
    assert (loss.code, loss.fate) == ("cut-tail", Fate.KEPT)


def test_a_quote_that_never_closes_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,2\n3,"open\n4,5\n')
    found, (loss,) = read(path)
    assert set(found) == {(0, 0), (0, 1)}
    assert (loss.code, loss.where, loss.count) == ("open-quote", "t.csv:3", 12)


def test_behind_a_quote_that_swallows_too_much_reading_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,2\n3,"open\n' + "4,5\n" * 50_000)
    found, losses = read(path)
    assert len(found) == 2 * 50_001
    assert [(loss.code, loss.where) for loss in losses] == [("odd-row", "t.csv:3")]
