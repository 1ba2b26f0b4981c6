"""What older clients of SwanLab left: backups, and logs whose names stand in a database."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from run_folders import gather_one
from swanlab_runs import BACKUP, backup, header
from tests.blobs import bytes_of

from runferry import chunks
from runferry.readers.swanlab.reader import SwanlabReader


def test_a_backup_of_older_clients_gives_the_same_things(tmp_path: Path) -> None:
    found = gather_one(SwanlabReader, backup(tmp_path, BACKUP))
    run = header(found)
    assert (run.key.run_id, run.project, run.entity, run.notes) == ("old", "proj", "team", "d")
    assert (run.status, run.state, run.complete) == ("CRASHED", "failed", True)
    loss = [value for _, value in found.series("loss")]
    assert loss[0] == 1.5
    assert loss[1] != loss[1]
    assert found.times("loss")[0] == 1_700_000_000_000_000_000 - 18_500_000_000
    assert found.series("__swanlab__.gpu") == [(0, 49.5)]
    series = {one.key: one.stream for one in found.content.series.values()}
    assert series == {"loss": "user", "__swanlab__.gpu": "system"}


def named_before(root: Path, *tag: str) -> None:
    """The database beside a run of an older client, with one key: its name, folder and type."""
    with closing(sqlite3.connect(root / "runs.swanlab")) as database:
        database.executescript(
            "CREATE TABLE project (id, name);"
            "CREATE TABLE experiment (id, project_id, run_id, name, description, status, version,"
            " create_time, finish_time);"
            "CREATE TABLE tag (experiment_id, name, folder, type);"
            "INSERT INTO project VALUES (1, 'proj');"
            "INSERT INTO experiment VALUES (7, 1, 'run-20231114_221320-abc', 'n', 'd', 1, '0.4.0',"
            " '2023-11-14T22:13:20+00:00', '2023-11-14T22:14:20+00:00');"
        )
        database.execute("INSERT INTO tag VALUES (7, ?, ?, ?)", tag)
        database.commit()


def test_older_logs_are_read_with_the_names_of_their_database(tmp_path: Path) -> None:
    home = tmp_path / "run-20231114_221320-abc"
    for name, rows in (("0", [(0, 1.5), (1, "NaN")]), ("train%2Facc", [(3, 2)])):
        (home / "logs" / name).mkdir(parents=True)
        lines = [
            json.dumps({"index": step, "data": value, "create_time": "2023-11-14T22:13:20+00:00"})
            for step, value in rows
        ]
        (home / "logs" / name / "1000.log").write_text("\n".join(lines) + "\n")
    (home / "files").mkdir()
    (home / "console").mkdir()
    (home / "console" / "2023-11-14.log").write_text("hi\n")
    named_before(tmp_path, "loss", "0", "line")
    found = gather_one(SwanlabReader, tmp_path)
    run = header(found)
    assert (run.key.run_id, run.project, run.name, run.state) == ("abc", "proj", "n", "finished")
    assert found.series("loss")[0] == (0, 1.5)
    assert found.series("train/acc") == [(3, 2)]
    assert any(isinstance(chunk, chunks.Console) for chunk in found.chunks)


def test_media_of_older_logs_come_in_batches_and_never_a_file_at_once(tmp_path: Path) -> None:
    home = tmp_path / "run-20231114_221320-abc"
    (home / "logs" / "image").mkdir(parents=True)
    (home / "files").mkdir()
    line = {"data": ["gone.png"], "create_time": "2023-11-14T22:13:20+00:00"}
    lines = [json.dumps({"index": step, **line}) for step in range(1200)]
    (home / "logs" / "image" / "1000.log").write_text("\n".join(lines) + "\n")
    named_before(tmp_path, "image", "image", "image")
    found = gather_one(SwanlabReader, tmp_path)
    media = [chunk.items for chunk in found.chunks if isinstance(chunk, chunks.Media)]
    assert [len(items) for items in media] == [512, 512, 176]
    assert [item.at.step for items in media for item in items] == list(range(1200))


def test_what_older_clients_call_a_warning_was_printed_to_stderr(tmp_path: Path) -> None:
    lines: list[tuple[str, dict[str, Any]]] = [
        ("Log", {"create_time": None, "message": level, "level": level})
        for level in ("INFO", "WARN", "ERROR", "LOUD")
    ]
    found = gather_one(SwanlabReader, backup(tmp_path, [*BACKUP, *lines]))
    console = [row for chunk in found.chunks if isinstance(chunk, chunks.Console)
               for row in chunk.batch.to_pylist()]  # fmt: skip
    streams = {row["line"].strip(): row["stream"] for row in console}
    assert streams == {
        "hi": "stdout", "INFO": "stdout", "WARN": "stderr", "ERROR": "stderr", "LOUD": "stdout"
    }  # fmt: skip
    (raw,) = (chunk for chunk in found.chunks if isinstance(chunk, chunks.Raw))
    assert "LOUD" in raw.reason


@pytest.mark.parametrize(
    "data",
    [
        {"step": 1.5, "metric": {"data": 1}},
        {"step": 2**64, "metric": {"data": 1}},
        {"step": 1, "metric": {"data": 1, "create_time": "yesterday"}},
        {"step": 1, "metric": {"data": 1}, "key": "\udce9"},
    ],
)
def test_a_row_of_a_backup_that_cannot_be_kept_is_raw(tmp_path: Path, data: dict[str, Any]) -> None:
    found = gather_one(SwanlabReader, backup(tmp_path, [("Scalar", {"key": "k", **data})]))
    assert len([chunk for chunk in found.chunks if isinstance(chunk, chunks.Raw)]) == 1


def test_media_and_texts_of_a_backup_are_read_where_its_clients_put_them(tmp_path: Path) -> None:
    """As 0.6.8 and 0.7.16 write them: `media/KID/`, and a text in the row itself."""

    def medium_of(key: str, kid: int, names: list[str]) -> tuple[str, dict[str, Any]]:
        metric = {"index": 3, "data": names, "create_time": None, "more": [{"caption": "c"}]}
        more = {"kid": kid, "key_encoded": "../../..", "step": 3, "epoch": 1}
        return "Media", {"metric": metric, "key": key, "buffers_name": names, **more}

    long = "a word " * 1_000
    text = {"metric": {"index": 3, "data": [long], "create_time": None, "more": [None]}}
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("Column", {"key": "image", "kid": "2", "column_type": "IMAGE"}),
        medium_of("image", 2, ["image-step3-d6.png"]),
        medium_of("image", 9, ["secret"]),
        ("Column", {"key": "text", "kid": "3", "column_type": "TEXT"}),
        ("Media", {"key": "text", "kid": 3, "step": 3, "buffers_name": None, **text}),
    ]
    home = backup(tmp_path, kinds)
    (home / "media" / "2").mkdir(parents=True)
    (home / "media" / "2" / "image-step3-d6.png").write_bytes(b"abc")
    (tmp_path.parent / "secret").write_bytes(b"of somebody else")
    found = gather_one(SwanlabReader, home)
    media = [it for chunk in found.chunks if isinstance(chunk, chunks.Media) for it in chunk.items]
    assert [(it.media_type, it.caption, bytes_of(it.blob)) for it in media] == [
        ("image", "c", b"abc"), ("image", "c", None),
    ]  # fmt: skip
    assert found.texts("text") == [(3, long)]


def test_media_of_which_less_is_said_than_there_are_are_kept_as_the_record(tmp_path: Path) -> None:
    metric = {"data": ["a.png", "b.png"], "more": [{"caption": "a"}]}
    kinds: list[tuple[str, dict[str, Any]]] = [("Media", {"key": "k", "step": 0, "metric": metric})]
    found = gather_one(SwanlabReader, backup(tmp_path, kinds))
    assert [chunk.record_type for chunk in found.chunks if isinstance(chunk, chunks.Raw)]


@pytest.mark.parametrize("tail", [b'{"index": 1, "da', b'{"index": "one", "data": 1}\n'])
def test_a_line_of_older_logs_that_is_no_row_is_told(tmp_path: Path, tail: bytes) -> None:
    home = tmp_path / "run-20231114_221320-abc"
    (home / "logs" / "k").mkdir(parents=True)
    (home / "files").mkdir()
    row = b'{"index": 0, "data": 1, "create_time": null}\n'
    (home / "logs" / "k" / "1000.log").write_bytes(row + tail)
    found = gather_one(SwanlabReader, home)
    assert found.series("k") == [(0, 1.0)]
    assert len(found.losses) == 1


def test_a_number_of_older_logs_that_no_double_holds_keeps_its_text_and_is_told(
    tmp_path: Path,
) -> None:
    home = tmp_path / "run-20231114_221320-abc"
    (home / "logs" / "k").mkdir(parents=True)
    (home / "files").mkdir()
    row = b'{"index": 0, "data": 1e999, "create_time": null}\n'
    (home / "logs" / "k" / "1000.log").write_bytes(row)
    found = gather_one(SwanlabReader, home)
    assert found.texts("k") == [(0, "1e999")]
    assert found.codes() == {"number-beyond-double": 1}


def test_a_database_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    home = tmp_path / "run-20231114_221320-abc"
    for name in ("logs", "files"):
        (home / name).mkdir(parents=True)
    (tmp_path / "runs.swanlab").write_bytes(b"SQLite format 3\0 and no more")
    assert {loss.code for loss in gather_one(SwanlabReader, home).losses} == {"bad-database"}
