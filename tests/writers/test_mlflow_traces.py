"""What a run recorded as traces comes with it, as files that MLflow's own class reads."""

from __future__ import annotations

import json
import sqlite3
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import AssessmentSource, Trace
from tests.writers.mlflow_models import at
from tests.writers.mlflow_runs import blob_bytes, pulled

from runferry import convert
from runferry.chunks import Checkpoint, File, Lost
from runferry.dialects.mlflow import traces as known
from runferry.model import Run, Tree
from runferry.ports import Location, ReadOptions
from runferry.readers.mlflow import MlflowReader

# MLflow imports all its flavours when a trace begins, and one of them warns
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint:UserWarning")

HUMAN = AssessmentSource("HUMAN", "ada")


@pytest.fixture(autouse=True)
def _away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database has its artifacts in `./mlruns` of whoever asks, and MLflow remembers for all
    the experiment that was set."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "")  # so that it is taken back
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")


@pytest.fixture(params=["sqlite", "server", "postgresql", "files"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A store of each kind, that MLflow's client writes to."""
    if request.param == "sqlite":
        yield f"sqlite:///{request.getfixturevalue('database')}"
    elif request.param == "server":
        yield request.getfixturevalue("served")[0]
    elif request.param == "postgresql":
        yield request.getfixturevalue("served_by_postgres")[1]
    else:
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        yield str(tmp_path / "mlruns")


def recorded(uri: str) -> tuple[str, str, list[str]]:
    """A run with two traces, one that has none; their ids, and those of the traces."""
    with at(uri) as client:
        number = client.create_experiment(f"traced {time.time_ns()}")
        mlflow.set_experiment(experiment_id=number)
        with mlflow.start_run() as run:
            for question in ("why", "how — “wie”"):
                with mlflow.start_span(question) as outer:
                    outer.set_inputs({"question": question, "temperature": 0.7})
                    with mlflow.start_span("inner", span_type="TOOL") as inner:
                        inner.set_attribute("rows", [1, 2, 3])
                    mlflow.update_current_trace(tags={"team": "growth"}, session_id="s-1")
                    outer.set_outputs({"answer": None})
        with mlflow.start_run() as other:
            mlflow.log_metric("loss", 0.5)
        mlflow.flush_trace_async_logging()
        found = mlflow.search_traces(locations=[number], return_type="list")
        first = min(found, key=lambda trace: trace.info.request_time).info.trace_id
        mlflow.log_feedback(
            trace_id=first, name="good", value=True, rationale="it is", source=HUMAN,
            metadata={"round": "2"},
        )  # fmt: skip
        mlflow.log_feedback(trace_id=first, name="broken", error=ValueError("no answer"))
        mlflow.log_expectation(trace_id=first, name="facts", value={"n": 1}, source=HUMAN)
        mlflow.log_expectation(trace_id=first, name="short", value="yes", source=HUMAN)
        return run.info.run_id, other.info.run_id, sorted(t.info.trace_id for t in found)


def spelled(trace: Trace) -> object:
    """All that MLflow says of a trace; assessments have no order of their own."""
    facts = trace.to_dict()
    facts["info"].get("assessments", []).sort(key=lambda one: one["assessment_id"])
    facts["data"]["spans"].sort(key=lambda span: span["span_id"])
    return json.loads(json.dumps(facts, sort_keys=True, default=str))


def test_each_trace_is_a_file_that_mlflow_reads_as_the_trace_it_has(place: str) -> None:
    run, other, traces = recorded(place)
    chunks = pulled(place, run)
    files = [chunk for chunk in chunks if isinstance(chunk, File)]
    assert sorted(file.path for file in files) == [f"traces/{one}.json" for one in traces]
    with at(place) as client:
        for file in files:
            content = blob_bytes(file.blob)
            assert isinstance(content, bytes)
            trace = Trace.from_json(content.decode())
            held = client.get_trace(trace.info.trace_id)
            assert spelled(trace) == spelled(Trace.from_json(held.to_json()))
    assert [chunk for chunk in chunks if isinstance(chunk, Lost)] == []
    assert not any(isinstance(chunk, File) for chunk in pulled(place, other))


def test_what_is_said_of_a_trace_later_makes_its_run_another_one(place: str) -> None:
    run, other, traces = recorded(place)
    before = {run_id: position(place, run_id) for run_id in (run, other)}
    assert before == {run_id: position(place, run_id) for run_id in (run, other)}
    with at(place) as client:
        client.set_trace_tag(traces[0], "seen", "yes")
    assert position(place, run) != before[run]
    assert position(place, other) == before[other]


def position(place: str, run_id: str) -> Tree:
    *_, last = pulled(place, run_id)
    assert isinstance(last, Checkpoint)
    return last.position


def test_traces_go_wherever_files_go_and_come_back(database: Path, tmp_path: Path) -> None:
    uri = f"sqlite:///{database}"
    run, _, traces = recorded(uri)
    report = convert(
        f"mlflow:{uri}", f"mlflow:sqlite:///{tmp_path / 'there' / 'copy.db'}",
        archive=str(tmp_path / "archive"),
    )  # fmt: skip
    assert report.exit_code == 0
    copy = MlflowReader.open(Location("mlflow", str(tmp_path / "there/copy.db")), ReadOptions())
    try:
        found = {one.key.run_id: one for one in copy.runs()}
        assert files_of(copy, found[run]) == {
            file.path: blob_bytes(file.blob) for file in pulled(uri, run) if isinstance(file, File)
        }
    finally:
        copy.close()
    assert len(traces) == 2


def test_a_server_is_asked_anew_for_traces_when_its_runs_are_listed_again(
    served: tuple[str, Path],
) -> None:
    url, _ = served
    with at(url) as client:
        number = client.create_experiment(f"looked at early {time.time_ns()}")
        mlflow.set_experiment(experiment_id=number)
        with mlflow.start_run() as begun:
            pass
        run_id = begun.info.run_id
        with closing(MlflowReader.open(Location("mlflow", url), ReadOptions())) as reader:
            (run,) = (one for one in reader.runs() if one.key.run_id == run_id)
            assert files_of(reader, run) == {}
            with mlflow.start_run(run_id=run_id), mlflow.start_span("late"):
                pass
            mlflow.flush_trace_async_logging()
            (run,) = (one for one in reader.runs() if one.key.run_id == run_id)
            assert len(files_of(reader, run)) == 1


def files_of(reader: MlflowReader, run: Run) -> dict[str, object]:
    return {c.path: blob_bytes(c.blob) for c in reader.read(run) if isinstance(c, File)}


def test_a_trace_that_is_linked_to_a_run_is_its_own_too(database: Path) -> None:
    uri = f"sqlite:///{database}"
    run, other, traces = recorded(uri)
    with at(uri) as client:
        client.link_traces_to_run(traces[:1], other)
    found = [chunk.path for chunk in pulled(uri, other) if isinstance(chunk, File)]
    assert found == [f"traces/{traces[0]}.json"]
    assert len([chunk for chunk in pulled(uri, run) if isinstance(chunk, File)]) == 2


def test_what_does_not_come_with_a_trace_is_a_loss() -> None:
    trace = known.Trace({"trace_id": "tr-1"})
    for spans in (None, b"no JSON", b"[]", b"[" * 100_000):
        lost, file = trace.chunks(spans)
        assert isinstance(lost, Lost)
        assert (lost.loss.code, lost.loss.where) == ("trace-without-spans", "tr-1")
        assert isinstance(file, File)
        assert b'"spans": []' in bytes(blob_bytes(file.blob))  # type: ignore[call-overload]
    lost, _ = trace.chunks(b'{"spans": ["mlflow-attachment://a", "mlflow-attachment://b"]}')
    assert isinstance(lost, Lost)
    assert (lost.loss.code, lost.loss.count) == ("trace-attachment", 2)


def test_a_time_that_no_calendar_has_stays_the_number_that_it_is(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript("""
            INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage, experiment_id)
            VALUES ('r1', 'one', 'FINISHED', 1700000000000, 'active', 0);
            INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status)
            VALUES ('tr-1', 0, 9000000000000000000, 'OK');
            INSERT INTO trace_request_metadata (request_id, key, value)
            VALUES ('tr-1', 'mlflow.sourceRun', 'r1');
        """)
    (file,) = (chunk for chunk in pulled(str(database), "r1") if isinstance(chunk, File))
    held = json.loads(bytes(blob_bytes(file.blob)))  # type: ignore[call-overload]
    assert held["info"]["request_time"] == "9000000000000000000"


def test_traces_of_a_run_are_in_memory_one_by_one(database: Path) -> None:
    said = [(f"tr-{number}", "said", "x" * 20_000) for number in range(1_000)]
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage, experiment_id)"
            " VALUES ('r1', 'one', 'FINISHED', 1700000000000, 'active', 0)"
        )
        connection.executemany(
            "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status)"
            " VALUES (?, 0, 1700000000000, 'OK')",
            [(trace_id,) for trace_id, *_ in said],
        )
        connection.executemany(
            "INSERT INTO trace_request_metadata (request_id, key, value) VALUES (?, ?, ?)",
            [*said, *((trace_id, known.RUN_KEY, "r1") for trace_id, *_ in said)],
        )
        connection.commit()
    del said
    with closing(MlflowReader.open(Location("mlflow", str(database)), ReadOptions())) as reader:
        (run,) = reader.runs()
        tracemalloc.start()
        try:
            count = sum(isinstance(chunk, File) for chunk in reader.read(run))
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert count == 1_000
    assert peak_bytes < 4 << 20
