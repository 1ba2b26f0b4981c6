"""Runs through Neptune's client: to the stand-in of a server, and to the vendor's own backend."""

from __future__ import annotations

import logging
import math
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("neptune", reason="neptune is not installed")

import neptune.management
from neptune.internal.operation import LogFloats
from neptune_runs import STARTED, model, wandb_run
from neptune_sending import PROJECT, in_mode, sent, sent_well, shown
from neptune_sending import mode as mode  # noqa: PLC0414  a fixture
from neptune_sending import server as server  # noqa: PLC0414  a fixture
from tests.transfer.roads import IMPATIENT, archive_of

from runferry import settings
from runferry.errors import BadLocation, ExitCode, Unreachable
from runferry.locations import locate
from runferry.losses import Fate
from runferry.ports import Location
from runferry.testing.neptune_backend import NeptuneBackend, NeptuneServer
from runferry.testing.recording import Recording
from runferry.testing.samples import SECOND_NS, START_NS, attributes, curve, steps, texts, values
from runferry.transfer.convert import convert
from runferry.transfer.destination import ledger_key
from runferry.transfer.push import push
from runferry.transfer.verify import verify_archive
from runferry.writers.neptune.client_writer import ClientWriter
from runferry.writers.neptune.projects import Projects

# --- projects


def test_a_missing_project_is_made_as_the_seed_says(server: NeptuneServer, tmp_path: Path) -> None:
    sent_well(tmp_path, wandb_run())
    url = "https://wandb.ai/team/example_project"
    assert server.creations == [
        {
            "name": "example-project", "workspace": "team", "visibility": "workspace",
            "description": f"Exported from {url}",
        }
    ]  # fmt: skip
    assert server.project_values(PROJECT)["wandb_url"] == url


def test_a_search_that_was_broken_off_finds_the_run_when_it_is_repeated(
    server: NeptuneServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent_well(tmp_path, wandb_run())
    writer = ClientWriter.open(Location("neptune", "team"))
    uid = wandb_run().run.uid
    with monkeypatch.context() as patch:
        patch.setattr(neptune.management, "get_project_list", _unreachable)
        for ask in (lambda: writer.find(uid), writer.present):
            with pytest.raises(Unreachable):
                ask()
    assert writer.find(uid) == uid
    assert writer.present() == {uid: uid}
    writer.close()


def _unreachable() -> list[str]:
    raise ConnectionError("the connection is lost")


def test_what_a_writer_staged_goes_also_when_the_server_is_gone(
    server: NeptuneServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sent_well(tmp_path, wandb_run())
    writer = ClientWriter.open(Location("neptune", "team"))
    assert writer.present()
    monkeypatch.setattr(Projects, "close", lambda _: _unreachable())
    assert list(tmp_path.glob("runferry-neptune-*"))
    with pytest.raises(ConnectionError):
        writer.close()
    assert not list(tmp_path.glob("runferry-neptune-*"))


def test_visibility_is_a_setting(server: NeptuneServer, tmp_path: Path) -> None:
    settings.install(settings.Settings(neptune_mode="sync", neptune_visibility="private"))
    sent_well(tmp_path, wandb_run())
    assert server.creations[0]["visibility"] == "priv"


def test_a_project_that_is_there_is_used(server: NeptuneServer, tmp_path: Path) -> None:
    server.add(PROJECT)
    sent_well(tmp_path, wandb_run())
    assert server.creations == []
    assert (PROJECT, "abc123") in server.runs


def test_a_project_that_is_named_takes_every_run(server: NeptuneServer, tmp_path: Path) -> None:
    sent_well(tmp_path, wandb_run("a", "p_1"), wandb_run("b", "p_2"), to="team/all")
    assert set(server.runs) == {("team/all", "a"), ("team/all", "b")}


def test_nothing_behind_the_name_is_the_project_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NEPTUNE_PROJECT", "team/mine")
    place = locate("neptune:", role="destination")
    assert place == Location("neptune", "team/mine")
    monkeypatch.chdir(tmp_path)
    assert ledger_key(place) == "neptune:team/mine", "the same from every folder"
    monkeypatch.delenv("NEPTUNE_PROJECT")
    with pytest.raises(BadLocation) as caught:
        locate("neptune:", role="destination")
    assert "NEPTUNE_PROJECT" in caught.value.hint


# --- a run


def test_the_mapping_holds_through_the_client_too(server: NeptuneServer, tmp_path: Path) -> None:
    sent_well(tmp_path, wandb_run())
    found = shown(server)
    assert found["sys/name"] == "fluffy-cloud-1"
    assert found["sys/description"] == "# notes"
    assert found["sys/tags"] == {"baseline", "v2"}
    assert found["sys/group_tags"] == {"sweep-7"}
    assert found["config/lr"] == 0.1
    assert found["config/epochs"] == 3
    assert found["config/amp"] is True
    assert found["config/layers"] == "[1,2]"
    assert found["summary/acc"] == 0.9
    assert found["wandb/job_type"] == "train"
    start = STARTED.timestamp()
    assert found["train/loss"] == [(step * 10.0, start + step, 1 / (step + 1)) for step in range(3)]
    assert [value for _, _, value in found["monitoring/cpu"]] == [50.0, 51.0, 52.0]
    assert [(s, v) for s, _, v in found["monitoring/stdout"]] == [(0, "epoch 1"), (1, "epoch 2")]
    assert len(found["image"]) == 1
    files = server.contents(PROJECT, "abc123")
    assert files["source_code/requirements"] == {"": b"requirements.txt"}
    assert files["source_code/files"] == {"train.py": b"code/train.py"}
    assert files["checkpoints"].keys() == {"model.ckpt", "my-checkpoint/weights.bin"}
    assert "notes/readme.md" in files["files"]
    assert "points.parquet" in files["runferry/bundle"]
    assert found["runferry/sealed"] is True


def test_nothing_of_this_process_is_captured(server: NeptuneServer, tmp_path: Path) -> None:
    sent_well(tmp_path, curve(10))
    (project,) = server.projects
    found = shown(server, curve(10).run.key.run_id, project)
    strange = [path for path in found if path.startswith(("monitoring/", "source_code/entry"))]
    assert strange == []


@pytest.mark.parametrize("sample", [values, steps, texts, attributes])
def test_a_server_refuses_nothing_that_is_sent(
    sample: Any, server: NeptuneServer, tmp_path: Path
) -> None:
    report = sent_well(tmp_path, sample())
    assert server.refused == []
    assert max(loss.fate for o in report.outcomes for loss in o.losses) <= Fate.REENCODED


def test_steps_that_do_not_rise_are_told(server: NeptuneServer, tmp_path: Path) -> None:
    report = sent_well(tmp_path, steps())
    told = {
        loss.where: loss.count
        for o in report.outcomes for loss in o.losses if loss.code == "not-shown"
    }  # fmt: skip
    assert told["falling"] == 5
    assert told["twin"] == 3


def test_numbers_that_are_not_finite_are_told(server: NeptuneServer, tmp_path: Path) -> None:
    run = Recording(wandb_run().run)
    for step, value in enumerate((1.0, math.nan, math.inf, -math.inf, 2.0)):
        run.log({"odd": value}, step=step, time_ns=START_NS)
    report = sent_well(tmp_path, run.sample())
    (loss,) = (loss for loss in report.outcomes[0].losses if loss.code == "not-shown")
    assert (loss.where, loss.count, loss.fate) == ("odd", 3, Fate.REENCODED)
    assert [value for _, _, value in shown(server)["odd"]] == [1.0, 2.0]


def test_strings_are_cut_to_what_the_client_holds(server: NeptuneServer, tmp_path: Path) -> None:
    sample = Recording(replace(wandb_run().run)).attributes("config", {"long": "x" * 20_000})
    sent_well(tmp_path, sample.sample())
    assert len(shown(server)["config/long"]) == 16_384


def test_async_has_it_all_before_it_is_sealed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with in_mode("async"):
        server = NeptuneServer(tmp_path / "server")
        server.install(monkeypatch.setattr)
        monkeypatch.chdir(tmp_path)
        sent_well(tmp_path, wandb_run())
        assert shown(server)["runferry/sealed"] is True
        assert not (tmp_path / ".neptune").exists(), "what waits lies where nobody sends it again"


@pytest.mark.parametrize("mode", ["async"], indirect=True)
def test_what_the_server_refuses_is_told(
    server: NeptuneServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's thread only logs it: here somebody else writes to the run meanwhile."""

    execute = NeptuneBackend._execute_operation

    def write_as_well(backend: Any, container: str, kind: Any, op: Any, storage: Any) -> None:
        if isinstance(op, LogFloats) and not server.series[container]["metric/0"]:
            server.series[container]["metric/0"] = [(1_500.0, 0.0, 0.0)]
        execute(backend, container, kind, op, storage)

    monkeypatch.setattr(NeptuneBackend, "_execute_operation", write_as_well)
    report = sent(tmp_path, curve(4_000))
    (outcome,) = report.outcomes
    (told,) = [loss for loss in outcome.losses if "refused by Neptune" in loss.detail]
    assert told.count == len(server.refused)
    assert "do not rise" in told.detail


@pytest.mark.skipif(sys.platform == "win32", reason="no limit for sizes of files")
@pytest.mark.parametrize("at_most", [20_000, 30_000, 45_000, 64_000])
@pytest.mark.timeout(120)
def test_a_full_disk_is_said_to_be_and_a_rerun_completes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_most: int
) -> None:
    """The client's queue is cut where the disk is full, and the client waits for its end."""
    import resource

    with in_mode("async"):
        server = NeptuneServer(tmp_path / "server")
        server.install(monkeypatch.setattr)
        archive = archive_of([curve(400)], tmp_path)
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (at_most, before[1]))
        try:
            report = push(archive, Location("neptune", "team/p"), patience=IMPATIENT)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert "the disk is full" in str(report.aborted or report.failures[0].error)
        again = push(archive, Location("neptune", "team/p"), patience=IMPATIENT, allow=Fate.DROPPED)
        assert not again.failures, [outcome.error for outcome in again.failures]
        assert verify_archive(archive, Location("neptune", "team/p")).is_clean


def test_debug_talks_to_nobody(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with in_mode("debug"):
        sent_well(tmp_path, wandb_run())
    assert capsys.readouterr().out == "", "stdout is for what a command prints"


def test_what_went_nowhere_is_not_verified_and_the_report_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("a server was asked")

    monkeypatch.setattr("runferry.transfer.convert.verify_archive", asked)
    with in_mode("debug"):
        archive = archive_of([curve(5)], tmp_path)
        there = Location("neptune", "team/p")
        report = convert(Location("archive", str(archive.path)), there, archive)
    assert report.verify is None
    assert report.exit_code == ExitCode.DONE
    assert [note for note in report.notes if "nothing leaves this machine" in note]


def test_the_client_logs_where_we_do(server: NeptuneServer, tmp_path: Path) -> None:
    sent_well(tmp_path, curve(5))
    assert logging.getLogger("neptune").handlers == []


# --- models as runs


def test_models_and_versions_become_runs(server: NeptuneServer, tmp_path: Path) -> None:
    samples = [model("model", "ZOO-NET"), model("model_version", "ZOO-NET-1")]
    sent_well(tmp_path, *samples, to="team/zoo")
    for run_id, tag in (("ZOO-NET", "model"), ("ZOO-NET-1", "model_version")):
        found = shown(server, run_id, "team/zoo")
        assert found["sys/tags"] == {"good", tag}
        assert found["sys/group_tags"] == {"ZOO-NET"}
        assert found["sys/name"] == "net"
        assert found["sys/description"] == "a model"
        assert found["old_sys/id"] == run_id
        assert found["old_sys/owner"] == "ana"
        assert found["old_sys/size"] == 3.5
        assert found["old_sys/trashed"] is False
        assert not {"old_sys/state", "old_sys/name", "old_sys/tags"} & found.keys()
        assert found["params/lr"] == 0.1
        assert found["labels"] == {"cat", "dog"}
        assert found["val/acc"] == [(1.5, START_NS / SECOND_NS + 0.5, 0.5)]
    assert shown(server, "ZOO-NET-1", "team/zoo")["old_sys/stage"] == "production"
    assert shown(server, "ZOO-NET-1", "team/zoo")["old_sys/model_id"] == "ZOO-NET"


def test_the_stage_is_a_tag_on_request(server: NeptuneServer, tmp_path: Path) -> None:
    settings.install(settings.Settings(neptune_mode="sync", neptune_stage_as_tag=True))
    sent_well(tmp_path, model("model_version", "ZOO-NET-1"), to="team/zoo")
    found = shown(server, "ZOO-NET-1", "team/zoo")
    assert found["sys/tags"] == {"good", "model_version", "production"}
    assert "old_sys/stage" not in found
