"""Laws of files of separated values, whatever wrote them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_tables import csv_file, same

from runferry import chunks
from runferry.errors import Damaged, NotFound, RunferryError, SourceChanged
from runferry.losses import Fate, Loss
from runferry.readers.tabular import csv_table
from runferry.readers.tabular.cells import BOOL, FLOAT64, INT, typed
from runferry.readers.tabular.csv_form import form_of
from runferry.readers.tabular.csv_table import CsvTable
from runferry.readers.tabular.names import column_paths

Cell = int | float | bool | str


def table_of(path: Path, **more: Any) -> CsvTable:
    form = form_of(path)
    return CsvTable(path, path.name, form, column_paths(form.names, path.name)[0], **more)


def read(path: Path, **more: Any) -> tuple[dict[tuple[int, int], Cell], list[Loss]]:
    """Cells by row and column, as typed values, and the losses."""
    found: dict[tuple[int, int], Cell] = {}
    losses: list[Loss] = []
    table = table_of(path, **more)
    for block in table.blocks(table.begin(), []):
        values = block.values
        for (row, column), value in cells_of(values).items():
            found[int(block.number[row]), column] = value
        losses += [chunk.loss for chunk in block.odd if isinstance(chunk, chunks.Lost)]
    return found, losses


def cells_of(values: Any) -> dict[tuple[int, int], Cell]:
    found: dict[tuple[int, int], Cell] = {}
    numbers = values.numbers
    for place in range(len(numbers)):
        value: Cell = float(numbers.value[place])
        if numbers.kind[place] == INT:
            value = int(numbers.exact[place] if numbers.is_exact[place] else value)
        elif numbers.kind[place] == BOOL:
            value = bool(value)
        found[int(numbers.row[place]), int(numbers.column[place])] = value
    texts = values.words.text.to_pylist()
    for row, column, text in zip(values.words.row, values.words.column, texts, strict=True):
        found[int(row), int(column)] = text
    return found


def is_plain_text(text: str) -> bool:
    """What is neither blank nor the spelling of something else, before and after trimming."""
    if not text.strip() or text != text.strip() or "\0" in text:
        return False
    try:
        float(text)
    except ValueError:
        return text.lower() not in ("true", "false")
    return False


INTEGERS = st.integers(-(2**63), 2**63 - 1)
# csv.writer does not quote a lone \r where lines end with \n, and cannot read it back itself
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1).filter(
    is_plain_text
)
CELLS = st.one_of(INTEGERS, st.floats(), st.booleans(), TEXTS, st.none())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=12),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_csv_writer_wrote_is_read(
    tmp_path: Path, rows: list[list[Any]], separator: str, line_end: str
) -> None:
    path = csv_file(
        tmp_path / "t.csv", [["a", "b", "c"], *rows], delimiter=separator, lineterminator=line_end
    )
    found, losses = read(path)
    expected = {
        (number, column): value
        for number, row in enumerate(rows)
        for column, value in enumerate(row)
        if value is not None
    }
    assert found.keys() == expected.keys()
    for place, value in expected.items():
        assert same(found[place], value), (place, found[place], value)
    assert not losses


def test_what_is_written_in_a_cell_decides_what_it_is() -> None:
    spelled: list[tuple[str, Cell | None]] = [
        ("1", 1), ("-7", -7), ("+5", 5), ("007", 7), (" 3 ", 3), ("-0", -0.0), ("1.", 1.0),
        (".5", 0.5), ("1e3", 1000.0), ("-2.5E-3", -0.0025), ("nan", math.nan), ("NaN", math.nan),
        ("-nan", math.nan), ("inf", math.inf), ("-Infinity", -math.inf), ("True", True),
        ("false", False), ("1,5", "1,5"), ("1_000", "1_000"), ("0x10", "0x10"), ("None", "None"),
        ("", None), ("   ", None), ("9007199254740993", 9007199254740993),
        ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)),
        ("9223372036854775808", "9223372036854775808"), ("1e400", "1e400"), ("1e-400", "1e-400"),
        ("0e-400", 0.0), ("1" * 5000, "1" * 5000), (" padded text ", " padded text "),
    ]  # fmt: skip
    values = typed(pa.array([text for text, _ in spelled]), 1)
    found = cells_of(values)
    for row, (text, expected) in enumerate(spelled):
        assert same(found.get((row, 0)), expected), (text, found.get((row, 0)))
    texts = values.words.text.to_pylist()
    assert [texts[place] for place in values.beyond] == ["1e400", "1e-400"]
    assert [texts[place] for place in values.commas] == ["1,5"]
    assert {int(kind) for kind in values.numbers.kind} == {FLOAT64, INT, BOOL}


def test_a_column_is_typed_by_each_value_however_late_it_comes(tmp_path: Path) -> None:
    rows = [[n, n] for n in range(70_000)] + [[70_000, "diverged"], [70_001, 0.5]]
    found, _ = read(csv_file(tmp_path / "t.csv", [["step", "loss"], *rows]))
    assert found[69_999, 1] == 69_999
    assert found[70_000, 1] == "diverged"
    assert found[70_001, 1] == 0.5


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


def test_ragged_rows_are_kept_as_they_are_and_told_by_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n3\n4,5,6\n7,8\n")
    table = table_of(path)
    (block,) = table.blocks(table.begin(), [])
    assert cells_of(block.values) == {(0, 0): 1, (0, 1): 2, (1, 0): 7, (1, 1): 8}
    assert block.number.tolist() == [0, 3]
    raws = [chunk for chunk in block.odd if isinstance(chunk, chunks.Raw)]
    assert [(raw.payload, raw.seq) for raw in raws] == [(b"3\n", 1), (b"4,5,6\n", 2)]
    losses = [chunk.loss for chunk in block.odd if isinstance(chunk, chunks.Lost)]
    assert [(loss.code, loss.where) for loss in losses] == [
        ("odd-row", "t.csv:3"),
        ("odd-row", "t.csv:4"),
    ]
    assert losses[0].detail == "1 cells under 2 names: kept as a raw record"


def test_many_ragged_rows_are_few_losses(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,2\n" + "3\n" * 5000)
    _, losses = read(path)
    assert sum(loss.count for loss in losses) == 5000
    assert len({(loss.code, loss.where) for loss in losses}) < 300


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_files_that_say_their_encoding_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t.csv"
    text = "step,größe\n0,1.5\n1,ä€𝄞\n"
    mark = "\ufeff" if encoding.endswith(("le", "be")) else ""
    path.write_bytes((mark + text).encode(encoding))
    assert form_of(path).names == ("step", "größe")
    found, _ = read(path)
    assert found == {(0, 0): 0, (0, 1): 1.5, (1, 0): 1, (1, 1): "ä€𝄞"}


def test_a_header_in_another_encoding_is_an_error_with_a_command(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("step,größe\n0,1\n".encode("latin-1"))
    with pytest.raises(Damaged) as caught:
        form_of(path)
    assert caught.value.offset == 7
    assert "iconv" in caught.value.hint


def test_utf16_without_a_mark_is_an_error_with_a_command(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("step,loss\n0,1\n".encode("utf-16-le"))
    with pytest.raises(Damaged, match="NUL bytes") as caught:
        form_of(path)
    assert "UTF-16LE" in caught.value.hint


def test_a_text_in_another_encoding_is_mended_and_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("step,note\n0,größe\n1,fine\n2,5\n".encode("latin-1"))
    found, losses = read(path)
    assert found[0, 1] == "gr\ufffd\ufffde".replace("\ufffd\ufffd", "\ufffd\ufffd")
    assert (found[1, 1], found[2, 1]) == ("fine", 5)
    assert [(loss.code, loss.fate, loss.where) for loss in losses] == [
        ("bad-utf8", Fate.ROUNDED, "t.csv:2")
    ]


def test_nul_bytes_are_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,2\n\0\0,3\n4,5\n\0\0\0\0")
    found, losses = read(path)
    assert found == {(0, 0): 1, (0, 1): 2, (2, 0): 4, (2, 1): 5}
    assert [(loss.code, loss.where) for loss in losses] == [
        ("odd-row", "t.csv:3"),
        ("damaged-bytes", "t.csv:5"),
    ]


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


def test_names_that_come_twice_or_not_at_all_are_told_apart(tmp_path: Path) -> None:
    paths, losses = column_paths(("a", "", "a", " b ", "a"), "t.csv")
    assert paths == (("a",), ("column 2",), ("a", "column 3"), ("b",), ("a", "column 5"))
    assert [loss.code for loss in losses] == [
        "nameless-column",
        "repeated-column",
        "repeated-column",
        "padded-name",
    ]
    assert {loss.fate for loss in losses} == {Fate.RENAMED}


BAD_HEADS = {
    b"": "nothing in it",
    b"1,2,3\n4,5,6\n": "no header",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n": "LFS",
    b"a,b\rc,d\r": "new-line character",
    b"\x89PNG\r\n\x1a\n\0\0": "not UTF-8",
}


@pytest.mark.parametrize("content", BAD_HEADS, ids=BAD_HEADS.values())
def test_what_is_no_table_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(RunferryError, match=BAD_HEADS[content]) as caught:
        form_of(path)
    assert caught.value.hint
    assert str(path) in str(caught.value)


def test_twenty_thousand_columns_are_read(tmp_path: Path) -> None:
    width = 20_000
    rows = [[row + column for column in range(width)] for row in range(8)]
    path = csv_file(tmp_path / "t.csv", [[f"m{n}" for n in range(width)], *rows])
    found, losses = read(path)
    assert len(found) == 8 * width
    assert found[7, width - 1] == 7 + width - 1
    assert not losses


def test_both_ways_to_split_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(1)
    rows = [
        [n, *(("", repr(float(v)), "word")[n % 3] for v in generator.random(4))]
        for n in range(3000)
    ]
    path = csv_file(tmp_path / "t.csv", [["step", "a", "b", "c", "d"], *rows])
    fast = read(path)
    monkeypatch.setattr(csv_table, "_needs_csv", lambda piece: True)
    assert read(path) == fast


def test_blocks_go_on_from_every_place(tmp_path: Path) -> None:
    rows = [[n, f'quoted "{n}"\nline' if n % 5 == 0 else n / 7] for n in range(40)]
    path = csv_file(tmp_path / "t.csv", [["step", "a"], *rows])
    table = table_of(path, piece=64)
    blocks = list(table.blocks(table.begin(), []))
    assert len(blocks) > 5
    for at, block in enumerate(blocks):
        rest = list(table.blocks(block.place, []))
        assert [one.number.tolist() for one in rest] == [
            one.number.tolist() for one in blocks[at + 1 :]
        ]
    assert blocks[-1].place.offset == path.stat().st_size
