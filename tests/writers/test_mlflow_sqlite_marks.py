"""A run is found in a sqlite file by its mark: at once, and whatever another process did there."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.writers.mlflow_runs import header

from runferry.dialects.mlflow.header import as_native
from runferry.dialects.mlflow.logged import MODEL_ID_TAG, LoggedModel
from runferry.dialects.mlflow.tags import (
    CLAIM_TAG,
    PARENT_UID_TAG,
    SEALED,
    SEALED_TAG,
    UID_TAG,
    UNSEALED,
)
from runferry.model import Run
from runferry.ports import Location
from runferry.readers.mlflow.sqlite import SqliteStore
from runferry.writers.mlflow import MlflowWriter
from runferry.writers.mlflow.backend import Batch
from runferry.writers.mlflow.sqlite import SqliteBackend
from runferry.writers.mlflow.sqlite_marks import SqliteMarks


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "runs.db"
    MlflowWriter.open(Location("mlflow", f"sqlite:///{path}")).close()
    return path


@pytest.fixture
def two(file: Path) -> Iterator[tuple[SqliteBackend, SqliteBackend]]:
    """Two connections, as two processes have them."""
    with closing(SqliteBackend(file)) as ours, closing(SqliteBackend(file)) as theirs:
        yield ours, theirs


def begin(backend: SqliteBackend, run: Run) -> str:
    return backend.create(as_native(run, run.uid), [run.uid])


def steps_of_a_look(backend: SqliteBackend) -> int:
    """What sqlite does for one look."""
    return steps_of(backend, lambda: backend.find(UID_TAG, header("nobody").uid))


def steps_of(opened: SqliteBackend | SqliteStore, look: Callable[[], object]) -> int:
    """What sqlite does for something, in steps of its machine."""
    taken = 0

    def step() -> None:
        nonlocal taken
        taken += 1

    opened._connection.set_progress_handler(step, 1)
    look()
    opened._connection.set_progress_handler(None, 1)
    return taken


def add_marks(backend: SqliteBackend, count: int) -> None:
    with backend._transaction() as connection:
        for number in range(count):
            marks = (UID_TAG, header(f"r{number}").uid, f"{number:032x}")
            connection.execute("INSERT INTO tags VALUES (?, ?, ?)", marks)


def test_a_look_costs_the_same_among_few_runs_and_among_many(file: Path) -> None:
    with closing(SqliteBackend(file)) as backend:
        begin(backend, header("first"))
        steps_of_a_look(backend)
        among_few = steps_of_a_look(backend)
        add_marks(backend, 2_000)
        steps_of_a_look(backend)
        assert steps_of_a_look(backend) <= among_few + 10


def test_a_look_costs_the_same_when_pushes_of_others_have_let_go_of_their_claims(
    two: tuple[SqliteBackend, SqliteBackend],
) -> None:
    ours, theirs = two

    def steps_after_a_push(name: str) -> int:
        claim = Batch(tags={CLAIM_TAG: name, SEALED_TAG: UNSEALED})
        run_id = begin(theirs, header(name))
        theirs.log(run_id, claim)
        steps_of_a_look(ours)  # the claim is the last row of all
        theirs.log(run_id, Batch(tags={SEALED_TAG: SEALED}))
        theirs.forget(run_id, Batch(tags={CLAIM_TAG: name}))
        return steps_of_a_look(ours)

    steps_after_a_push("first")
    among_few = steps_after_a_push("second")
    add_marks(theirs, 2_000)
    assert steps_after_a_push("last") <= among_few + 10


@pytest.mark.parametrize("at", range(8))
def test_what_happens_between_two_statements_of_a_look_hides_no_mark(
    file: Path, two: tuple[SqliteBackend, SqliteBackend], at: int
) -> None:
    ours, theirs = two
    begin(theirs, header("first"))
    last = begin(theirs, header("last"))
    ours.find(UID_TAG, header("last").uid)
    beyond = itertools.count()

    def between(statement: str) -> None:
        if next(beyond) == at:  # the numbers of what goes are given again
            with suppress(sqlite3.OperationalError), closing(sqlite3.connect(file, timeout=0)) as c:
                c.execute("DELETE FROM tags WHERE run_uuid = ?", (last,))
                marks = [(UID_TAG, f"new{n}", f"{n:032x}") for n in range(12)]
                c.executemany("INSERT INTO tags VALUES (?, ?, ?)", marks)
                runs = [(f"{n:032x}",) for n in range(12)]
                c.executemany(
                    "INSERT INTO runs (run_uuid, lifecycle_stage) VALUES (?, 'active')", runs
                )
                c.commit()

    ours._connection.set_trace_callback(between)
    ours.find(UID_TAG, "nobody")
    ours._connection.set_trace_callback(None)
    with closing(SqliteBackend(file)) as fresh:
        for number in range(12):
            value = f"new{number}"
            assert ours.find(UID_TAG, value) == fresh.find(UID_TAG, value)


def test_what_another_process_began_is_found_and_not_begun_again(
    two: tuple[SqliteBackend, SqliteBackend],
) -> None:
    ours, theirs = two
    for number in range(20):
        run = header(f"r{number}")
        assert ours.find(UID_TAG, run.uid) == []
        begun = begin(theirs, run)
        assert begin(ours, run) == begun
        assert ours.find(UID_TAG, run.uid) == theirs.find(UID_TAG, run.uid) == [begun]


def test_what_another_process_removed_is_begun_anew(
    two: tuple[SqliteBackend, SqliteBackend],
) -> None:
    ours, theirs = two
    first, last, other = header("first"), header("last"), header("other")
    begin(ours, first)
    gone = begin(ours, last)
    theirs.delete(gone)
    assert ours.find(UID_TAG, last.uid) == []
    begin(theirs, other)  # its tags may have the numbers of those that went
    assert ours.find(UID_TAG, other.uid) == theirs.find(UID_TAG, other.uid) != []
    assert ours.find(UID_TAG, first.uid) != []
    assert begin(ours, last) == theirs.find(UID_TAG, last.uid)[0]


def test_a_run_in_the_rows_of_one_that_went_is_not_begun_again(
    two: tuple[SqliteBackend, SqliteBackend],
) -> None:
    ours, theirs = two
    gone, last = (begin(ours, header(name)) for name in ("gone", "last"))
    assert ours.find(UID_TAG, header("last").uid) == [last]
    theirs.delete(gone)
    theirs.delete(last)
    begun = begin(theirs, header("in its rows"))
    assert begin(theirs, header("last")) == last  # its mark is where it was
    assert begin(ours, header("in its rows")) == begun


def test_a_run_is_found_by_the_parent_that_it_has_now(
    two: tuple[SqliteBackend, SqliteBackend],
) -> None:
    ours, theirs = two
    child = begin(ours, header("child"))
    theirs.log(child, Batch(tags={PARENT_UID_TAG: "a"}))
    begin(theirs, header("later"))
    assert ours.find(PARENT_UID_TAG, "a") == [child]
    theirs.log(child, Batch(tags={PARENT_UID_TAG: "b"}))
    assert ours.find(PARENT_UID_TAG, "a") == []
    assert ours.find(PARENT_UID_TAG, "b") == [child]
    theirs.log(child, Batch(tags={PARENT_UID_TAG: "b"}))
    assert ours.find(PARENT_UID_TAG, "b") == [child]


def test_a_look_whose_transaction_came_to_nothing_is_no_look(
    two: tuple[SqliteBackend, SqliteBackend],
) -> None:
    ours, theirs = two
    begin(ours, header("first"))
    run = header("theirs")
    assert ours.find(UID_TAG, run.uid) == []
    begun = begin(theirs, run)
    ours._connection.execute("BEGIN IMMEDIATE")
    assert ours.find(UID_TAG, run.uid) == [begun]
    ours._connection.execute("ROLLBACK")
    assert ours.find(UID_TAG, run.uid) == [begun]


def test_a_file_whose_rows_have_new_numbers_tells_the_same(
    file: Path, two: tuple[SqliteBackend, SqliteBackend]
) -> None:
    ours, theirs = two
    runs = [header(f"r{number}") for number in range(5)]
    ids = [begin(ours, run) for run in runs]
    assert ours.find(UID_TAG, runs[-1].uid) == [ids[-1]]
    theirs.delete(ids[0])
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM")
    added = begin(theirs, header("added"))
    assert ours.find(UID_TAG, header("added").uid) == [added]
    assert [ours.find(UID_TAG, run.uid) for run in runs] == [[], *([one] for one in ids[1:])]


def test_a_logged_model_is_found_among_many_at_the_cost_of_few(file: Path) -> None:
    with closing(SqliteBackend(file)) as backend:
        run_id = begin(backend, header("first"))
        first = LoggedModel(
            "m-first", "net", "READY", tags={MODEL_ID_TAG: "m-of-old"}, location="x"
        )
        backend.shelf.make(run_id, first)
        steps_of_a_model(backend)
        among_few = steps_of_a_model(backend)
        with backend._transaction() as connection:
            for number in range(2_000):
                marks = (f"m-{number}", 0, MODEL_ID_TAG, f"m-old-{number}")
                connection.execute("INSERT INTO logged_model_tags VALUES (?, ?, ?, ?)", marks)
        steps_of_a_model(backend)
        assert steps_of_a_model(backend) <= among_few + 10
        wished = LoggedModel("m-new", "net", "READY", tags={MODEL_ID_TAG: "m-old"}, location="y")
        made = backend.shelf.make(run_id, wished)
        found = backend.shelf.find("m-old")
        assert found is not None
        assert (found.model_id, found.source_run) == (made.model_id, run_id)


def test_the_models_that_were_made_of_a_run_are_found_among_many_at_the_cost_of_few(
    file: Path,
) -> None:
    run = header("first")

    def models(backend: SqliteBackend) -> set[str]:
        return {one.model_id for one in backend.shelf.models_of(run_id, run.uid)}

    with closing(SqliteBackend(file)) as backend:
        run_id = begin(backend, run)
        for model_id, uid in (("m-ours", run.uid), ("m-theirs", header("other").uid)):
            tags = {UID_TAG: uid, MODEL_ID_TAG: f"{model_id}-of-old"}
            backend.shelf.make(
                run_id, LoggedModel(model_id, "net", "READY", tags=tags, location="x")
            )
        assert models(backend) == {"m-ours"}
        among_few = steps_of(backend, lambda: models(backend))
        with backend._transaction() as connection:
            add_models(connection, 2_000)
            connection.executemany(
                "INSERT INTO logged_model_tags VALUES (?, 0, ?, ?)",
                [(f"m-{one}", UID_TAG, header(f"r{one}").uid) for one in range(2_000)],
            )
        assert models(backend) == {"m-ours"}
        assert steps_of(backend, lambda: models(backend)) <= among_few + 10
        again = LoggedModel("m-more", "net", "READY", tags={UID_TAG: run.uid}, location="y")
        backend.shelf.make(run_id, again)
        assert models(backend) == {"m-ours", "m-more"}


def add_models(connection: sqlite3.Connection, count: int) -> None:
    """One of each of so many runs."""
    connection.executemany(
        "INSERT INTO logged_models (model_id, experiment_id, name, artifact_location,"
        " creation_timestamp_ms, last_updated_timestamp_ms, status, lifecycle_stage,"
        " source_run_id) VALUES (?, 0, 'net', '', 0, 0, 1, 'active', ?)",
        [(f"m-{number}", f"{number:032x}") for number in range(count)],
    )


def steps_of_a_model(backend: SqliteBackend) -> int:
    """What sqlite does for one look for a model that is not there."""
    return steps_of(backend, lambda: backend.shelf.find("m-of-nobody"))


def test_the_models_of_a_run_are_read_among_many_at_the_cost_of_few(file: Path) -> None:
    def steps(store: SqliteStore) -> int:
        native = next(iter(store.runs(include_deleted=False)))
        return steps_of(store, lambda: (store.state(native), list(store.belongings(native))))

    with closing(SqliteBackend(file)) as backend:
        begin(backend, header("first"))
        with closing(SqliteStore(file)) as store:
            steps(store)
            among_few = steps(store)
        with backend._transaction() as connection:
            add_models(connection, 2_000)
            for number in range(2_000):
                connection.execute(
                    "INSERT INTO inputs (input_uuid, source_type, source_id, destination_type,"
                    " destination_id) VALUES (?, 'RUN_OUTPUT', ?, 'MODEL_OUTPUT', ?)",
                    (f"{number:032x}", f"{number:032x}", f"m-{number}"),
                )
        with closing(SqliteStore(file)) as store:
            steps(store)
            assert steps(store) <= among_few + 30


def test_a_model_that_is_removed_while_it_is_looked_for_is_not_there(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqliteMarks, "ids", lambda *_: ["m-removed"])
    with closing(SqliteBackend(file)) as backend:
        assert backend.shelf.find("m-of-old") is None
        assert list(backend.shelf.models_of("0" * 32, header("one").uid)) == []
