"""A run of ours on Neptune's server, pulled again and again: of its bundle, or of what it shows."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("neptune", reason="neptune is not installed")

from tests.transfer.roads import IMPATIENT, archive_of

from runferry import settings
from runferry.archive.store import Archive
from runferry.dialects.neptune.attribute_paths import HEADER, SEALED
from runferry.dialects.neptune.own_store import BUNDLE
from runferry.ports import Location
from runferry.testing.neptune_backend import NeptuneBackend, NeptuneServer
from runferry.testing.samples import curve
from runferry.transfer.pull import pull
from runferry.transfer.push import push

THERE = Location("neptune", "team/zoo")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[NeptuneServer]:
    settings.install(settings.Settings(neptune_mode="sync"))
    made = NeptuneServer(tmp_path / "server", ["team/zoo"])
    made.install(monkeypatch.setattr)
    sent = push(archive_of([curve(50)], tmp_path / "before"), THERE, patience=IMPATIENT)
    assert not sent.failures
    yield made
    settings.install(None)


@pytest.fixture
def after(tmp_path: Path) -> Archive:
    return Archive.open(tmp_path / "after", create=True, reserve=0)


def _bundle(server: NeptuneServer) -> dict[str, Path]:
    (run,) = server.runs.values()
    return server.files[run.id][BUNDLE]


def _pulled(archive: Archive) -> tuple[str, dict[str, int]]:
    """What came of it, and how many rows each series has then."""
    report = pull(THERE, archive, reserve_bytes=0)
    assert not report.failures, [outcome.error for outcome in report.failures]
    (record,), (outcome,) = archive.records(), report.outcomes
    rows = {one.key: one.counts.points for one in archive.series(record) if one.counts is not None}
    return outcome.status, rows


@pytest.mark.parametrize("gone", ["places.json", "SHA256SUMS", "points.parquet"])
def test_what_is_shown_of_a_run_with_a_damaged_bundle_is_pulled_once(
    gone: str, server: NeptuneServer, after: Archive
) -> None:
    del _bundle(server)[gone]
    status, first = _pulled(after)
    assert (status, set(first.values())) == ("new", {50})
    (record,) = after.records()
    assert "damaged-copy" in {loss.code for loss in record.losses}
    for _ in range(2):
        assert _pulled(after) == ("unchanged", first)


def test_a_run_that_was_pulled_before_its_bundle_counted_is_not_pulled_on_top_of_that(
    server: NeptuneServer, after: Archive
) -> None:
    """The cursor is one of what the server shows, and the bundle is read as a whole."""
    (run,) = server.runs.values()
    container = server.containers[run.id, run.type]
    sealed = container.get(SEALED.split("/"))
    container.pop(SEALED.split("/"))
    _pulled(after)
    container.set(SEALED.split("/"), sealed)
    (outcome,) = pull(THERE, after, reserve_bytes=0).outcomes
    assert outcome.status == "copied"  # a run beside it: series have other names there
    series = (one for record in after.records() for one in after.series(record))
    assert {one.counts.points for one in series if one.counts is not None} == {50}


def test_a_bundle_that_comes_damaged_is_told_and_what_is_shown_is_read(
    server: NeptuneServer, after: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the deflated bytes are hurt, not the list of members."""
    fetched = NeptuneBackend.download_file_set

    def hurt(backend: NeptuneBackend, *given: Any, **named: Any) -> None:
        fetched(backend, *given, **named)
        monkeypatch.setattr(NeptuneBackend, "download_file_set", fetched)  # the next are whole
        destination = Path(named["destination"] if "destination" in named else given[3])
        with zipfile.ZipFile(destination) as packed:
            members = {name: packed.read(name) for name in packed.namelist()}
        with zipfile.ZipFile(destination, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, content in members.items():
                packed.writestr(name, content)
        with destination.open("r+b") as stream:
            stream.seek(30 + len(next(iter(members))))
            stream.write(b"\xff" * 8)

    monkeypatch.setattr(NeptuneBackend, "download_file_set", hurt)
    _, rows = _pulled(after)
    assert set(rows.values()) == {50}
    (record,) = after.records()
    assert "damaged-copy" in {loss.code for loss in record.losses}


def test_a_garbled_header_on_the_server_ends_no_listing(
    server: NeptuneServer, after: Archive
) -> None:
    (run,) = server.runs.values()
    container = server.containers[run.id, run.type]
    stated = container.get(HEADER.split("/"))
    container.set(HEADER.split("/"), type(stated)("{garbled"))
    _, rows = _pulled(after)
    assert set(rows.values()) == {50}
    (record,) = after.records()
    assert record.run.origin_uid == curve(50).run.uid
