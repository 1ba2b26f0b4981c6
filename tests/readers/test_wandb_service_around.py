"""What stands around a history in the service: console, system metrics, files, documents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.blobs import bytes_of
from tests.readers.wandb_service_runs import (
    RICH,
    columns,
    gather,
    opened,
    read_one,
    served,
    the_run,
)

from runferry import chunks
from runferry.errors import SourceChanged
from runferry.readers.wandb.service.console import Console
from runferry.readers.wandb.service.position import Position
from runferry.testing.wandb_service import RunContent, Trouble, WandbService

RUN = "lab/p/r"
IMAGE = {"_type": "image-file", "path": "media/images/a.png", "caption": "c"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WandbService]:
    with served(tmp_path / "home") as service:
        yield service


def test_a_header_says_what_the_service_knows(service: WandbService) -> None:
    service.put_run(RUN, RICH)
    header = read_one(RUN).header
    assert (header.key.tracker, header.key.scope, header.key.run_id) == ("wandb", "p", "r")
    assert (header.name, header.project, header.entity) == ("shown", "p", "lab")
    assert (header.group, header.job_type, header.tags, header.notes) == (
        "g",
        "train",
        ("t1", "t2"),
        "noted",
    )
    assert header.source_url == f"{service.url}/lab/p/runs/r"
    assert (header.host, header.state, header.complete, header.exit_code) == (
        "h",
        "finished",
        True,
        0,
    )
    assert header.created_ns == 1_704_164_645 * 10**9
    assert header.started_ns == 1_704_164_645_123_456_789


@pytest.mark.parametrize(
    ("status", "state", "is_complete"),
    [
        ("running", "running", False),
        ("failed", "failed", True),
        ("crashed", "failed", False),
        ("killed", "killed", True),
        ("preempted", "killed", False),
        ("pondering", "unknown", False),
    ],
)
def test_states_are_normalised_and_the_services_word_is_kept(
    service: WandbService, status: str, state: str, is_complete: bool
) -> None:
    service.put_run(RUN, RunContent(state=status))
    header = read_one(RUN).header
    assert (header.status, header.state, header.complete) == (status, state, is_complete)


def test_all_system_metrics_come_whatever_their_number(service: WandbService) -> None:
    events = [
        {"_timestamp": 1_700_000_000.0 + n, "_runtime": n, "_wandb": True, "system.cpu": n / 3}
        for n in range(2_500)
    ]
    service.put_run(RUN, RunContent(events=events))
    found = read_one(RUN)
    rows = found.points("cpu", "system")
    assert [row["value"] for row in rows] == [n / 3 for n in range(2_500)]
    assert [row["time"].timestamp() for row in rows] == [1_700_000_000.0 + n for n in range(2_500)]
    assert set(found.series) == {"cpu"}
    assert not found.losses


def test_the_console_keeps_its_streams_times_and_order(service: WandbService) -> None:
    lines = [f"2024-01-02T03:04:05.{n:06} line {n}" for n in range(1_500)]
    lines[7] = f"ERROR {lines[7]}"
    service.put_run(RUN, RunContent(console=lines))
    found = read_one(RUN)
    rows = found.rows("console")
    assert [row["line"] for row in rows] == [f"line {n}\n" for n in range(1_500)]
    assert [row["seq"] for row in rows] == list(range(1_500))
    assert {n for n, row in enumerate(rows) if row["stream"] == "stderr"} == {7}
    assert [row["time"].microsecond for row in rows] == list(range(1_500))
    assert not read_one(RUN, found.cursor()).rows("console")


def test_lines_that_the_service_skips_are_counted(service: WandbService) -> None:
    service.put_run(RUN, RunContent(console=[f"line {n}" for n in range(20)]))
    service.store.execute("DELETE FROM console WHERE line IN (3, 4, 11)")
    found = read_one(RUN)
    assert len(found.rows("console")) == 17
    assert {(loss.code, loss.count) for loss in found.losses} == {("missing-console", 3)}


def test_a_line_that_the_service_gives_twice_makes_up_for_none() -> None:
    numbers = (0, 1, 1, 1)
    lines = [{"node": {"number": number, "line": str(number)}} for number in numbers]
    node = {"logLineCount": 2, "logLines": {"edges": lines}}
    unasked: Any = None
    found = [*Console(unasked, unasked, Position(), unasked).read(node, is_over=True)]
    assert [type(chunk) for chunk in found] == [chunks.Console]


def test_lines_that_a_run_may_still_write_over_wait(service: WandbService) -> None:
    lines = [f"line {n}" for n in range(100)]
    service.put_run(RUN, RunContent(state="running", console=lines))
    first = read_one(RUN)
    assert 0 < len(first.rows("console")) < 100
    service.store.execute("UPDATE runs SET state = 'finished'")
    rest = read_one(RUN, first.cursor())
    found = [row["line"] for part in (first, rest) for row in part.rows("console")]
    assert found == [f"{line}\n" for line in lines]


def test_a_log_file_stands_in_for_lines_that_the_service_lacks(service: WandbService) -> None:
    service.put_run(RUN, RunContent(files={"output.log": b"one\ntwo\n"}))
    found = read_one(RUN)
    assert [row["line"] for row in found.rows("console")] == ["one\n", "two\n"]
    assert not read_one(RUN, found.cursor()).rows("console")


def test_files_are_given_by_role_and_their_names_are_data(service: WandbService) -> None:
    service.put_run(RUN, RICH)
    found = read_one(RUN)
    assert bytes_of(found.files["model.ckpt"].blob) == b"weights"
    assert found.files["model.ckpt"].role == "checkpoint"
    assert bytes_of(found.files["../../escaped.txt"].blob) == b"data"
    assert bytes_of(found.files["media/images/a.png"].blob) == b"png"  # which no row claims
    assert found.role("environment")["memory", "total"] == 17


def test_every_page_of_files_is_read(service: WandbService) -> None:
    names = [f"f{n:03}.txt" for n in range(450)]
    service.put_run(RUN, RunContent(files={name: name.encode() for name in names}))
    found = read_one(RUN)
    assert sorted(found.files) == names
    assert bytes_of(found.files["f449.txt"].blob) == b"f449.txt"


def test_a_file_is_given_again_only_when_it_has_changed(service: WandbService) -> None:
    service.put_run(RUN, RunContent(files={"a": b"1", "b": b"2"}))
    first = read_one(RUN)
    service.put_file(RUN, "b", b"22")
    service.put_file(RUN, "c", b"3")
    assert sorted(read_one(RUN, first.cursor()).files) == ["b", "c"]


def test_an_expired_url_is_asked_for_anew(service: WandbService) -> None:
    service.put_run(RUN, RunContent(files={"a": b"1"}))
    with opened(RUN) as reader:
        blob = gather(reader, the_run(reader)).files["a"].blob
        service.faults.add(Trouble("status", "storage:GET", status=403))
        assert bytes_of(blob) == b"1"


def test_a_file_that_is_gone_meanwhile_is_not_found(service: WandbService) -> None:
    service.put_run(RUN, RunContent(files={"a": b"1"}))
    with opened(RUN) as reader:
        blob = gather(reader, the_run(reader)).files["a"].blob
        service.store.execute("DELETE FROM files")
        service.faults.add(Trouble("status", "storage:GET", status=404))
        with pytest.raises(FileNotFoundError):
            bytes_of(blob)


def test_media_of_rows_have_their_bytes_and_are_no_files(service: WandbService) -> None:
    service.put_run(RUN, RunContent(files={"media/images/a.png": b"png", "other": b"x"}))
    service.append_history(RUN, [{"_step": 0, "image": IMAGE}, {"_step": 1, "image": IMAGE}])
    for is_exported in (False, True):
        if is_exported:
            service.export(RUN)
        found = read_one(RUN)
        assert [(item.at.step, item.caption, bytes_of(item.blob)) for item in found.media] == [
            (0, "c", b"png"),
            (1, "c", b"png"),
        ]
        assert set(found.files) == {"other"}


def test_a_row_that_comes_after_its_file_is_noticed(service: WandbService) -> None:
    service.put_run(RUN, RunContent(files={"media/images/a.png": b"png"}))
    first = read_one(RUN)
    assert set(first.files) == {"media/images/a.png"}
    service.append_history(RUN, [{"_step": 0, "image": IMAGE}])
    with pytest.raises(SourceChanged):
        read_one(RUN, first.cursor())


@pytest.mark.parametrize("named", ["a.png", "media/images/a.png"], ids=["old client", "whole"])
def test_bytes_that_come_after_their_row_are_noticed_once_the_run_is_over(
    service: WandbService, named: str
) -> None:
    service.put_run(RUN, RunContent(state="running"))
    service.append_history(RUN, [{"_step": 0, "image": IMAGE | {"path": named}}])
    first = read_one(RUN)
    assert [item.blob.is_missing for item in first.media] == [True]
    service.put_file(RUN, "media/images/a.png", b"png")
    second = read_one(RUN, first.cursor())  # once for all that the run has still to upload
    service.store.execute("UPDATE runs SET state = 'finished'")
    with pytest.raises(SourceChanged, match="came after its row"):
        read_one(RUN, second.cursor())
    anew = read_one(RUN)
    assert [bytes_of(item.blob) for item in anew.media] == [b"png"]
    assert not anew.files
    assert not read_one(RUN, anew.cursor()).files


def test_definitions_of_metrics_come_from_the_config(service: WandbService) -> None:
    internal = {
        "m": [
            {"1": "epoch", "6": [], "7": []},
            {"2": "val/*", "5": 1, "6": [1], "7": []},
            {"1": "loss", "6": [2, 3], "7": [1], "8": 1},
        ]
    }
    content = RunContent(config={"_wandb": internal})
    service.put_run(RUN, content, history_of={**columns(3), "val/acc": columns(3)["loss"]})
    series = read_one(RUN).series
    assert series["val/acc"].x_axis == "epoch"
    loss = series["loss"]
    assert (loss.summary_rule, loss.goal, loss.hidden) == ("min", "minimize", True)


def test_reports_are_a_run_of_their_own(service: WandbService) -> None:
    service.put_run(RUN)
    spec = {"version": 5, "blocks": [{"type": "paragraph", "children": [{"text": "told"}]}]}
    for number in range(60):
        service.put_report("lab/p", f"report {number}", spec)
    with opened("lab/p") as reader:
        *_, run = reader.runs()
        found = gather(reader, run)
        assert not gather(reader, run, found.cursor()).documents
    assert (run.key.run_id, run.job_type) == ("~reports", "reports")
    assert len(found.documents) == 60
    assert {document.kind for document in found.documents} == {"report"}
    body = found.documents[0].body
    assert isinstance(body, dict)
    assert body["spec"] == spec
