"""The logs of Neptune's queues: wherever the clients put them, cut, damaged and still growing."""

from __future__ import annotations

import base64
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from gathered import Gathered, gather
from neptune_gathered import gather_all, gather_one, neptune_at
from neptune_queues import ID, floats, log_on, operation, queue

from runferry.errors import SourceChanged
from runferry.losses import Fate
from runferry.readers.neptune.queue.containers import Execution
from runferry.readers.neptune.queue.header import began_ns
from runferry.readers.neptune.reader import NeptuneReader
from runferry.testing.content import Content


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (f"offline/run__{ID}__12__abcdefgh", "run"),
        (f"async/run__{ID}__12__abcdefgh", "run"),
        (f"sync/run__{ID}__12__abcdefgh", "run"),
        (f"offline/run__{ID}", "run"),
        (f"offline/{ID}", "run"),
        (f"async/{ID}/exec-0-2021-04-23_12.38.54.066327", "run"),
        (f"async/run__{ID}/exec-3-2021-04-23_12.38.54.066327", "run"),
        (f"async/project__{ID}__12__abcdefgh", "project"),
    ],
)
def test_every_layout_of_the_clients_is_known(tmp_path: Path, name: str, kind: str) -> None:
    folder = tmp_path / ".neptune" / name
    folder.mkdir(parents=True)
    log_on(folder, [floats("m", [(0, 1.0)])], first=1)
    assert NeptuneReader.recognises(tmp_path)
    found = gather_all(tmp_path)
    assert found[ID].values("m") == [1.0]
    assert found[ID].header.job_type == (None if kind == "run" else kind)


def test_executions_of_one_run_are_read_in_the_order_of_their_beginnings(tmp_path: Path) -> None:
    for place, began, value in (
        ("a", "2024-03", 3.0),
        ("b", "2024-01", 1.0),
        ("c", "2024-02", 2.0),
    ):
        queue(
            tmp_path / ".neptune",
            [floats("m", [(0, value)])],
            name=f"async/run__{ID}__1__{place}",
            began=f"{began}-01T00:00:00+00:00",
        )
    found = gather_one(tmp_path)
    assert found.values("m") == [1.0, 2.0, 3.0]
    assert found.header.created == datetime(2024, 1, 1, tzinfo=UTC)


def test_rotated_logs_are_one_queue_in_order_of_versions(tmp_path: Path) -> None:
    folder = queue(tmp_path / ".neptune", [floats("m", [(0, 0.0)])])
    for first in (10, 2, 9):
        log_on(folder, [floats("m", [(first, float(first))])], first=first)
    assert gather_one(tmp_path).values("m") == [0.0, 2.0, 9.0, 10.0]


def test_what_was_sent_before_and_what_is_gone_is_told(tmp_path: Path) -> None:
    queue(tmp_path / ".neptune", [floats("m", [(0, 1.0)])], first=50, put=60, sent=49)
    folder = next((tmp_path / ".neptune" / "offline").iterdir())
    log_on(folder, [floats("m", [(1, 2.0)])], first=53)
    losses = {one.code: one for one in gather_one(tmp_path).losses}
    assert (losses["sent-operations"].count, losses["sent-operations"].fate) == (49, Fate.KEPT)
    assert (losses["missing-operations"].count, losses["missing-operations"].fate) == (
        2,
        Fate.DROPPED,
    )
    assert losses["unwritten-operations"].count == 7
    assert "49" in losses["sent-before"].detail


def test_a_log_that_was_sent_and_removed_since_the_last_read_is_no_change(tmp_path: Path) -> None:
    folder = queue(tmp_path / ".neptune", [floats("m", [(0, 1.0)])])
    log_on(folder, [floats("m", [(1, 2.0)])], first=2)
    first = gather_one(tmp_path)
    (folder / "data-1.log").unlink()
    log_on(folder, [floats("m", [(2, 3.0)])], first=3, log="data-2.log")
    assert gather_one(tmp_path, first.cursor()).values("m") == [3.0]


def test_truncated_anywhere_gives_an_exact_prefix(tmp_path: Path) -> None:
    operations = [
        floats("m", [(0, 1.0), (1, 2.0)]),
        operation("AssignString", "s", value="ü"),
        operation("AddStrings", "sys/tags", values=["a"]),
        floats("m", [(2, 3.0)]),
        operation("AssignInt", "i", value=4),
    ]
    folder = queue(tmp_path / ".neptune", operations)
    content = (folder / "data-1.log").read_bytes()
    prefixes = []
    for number in range(len(operations) + 1):
        shutil.rmtree(folder)
        queue(tmp_path / ".neptune", operations[:number])
        prefixes.append(_values(gather_one(tmp_path)))
    ends = [0, *(at + 1 for at, byte in enumerate(content) if byte == ord("\n"))]
    for length in range(len(content)):
        (folder / "data-1.log").write_bytes(content[:length])
        whole = sum(end <= length + 1 for end in ends) - 1  # an operation may lack its line's end
        assert _values(gather_one(tmp_path)) == prefixes[whole], length


def _values(found: Gathered) -> Any:
    own = {path: value for path, value in found.attributes.items() if path[1][0] != "neptune"}
    return own, found.rows("points")


def test_a_line_damaged_in_the_middle_is_kept_and_the_rest_is_read(tmp_path: Path) -> None:
    folder = queue(tmp_path / ".neptune", [floats("m", [(n, float(n))]) for n in range(3)])
    log = folder / "data-1.log"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(lines[0] + b'{"obj": \xff\n' + lines[2])
    found = gather_one(tmp_path)
    assert found.values("m") == [0.0, 2.0]
    (raw,) = found.raws
    assert raw.payload == b'{"obj": \xff'


def test_a_rewritten_log_is_a_changed_source(tmp_path: Path) -> None:
    folder = queue(tmp_path / ".neptune", [floats("m", [(0, 1.0)]), floats("m", [(1, 2.0)])])
    cursor = gather_one(tmp_path).cursor()
    log = folder / "data-1.log"
    log.write_bytes(log.read_bytes().replace(b"1.0", b"7.0", 1))
    with pytest.raises(SourceChanged):
        gather_one(tmp_path, cursor)


def test_what_is_read_again_and_again_as_it_grows_is_the_whole(tmp_path: Path) -> None:
    operations = [
        floats("m", [(0, 1.0)]),
        operation("AddStrings", "sys/tags", values=["a"]),
        operation("LogStrings", "monitoring/stdout", values=[{"value": "x", "ts": 1.0}]),
        operation("AddStrings", "sys/tags", values=["b"]),
        floats("m", [(1, 2.0)]),
        operation("RemoveStrings", "sys/tags", values=["a"]),
        operation("LogStrings", "monitoring/stdout", values=[{"value": "y", "ts": 1.0}]),
        operation("AssignInt", "i", value=4),
    ]
    folder = queue(tmp_path / ".neptune", operations[:1], put=8)
    reader = neptune_at(tmp_path)
    (run,) = reader.runs()
    found = gather(reader, run)
    joined = list(reader.read(run))
    for number, one in enumerate(operations[1:], 2):
        log_on(folder, [one], first=number, log="data-1.log")
        cursor = found.cursor(None)
        joined += reader.read(run, cursor)
        found = gather(reader, run, cursor)
    assert Content.of(joined).comparable() == Content.of(reader.read(run)).comparable()


def test_a_cursor_can_be_read_on_from_twice(tmp_path: Path) -> None:
    upload = base64.b64encode(b"x").decode()
    folder = queue(tmp_path / ".neptune", [floats("m", [(0, 1.0)])])
    cursor = gather_one(tmp_path).cursor()
    news = [
        operation("UploadFileContent", "f", ext="txt", file_content=upload),
        operation("LogStrings", "monitoring/stdout", values=[{"value": "x", "ts": 1.0}]),
        operation("TrackFilesToArtifact", "a", entries=[["s3://b/x", None]]),
    ]
    log_on(folder, news, first=2, log="data-1.log")
    first, second = gather_one(tmp_path, cursor), gather_one(tmp_path, cursor)
    assert set(first.files) == set(second.files) == {"f.txt"}
    assert first.artifacts == second.artifacts
    assert first.position == second.position


def test_a_folder_without_operations_is_a_run_without_values(tmp_path: Path) -> None:
    queue(tmp_path / ".neptune", [], name=f"sync/run__{ID}__1__abcdefgh")
    found = gather_one(tmp_path)
    assert not found.batches
    assert found.header.client == "neptune 1.14.0"


def test_logs_of_others_are_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "data-1.log").write_text("2024-01-01 started\n")
    (tmp_path / "metadata.json").write_text('{"containerType": "run"}')
    assert not NeptuneReader.recognises(tmp_path)


@pytest.mark.parametrize(
    "began", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-02:00", "soon"]
)
def test_a_beginning_that_is_no_time_here_is_none(began: str) -> None:
    assert began_ns(Execution(Path("exec-0"), began=began), UTC) is None
