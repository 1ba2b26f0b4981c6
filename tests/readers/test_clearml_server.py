"""Tasks of a ClearML server are read page by page, with the keys that its own client uses."""

from __future__ import annotations

import json
import logging
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from runferry import settings
from runferry.chunks import Artifact, Checkpoint, Chunk, Media, Points
from runferry.dialects.clearml import service as dialect
from runferry.errors import AuthFailed, BadLocation, Declined, NotFound, SourceChanged
from runferry.model import Cursor, Run
from runferry.ports import Location, ReadOptions
from runferry.python_apart import command_apart, environment_apart
from runferry.readers.clearml.reader import ClearmlReader
from runferry.testing.clearml_server import ClearmlServer
from runferry.testing.content import Content
from runferry.testing.reader_contract import ReaderContract

START_MS = 1_700_000_000_000


def put_task(server: ClearmlServer, project: str, name: str, points: int, **more: Any) -> str:
    """A task with scalars, a line, a plot, a picture and an artifact."""
    store = server.store
    path = f"/{project}/{name}/picture one.png"
    store.files[path] = b"bytes of a picture"
    artifact = {"key": "weights", "mode": "output", "type": "custom", "uri": server.url + path}
    task = store.add_task({
        "name": name, "project": store.add_project(project), "type": "training",
        "status": "completed", "started": "2023-11-14T22:13:20.123000+00:00",
        "hyperparams": {"Args": {"lr": {"name": "lr", "type": "float", "value": "0.5"}}},
        "execution": {"artifacts": [artifact]}, **more,
    })  # fmt: skip
    head = {"task": task, "metric": "loss", "variant": "train"}
    rows = ({"timestamp": START_MS + n, "iter": n, "value": n / 7} for n in range(points))
    store.add_events(head | {"type": "training_stats_scalar"} | row for row in rows)
    at = {"task": task, "metric": "m", "variant": "v", "iter": 1, "timestamp": START_MS}
    store.add_events([
        at | {"type": "plot", "plot_str": '{"data": []}'},
        at | {"type": "training_debug_image", "key": "k.png", "url": server.url + path},
        at | {"type": "training_stats_vector", "values": [1.0, 2.0]},
        at | {"type": "log", "msg": "a line", "level": "info"},
    ])  # fmt: skip
    return task


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ClearmlServer]:
    home = tmp_path / "home"
    home.mkdir()
    with ClearmlServer() as found:
        for name, value in found.environment(home).items():
            monkeypatch.setenv(name, value)
        settings.install(settings.Settings(patience=0.0))
        yield found
        settings.install(None)


def read(where: str, **options: Any) -> list[tuple[Run, list[Chunk]]]:
    reader = ClearmlReader.open(Location("clearml", where), ReadOptions(**options))
    try:
        return [(run, list(reader.read(run))) for run in reader.runs()]
    finally:
        reader.close()


class TestClearmlServed(ReaderContract):
    reader = ClearmlReader

    @pytest.fixture
    def source(self, server: ClearmlServer) -> Location:
        put_task(server, "lab/vision", "one", 30)
        put_task(server, "lab/vision", "two", 5)
        return Location("clearml", "lab/vision")

    def nowhere(self, tmp_path: Path) -> Location:
        return Location("clearml", "nobody/here")


def test_everything_of_a_task_is_read(server: ClearmlServer) -> None:
    task = put_task(server, "lab/vision", "one", 3)
    ((run, chunks),) = read("lab")
    assert (run.key.run_id, run.name, run.project) == (task, "one", "lab/vision")
    assert (run.state, run.complete) == ("finished", True)
    assert run.started_ns == 1_700_000_000_123_000_000
    found = Content.of(chunks)
    assert found.attributes["config", ("Args", "lr")] == "0.5"
    points = [row for c in chunks if isinstance(c, Points) for row in c.batch.to_pylist()]
    assert [(row["step"], row["value"]) for row in points] == [(0, 0.0), (1, 1 / 7), (2, 2 / 7)]
    (picture,) = (
        item for c in chunks if isinstance(c, Media) for item in c.items if item.path == "k.png"
    )
    assert picture.blob.open is not None
    with picture.blob.open() as stream:
        assert stream.read() == b"bytes of a picture"
    (artifact,) = (chunk for chunk in chunks if isinstance(chunk, Artifact))
    assert artifact.entries[0].blob.open is not None
    assert [cells[-2] for cells in found.rows["Console"]] == ["a line\n"]
    assert [cells[5:7] for cells in found.rows["Texts"]] == [("[1.0, 2.0]", "json")]


def test_pages_have_no_gaps(server: ClearmlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "_EVENTS_AT_ONCE", 7)
    monkeypatch.setattr(dialect, "_RECORDS_AT_ONCE", 2)
    for number in range(5):
        put_task(server, "lab", f"task {number}", 23)
    found = read("lab")
    assert len(found) == 5
    for _, chunks in found:
        assert len(Content.of(chunks).rows["Points"]) == 23


def test_a_token_that_ends_is_asked_for_anew(server: ClearmlServer) -> None:
    put_task(server, "lab", "one", 3)
    reader = ClearmlReader.open(Location("clearml", "lab"), ReadOptions())
    (run,) = reader.runs()
    server.forget_tokens()
    assert len(Content.of(reader.read(run)).rows["Points"]) == 3
    reader.close()


def test_archived_tasks_are_left_out_unless_wished_for(server: ClearmlServer) -> None:
    put_task(server, "lab", "old", 3, system_tags=["archived"])
    put_task(server, "lab", "new", 3)
    assert [run.name for run, _ in read("lab")] == ["new"]
    assert len(read("lab", include_deleted=True)) == 2


@pytest.mark.parametrize("form", ["{task}", "lab/{task}", "{url}/projects/{project}/tasks/{task}"])
def test_one_task_can_be_named(server: ClearmlServer, form: str) -> None:
    task = put_task(server, "lab", "one", 3)
    put_task(server, "lab", "two", 3)
    project = server.store.add_project("lab")
    where = form.format(task=task, project=project, url=server.url)
    assert [run.name for run, _ in read(where)] == ["one"]


def test_keys_go_to_no_other_server(server: ClearmlServer) -> None:
    with pytest.raises(AuthFailed, match="not for this server"):
        read("https://elsewhere.example")
    assert server.calls == []


@pytest.mark.parametrize("where", ["ftp://host", "https://host/some/page"])
def test_an_address_that_is_none_is_told(server: ClearmlServer, where: str) -> None:
    with pytest.raises(BadLocation) as caught:
        read(where)
    assert caught.value.hint


def test_no_key_is_told(server: ClearmlServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    put_task(server, "lab", "one", 3)
    read("lab")
    server.trouble = lambda call: 403
    with pytest.raises(AuthFailed) as caught:
        read("lab")
    text = f"{caplog.text} {caught.value} {caught.value.hint}"
    for secret in (server.secret_key, server.access_key, *server._tokens):
        assert secret not in text


def test_a_project_that_is_none_is_told(server: ClearmlServer) -> None:
    put_task(server, "lab", "one", 3)
    with pytest.raises(NotFound, match="no project is called other"):
        read("other")


def test_a_task_that_is_none_is_told_with_what_there_is(server: ClearmlServer) -> None:
    """By its address, and where it went between listing and reading."""
    task = put_task(server, "lab", "one", 3)
    with pytest.raises(NotFound, match="no such task") as caught:
        read("0" * 32)
    assert caught.value.hint == "runferry ls clearml:"
    reader = ClearmlReader.open(Location("clearml", "lab"), ReadOptions())
    (run,) = reader.runs()
    with pytest.raises(NotFound, match="no such task") as caught:
        list(reader.read(replace(run, key=replace(run.key, run_id="1" * 32))))
    assert caught.value.hint == "runferry ls clearml:"
    del server.store.tasks[task], server.store.events[task]
    with pytest.raises(NotFound, match="Invalid task id") as caught:
        list(reader.read(run))
    assert caught.value.hint == "runferry ls clearml:"
    reader.close()


def test_a_task_to_which_nothing_was_done_is_not_read_again(server: ClearmlServer) -> None:
    task = put_task(server, "lab", "one", 3)
    reader = ClearmlReader.open(Location("clearml", "lab"), ReadOptions())
    (run,) = reader.runs()
    whole = list(reader.read(run))
    assert isinstance(whole[-1], Checkpoint)
    cursor = Cursor(whole[-1].position)
    server.calls.clear()
    assert list(reader.read(run, cursor)) == [whole[-1]]
    assert server.calls == ["tasks.get_by_id"]
    event = {"task": task, "type": "log", "msg": "more", "timestamp": START_MS}
    server.store.add_events([event])
    with pytest.raises(SourceChanged, match="the task has changed since"):
        list(reader.read(run, cursor))
    server.store.tasks[task]["status"] = "in_progress"
    assert not any(isinstance(chunk, Checkpoint) for chunk in reader.read(run))
    reader.close()


def test_what_the_server_does_not_give_is_an_error(server: ClearmlServer) -> None:
    put_task(server, "lab", "one", 3)
    server.trouble = lambda call: 400 if call == "events.get_task_events" else None
    with pytest.raises(Declined):
        read("lab")


def test_bytes_that_are_gone_are_told(server: ClearmlServer) -> None:
    put_task(server, "lab", "one", 3)
    server.store.files.clear()
    ((_, chunks),) = read("lab")
    (picture,) = (
        item for c in chunks if isinstance(c, Media) for item in c.items if item.path == "k.png"
    )
    assert picture.blob.open is not None
    with pytest.raises(FileNotFoundError):
        picture.blob.open()


_CLIENT = """
import json, sys
from clearml import Task
from clearml.backend_api.session.client import APIClient
client = APIClient()
(project,) = client.projects.get_all(name="^lab$")
(found,) = client.tasks.get_all(project=[project.id])
events = client.events.get_task_events(task=found.id, event_type="training_stats_scalar").events
task = Task.get_task(task_id=found.id)
print("SAID", json.dumps({
    "name": task.name, "status": task.get_status(), "lr": task.get_parameters()["Args/lr"],
    "points": [[e["iter"], e["timestamp"], e["value"]] for e in events],
    "curves": task.get_reported_scalars(),
    "by time": task.get_reported_scalars(x_axis="timestamp"),
    "means": task.get_reported_scalars(max_samples=2),
    "whole": task.get_all_reported_scalars(),
    "last line": task.get_reported_console_output(),
    "lines": task.get_reported_console_output(number_of_reports=100),
}))
"""


def test_the_vendors_client_reads_the_same(server: ClearmlServer, tmp_path: Path) -> None:
    """The judge of the stand-in."""
    if find_spec("clearml") is None:
        pytest.skip("clearml is not installed")
    task = put_task(server, "lab", "one", 4)
    lines = [f"line {number}" for number in range(3)]  # the client takes their ends away
    server.store.add_events(
        {"task": task, "type": "log", "msg": line, "level": "info", "timestamp": START_MS + at}
        for at, line in enumerate(lines, 1)
    )
    ended = subprocess.run(
        command_apart(_CLIENT),
        env=environment_apart() | server.environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    (said,) = (line for line in ended.stdout.splitlines() if line.startswith("SAID"))
    told = json.loads(said.removeprefix("SAID"))
    ((run, chunks),) = read("lab")
    points = [row for c in chunks if isinstance(c, Points) for row in c.batch.to_pylist()]
    ours = [[r["step"], int(r["time"].timestamp() * 1000), r["value"]] for r in points]
    steps, values = [step for step, _, _ in ours], [value for _, _, value in ours]
    curve = {"name": "train", "x": steps, "y": values}
    means = [(values[0] + values[1]) / 2, (values[2] + values[3]) / 2]
    console = [cells[-2] for cells in Content.of(chunks).rows["Console"]]
    assert console == ["a line\n", *(f"{line}\n" for line in lines)]
    assert told == {
        "name": run.name, "status": run.status, "lr": "0.5", "points": ours,
        "curves": {"loss": {"train": curve}},
        "by time": {"loss": {"train": curve | {"x": [time for _, time, _ in ours]}}},
        "means": {"loss": {"train": curve | {"x": [0, 2], "y": means}}},
        "whole": {"loss": {"train": curve}},
        "last line": lines[-1:], "lines": ["a line", *lines],
    }  # fmt: skip


def test_what_the_index_refuses_is_counted_in_an_answer_of_200(server: ClearmlServer) -> None:
    """So the stand-in does what a server does, and nobody but a reader of the events notices."""
    task = put_task(server, "lab", "one", 3)
    event = {"task": task, "type": "training_stats_scalar", "metric": "x", "variant": "y"}
    added, wrong = server.store.add_events(
        [event | {"iter": 0, "value": float("nan")}, event | {"iter": 1, "value": 1.0}]
    )
    assert (added, sum(wrong.values())) == (1, 1)
