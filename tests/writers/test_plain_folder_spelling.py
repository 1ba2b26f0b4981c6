"""What is written as text is read back bit by bit, whatever it is."""

from __future__ import annotations

import csv
import io
import json
import struct
import tempfile
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.readers.plain_folders import written

from runferry.archive.store import Archive
from runferry.chunks import Attributes, Media, SeriesFacts
from runferry.dialects.plain_folder import names, text_cells, time_cells
from runferry.dialects.plain_folder.csv_form import CsvForm
from runferry.dialects.plain_folder.forms import SCHEMAS, Form
from runferry.dialects.plain_folder.jsonl_form import JsonLinesForm
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.dialects.plain_folder.run_file import RunFile, read_run_file, run_file_text
from runferry.losses import LossLedger
from runferry.model import (
    Address,
    Attribute,
    Blob,
    MediaItem,
    Run,
    RunKey,
    Series,
    Tree,
    Uid,
    same_value,
)
from runferry.ports import ReadOptions
from runferry.registry import reader as reader_class
from runferry.tables import POINTS, TIME, dumps, loads
from runferry.testing.content import Content, row_values
from runferry.testing.recording import Sample, point_row
from runferry.testing.samples import HOSTILE_NAMES, UNICODE_NAMES
from runferry.testing.strategies import runs

FORMS: list[Form] = [CsvForm(), JsonLinesForm(), ParquetForm()]
PICTURES = f"{text_cells.NUL}{text_cells.RETURN}{text_cells.ESCAPE}"
WORDS = st.one_of(
    st.text(max_size=20),
    st.text(st.sampled_from(f"\0\r\n\"',\\u{PICTURES}\x1b a1\ud800\udfff"), max_size=20),
    st.sampled_from((*HOSTILE_NAMES, *UNICODE_NAMES)),
)
BITS = st.integers(0, 2**64 - 1).map(lambda n: float(struct.unpack("<d", struct.pack("<Q", n))[0]))
NUMBERS = st.one_of(BITS, st.floats(), st.integers(-(2**63), 2**63 - 1), st.booleans(), st.none())
TIMES = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.integers(-(10**17), 10**17))


NAN_BITS = st.sampled_from((0x7FF8000000000000, 0xFFF8000000000000, 0x7FF8000000000001,
                            0x7FF0000000000001, 0xFFFFFFFFFFFFFFFF))  # fmt: skip


def is_of_arrow(word: str) -> bool:
    """Whether UTF-8, and so a column of Arrow, can hold it."""
    return not any("\ud800" <= letter <= "\udfff" for letter in word)


@given(WORDS)
def test_any_word_is_read_as_it_was_and_its_cell_is_tame(word: str) -> None:
    cell = text_cells.spelled(word)
    assert text_cells.meant(cell) == word
    assert not set(cell) & {"\0", "\r"}
    cell.encode("utf-8")


@given(st.lists(st.one_of(st.none(), WORDS.filter(is_of_arrow))))
def test_a_column_of_words_is_spelled_as_its_words_are(words: list[str | None]) -> None:
    column = pa.array(words, pa.string())
    cells = text_cells.spelled_column(column)
    assert cells.to_pylist() == [None if w is None else text_cells.spelled(w) for w in words]
    assert text_cells.meant_column(cells).equals(column)


@given(st.lists(TIMES))
def test_any_time_is_read_as_it_was(times: list[int | None]) -> None:
    column = pa.array(times, pa.int64()).cast(TIME)
    assert time_cells.meant_times(time_cells.spelled_times(column)).equals(column)


def test_times_are_spelled_as_arrow_spells_them_but_for_the_letter_between() -> None:
    us = [0, -1, 951_782_400_000_000, 4_107_542_399_999_999, -62_135_596_800_000_000]
    column = pa.array([*us, None], pa.int64()).cast(TIME)
    theirs = [None if t is None else t.replace(" ", "T") for t in column.cast("string").to_pylist()]
    assert time_cells.spelled_times(column).to_pylist() == theirs


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@given(cells=st.lists(st.tuples(NUMBERS, TIMES, WORDS.filter(is_of_arrow))))
def test_any_points_are_read_bit_by_bit(
    form: Form, cells: list[tuple[float | None, int | None, str]]
) -> None:
    values = [point_row(number) for number, _, _ in cells]
    columns = {
        "key": pa.array([key for _, _, key in cells], pa.string()).dictionary_encode(),
        "step": pa.array([time for _, time, _ in cells], pa.int64()),
        "step_frac": pa.nulls(len(cells), pa.int32()),
        "time": pa.array([time for _, time, _ in cells], pa.int64()).cast(TIME),
        "time_ns": pa.nulls(len(cells), pa.int16()),
        "value": pa.array([value for value, _, _ in values], pa.float64()),
        "value_i64": pa.array([exact for _, exact, _ in values], pa.int64()),
        "kind": pa.array([kind for _, _, kind in values], pa.string())
        .dictionary_encode()
        .cast(POINTS.field("kind").type),
        "seq": pa.array(range(len(cells)), pa.int64()),
    }
    batch = pa.RecordBatch.from_pydict(columns, schema=POINTS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"points.{form.name}")
        sink = form.sink(path, "points", SCHEMAS["points"])
        sink.write(batch)
        sink.close()
        found = [row for piece in form.batches(path, POINTS) for row in row_values(piece)]
    assert found == row_values(batch)


def float_of(bits: int) -> float:
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


ARROW_WORDS = WORDS.filter(is_of_arrow)


def cells_of(kind: pa.DataType) -> st.SearchStrategy[object]:
    """Any value that a column of this type holds; times as integers."""
    if pa.types.is_dictionary(kind):
        return cells_of(kind.value_type)
    if pa.types.is_list(kind):
        return st.lists(st.one_of(st.none(), BITS, NAN_BITS.map(float_of), st.floats()), max_size=4)
    if pa.types.is_boolean(kind):
        return st.booleans()
    if pa.types.is_binary(kind):
        return st.binary(max_size=6)
    if pa.types.is_string(kind):
        return ARROW_WORDS
    width = 63 if pa.types.is_timestamp(kind) else kind.bit_width - 1
    return st.integers(-(2**width), 2**width - 1)


@st.composite
def rows_of(draw: st.DrawFn, schema: pa.Schema) -> pa.RecordBatch:
    """A few rows of a table, anything in them."""
    count = draw(st.integers(0, 4))
    columns = []
    for field in schema:
        cell = cells_of(field.type)
        cell = st.one_of(st.none(), cell) if field.nullable else cell
        values = draw(st.lists(cell, min_size=count, max_size=count))
        columns.append(column_of(values, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def column_of(values: list[object], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    return pa.array(values, kind)


def bits_of(batch: pa.RecordBatch) -> list[list[object]]:
    """Its columns, with floats in lists as their bytes: NaN equals only what has the same bits."""
    columns = []
    for column in batch.columns:
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        values = column.to_pylist()
        if pa.types.is_list(column.type):
            values = [
                one and [x if x is None else struct.pack("<d", x) for x in one] for one in values
            ]
        columns.append(values)
    return columns


@pytest.mark.parametrize("table", sorted(SCHEMAS.keys() - {"points"}))
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
@settings(max_examples=40)
@given(drawn=st.data())
def test_any_rows_of_any_table_are_read_bit_by_bit(
    form: Form, table: str, drawn: st.DataObject
) -> None:
    schema = SCHEMAS[table]
    batch = drawn.draw(rows_of(schema))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{table}.{form.name}")
        sink = form.sink(path, table, schema)
        if batch.num_rows:
            sink.write(batch)
        sink.close()
        found = pa.Table.from_batches(form.batches(path, schema), schema).combine_chunks()
    (read,) = found.to_batches() or [batch.slice(0, 0)]
    assert bits_of(read) == bits_of(batch)


TREES = st.recursive(
    st.one_of(WORDS, st.floats(allow_nan=False), st.integers(), st.binary(max_size=3), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=5,
)


@given(TREES)
def test_any_tree_is_read_as_it_was_whatever_halves_its_words_hold(tree: Tree) -> None:
    line = dumps(tree)
    assert same_value(loads(line.encode()), tree)
    assert "\n" not in line


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_halves_side_by_side_survive_the_archive_and_the_folder(form: str, tmp_path: Path) -> None:
    halves = "\ud83d\ude00"
    run = Run(RunKey("wandb", "", "a"), name=halves, tags=(halves,), labels={halves: halves})
    odd = Attribute((halves,), "config", {halves: [halves, "\U0001f600"]})
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    with archive.draft(run) as draft:
        draft.put(Attributes((odd,)))
        record = draft.commit()
    assert archive.record(run.uid) == record
    where = written(form, tmp_path / "out", [Sample(record.run, tuple(archive.chunks(record)))])
    reader = reader_class(form).open(where, ReadOptions())
    (found,) = reader.runs()
    assert (found.name, found.tags, found.labels) == (run.name, run.tags, run.labels)
    assert odd in [
        item for c in reader.read(found) if isinstance(c, Attributes) for item in c.items
    ]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
@settings(max_examples=15)
@given(sample=runs())
def test_any_run_is_read_as_it_was(form: str, sample: Sample) -> None:
    with tempfile.TemporaryDirectory() as folder:
        where = written(form, Path(folder, "out"), [sample])
        reader = reader_class(form).open(where, ReadOptions())
        (run,) = reader.runs()
        found = Content.of(reader.read(run)).comparable()
    logged = Content.of(sample.chunks)
    logged.header = sample.run
    told = LossLedger()
    told.extend(logged.losses)
    logged.losses = list(told)  # equal ones are counted together
    assert found == logged.comparable()


@given(WORDS, st.one_of(st.none(), st.integers(-(2**70), 2**70)))
def test_any_header_is_read_as_it_was(word: str, time_ns: int | None) -> None:
    run = Run(RunKey(word, word, word), name=word, notes=word, tags=(word,), labels={word: word},
              created_ns=time_ns, started_ns=time_ns, ended_ns=time_ns)  # fmt: skip
    said = RunFile(Uid("0" * 32), run, {"points": 3})
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "run.json").write_text(run_file_text(said), encoding="utf-8", newline="\n")
        assert read_run_file(Path(folder)) == said


@given(st.lists(WORDS, min_size=1, max_size=12))
def test_places_are_safe_short_and_unlike_each_other_on_any_disk(paths: list[str]) -> None:
    places = names.Places()
    given_ = [places.place(path) for path in paths]
    folded = [place.casefold() for place in given_]
    assert len(set(folded)) == len(folded)
    for place, path in zip(given_, paths, strict=True):
        parts = place.split("/")
        assert len(place.encode()) <= 240, path
        assert not any(place.casefold().startswith(f"{other}/") for other in folded if other)
        for part in parts:
            assert part not in ("", ".", "..")
            assert part == part.strip(" ").rstrip(".")
            assert not set(part) & set('<>:"\\|?*\0\n\r\t')
            assert part.partition(".")[0].lower() not in ("con", "prn", "aux", "nul", "com1")


def test_a_safe_path_is_its_own_place() -> None:
    places = names.Places()
    for path in ("code/train.py", "model.ckpt", "深/损失.json", "a b (1)+c@d.txt"):
        assert places.place(path) == path


def test_csv_tells_null_from_empty_and_an_empty_word_from_nothing(tmp_path: Path) -> None:
    schema = SCHEMAS["texts"]
    rows = [
        {"key": "", "text": "", "form": "text", "seq": 0},
        {"key": "k", "text": None, "form": "text", "seq": 1},
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=schema)
    sink = CsvForm().sink(tmp_path / "texts.csv", "texts", schema)
    sink.write(batch)
    sink.close()
    lines = (tmp_path / "texts.csv").read_text().splitlines()
    assert lines[1:] == ['"",,,,,"","text",0', '"k",,,,,,"text",1']
    (found,) = CsvForm().batches(tmp_path / "texts.csv", schema)
    assert found.column("text").to_pylist() == ["", None]


def test_standard_json_and_csv_modules_read_every_line(tmp_path: Path) -> None:
    from runferry.testing.samples import all_samples

    for form in ("csv", "jsonl"):
        where = written(form, tmp_path / form, all_samples(keys=20))
        for path in where.path.rglob(f"*.{form}"):
            if "files" in path.parts or "artifacts" in path.parts:
                continue
            if form == "jsonl":
                for line in path.read_bytes().splitlines():
                    assert isinstance(json.loads(line, parse_constant=_refuse), dict)
                continue
            with path.open(newline="", encoding="utf-8") as lines:
                rows = list(csv.reader(lines, strict=True))
            assert {len(row) for row in rows} == {len(rows[0])}, path


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def test_a_row_larger_than_any_block_is_read(tmp_path: Path) -> None:
    words = ["a", "x" * 3_000_000, "b", "\n".join(["y"] * 1_500_000), "c"]
    columns = {
        "key": ["note"] * 5, "text": words, "form": ["text"] * 5, "seq": list(range(5)),
    }  # fmt: skip
    batch = pa.RecordBatch.from_pylist(
        [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
        schema=SCHEMAS["texts"],
    )
    for form in FORMS:
        path = tmp_path / f"texts.{form.name}"
        sink = form.sink(path, "texts", SCHEMAS["texts"])
        sink.write(batch)
        sink.close()
        found = [w for b in form.batches(path, SCHEMAS["texts"]) for w in b["text"].to_pylist()]
        assert found == words, form.name


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_lists_of_a_slice_are_those_of_its_rows(form: Form, tmp_path: Path) -> None:
    rows = [
        {"key": "h", "edges": edges, "counts": [float(n)], "counts_kind": "float64", "seq": n}
        for n, edges in enumerate([[0.0, 1.0], [2.0, 3.0], [], [4.0], [5.0, 6.0]])
    ]
    schema = SCHEMAS["histograms"]
    batch = pa.RecordBatch.from_pylist(rows, schema=schema).slice(1, 3)
    path = tmp_path / f"histograms.{form.name}"
    sink = form.sink(path, "histograms", schema)
    sink.write(batch)
    sink.close()
    assert [b.to_pylist() for b in form.batches(path, schema)] == [batch.to_pylist()]


def test_names_and_times_that_no_column_can_hold_leave_the_index_readable(tmp_path: Path) -> None:
    run = Run(RunKey("wandb", "", "a"), created_ns=10**23)
    odd = Attribute(("half \ud800",), "config", "\udfff")
    for form in ("csv", "jsonl", "parquet"):
        where = written(form, tmp_path / form, [Sample(run, (Attributes((odd,)),))])
        (found,) = reader_class(form).open(where, ReadOptions()).runs()
        assert found.created_ns == run.created_ns
        assert (where.path / f"runs.{form}").stat().st_size


def test_values_that_one_row_has_twice_are_two_files(tmp_path: Path) -> None:
    at = Address(0, 1, None, None)
    items = tuple(
        MediaItem("k", at, "image", Blob(1, "image/png", None, partial(io.BytesIO, content)))
        for content in (b"a", b"b", b"c")
    )
    declared = SeriesFacts((Series("k", ("k",), kind="media"),))
    sample = Sample(Run(RunKey("wandb", "", "a")), (declared, Media(items)))
    where = written("csv", tmp_path / "out", [sample])
    reader = reader_class("csv").open(where, ReadOptions())
    (run,) = reader.runs()
    found = []
    for chunk in reader.read(run):
        for item in chunk.items if isinstance(chunk, Media) else ():
            assert item.blob.open is not None
            with item.blob.open() as stream:
                found.append(stream.read())
    assert found == [b"a", b"b", b"c"]
