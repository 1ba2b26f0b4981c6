"""Laws of files of separated values, whatever wrote them."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from csv_cells import Cell, cells_of, read, table_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_tables import csv_file, same

from runferry import chunks
from runferry.errors import Damaged, RunferryError
from runferry.losses import Fate
from runferry.readers.tabular import csv_table
from runferry.readers.tabular.cells import BOOL, FLOAT64, INT, typed
from runferry.readers.tabular.csv_form import form_of
from runferry.readers.tabular.names import column_paths


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
