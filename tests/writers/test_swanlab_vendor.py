"""What SwanLab's own reader and uploader find in what we write."""

from __future__ import annotations

import base64
import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from neptune_runs import wandb_run
from swanlab_service import CLOUD, SwanlabService, signed_in, written
from tests.transfer.roads import pull_from

import runferry
from runferry.archive.store import Archive
from runferry.errors import AuthFailed, Declined
from runferry.losses import Fate
from runferry.model import Address, Blob, MediaItem, Run, RunKey
from runferry.ports import Location
from runferry.python_apart import command_apart, environment_apart
from runferry.registry import is_readable, limits_of
from runferry.testing.recording import Recording
from runferry.testing.reference import record
from runferry.testing.samples import START_NS, curve, header
from runferry.transfer.push import plan_all, push

pytest.importorskip("swanlab", reason="no swanlab package")

_READ = """
import json, sys
from pathlib import Path
from google.protobuf.json_format import MessageToDict
from swanlab.proto.swanlab.record.v1.record_pb2 import Record
from swanlab.sdk.internal.core_python.store import DataStoreReader
reader = DataStoreReader()
reader.open(Path(sys.argv[1]))
for content in reader:
    record = Record()
    record.ParseFromString(content)
    print(json.dumps(MessageToDict(record, preserving_proto_field_name=True)))
"""


def read_by_vendor(folder: Path) -> list[dict[str, Any]]:
    (log,) = folder.glob("run-*/run-*.swanlab")
    command = command_apart(_READ, str(log))
    done = subprocess.run(
        command, env=environment_apart(), capture_output=True, text=True, timeout=60, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.fixture
def records(tmp_path: Path) -> list[dict[str, Any]]:
    written(Location("swanlab", str(tmp_path)), wandb_run()).close()
    return read_by_vendor(tmp_path)


def test_the_vendors_reader_finds_the_run_with_its_past_times(
    records: list[dict[str, Any]],
) -> None:
    begun = "2023-11-14T22:13:20Z"
    assert records[0]["num"] == "-1"
    assert records[0]["start"] == {
        "project": "example_project", "name": "fluffy-cloud-1", "description": "# notes",
        "tags": ["baseline", "v2"], "group": "sweep-7", "job_type": "train", "id": "abc123",
        "started_at": begun,
    }  # fmt: skip
    assert records[-1]["finish"] == {
        "state": "RUN_STATE_FINISHED", "finished_at": "2023-11-14T22:14:20Z",
    }  # fmt: skip


def test_the_vendors_reader_finds_every_value_with_its_step_and_time(
    records: list[dict[str, Any]],
) -> None:
    scalars = [it["scalar"] for it in records if "scalar" in it]
    loss = [it for it in scalars if it["key"] == "train/loss"]
    assert [int(it.get("step", 0)) for it in loss] == [0, 10, 20]
    assert [it["value"]["number"] for it in loss] == [1.0, 0.5, 1 / 3]
    assert loss[1]["timestamp"] == "2023-11-14T22:13:21Z"
    assert {it["key"] for it in scalars} == {"train/loss", "_runtime", "__swanlab__.system.cpu"}
    columns = {it["column"]["column_key"]: it["column"] for it in records if "column" in it}
    assert columns["__swanlab__.system.cpu"]["column_class"] == "COLUMN_CLASS_SYSTEM"
    assert columns["train/loss"]["section_name"] == "train"
    types = {
        key: column["column_type"].removeprefix("COLUMN_TYPE_") for key, column in columns.items()
    }
    assert (types["note"], types["weights"], types["image"]) == ("TEXT", "ECHARTS", "IMAGE")
    assert [it["log"]["line"] for it in records if "log" in it] == ["epoch 1", "epoch 2"]


def test_a_series_of_nulls_alone_is_no_empty_column(tmp_path: Path) -> None:
    run = Recording(header("nulls"))
    for step in range(3):
        run.log({"loss": 0.5, "never": None}, step=step, time_ns=START_NS + step)
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    pull_from(record([run.sample()], tmp_path / "source"), archive)
    (outcome,) = push(archive, Location("swanlab", str(tmp_path / "out"))).outcomes
    told = {loss.where: loss.count for loss in outcome.losses if loss.code == "null-value"}
    assert told == {"never": 3}
    found = read_by_vendor(tmp_path / "out")
    assert [it["column"]["column_key"] for it in found if "column" in it] == ["loss"]


def test_a_repeated_step_moves_on_and_a_key_keeps_its_type(tmp_path: Path) -> None:
    run = Recording(Run(RunKey("wandb", "p", "r"), complete=True, state="finished"))
    for value in (1.0, 2.0, "word"):
        run.log({"x": value}, step=5, time_ns=START_NS)
    run.log({"x": 3.0}, step=6, time_ns=START_NS)
    sample = run.sample()
    writer = written(Location("swanlab", str(tmp_path)), sample)
    remote = writer.find(sample.run.uid)
    assert remote is not None
    codes = {loss.code for loss in writer.losses(remote)}
    writer.close()
    found = read_by_vendor(tmp_path)
    scalars = [it["scalar"] for it in found if "scalar" in it]
    shown = [(int(it["step"]), it["value"]["number"]) for it in scalars]
    assert shown == [(5, 1.0), (6, 2.0), (7, 3.0)]
    assert {it["media"]["key"] for it in found if "media" in it} == {"x (text)"}
    assert "key-type" in codes


def test_the_vendors_own_class_takes_the_chart_of_a_figure(tmp_path: Path) -> None:
    """And the item that it makes of it is the item that we wrote."""
    import swanlab
    from google.protobuf.json_format import MessageToDict

    bars = {"type": "bar", "x": ["a", "b"], "y": [1.5, None]}
    heat = {"type": "heatmap", "z": [[1, 2]], "xaxis": "x2", "yaxis": "y2"}
    pie = {"type": "pie", "labels": ["a"], "values": [1]}
    figure = {"data": [{"y": [1, 2]}, bars, heat, pie], "layout": {"title": "all"}}
    blob = Blob.from_bytes(json.dumps(figure).encode(), "application/json")
    run = Recording(Run(RunKey("wandb", "p", "r"), complete=True, state="finished"))
    run.log({"figure": MediaItem("", Address(0), "plot", blob)}, step=1, time_ns=START_NS)
    written(Location("swanlab", str(tmp_path)), run.sample()).close()
    (ours,) = (it["media"] for it in read_by_vendor(tmp_path) if "media" in it)
    (item,) = ours["value"]["items"]
    options = SimpleNamespace(dump_options=base64.b64decode(item["payload"]).decode)
    made = swanlab.ECharts(options).transform(step=1, path=None)  # type: ignore[arg-type]
    assert MessageToDict(made, preserving_proto_field_name=True) == item
    assert len(json.loads(made.payload)["series"]) == 4


def test_a_film_is_of_the_type_that_the_vendors_own_class_gives_it(tmp_path: Path) -> None:
    """Its server has no columns of videos yet."""
    import swanlab
    from swanlab.proto.swanlab.metric.column.v1.column_pb2 import ColumnType

    gif = Blob.from_bytes(b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "image/gif")
    run = Recording(header("film"))
    run.log({"film": MediaItem("", Address(0), "video", gif)}, step=0, time_ns=START_NS)
    written(Location("swanlab", str(tmp_path)), run.sample()).close()
    (column,) = (it["column"] for it in read_by_vendor(tmp_path) if "column" in it)
    assert column["column_type"] == ColumnType.Name(swanlab.Video.column_type())


# --- the cloud ------------------------------------------------------------------------------------


@pytest.fixture
def service(tmp_path: Path) -> Iterator[SwanlabService]:
    with signed_in(tmp_path / "home") as service:
        yield service


def test_the_vendors_command_uploads_all_of_a_run(service: SwanlabService) -> None:
    written(CLOUD, wandb_run()).close()
    assert service.experiments["abc123"]["name"] == "fluffy-cloud-1"
    assert "GET /project/team/proj" in service.asked
    assert {kind: len(rows) for kind, rows in service.metrics.items()} == {
        "scalar": 9, "media": 5, "log": 2,
    }  # fmt: skip
    loss = [it for it in service.metrics["scalar"] if it["key"] == "train/loss"]
    assert [(it["index"], it["data"], it["create_time"]) for it in loss] == [
        (0, 1.0, "2023-11-14T22:13:20Z"),
        (10, 0.5, "2023-11-14T22:13:21Z"),
        (20, 1 / 3, "2023-11-14T22:13:22Z"),
    ]
    assert service.profile["config"]["lr"]["value"] == 0.1
    assert service.profile["config"]["summary"]["value"]["acc"] == 0.9
    assert service.files["files/model.ckpt"] == b"model.ckpt"
    assert service.states == ["FINISHED"]


def test_a_renamed_series_is_told_in_the_configuration_that_the_dashboard_shows(
    service: SwanlabService, tmp_path: Path
) -> None:
    run = Recording(header("odd names"))
    run.log({".dot": 1.0, "plain": 2.0, "both": 3.0}, step=0, time_ns=START_NS)
    run.log({"both": "a word"}, step=1, time_ns=START_NS)
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    pull_from(record([run.sample()], tmp_path / "source"), archive)
    assert not push(archive, CLOUD).failures
    shown = {one["key"] for rows in service.metrics.values() for one in rows if "key" in one}
    renamed = service.profile["config"]["runferry"]["value"]["renamed_keys"]
    assert sorted(renamed.values()) == [".dot", "both"]
    assert set(renamed) < shown


def test_a_second_upload_adds_nothing(service: SwanlabService) -> None:
    for _ in range(2):
        written(CLOUD, curve(20)).close()
    assert len(service.metrics["scalar"]) == 60
    assert len(service.experiments) == 1


def test_a_conversion_into_the_own_workspace_says_that_it_is_not_verified(
    service: SwanlabService, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = Path(__file__).parents[2] / "examples" / "wandb"
    report = runferry.convert(
        f"wandb:{source}", "swanlab:@/proj", archive=tmp_path / "archive", allow="dropped"
    )
    assert report.exit_code == 0
    assert report.verify is None
    assert "is not verified" in caplog.text
    assert len(service.experiments) == 2
    assert "GET /project/me/proj" in service.asked
    again = runferry.convert(
        f"wandb:{source}", "swanlab:@/proj", archive=tmp_path / "archive", allow="dropped"
    )
    assert again.exit_code == 0
    assert service.asked.count("POST /project/me/proj/experiment") == 2


def test_a_conversion_in_the_vendors_words_ends_with_0_in_the_cloud(
    service: SwanlabService, tmp_path: Path
) -> None:
    """What the cloud cannot hold is told; another `--allow` makes that another exit code."""
    source = Path(__file__).parents[2] / "examples" / "wandb"
    command = [sys.executable, "-m", "runferry", "swanlab", "convert", "-t", "wandb-local"]
    for project, more, code in (("one", [], 0), ("two", ["--allow", "rounded"], 3)):
        where = ["--wb-dir", str(source), "-p", project, "--archive", str(tmp_path / project)]
        done = subprocess.run(
            [*command, *where, *more], env=environment_apart(), cwd=tmp_path, timeout=120,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        assert "header-times" in done.stdout
    assert len(service.experiments) == 2


@pytest.mark.parametrize("refused", ["/house/metrics", "/resources/presigned", "/experiment"])
def test_what_the_vendors_command_only_prints_is_an_error(
    service: SwanlabService, refused: str
) -> None:
    """It ends with code 0 although the server has refused rows."""
    service.refused = {refused: 403}
    with pytest.raises(Declined, match="swanlab sync did not upload"):
        written(CLOUD, wandb_run())


def test_the_key_is_in_no_message(service: SwanlabService) -> None:
    service.refused = {"/login": 401}
    begun = time.monotonic()
    with pytest.raises(AuthFailed) as caught:
        written(CLOUD, curve(3))
    assert "k" * 21 not in str(caught.value)
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    ("refused", "changed", "told", "hint"),
    [
        ("/login", {}, "does not accept the key .*: 401", "swanlab login"),
        ("", {"SWANLAB_API_KEY": None}, "is not signed in", "swanlab login"),
        ("", {"SWANLAB_API_HOST": "http://127.0.0.1:9"}, "no server answered", "--host"),
    ],
)
def test_who_cannot_sign_in_is_told_in_one_line_with_the_command_that_helps(
    service: SwanlabService,
    monkeypatch: pytest.MonkeyPatch,
    refused: str,
    changed: dict[str, str | None],
    told: str,
    hint: str,
) -> None:
    if refused:
        service.refused = {refused: 401}
    for name, value in changed.items():
        monkeypatch.delenv(name)
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(AuthFailed, match=told) as caught:
        written(CLOUD, curve(3))
    assert hint in caught.value.hint
    assert "\n" not in caught.value.what


def test_a_project_that_may_not_be_written_is_told_by_its_last_cause(
    service: SwanlabService,
) -> None:
    service.refused = {"/experiment": 403}
    with pytest.raises(Declined) as caught:
        written(CLOUD, curve(3))
    assert re.fullmatch(
        r"swanlab sync did not upload the run: RuntimeError: Failed to prepare sync experiment: "
        r"API Request Failed: \[refused\] no POST http://\S+/api/project/team/proj/experiment",
        caught.value.what,
    )
    assert "swanlab:WORKSPACE/PROJECT" in caught.value.hint


def test_nothing_stands_beside_a_run_in_the_cloud() -> None:
    folder, cloud = limits_of(Location("swanlab", "./x")), limits_of(CLOUD)
    assert folder.null_value is Fate.REENCODED
    assert cloud.null_value is Fate.DROPPED
    assert "raw" not in cloud.holds
    assert is_readable(Location("swanlab", "./x"))
    assert not is_readable(CLOUD)


def test_infinities_are_foretold_as_rounded_and_arrive_as_the_word_for_nan(
    service: SwanlabService, tmp_path: Path
) -> None:
    """`swanlab sync` sends no other; in a folder they are what they were."""
    run = Recording(header("odd"))
    for step, value in enumerate([math.inf, -math.inf, math.nan, 1.5]):
        run.log({"loss": value}, step=step, time_ns=START_NS + step)
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    pull_from(record((run.sample(),), tmp_path / "origin"), archive)

    def told(there: Location) -> dict[str, tuple[Fate, int]]:
        (planned,) = plan_all(archive, there).outcomes
        report = push(archive, there, allow=Fate.DROPPED)
        assert not report.failures, report.failures
        (sent,) = report.outcomes
        found = {it.code: (it.fate, it.count) for it in sent.losses}
        assert {it.code for it in planned.losses} <= found.keys()
        return found

    assert told(CLOUD)["infinity"] == (Fate.ROUNDED, 2)
    assert [it["data"] for it in service.metrics["scalar"]] == ["nan", "nan", "nan", 1.5]
    assert "infinity" not in told(Location("swanlab", str(tmp_path / "folder")))


def test_an_unfinished_run_has_no_finish_record(tmp_path: Path) -> None:
    sample = curve(3)
    run = replace(sample.run, complete=False, state="running", ended_ns=None)
    written(Location("swanlab", str(tmp_path)), replace(sample, run=run)).close()
    assert not any("finish" in record for record in read_by_vendor(tmp_path))
