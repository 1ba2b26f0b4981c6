"""Runs go into a ClearML server by the vendor's own importer, and read back as they were."""

from __future__ import annotations

import logging
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
from runferry.ports import Location, ReadOptions
from runferry.readers.clearml.reader import ClearmlReader
from runferry.tables import POINTS, conform
from runferry.testing.clearml_server import ClearmlServer
from runferry.testing.recording import Sample
from runferry.testing.samples import all_samples, console, curve, files, media, plain, values
from runferry.transfer.patience import Patience
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
