"""What runferry wrote for trackio, as trackio's own storage reads it."""

from __future__ import annotations

import json
import math
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from runferry import chunks, tables
from runferry.losses import Fate
from runferry.model import Address, Attribute, Blob, MediaItem, Run, RunKey, Series
from runferry.ports import Location, ReadOptions
from runferry.python_apart import environment_apart
from runferry.readers.row_batches import PointRows, scalar_of, text_batch
from runferry.readers.trackio import TrackioReader
from runferry.testing.content import Content
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.trackio import TrackioWriter

BEGAN = 1_700_000_000_123_456_000
_READ = """
import json, sys
from trackio import Api
from trackio.sqlite_storage import SQLiteStorage
found = []
for run in Api().runs(sys.argv[1]):
    found.append({
        "id": run.id, "name": run.name, "config": run.config,
        "logs": SQLiteStorage.get_logs(sys.argv[1], run.name, run_id=run.id),
        "system": SQLiteStorage.get_system_logs(sys.argv[1], run.name, run_id=run.id),
        "values": SQLiteStorage.get_metric_values(sys.argv[1], run.name, "loss", run_id=run.id),
    })
print(json.dumps(found))
"""


def by_trackio(folder: Path, project: str) -> list[dict[str, Any]]:
    """The runs of a project, read by trackio in a process of its own."""
    pytest.importorskip("trackio", reason="trackio is not installed")
    command = [sys.executable, "-P", "-W", "ignore", "-c", _READ, project]
    environment = environment_apart() | {"TRACKIO_DIR": str(folder), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, check=True, capture_output=True, timeout=120, env=environment)
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def points(rows: Sequence[tuple[str, Address, Any]]) -> chunks.Points:
    batch = PointRows()
    for key, at, value in rows:
        scalar = scalar_of(value)
        assert scalar is not None
        batch.add(key, at, scalar)
    return chunks.Points(batch.record_batch())


def written(place: Location, run: Run, *put: chunks.Chunk) -> None:
    writer = TrackioWriter.open(place)
    remote = writer.create(run, run.uid)
    for number, chunk in enumerate(put):
        writer.append(remote, number, chunk)
    writer.seal(remote, run)
    writer.close()


def at(seq: int, step: int | None = None, **more: int) -> Address:
    return Address(seq, seq if step is None else step, time_ns=BEGAN + seq * 1_000_000, **more)


@pytest.fixture
def place(tmp_path: Path) -> Location:
    return Location("trackio", str(tmp_path / "out" / "proj"))


RUN = Run(
    RunKey("wandb", "", "abc123"), name="my run", group="g", started_ns=BEGAN, state="finished"
)
FACTS = chunks.SeriesFacts(
    (
        Series("loss", ("loss",)),
        Series("step", ("step",)),
        Series("gpu", ("gpu",), stream="system"),
        Series("text", ("text",), kind="text"),
        Series("image", ("image",), kind="media"),
    )
)


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ({"columns": ["a", 1], "data": [[1, "x"], [math.nan, {"b": [2]}]]},
         [{"a": 1, "1": "x"}, {"a": "NaN", "1": '{"b": [2]}'}]),
        ({"_type": "trackio.table", "_value": [{"a": None}]}, [{"a": None}]),
        ([{"a": True}, {"b": 2}], [{"a": True}, {"b": 2}]),
        ({"columns": ["a", "a"], "data": [[1, 2]]}, None),
        ({"columns": ["a"], "data": [[1, 2]]}, None),
        ("a,b", None),
    ],
)  # fmt: skip
def test_tables_are_shown_as_trackio_logs_them(
    place: Location, tmp_path: Path, table: Any, rows: Any
) -> None:
    content = json.dumps(table).encode()
    item = MediaItem("image", at(0), "table", Blob.from_bytes(content, "application/json"))
    written(place, RUN, FACTS, chunks.Media((item,)))
    with closing(sqlite3.connect(tmp_path / "out" / "proj.db")) as database:
        logged = [json.loads(text) for (text,) in database.execute("SELECT metrics FROM metrics")]
    expected = [] if rows is None else [{"image": {"_type": "trackio.table", "_value": rows}}]
    assert logged == expected
    reader = TrackioReader.open(Location("trackio", str(tmp_path / "out")), ReadOptions())
    (run,) = reader.runs()
    found = [it for c in reader.read(run) if isinstance(c, chunks.Media) for it in c.items]
    assert [(it.media_type, it.blob.size) for it in found] == [("table", len(content))]


def test_values_of_one_shown_name_are_all_shown_and_the_second_name_is_told(
    place: Location, tmp_path: Path
) -> None:
    attributes = (
        Attribute(("summary.loss",), "config", 1),
        Attribute(("loss",), "summary", 2),
        Attribute(("summary", "loss"), "config", 3),
    )
    writer = TrackioWriter.open(place)
    remote = writer.create(RUN, RUN.uid)
    writer.append(remote, 0, chunks.Attributes(attributes))
    writer.seal(remote, RUN)
    told = [loss for loss in writer.losses(remote) if loss.code == "same-name"]
    writer.close()
    with closing(sqlite3.connect(tmp_path / "out" / "proj.db")) as database:
        ((text,),) = database.execute("SELECT config FROM configs")
    shown = json.loads(text)
    names = ("summary.loss", "summary.loss~2", "summary.loss~3")
    assert sorted(shown[name] for name in names) == [1, 2, 3]
    assert [(loss.fate, loss.where) for loss in told] == [(Fate.REENCODED, "summary.loss")] * 2


def test_json_nested_beyond_reason_is_shown_as_text(place: Location, tmp_path: Path) -> None:
    deep, flat = "[" * 5_000 + "]" * 5_000, '{"a": [1]}'
    texts = text_batch([("text", at(n), text, "json") for n, text in enumerate((deep, flat))])
    written(place, RUN, FACTS, chunks.Texts(texts))
    with closing(sqlite3.connect(tmp_path / "out" / "proj.db")) as database:
        logged = [json.loads(text) for (text,) in database.execute("SELECT metrics FROM metrics")]
    assert logged == [{"text": deep}, {"text": json.loads(flat)}]


def test_trackio_reads_what_was_written(place: Location, tmp_path: Path) -> None:
    rows = [("loss", at(n), 1 / (n + 1)) for n in range(3)]
    rows += [("step", at(n), 2**60 + n) for n in range(3)]
    rows += [("gpu", at(0), 0.25)]
    odd = [("loss", at(3), math.nan), ("loss", at(4), -math.inf), ("loss", at(5), -0.0)]
    picture = MediaItem("image", at(7), "image", Blob.from_bytes(b"\x89PNG"), caption="c")
    written(
        place,
        RUN,
        FACTS,
        points(rows),
        points(odd),
        chunks.Texts(text_batch([("text", at(6), "NaN\N{SNOWMAN}", "text")])),
        chunks.Media((picture,)),
        chunks.Attributes((Attribute(("lr",), "config", 0.1),)),
    )
    (found,) = by_trackio(tmp_path / "out", "proj")
    assert (found["id"], found["name"]) == ("abc123", "my run")
    assert found["config"]["lr"] == 0.1
    assert found["config"]["_Group"] == "g"
    logs = found["logs"]
    assert [row["loss"] for row in logs[:3]] == [1.0, 0.5, 1 / 3]
    assert [row["__step"] for row in logs[:3]] == [2**60 + n for n in range(3)]
    assert [row["step"] for row in logs] == [0, 1, 2, 3, 4, 5, 6, 7]
    assert logs[0]["timestamp"] == "2023-11-14T22:13:20.123456+00:00"
    assert str([row["loss"] for row in logs[3:6]]) == "[nan, -inf, -0.0]"
    assert logs[6]["text"] == "NaN\N{SNOWMAN}"
    shown = tmp_path / "out" / "media" / logs[7]["image"]["file_path"]
    assert shown.read_bytes() == b"\x89PNG"
    assert [row["gpu"] for row in found["system"]] == [0.25]
    assert len(found["values"]) >= 3


def test_what_trackio_logs_on_to_a_run_is_read(place: Location, tmp_path: Path) -> None:
    """Then its rows count: what is beside them is no longer all of the run."""
    pytest.importorskip("trackio", reason="trackio is not installed")
    written(place, RUN, FACTS, points([("loss", at(0), 0.5)]))
    code = (
        "import sys; from trackio.sqlite_storage import SQLiteStorage as s; "
        "s.bulk_log('proj', 'my run', [{'loss': 0.25}], [7], run_id='abc123')"
    )
    environment = environment_apart() | {"TRACKIO_DIR": str(tmp_path / "out")}
    command = [sys.executable, "-P", "-W", "ignore", "-c", code]
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=environment)
    reader = TrackioReader.open(place, ReadOptions())
    (run,) = reader.runs()
    assert run.origin_uid == RUN.uid
    content = Content.of(reader.read(run))
    steps = [row["step"] for row in _rows(reader.read(run))]
    assert steps == [0, 7], content


def test_a_repeated_push_leaves_rows_where_they_are(place: Location) -> None:
    put = (FACTS, points([("loss", at(n), 0.5) for n in range(5)]))
    written(place, RUN, *put)
    before = _logged(place)
    written(place, RUN, *put)
    after = _logged(place)
    assert [row[1:] for row in after] == [row[1:] for row in before]
    assert [row[-1] for row in after] == [f"{RUN.uid}:{n}" for n in range(5)]


def test_a_run_of_somebody_elses_keeps_its_id(place: Location, tmp_path: Path) -> None:
    written(place, RUN, FACTS, points([("loss", at(0), 0.5)]))
    other = Run(RunKey("wandb", "elsewhere", "abc123"), name="other")
    written(place, other, FACTS, points([("loss", at(0), 0.25)]))
    with closing(sqlite3.connect(tmp_path / "out" / "proj.db")) as connection:
        found = connection.execute("SELECT run_id, metrics FROM metrics ORDER BY id").fetchall()
    assert found == [("abc123", '{"loss":0.5}'), (f"abc123~{other.uid[:8]}", '{"loss":0.25}')]


def test_rows_without_times_have_those_before_them(place: Location) -> None:
    rows = [("loss", Address(0), 1.0), ("loss", at(1), 2.0), ("loss", Address(2, 2), 3.0)]
    written(place, RUN, FACTS, points(rows))
    times = [row[1] for row in _logged(place)]
    assert times == [
        "2023-11-14T22:13:20.123456+00:00",
        "2023-11-14T22:13:20.124456+00:00",
        "2023-11-14T22:13:20.124456+00:00",
    ]


def _logged(place: Location) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"{place.where}.db")) as connection:
        return connection.execute(
            "SELECT id, timestamp, step, metrics, log_id FROM metrics ORDER BY id"
        ).fetchall()


def _rows(read: Any) -> list[dict[str, Any]]:
    return [
        row
        for chunk in read
        if isinstance(chunk, chunks.Points)
        for row in tables.conform(chunk.batch, tables.POINTS).to_pylist()
    ]


def test_floats_are_spelled_so_that_they_come_back(place: Location) -> None:
    values = [0.1, 1e300, 5e-324, 1 / 3, 1e16, 123456789012345680.0, 1.0, 2.0**63]
    written(place, RUN, FACTS, points([("loss", at(n), v) for n, v in enumerate(values)]))
    found = [json.loads(row[3])["loss"] for row in _logged(place)]
    assert found == values
    assert {type(value) for value in found} == {float}


def test_a_push_killed_after_its_rows_were_written_is_made_whole_by_the_next(
    place: Location, tmp_path: Path
) -> None:
    put = (FACTS, points([("loss", at(n), 0.5) for n in range(5)]))
    writer = TrackioWriter.open(place)
    remote = writer.create(RUN, RUN.uid)
    for number, chunk in enumerate(put):
        writer.append(remote, number, chunk)
    shown = writer.show

    def killed(draft: Draft, run: Run) -> None:
        shown(draft, run)
        raise KeyboardInterrupt

    writer.show = killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        writer.seal(remote, RUN)
    assert TrackioWriter.open(place).present() == {}
    written(place, RUN, *put)
    assert len(_logged(place)) == 5
    assert set(TrackioWriter.open(place).present() or {}) == {RUN.uid}
