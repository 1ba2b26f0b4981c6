"""The files as their users open them: DuckDB and pyarrow, with nothing said about types."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from tests.readers.plain_folders import folder_of, written

from runferry import chunks, tables
from runferry.ports import Location
from runferry.testing.recording import Histogram, Recording, Sample
from runferry.testing.samples import (
    START_NS,
    curve,
    files,
    header,
    lineage,
    many_keys,
    media,
    values,
)
from runferry.writers.plain_folder import wide

FORMS = ["csv", "jsonl", "parquet"]


def selected(query: str, path: Path) -> list[tuple[Any, ...]]:
    """What DuckDB answers; `$file` stands for the file."""
    with duckdb.connect() as sql:
        sql.execute("SET TimeZone = 'UTC'")
        return sql.execute(query.replace("$file", f"'{path}'")).fetchall()


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_points_are_numbers_and_times_to_duckdb(form: str, tmp_path: Path) -> None:
    sample = curve(50)
    where = written(form, tmp_path / "out", [sample])
    points = folder_of(where, sample) / f"points.{form}"
    ((rows, keys, last, total, first_time),) = selected(
        "SELECT count(*), count(DISTINCT key), max(step), sum(value), min(epoch_us(time)) "
        "FROM $file",
        points,
    )
    expected = [
        value
        for chunk in sample.chunks
        if isinstance(chunk, chunks.Points)
        for value in chunk.batch.column("value").to_pylist()
    ]
    assert (rows, keys, last) == (150, 3, 49)
    assert total == pytest.approx(sum(expected), abs=1e-9)
    assert first_time == START_NS // 1000


def test_all_runs_are_one_table_through_a_glob(form: str, tmp_path: Path) -> None:
    samples = [curve(10, seed=seed) for seed in range(3)]
    where = written(form, tmp_path / "out", samples)
    ((rows,),) = selected("SELECT count(*) FROM $file", where.path / f"runs/*/points.{form}")
    assert rows == 90


def test_numbers_that_are_hard_to_carry_are_what_duckdb_calls_them(tmp_path: Path) -> None:
    sample = values()
    where = written("csv", tmp_path / "out", [sample])
    points = folder_of(where, sample) / "points.csv"
    found = [
        value
        for (value,) in selected("SELECT value FROM $file WHERE key = 'float' ORDER BY seq", points)
    ]
    assert all(map(math.isnan, found[:3]))
    assert found[3:] == [math.inf, -math.inf, 0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2]
    assert math.copysign(1, found[5]) == -1
    exact = selected("SELECT value_i64 FROM $file WHERE kind = 'int' ORDER BY seq", points)
    assert 2**53 + 1 in [value for (value,) in exact]


def history_of(
    form: str, where: Location, sample: Sample, name: str = "history"
) -> list[dict[str, Any]]:
    path = folder_of(where, sample) / f"{name}.{form}"
    if form == "jsonl":
        return [json.loads(line) for line in path.read_bytes().splitlines()]
    table = pyarrow.csv.read_csv(path) if form == "csv" else pq.read_table(path)
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def uneven() -> Sample:
    """Rows in which not every metric is; integers, booleans, nulls; a system series."""
    run = Recording(header("uneven"))
    run.log({"loss": 0.5, "epoch": 1, "best": True}, step=0, time_ns=START_NS)
    run.log({"loss": 0.25, "lr": None}, step=1, time_ns=START_NS + 1000)
    run.log({"cpu": 7.5}, time_ns=START_NS + 1500, stream="system")
    run.log({"epoch": 2**53 + 1, "best": False, "step": 9.0}, step=2)
    return run.sample()


def test_history_has_a_row_for_each_row_and_a_column_for_each_metric(
    form: str, tmp_path: Path
) -> None:
    sample = uneven()
    where = written(form, tmp_path / "out", [sample])
    history = history_of(form, where, sample)
    assert [row["step"] for row in history] == [0, 1, 2]
    assert [row.get("loss") for row in history] == [0.5, 0.25, None]
    assert [row.get("epoch") for row in history] == [1, None, 2**53 + 1]
    assert [row.get("best") for row in history] == [True, None, False]
    assert [row.get("step~2") for row in history] == [None, None, 9.0]
    assert history[2].get("time") is None
    (system,) = history_of(form, where, sample, "system")
    assert system["cpu"] == 7.5
    assert set(system) <= {"step", "time", "cpu"}


def test_history_says_what_points_say_however_the_points_come(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In many windows and slabs, key by key."""
    from runferry.writers.plain_folder import spill

    monkeypatch.setattr(spill, "_WINDOW_ROWS", 256)
    monkeypatch.setattr(wide, "_SLAB_CELLS", 50)
    rows, random = 1000, np.random.default_rng(3)
    run = Recording(header("by key"))
    names = [run.series((f"m{n}",)) for n in range(4)]
    expected = {name: [None] * rows for name in names}
    for name in names:
        seqs = np.sort(random.choice(rows, 700, replace=False))
        cells = random.normal(size=700)
        for seq, value in zip(seqs.tolist(), cells.tolist(), strict=True):
            expected[name][seq] = value
        run.flush()
        run.put(chunks.Points(_points(name, seqs, cells)))
    sample = run.sample()
    where = written(form, tmp_path / "out", [sample])
    history = history_of(form, where, sample)
    there = [seq for seq in range(rows) if any(expected[name][seq] is not None for name in names)]
    assert [row["step"] for row in history] == there
    for name in names:
        assert [row.get(name) for row in history] == [expected[name][seq] for seq in there]


@pytest.mark.parametrize(("keys", "reads"), [(8, 2), (64, 3)])
def test_each_point_is_read_so_often_as_the_number_of_windows_has_digits(
    keys: int, reads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key by key, so that each batch reaches over all windows: 8, then 64; 16 files are open."""
    from runferry.writers.plain_folder import spill

    monkeypatch.setattr(spill, "_WINDOW_ROWS", 1024)
    monkeypatch.setattr(spill, "_OPEN_FILES", 16)
    read, whole = list[int](), spill.PutAside.parts

    def counted(put: spill.PutAside) -> Iterator[spill.Cells]:
        for cells in whole(put):
            read.append(len(cells.seq))
            yield cells

    monkeypatch.setattr(spill.PutAside, "parts", counted)
    aside, rows = spill.Spill(tmp_path / "points"), np.arange(1024)
    for key in range(keys):
        codes = np.full(1024, key, np.int32)
        aside.put(spill.Cells(rows, codes, codes.astype(np.int8), rows, rows * 1.0, rows, rows))
    windows = [(cells.seq, cells.code) for cells in aside.windows()]
    assert len(windows) >= keys
    assert (reads - 1) * keys * 1024 < sum(read) <= reads * keys * 1024
    assert max(len(seq) for seq, _ in windows) <= 2048
    seqs = [np.unique(seq) for seq, _ in windows]
    assert np.concatenate(seqs).tolist() == rows.tolist()
    assert [len(seq) // keys for seq, _ in windows] == [len(seq) for seq in seqs]
    assert not list(tmp_path.iterdir())


def _points(name: str, seqs: Any, cells: Any) -> pa.RecordBatch:
    columns = {
        "key": pa.array([name] * len(seqs)).dictionary_encode(),
        "step": pa.array(seqs),
        "value": pa.array(cells),
        "kind": pa.array(["float64"] * len(seqs))
        .dictionary_encode()
        .cast(tables.POINTS.field("kind").type),
        "seq": pa.array(seqs),
    }
    return tables.conform(pa.RecordBatch.from_pydict(columns), tables.POINTS)


def test_what_is_too_wide_for_a_table_is_left_out_and_said(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wide, "MAX_COLUMNS", 50)
    sample = many_keys(60)
    where = written(form, tmp_path / "out", [sample])
    folder = folder_of(where, sample)
    assert not (folder / f"history.{form}").exists()
    (reason,) = json.loads((folder / "run.json").read_text())["left_out"]
    assert "60 metrics" in reason


def test_what_is_nearly_empty_is_left_out_and_said(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wide, "_MAX_CELLS", 100)
    run = Recording(header("sparse"))
    for step in range(40):
        run.log({f"metric-{step}": 1.0}, step=step)
    where = written(form, tmp_path / "out", [run.sample()])
    folder = folder_of(where, run.sample())
    assert not (folder / f"history.{form}").exists()
    assert json.loads((folder / "run.json").read_text())["left_out"]
    assert not list(folder.glob(".*"))


def test_runs_have_a_line_each_with_config_and_summary_as_columns(
    form: str, tmp_path: Path
) -> None:
    first = Recording(header("one", tags=("a", "b"))).attributes(
        "config", {"lr": 0.1, "layers": 3, ("opt", "name"): "adam", "amp": True, "mixed": "x"}
    )
    second = Recording(header("two")).attributes("config", {"lr": 1, "mixed": 2, "list": [1]})
    second.attributes("summary", {"loss": 0.5})
    where = written(form, tmp_path / "out", [first.sample(), second.sample()])
    query = (
        'SELECT id, "config.lr", "config.layers", "config.opt.name", "config.amp", '
        '"config.mixed", "config.list", "summary.loss", state, tags FROM $file ORDER BY id'
    )
    assert selected(query, where.path / f"runs.{form}") == [
        ("one", 0.1, 3, "adam", True, "x", None, None, "finished", "a, b"),
        ("two", 1.0, None, None, None, "2", "[1]", 0.5, "finished", None),
    ]


def test_files_lie_under_their_names_and_media_have_their_suffixes(
    form: str, tmp_path: Path
) -> None:
    where = written(form, tmp_path / "out", [files(), media(), lineage()])
    folder = folder_of(where, files())
    assert (folder / "files/code/train.py").read_bytes() == b"print('hi')\n"
    assert (folder / "files/dir").read_bytes() == b"a file"
    found = {p.relative_to(where.path).as_posix() for p in where.path.rglob("media/*/*")}
    home = folder_of(where, media()).relative_to(where.path).as_posix()
    assert f"{home}/media/images/step0-row0.png" in found
    assert f"{home}/media/images/step0-row0-1.png" in found
    assert f"{home}/media/mesh/step1-row1.obj" in found
    assert (folder_of(where, lineage()) / "artifacts/model-v0/model.bin").read_bytes() == b"weights"


def test_every_name_in_a_folder_can_be_held_by_windows(form: str, tmp_path: Path) -> None:
    where = written(form, tmp_path / "out", [files(), media(), lineage()])
    paths = [p.relative_to(where.path).as_posix() for p in where.path.rglob("*") if p.is_file()]
    assert len({path.casefold() for path in paths}) == len(paths)
    for path in paths:
        assert len(path) < 200
        assert not set(path) & set('<>:"\\|?*\0\n\t')


def test_histograms_are_lists(form: str, tmp_path: Path) -> None:
    run = Recording(header("bins")).log({"w": Histogram((0.0, 0.5, 1.0), (3, 4))}, step=0)
    where = written(form, tmp_path / "out", [run.sample()])
    query = "SELECT edges::DOUBLE[], counts::DOUBLE[] FROM $file"
    path = folder_of(where, run.sample()) / f"histograms.{form}"
    assert selected(query, path) == [([0.0, 0.5, 1.0], [3.0, 4.0])]


@pytest.mark.parametrize("line", ["[7]", "7", "null", '{"path": null, "role": "config"}', "{"])
def test_attributes_of_another_shape_cost_the_line_of_their_run_alone(
    line: str, tmp_path: Path
) -> None:
    damaged, whole = values(), curve(3)
    where = written("csv", tmp_path / "out", [damaged])
    (folder_of(where, damaged) / "attributes.jsonl").write_text(f"{line}\n")
    written("csv", tmp_path / "out", [whole])
    listed = (tmp_path / "out" / "runs.csv").read_text()
    assert whole.run.key.run_id in listed
    assert damaged.run.key.run_id not in listed
