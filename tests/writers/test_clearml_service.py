"""Runs go into a ClearML server by the vendor's own importer, and read back as they were."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.transfer.roads import archive_of

from runferry import registry
from runferry.archive.store import Archive
from runferry.chunks import Header, Points
from runferry.errors import BadLocation, MissingExtra
from runferry.losses import Fate
from runferry.model import Run
from runferry.ports import Location, ReadOptions
from runferry.python_apart import command_apart, environment_apart
from runferry.readers.clearml.reader import ClearmlReader
from runferry.tables import POINTS, conform
from runferry.testing.clearml_server import ClearmlServer
from runferry.testing.content import Content
from runferry.testing.recording import Sample
from runferry.testing.samples import all_samples, console, curve, files, media, plain, values
from runferry.transfer.patience import Patience
from runferry.transfer.pull import pull
from runferry.transfer.push import push
from runferry.transfer.report import Report
from runferry.transfer.verify import verify_archive
from runferry.writers.clearml import ClearmlWriter, importing

WHERE = Location("clearml", "lab/moved")


@dataclass(frozen=True)
class Bench:
    server: ClearmlServer
    folder: Path

    def archive(self, *samples: Sample) -> Archive:
        return archive_of(samples, self.folder)

    def push(self, archive: Archive) -> Report:
        return push(archive, WHERE, allow=Fate.DROPPED, patience=Patience(seconds=0.0))

    def pushed(self, archive: Archive) -> Report:
        report = self.push(archive)
        assert not report.failures, report.failures
        assert report.aborted is None, report.aborted
        return report

    def tasks(self) -> list[dict[str, Any]]:
        return list(self.server.store.tasks.values())


@contextmanager
def _bench(folder: Path) -> Iterator[Bench]:
    """A server that the process's environment names."""
    if find_spec("clearml") is None:
        pytest.skip("clearml is not installed")
    home = folder / "home"
    home.mkdir()
    with ClearmlServer() as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment(home).items():
            patch.setenv(name, value)
        patch.delenv("CLEARML_OFFLINE_MODE", raising=False)
        yield Bench(server, folder)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with _bench(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Bench, Archive]]:
    """Three runs on a server, for tests that change nothing there."""
    with _bench(tmp_path_factory.mktemp("pushed")) as found:
        archive = found.archive(curve(50), values(), belongings())
        assert found.pushed(archive).counts == {"new": 3}
        yield found, archive


def belongings() -> Sample:
    """Lines, files and media of one run."""
    parts = (media(), files(), console())
    several = [one for part in parts for one in part.chunks if not isinstance(one, Header)]
    header = next(one for one in parts[0].chunks if isinstance(one, Header))
    return Sample(parts[0].run, (*several, header))


def _verified(archive: Archive) -> None:
    verified = verify_archive(archive, WHERE, limits=registry.limits_of(WHERE))
    assert verified.is_clean, [run.unexpected or run.error for run in verified.runs]


def test_what_was_imported_reads_back_equal(pushed: tuple[Bench, Archive]) -> None:
    _verified(pushed[1])


@pytest.mark.slow
def test_every_sample_reads_back_equal(bench: Bench) -> None:
    archive = bench.archive(*all_samples(keys=300))
    bench.pushed(archive)
    _verified(archive)


def test_what_arrives_is_what_was_authored(pushed: tuple[Bench, Archive]) -> None:
    """Every number at its step and time: the vendor's importer keeps past times."""
    bench, _ = pushed
    sample = curve(50)
    (task,) = (task for task in bench.tasks() if task["name"] == sample.run.name)
    assert task["status"] == "completed"
    sent = Counter[tuple[Any, ...]]()
    for chunk in sample.chunks:
        if isinstance(chunk, Points):
            rows = conform(chunk.batch, POINTS).select(["step", "time", "value"]).to_pylist()
            sent.update((r["step"], int(r["time"].timestamp() * 1000), r["value"]) for r in rows)
    events = bench.server.store.events[task["id"]].values()
    found = [event for event in events if event["type"] == "training_stats_scalar"]
    series = Counter((e["iter"], e["timestamp"], e["value"]) for e in found if e["iter"] >= 0)
    assert series == sent


_REPORTED = """
import json, sys
from clearml import Task
task = Task.get_task(task_id=sys.argv[1])
print("SAID", json.dumps({
    "scalars": task.get_reported_scalars(),
    "lines": task.get_reported_console_output(number_of_reports=1000),
}))
"""


def test_the_vendors_client_reports_the_scalars_and_lines_that_were_pushed(
    pushed: tuple[Bench, Archive],
) -> None:
    bench, _ = pushed
    told = {}
    for task in bench.tasks():
        command = command_apart(_REPORTED, task["id"])
        environment = environment_apart() | bench.server.environment(bench.folder / "home")
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, check=True
        )
        (said,) = (line for line in ended.stdout.splitlines() if line.startswith("SAID"))
        told[task["name"]] = json.loads(said.removeprefix("SAID"))
    sent: dict[str, dict[int, float]] = {}
    for chunk in curve(50).chunks:
        if isinstance(chunk, Points):
            for row in conform(chunk.batch, POINTS).to_pylist():
                sent.setdefault(row["key"], {})[row["step"]] = row["value"]
    shown = [
        dict(zip(one["x"], one["y"], strict=True))
        for title in told[str(curve(50).run.name)]["scalars"].values()
        for one in title.values()
    ]
    assert sorted(shown, key=repr) == sorted(sent.values(), key=repr)
    printed = "".join(cells[-2] for cells in Content.of(console().chunks).rows["Console"])
    lines = told[str(belongings().run.name)]["lines"]
    assert [line for line in "\n".join(lines).split("\n") if line] == [
        line for line in printed.split("\n") if line
    ]


@pytest.mark.parametrize("is_cut", [True, False])
def test_what_the_server_has_is_read_where_our_copy_there_is_damaged(
    bench: Bench, is_cut: bool
) -> None:
    sample = belongings()
    bench.pushed(bench.archive(sample, curve(50)))
    tasks = {task["name"]: task for task in bench.tasks()}
    exact = {run.name: found for run, found in _read()}
    for path, content in bench.server.store.files.items():
        if path.endswith("runferry.zip"):
            damaged = content[:-30] if is_cut else _with_a_garbled_row(content)
            bench.server.store.files[path] = damaged
    found = {run.name: one for run, one in _read()}
    assert set(found) == set(tasks)
    for name, one in found.items():
        told = [loss for loss in one.losses if loss.code == "damaged-copy"]
        assert [(loss.fate, loss.where) for loss in told] == [(Fate.DROPPED, "runferry")]
        assert not [loss for loss in exact[name].losses if loss.code == "damaged-copy"]
    name = curve(50).run.name
    points = [cells for cells in found[name].rows["Points"] if cells[1] is not None]
    assert len(points) == len(exact[name].rows["Points"])  # and a single value of the summary
    lines = [cells[-2] for cells in found[sample.run.name].rows["Console"]]
    wanted = [cells[-2] for cells in exact[sample.run.name].rows["Console"]]
    assert "".join(lines).split() == "".join(wanted).split()


def test_what_is_read_in_place_of_a_damaged_copy_is_pulled_once(
    bench: Bench, tmp_path: Path
) -> None:
    bench.pushed(bench.archive(curve(50)))
    for path, content in bench.server.store.files.items():
        if path.endswith("runferry.zip"):
            bench.server.store.files[path] = content[:-30]
    after = Archive.open(tmp_path / "after", create=True, reserve=0)
    found = []
    for _ in range(3):
        (outcome,) = pull(WHERE, after, reserve_bytes=0).outcomes
        (record,) = after.records()
        counts = [one.counts for one in after.series(record)]
        found.append((outcome.status, sum(one.points for one in counts if one is not None)))
    rows = found[0][1]
    assert rows >= 150
    assert found == [("new", rows), ("unchanged", rows), ("unchanged", rows)]


def _read() -> list[tuple[Run, Content]]:
    reader = ClearmlReader.open(WHERE, ReadOptions())
    try:
        return [(run, Content.of(reader.read(run))) for run in reader.runs()]
    finally:
        reader.close()


def _with_a_garbled_row(content: bytes) -> bytes:
    """The zip itself is whole."""
    into = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(into, "w") as after:
        for name in before.namelist():
            held = bytearray(before.read(name))
            if name.endswith(".parquet"):
                held[len(held) // 2] ^= 0xFF
            after.writestr(name, bytes(held))
    return into.getvalue()


def test_a_second_push_adds_nothing(pushed: tuple[Bench, Archive], tmp_path: Path) -> None:
    bench, _ = pushed
    before = [task["id"] for task in bench.tasks()]
    again = bench.push(Bench(bench.server, tmp_path).archive(curve(50)))
    assert [task["id"] for task in bench.tasks()] == before
    assert not again.failures or "different" in (again.failures[0].error or "")


def test_a_task_that_somebody_changed_is_read_as_it_is(pushed: tuple[Bench, Archive]) -> None:
    """Our copy refines what is there, and never replaces it."""
    bench, _ = pushed
    (task,) = (task for task in bench.tasks() if task["name"] == curve(50).run.name)
    events = bench.server.store.events[task["id"]]
    taken = {name: event for name, event in events.items() if event.get("iter") == 3}
    for name in taken:
        del events[name]
    try:
        reader = ClearmlReader.open(Location("clearml", f"lab/{task['id']}"), ReadOptions())
        (run,) = reader.runs()
        chunks = [chunk for chunk in reader.read(run) if isinstance(chunk, Points)]
        reader.close()
    finally:
        events.update(taken)
    steps = [step for chunk in chunks for step in chunk.batch.column("step").to_pylist()]
    assert taken
    assert len(steps) == sum(e["type"] == "training_stats_scalar" for e in events.values()) - len(
        taken
    )
    assert 3 not in steps


@pytest.mark.slow
def test_a_run_that_grew_takes_the_place_of_the_task_before(bench: Bench) -> None:
    whole = curve(80, batch=20)
    for cut in (4, len(whole.chunks)):
        archive = bench.archive(Sample(whole.run, whole.chunks[:cut]))
        bench.pushed(archive)
        _verified(archive)
        assert len(bench.tasks()) == 1


def test_what_the_server_refuses_in_silence_is_found_out(bench: Bench) -> None:
    """The importer logs a warning, marks the task completed, and exits with 0."""
    bench.server.trouble = lambda call: 400 if call == "events.add_batch" else None
    archive = bench.archive(curve(50))
    report = bench.push(archive)
    assert "events of type training_stats_scalar" in str(report.failures[0].error)
    bench.server.trouble = lambda call: None
    bench.pushed(archive)
    _verified(archive)
    assert len(bench.tasks()) == 1


@pytest.mark.slow
def test_files_that_did_not_arrive_are_found_out(bench: Bench) -> None:
    archive = bench.archive(files())
    bench.server.trouble = lambda call: 403 if call == "files:POST" else None
    (failure,) = bench.push(archive).failures
    assert failure.error


def test_no_key_is_told(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bench.server.trouble = lambda call: 403 if call.startswith("tasks.create") else None
    (failure,) = bench.push(bench.archive(plain())).failures
    for secret in (bench.server.secret_key, bench.server.access_key):
        assert secret not in caplog.text
        assert secret not in (failure.error or "")


def test_a_task_is_no_place_for_runs(bench: Bench) -> None:
    with pytest.raises(BadLocation):
        ClearmlWriter.open(Location("clearml", f"lab/{'a' * 32}"))


def test_without_the_vendor_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra) as caught:
        importing.check_for_vendor()
    assert "runferry[clearml]" in caught.value.hint
