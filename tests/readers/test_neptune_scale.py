"""Folders of neptune-scale: sqlite with protobuf, without a byte written and any vendor's code."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from neptune_gathered import gather_one, half_logged, neptune_at
from neptune_scales import create, database, log_on, number, snapshot, text, value_of

from runferry.dialects.protobuf_reading import Malformed
from runferry.errors import Damaged, SourceChanged, UnknownVersion
from runferry.losses import Fate
from runferry.model import Fork
from runferry.ports import Location
from runferry.python_apart import environment_apart
from runferry.readers.neptune.reader import NeptuneReader
from runferry.readers.neptune.scale import messages, wire
from runferry.testing.content import digest_of
from runferry.testing.content import snapshot as files_of
from runferry.testing.reader_contract import ReaderContract

SCRIPT = Path(__file__).with_name("neptune_scale_script.py")
BEGAN = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


def script(what: str, home: Path) -> list[str]:
    pytest.importorskip("neptune_scale", reason="no neptune-scale; pip install 'runferry[test]'")
    home.mkdir(parents=True, exist_ok=True)
    return [sys.executable, "-W", "ignore", str(SCRIPT), what, str(home)]


def logged(what: str, home: Path) -> Path:
    command = script(what, home)
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=environment_apart())
    return home


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which neptune-scale logged everything that it can."""
    return logged("everything", tmp_path_factory.mktemp("real") / "work")


def steps(numbers: range) -> list[bytes]:
    return [snapshot(step=n / 2, append={"loss": n / 7, "acc": 0.5}) for n in numbers]


class TestNeptuneScale(ReaderContract):
    reader = NeptuneReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        more = snapshot(assign={"lr": 0.1, "n": 3}, add={"sys/tags": ["a"]})
        lines = [snapshot(step=n / 1e6, append={"runtime/stdout": f"{n}\n"}) for n in (1, 2)]
        database(tmp_path / ".neptune", [*steps(range(20)), more, *lines])
        return Location("neptune", str(tmp_path))

    def grow(self, source: Location) -> None:
        (path,) = source.path.rglob("*.sqlite3")
        more = snapshot(assign={"lr": 0.2}, add={"sys/tags": ["b"]})
        line = snapshot(step=3e-6, append={"runtime/stdout": "3\n"})
        log_on(path, [*steps(range(20, 30)), more, line])
        database(source.path / ".neptune", steps(range(30, 35)), began=2)

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        names = [f"metric/{n}" for n in range(10)]
        many = (
            snapshot(step=float(n), append=dict.fromkeys(names, n / 7)) for n in range(rows // 10)
        )
        database(folder / ".neptune", list(many))
        return Location("neptune", str(folder))


# --- neptune-scale itself


def test_what_neptune_scale_logged_is_read(real: Path) -> None:
    found = gather_one(real)
    assert found.role("config") == {
        ("lr",): 0.1,
        ("n",): -(2**62),
        ("flag",): True,
        ("text",): "ü",
        ("when",): BEGAN,
        ("words",): ["x", "y"],
    }
    loss = found.points("loss")
    assert [p["value"] for p in loss] == [1 / (n + 1) for n in range(300)]
    assert [(p["step"], p["step_frac"] or 0) for p in loss] == [
        (n // 4, n % 4 * 250_000) for n in range(300)
    ]
    assert {p["time"] for p in loss} == {BEGAN}
    assert [p["seq"] for p in loss] == [p["seq"] for p in found.points("acc.top1")]
    assert found.values("guess.(preview)") == [0.5]
    assert found.values("guess.(preview completion)") == [0.25]
    assert {t["key"]: t["text"] for t in found.rows("texts")} == {"notes": "one", "other": ""}
    counts, densities = found.rows("histograms")
    assert (counts["edges"], counts["counts"]) == ([0.0, 1.0, 2.5], [3.0, 4.0])
    assert (densities["counts_kind"], densities["extra"]) == ("float64", '{"type": "DENSITY"}')


def test_the_header_is_what_creates_the_run(real: Path) -> None:
    header = gather_one(real).header
    assert (header.key.scope, header.key.run_id) == ("team/vision", "swift-owl")
    assert (header.name, header.tags, header.group) == ("baseline", ("b",), "g")
    assert header.created == BEGAN
    assert header.forked_from == Fork("old-owl", 7)
    assert not header.complete


def test_saved_files_are_present_and_others_as_they_are_now(real: Path) -> None:
    found = gather_one(real)
    present = {name: digest_of(file.blob) for name, file in found.files.items()}
    assert present["gone.bin"] == "missing"
    assert set(present) == {"gone.bin", "weights.bin", "memory.txt"}
    (sample,) = found.media
    assert (sample.media_type, sample.at.step, sample.blob.size) == ("image", 3, 8)


def test_a_moved_folder_keeps_its_saved_files(real: Path, tmp_path: Path) -> None:
    shutil.copytree(real, tmp_path / "moved")
    found = gather_one(tmp_path / "moved")
    assert not found.files["memory.txt"].blob.is_missing
    assert found.files["weights.bin"].blob.is_missing  # by its path it lies outside


def test_captured_lines_are_the_console(tmp_path: Path) -> None:
    found = gather_one(logged("console", tmp_path / "work"))
    assert [line["line"] for line in found.rows("console")] == ["line 1\n", "line 2\n"]
    assert found.role("other")["neptune", "console", "stdout"] == {
        "attribute": "runtime/stdout",
        "first step": 1e-06,
        "stride": 1e-06,
        "line ends added": True,
    }


def test_a_database_is_read_while_it_is_written_and_nothing_is_laid_beside_it(
    tmp_path: Path,
) -> None:
    home = tmp_path / "work"
    with half_logged(script("growing", home), environment_apart()):
        half = gather_one(home)
    assert list(home.rglob("*-wal"))
    before = files_of(home)
    rest = gather_one(home, half.cursor())
    whole = gather_one(home)
    assert files_of(home) == before
    assert half.values("loss") == [float(n) for n in range(50)]
    assert half.values("loss") + rest.values("loss") == whole.values("loss")
    assert whole.header.tags == ("half", "all")
    assert rest.attributes == whole.attributes


# --- messages


@given(
    st.one_of(
        st.floats(),
        st.integers(-(2**63), 2**63 - 1),
        st.booleans(),
        st.text(),
        st.lists(st.text()),
    )
)
def test_values_are_read_as_they_were_spelled(value: object) -> None:
    read = wire.snapshot(snapshot(append={"a/b": value})).appended
    ((name, found),) = read
    assert name == "a/b"
    expected = messages.StringSet(tuple(value)) if isinstance(value, list) else value
    assert repr(found) == repr(expected)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_are_malformed(message: bytes) -> None:
    for decode in (wire.snapshot, wire.create_run):
        try:
            decode(message)
        except Malformed:
            continue


def test_a_message_cut_anywhere_never_gives_another_value(tmp_path: Path) -> None:
    message = snapshot(step=1.5, append={"loss": 0.25}, assign={"text": "words"})
    whole = wire.snapshot(message)
    for length in range(len(message)):
        try:
            found = wire.snapshot(message[:length])
        except Malformed:
            continue
        assert all(one in whole.appended for one in found.appended)
        assert all(one in whole.assigned for one in found.assigned)


def test_steps_and_times_beyond_64_bits_are_kept_as_they_are(tmp_path: Path) -> None:
    far = text(1, number(1, 2**60)) + text(8, text(1, "x") + text(2, value_of(1.0)))
    late = text(2, number(1, 2**62)) + text(8, text(1, "x") + text(2, value_of(1.0)))
    database(tmp_path, [far, late])
    found = gather_one(tmp_path)
    assert [raw.payload for raw in found.raws] == [far, late]


def test_a_message_that_is_none_is_kept_and_the_rest_is_read(tmp_path: Path) -> None:
    odd = text(8, text(1, "x") + text(2, number(99, 1)))
    database(tmp_path, [b"\xff\xff", odd, *steps(range(2))])
    found = gather_one(tmp_path)
    assert found.values("loss") == [0.0, 1 / 7]
    assert [raw.payload for raw in found.raws] == [b"\xff\xff", odd]
    assert {loss.fate for loss in found.losses if loss.code == "odd-operation"} == {Fate.REENCODED}


@pytest.mark.parametrize(("cell", "payload"), [(10**15, b"1000000000000000"), ("x", b'"x"')])
def test_a_cell_that_is_no_bytes_is_kept_and_the_rest_is_read(
    tmp_path: Path, cell: object, payload: bytes
) -> None:
    path = database(tmp_path, steps(range(3)))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE run_operations SET operation = ? WHERE sequence_id = 3", (cell,))
    found = gather_one(tmp_path)
    assert found.values("loss") == [0.0, 2 / 7]
    assert [raw.payload for raw in found.raws] == [payload]


def test_values_of_one_call_share_their_row(tmp_path: Path) -> None:
    database(tmp_path, steps(range(3)))
    found = gather_one(tmp_path)
    assert [p["seq"] for p in found.points("loss")] == [p["seq"] for p in found.points("acc")]


def test_a_line_that_skips_a_step_is_a_text(tmp_path: Path) -> None:
    lines = [(1, "a"), (2, "b"), (9, "c")]
    database(
        tmp_path,
        [snapshot(step=n / 1e6, append={"runtime/stdout": line}) for n, line in lines],
    )
    found = gather_one(tmp_path)
    assert [one["line"] for one in found.rows("console")] == ["a\n", "b\n"]
    assert [(one["text"], one["step_frac"]) for one in found.rows("texts")] == [("c", 9)]


def test_odd_values_of_series_are_texts_and_told(tmp_path: Path) -> None:
    database(tmp_path, [snapshot(step=1, append={"x": True, "y": ["a"]})])
    found = gather_one(tmp_path)
    assert {one["key"] for one in found.rows("texts")} == {"x", "y"}
    assert "odd-value" in found.codes()


# --- databases


def test_what_waits_in_the_write_ahead_log_is_read(tmp_path: Path) -> None:
    path = database(tmp_path / "a", steps(range(3)))
    with sqlite3.connect(path) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute(
            "INSERT INTO run_operations VALUES (9, 0, 0, ?, 1)", (steps(range(9, 10))[0],)
        )
        writer.commit()
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    writer.close()
    before = files_of(tmp_path / "b")
    found = gather_one(tmp_path / "b")
    assert found.values("loss") == [0.0, 1 / 7, 2 / 7, 9 / 7]
    assert files_of(tmp_path / "b") == before


def test_operations_that_were_sent_are_told(tmp_path: Path) -> None:
    path = database(tmp_path, steps(range(10)))
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM run_operations WHERE sequence_id <= 4")
    connection.close()
    found = gather_one(tmp_path)
    assert len(found.values("loss")) == 7
    (loss,) = (one for one in found.losses if one.code == "sent-operations")
    assert (loss.fate, loss.count) == (Fate.KEPT, 4)


def test_all_operations_may_have_been_sent(tmp_path: Path) -> None:
    path = database(tmp_path, steps(range(3)))
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM run_operations")
    connection.close()
    found = gather_one(tmp_path)
    assert not found.batches
    assert [one.count for one in found.losses if one.code == "sent-operations"] == [4]


def test_databases_of_one_run_are_read_in_the_order_of_their_beginnings(tmp_path: Path) -> None:
    database(tmp_path, [snapshot(step=1, append={"m": 2.0})], began=200)
    database(tmp_path, [snapshot(step=0, append={"m": 1.0})], began=30)
    assert gather_one(tmp_path).values("m") == [1.0, 2.0]


def test_an_unknown_version_is_refused_by_name(tmp_path: Path) -> None:
    database(tmp_path, [], version="v6")
    reader = neptune_at(tmp_path)
    (run,) = reader.runs()
    with pytest.raises(UnknownVersion, match="v6"):
        list(reader.read(run))


def test_a_database_cut_anywhere_gives_a_prefix_or_is_damaged(tmp_path: Path) -> None:
    path = database(tmp_path, steps(range(2000)))
    whole = gather_one(tmp_path).values("loss")
    content = path.read_bytes()
    for length in range(0, len(content), 8192):
        path.write_bytes(content[:length])
        if not NeptuneReader.recognises(tmp_path):
            continue
        try:
            found = gather_one(tmp_path).values("loss")
        except Damaged:
            continue
        assert found == whole[: len(found)]


def test_a_database_that_begins_anew_is_a_changed_source(tmp_path: Path) -> None:
    path = database(tmp_path, steps(range(10)))
    cursor = gather_one(tmp_path).cursor()
    shutil.rmtree(path.parent)
    database(tmp_path, steps(range(3)))
    with pytest.raises(SourceChanged):
        gather_one(tmp_path, cursor)


def test_errors_of_the_server_are_kept_and_never_unpickled(tmp_path: Path) -> None:
    path = database(tmp_path, steps(range(1)))
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO operation_errors VALUES (1, 5, 'NeptuneSeriesStepNonIncreasing', "
            "'step 3', '80049531', 2)"
        )
    connection.close()
    (raw,) = gather_one(tmp_path).raws
    assert raw.record_type == "neptune NeptuneSeriesStepNonIncreasing"
    assert b"step 3" in raw.payload
    assert b"8004" not in raw.payload


def test_any_other_database_is_none_of_ours(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "run_operations.sqlite3") as connection:
        connection.execute("CREATE TABLE runs (id)")
    connection.close()
    assert not NeptuneReader.recognises(tmp_path)


def test_one_database_is_a_source_by_itself(tmp_path: Path) -> None:
    path = database(tmp_path, steps(range(2)))
    assert NeptuneReader.recognises(path)
    assert gather_one(path).values("loss") == [0.0, 1 / 7]


def test_a_run_without_a_beginning_has_the_key_of_its_database(tmp_path: Path) -> None:
    database(tmp_path, [snapshot(assign={"a": 1})], created=False)
    header = gather_one(tmp_path).header
    assert (header.key.run_id, header.name) == ("swift-owl", None)


def test_a_run_that_is_created_twice_is_what_the_last_creation_says() -> None:
    first, second = wire.create_run(create("a", "x")), wire.create_run(create("a"))
    assert (first.experiment, second.experiment) == ("x", "")
    assert value_of(1.5)[0] == 9
