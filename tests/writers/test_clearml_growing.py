"""A run goes to a ClearML server while it grows: what came since, once, at its own time."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from clearml_growth import WHERE, Growing, Training, rows_of, training_at, write
from tests.transfer.roads import archive_of

from runferry import registry, settings
from runferry.archive.store import Archive
from runferry.errors import Declined
from runferry.losses import Fate
from runferry.model import RunState
from runferry.ports import Location, ReadOptions
from runferry.python_apart import command_apart, environment_apart
from runferry.readers.clearml.reader import ClearmlReader
from runferry.testing.clearml_server.store import Refusal, Store
from runferry.testing.content import Content
from runferry.transfer.push import push
from runferry.transfer.verify import verify_archive
from runferry.writers.clearml.grown import Grown

pytestmark = pytest.mark.skipif(find_spec("clearml") is None, reason="clearml is not installed")


@pytest.fixture
def training(tmp_path: Path) -> Iterator[Training]:
    with training_at(tmp_path / "training") as found:
        yield found


def test_rows_are_there_before_the_run_has_ended_once_and_at_their_own_times(
    training: Training,
) -> None:
    run = Growing()
    for rows in (2, 3, 3):
        training.delivered(run.up_to(rows))
        assert training.loss == rows_of(rows)
        assert training.lines == [f"line {row}" for row in range(rows)]
        assert training.task["status"] == "in_progress"
    batches = training.server.calls.count("events.add_batch")
    assert batches == 4  # points and lines of the first two deliveries
    assert training.task["hyperparams"]["General"]["lr"]["value"] == "0.1"


@dataclass(frozen=True)
class WhatGrew:
    """A run of all kinds that has grown on a server, and the archive that it came from."""

    training: Training
    archive: Archive


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WhatGrew]:
    """For tests that change nothing there."""
    folder = tmp_path_factory.mktemp("grown")
    with training_at(folder / "training") as training:
        run = Growing(has_all=True)
        training.delivered(run.up_to(2))
        run.up_to(4)
        training.delivered(run.ended())
        yield WhatGrew(training, archive_of([run.ended()], folder))


def test_a_run_that_grew_reads_back_exactly(grown: WhatGrew) -> None:
    verified = verify_archive(grown.archive, WHERE, limits=registry.limits_of(WHERE))
    assert verified.is_clean, [one.unexpected or one.error for one in verified.runs]
    assert grown.training.task["status"] == "completed"
    assert len(grown.training.server.store.projects) == 1
    assert not grown.training.server.store.scrolls


def test_a_file_that_has_not_changed_is_sent_once(grown: WhatGrew) -> None:
    uploads = Counter(grown.training.server.calls)["files:POST"]
    assert uploads == 6  # notes, four pictures, our copy


@pytest.mark.slow
def test_what_grew_is_what_is_imported_of_the_whole_run(grown: WhatGrew, tmp_path: Path) -> None:
    with training_at(tmp_path / "whole") as imported:
        assert not push(grown.archive, WHERE, allow=Fate.DROPPED).failures
        assert _comparable(grown.training) == _comparable(imported)


@pytest.mark.slow
def test_the_vendors_client_reports_what_grew(grown: WhatGrew) -> None:
    shown = _reported(grown.training)["loss"]["loss"]
    assert shown == {"name": "loss", "x": [0, 1, 2, 3], "y": [0.0, 1.0, 2.0, 3.0]}


def test_a_delivery_that_is_broken_off_anywhere_doubles_and_loses_nothing(
    training: Training,
) -> None:
    """Each request in turn is the first that a killed delivery does not make any more."""
    calls = training.server.calls
    for last in range(1, 60):
        training.server.store.tasks.clear()
        run = Growing()
        write(run.up_to(1))
        most = len(calls) + last
        training.server.trouble = lambda call, most=most: 400 if len(calls) > most else None
        is_whole = True
        try:
            write(run.up_to(3))
        except Declined:
            is_whole = False
        training.server.trouble = lambda call: None
        write(run.up_to(4))
        assert training.loss == rows_of(4)
        assert training.lines == [f"line {row}" for row in range(4)]
        if is_whole:
            break
    assert is_whole
    assert last > 5


def test_lines_that_a_server_took_although_it_answered_otherwise_are_not_sent_again(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, refused = training.server.store, []

    def took(events: Iterable[dict[str, Any]]) -> tuple[int, dict[str, int]]:
        sent = list(events)
        added = Store.add_events(store, sent)
        if sent[0]["type"] == "log" and not refused:
            refused.append(sent)
            raise Refusal(503, 0, "busy")
        return added

    monkeypatch.setattr(store, "add_events", took)
    run = Growing()
    assert training.deliver(run.up_to(2)).failures
    assert refused
    training.delivered(run.up_to(3))
    assert training.lines == ["line 0", "line 1", "line 2"]


@pytest.mark.slow
def test_a_task_that_was_made_twice_is_one_in_the_end(training: Training) -> None:
    run = Growing()
    training.delivered(run.up_to(2))
    second = {"name": "run growing", "project": training.task["project"], "status": "created"}
    tags = [training.task["system_tags"][0], Grown().tag]
    training.server.store.add_task(second | {"system_tags": tags})
    training.delivered(run.ended())
    assert training.loss == rows_of(2)


def test_the_end_of_the_session_ends_a_run_that_never_said_so_and_brings_its_exact_copy(
    training: Training,
) -> None:
    run = Growing(has_words=True)
    training.delivered(run.up_to(2))
    assert training.task["status"] == "in_progress"
    assert "runferry" not in _artifacts(training)
    for _ in range(2):
        training.delivered(run.up_to(2), is_ending=True)
        assert training.task["status"] == "stopped"
        assert training.task["status_message"] == "the run never said that it ended"
        assert _artifacts(training) == ["runferry"]
        assert training.loss == rows_of(2)
    assert "row 1" in str(_read().rows["Texts"])  # of which ClearML knows nothing
    training.delivered(run.up_to(3))  # it goes on after all, in a later session
    assert training.task["status"] == "in_progress"
    assert training.loss == rows_of(3)


@pytest.mark.slow
@pytest.mark.parametrize(("state", "status"), [("failed", "failed"), ("killed", "stopped")])
def test_a_task_ends_as_its_run_did(training: Training, state: RunState, status: str) -> None:
    training.delivered(Growing().row().ended(state))
    assert training.task["status"] == status


def test_what_is_no_beginning_of_the_run_any_more_is_taken_away_and_sent_anew(
    training: Training,
) -> None:
    training.delivered(Growing().up_to(3))
    training.folder = _made(training.folder.parent / "another order")
    training.delivered(Growing().row(5).row(6).up_to(2))
    assert training.loss == [(5, 0.0, 0), (6, 1.0, 1)]
    assert training.lines == ["line 0", "line 1"]


@pytest.mark.slow
def test_lines_that_came_twice_after_all_are_found_at_the_end_and_sent_anew(
    training: Training,
) -> None:
    """A server that is slow may take a request that nobody waits for any more."""
    run = Growing()
    training.delivered(run.up_to(2))
    training.server.store.add_events(training.events("log"))
    run.up_to(3)
    (failure,) = training.deliver(run.ended()).failures
    assert "the server has 4 events of type log, and 3 were sent" in str(failure.error)
    training.delivered(run.ended())
    assert training.lines == ["line 0", "line 1", "line 2"]
    assert training.loss == rows_of(3)


def test_a_point_whose_step_comes_again_takes_the_place_of_the_one_before(
    training: Training,
) -> None:
    run = Growing()
    training.delivered(run.up_to(2))
    training.delivered(run.row(0).up_to(3))
    assert sorted(training.loss) == [(0, 2.0, 2), (1, 1.0, 1)]


def test_what_somebody_says_of_the_task_meanwhile_stays(training: Training) -> None:
    run = Growing()
    training.delivered(run.up_to(1))
    training.task["name"] = "mine"
    training.task["system_tags"].append("archived")
    training.delivered(run.up_to(2))
    assert training.task["name"] == "mine"
    assert "archived" in training.task["system_tags"]


@pytest.mark.slow
def test_a_push_of_an_archive_sends_whole_runs_whatever_the_setting_says(
    training: Training,
) -> None:
    training.delivered(Growing().up_to(1))
    growing = training.task["id"]
    archive = archive_of([Growing().up_to(2)], training.folder.parent)
    assert not push(archive, WHERE, allow=Fate.DROPPED).failures
    assert training.task["status"] == "completed"
    assert training.task["id"] != growing


def test_only_who_asks_for_it_sends_runs_that_have_not_ended(training: Training) -> None:
    assert registry.takes_growth(WHERE)
    settings.install(settings.Settings())
    assert not registry.takes_growth(WHERE)
    assert registry.takes_growth(Location("clearml", "./sessions"))


def _comparable(training: Training) -> list[str]:
    """All events of the only task, without what names the task."""
    task = training.task["id"]
    found = training.server.store.events[task].values()
    texts = [json.dumps(event, sort_keys=True) for event in found]
    return sorted(text.replace(task, "…").replace(training.server.url, "…") for text in texts)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _artifacts(training: Training) -> list[str]:
    listed = training.task.get("execution", {}).get("artifacts", [])
    return [item["key"] for item in listed]


def _read() -> Content:
    reader = ClearmlReader.open(WHERE, ReadOptions())
    try:
        (run,) = reader.runs()
        return Content.of(reader.read(run))
    finally:
        reader.close()


_REPORTED = """
import json, sys
from clearml import Task
print("SAID", json.dumps(Task.get_task(task_id=sys.argv[1]).get_reported_scalars()))
"""


def _reported(training: Training) -> dict[str, Any]:
    """What the vendor's client says of the task."""
    command = command_apart(_REPORTED, training.task["id"])
    environment = environment_apart() | training.server.environment(training.folder)
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    (said,) = (line for line in ended.stdout.splitlines() if line.startswith("SAID"))
    found: dict[str, Any] = json.loads(said.removeprefix("SAID"))
    return found
