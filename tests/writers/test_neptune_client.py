"""Runs through Neptune's client: to the stand-in of a server, and to the vendor's own backend."""

from __future__ import annotations

import logging
import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("neptune", reason="neptune is not installed")

import neptune.management
from neptune.internal.operation import LogFloats
from neptune_runs import STARTED, model, wandb_run
from tests.transfer.roads import IMPATIENT, archive_of

from runferry import settings
from runferry.archive.store import Archive
from runferry.errors import BadLocation, ExitCode, Unreachable
from runferry.locations import locate
from runferry.losses import Fate
from runferry.model import RunKey
from runferry.ports import Location
from runferry.testing.neptune_backend import NeptuneBackend, NeptuneServer
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import (
    SECOND_NS,
    START_NS,
    attributes,
    curve,
    header,
    steps,
    texts,
    values,
)
from runferry.transfer.convert import convert
from runferry.transfer.destination import ledger_key
from runferry.transfer.patience import Patience
from runferry.transfer.pull import pull
from runferry.transfer.push import push
from runferry.transfer.report import Report
from runferry.transfer.selection import Selection
from runferry.transfer.verify import verify_archive
from runferry.writers.neptune.client_writer import ClientWriter
from runferry.writers.neptune.projects import Projects

PROJECT = "team/example-project"
ALL = Selection(included=frozenset({"all"}))
AT_ONCE = Patience(seconds=0)
"""Gives up at the first error, however busy the machine is."""


@pytest.fixture
def mode(request: pytest.FixtureRequest) -> Iterator[settings.NeptuneMode]:
    yield from _in_mode(getattr(request, "param", "sync"))


def _in_mode(mode: settings.NeptuneMode) -> Iterator[settings.NeptuneMode]:
    settings.install(settings.Settings(neptune_mode=mode))
    yield mode
    settings.install(None)


@pytest.fixture
def server(mode: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> NeptuneServer:
    server = NeptuneServer(tmp_path / "server")
    server.install(monkeypatch.setattr)
    return server


def sent(folder: Path, *samples: Sample, to: str = "team", selection: Selection = ALL) -> Report:
    return push(
        archive_of(samples, folder), Location("neptune", to), selection=selection,
        patience=IMPATIENT,
    )  # fmt: skip


def sent_well(folder: Path, *samples: Sample, to: str = "team") -> Report:
    report = sent(folder, *samples, to=to)
    assert report.aborted is None, report.aborted
    assert not report.failures, [outcome.error for outcome in report.failures]
    return report


def shown(server: NeptuneServer, run_id: str = "abc123", project: str = PROJECT) -> dict[str, Any]:
    """Without what no two sendings have in common."""
    times = ("sys/creation_time", "sys/modification_time")
    found = server.values(project, run_id)
    return {path: value for path, value in found.items() if path not in times}


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


# --- again


def test_a_rerun_from_another_machine_appends_nothing_twice(
    server: NeptuneServer, tmp_path: Path
) -> None:
    sent_well(tmp_path / "first", wandb_run())
    before = shown(server)
    sent_well(tmp_path / "second", wandb_run())
    assert shown(server) == before
    assert list(server.runs) == [(PROJECT, "abc123")]


def test_a_second_push_sends_nothing(server: NeptuneServer, tmp_path: Path) -> None:
    archive = archive_of([wandb_run()], tmp_path)
    push(archive, Location("neptune", "team"))
    before = server.operations
    again = push(archive, Location("neptune", "team"))
    assert {outcome.status for outcome in again.outcomes} == {"unchanged"}
    assert server.operations == before


@pytest.mark.parametrize("at", [1, 5, 20, 35, 45, 55])
def test_broken_off_anywhere_then_sent_again_equals_one_clean_sending(
    at: int, server: NeptuneServer, tmp_path: Path
) -> None:
    clean = cleanly(server, tmp_path)
    archive = broken_off(server, tmp_path, at)
    again = push(archive, Location("neptune", "team"), selection=ALL, patience=AT_ONCE)
    assert not again.failures, [outcome.error for outcome in again.failures]
    assert shown_but_id(server) == clean


def test_what_another_machine_left_half_sent_is_taken_over_on_request(
    server: NeptuneServer, tmp_path: Path
) -> None:
    """It may be at it still: of a server that does not answer nobody hears that it gave up."""
    clean = cleanly(server, tmp_path)
    broken_off(server, tmp_path, 45)
    archive, there = archive_of([wandb_run()], tmp_path / "elsewhere"), Location("neptune", "team")
    (refused,) = push(archive, there, selection=ALL, patience=AT_ONCE).failures
    assert "another push is sending this run" in str(refused.error)
    report = push(archive, there, selection=ALL, patience=AT_ONCE, restart=True)
    assert not report.failures, [outcome.error for outcome in report.failures]
    assert shown_but_id(server) == clean


def cleanly(server: NeptuneServer, tmp_path: Path) -> dict[str, Any]:
    """What one sending shows, after which the run is removed."""
    sent_well(tmp_path / "clean", wandb_run())
    clean = shown_but_id(server)
    assert server.operations >= 55
    server.remove(PROJECT, "abc123")
    return clean


def broken_off(server: NeptuneServer, tmp_path: Path, at: int) -> Archive:
    """The archive of a push that gave up at this operation of the client."""
    server.operations, server.breaks_at = 0, at
    archive = archive_of([wandb_run()], tmp_path / "broken")
    report = push(archive, Location("neptune", "team"), selection=ALL, patience=AT_ONCE)
    assert report.failures or report.aborted
    server.breaks_at = None
    return archive


def shown_but_id(server: NeptuneServer) -> dict[str, Any]:
    return {path: value for path, value in shown(server).items() if path != "sys/id"}


def test_growth_is_added_and_nothing_is_doubled(server: NeptuneServer, tmp_path: Path) -> None:
    whole = curve(80, batch=20)
    for cut in (4, 7, len(whole.chunks)):
        sent_well(tmp_path / str(cut), Sample(whole.run, whole.chunks[:cut]))
    (project,) = server.projects
    found = shown(server, whole.run.key.run_id, project)
    assert [step for step, _, _ in found["metric/0"]] == [float(n) for n in range(80)]


@pytest.mark.parametrize("at", [20, 45, 55])
def test_a_run_is_sent_on_when_the_server_is_back(
    at: int, server: NeptuneServer, tmp_path: Path
) -> None:
    server.breaks_at = at
    archive = archive_of([wandb_run()], tmp_path)
    there = Location("neptune", "team")
    patient = Patience(seconds=20, first_pause=0.01, longest_pause=0.02)
    report = push(archive, there, selection=ALL, patience=patient)
    assert not report.failures, [outcome.error for outcome in report.failures]
    assert server.operations > at
    assert verify_archive(archive, there, selection=ALL).is_clean


def test_a_run_is_read_back_that_was_sent_from_a_folder_above(
    server: NeptuneServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path)
    archive = archive_of([wandb_run()], tmp_path)
    there = Location("neptune", "team")
    assert not push(archive, there, selection=ALL, patience=IMPATIENT).failures
    assert all(name.startswith("tmp/") for name in server.contents(PROJECT, "abc123")["files"])
    assert verify_archive(archive, there, selection=ALL).is_clean


@pytest.mark.parametrize("name", ["sys", "runferry"])
def test_metrics_called_like_a_namespace_that_stays_are_not_doubled(
    name: str, server: NeptuneServer, tmp_path: Path
) -> None:
    for count in (2, 3):
        run = Recording(wandb_run().run)
        for step in range(count):
            run.log({f"{name}/cpu": 0.5 + step}, step=step, time_ns=START_NS)
        report = sent_well(tmp_path / str(count), run.sample())
        assert server.refused == []
        found = shown(server)
        assert [step for step, _, _ in found[f"{name}~2/cpu"]] == list(range(count))
        assert f"{name}/cpu" not in found
        assert "renamed-key" in {loss.code for loss in report.losses}


def test_a_run_of_somebody_else_stays_as_it_is(server: NeptuneServer, tmp_path: Path) -> None:
    import neptune

    server.add(PROJECT)
    theirs = neptune.init_run(
        project=PROJECT,
        custom_run_id="abc123",
        mode="sync",
        capture_hardware_metrics=False,
        source_files=[],
        git_ref=False,
    )
    theirs["loss"].append(0.5, step=1)
    theirs.stop()
    before = shown(server)
    report = sent(tmp_path, wandb_run())
    (failure,) = report.failures
    assert "runferry did not make it" in (failure.error or "")
    after = shown(server)
    assert {p: v for p, v in after.items() if p == "loss"} == {"loss": before["loss"]}
    assert "runferry/uid" not in after


@pytest.mark.parametrize("workers", [1, 4])
def test_runs_of_one_id_are_kept_apart_in_one_project(
    server: NeptuneServer, tmp_path: Path, workers: int
) -> None:
    runs, keys = [], [RunKey("wandb", f"lab/{name}", "same") for name in ("a_b", "a-b", "c")]
    for key in keys:
        one = Recording(header("same", key=key))
        one.log({"loss": 0.5}, step=1, time_ns=START_NS)
        runs.append(one.sample())
    archive = archive_of(runs, tmp_path)
    place = Location("neptune", PROJECT)
    for statuses in ({"new"}, {"unchanged"}):
        report = push(archive, place, workers=workers)
        assert not report.failures
        assert {outcome.status for outcome in report.outcomes} == statuses
        assert len(server.runs) == len(runs)
        assert verify_archive(archive, place).is_clean
    ids = [run_id for _, run_id in server.runs]
    assert ids.count("same") == 1
    assert all(run_id == "same" or run_id.startswith("same~") for run_id in ids)
    assert [loss.code for loss in push(archive, place, restart=True).losses].count("run-id") == 2
    assert len(server.runs) == len(runs)


@pytest.mark.parametrize("where", ["neptune:team/vision", "neptune:./export", "csv:./tables"])
def test_a_run_and_its_copy_are_two_runs(
    server: NeptuneServer, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    archive, copies = archive_of([curve(20)], tmp_path), Location("tensorboard", "./logs")
    assert not push(archive, copies).failures
    assert not pull(copies, archive, reserve_bytes=0).failures
    place = locate(where, role="destination")
    for status in ("new", "unchanged"):
        report = push(archive, place)
        assert [outcome.status for outcome in report.outcomes] == [status] * 2
        assert verify_archive(archive, place).is_clean


def test_async_has_it_all_before_it_is_sealed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for _ in _in_mode("async"):
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

    for _ in _in_mode("async"):
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
    for _ in _in_mode("debug"):
        sent_well(tmp_path, wandb_run())
    assert capsys.readouterr().out == "", "stdout is for what a command prints"


def test_what_went_nowhere_is_not_verified_and_the_report_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("a server was asked")

    monkeypatch.setattr("runferry.transfer.convert.verify_archive", asked)
    for _ in _in_mode("debug"):
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
