"""kill -9 at any moment of a pull: what is in the archive is whole, and a rerun completes it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from ferries import kill_points, pull_all, sail, start

from runferry.archive.store import Archive
from runferry.model import Uid
from runferry.testing.content import Content
from runferry.testing.recording import Sample
from runferry.testing.reference import record
from runferry.testing.samples import attributes, curve, media

SEED = 2024
KILLS = 50

SAMPLES = (curve(200, batch=50), curve(100, seed=1), attributes(), media())
YOUNG = tuple(Sample(sample.run, sample.chunks[: len(sample.chunks) // 2]) for sample in SAMPLES)

Contents = dict[Uid, dict[str, Any]]


def contents(archive: Path) -> Contents:
    """Every run that the archive shows, read to the last byte."""
    if not (archive / "archive.json").is_file():
        return {}
    store = Archive.open(archive)
    return {
        record.run.uid: Content.of(store.chunks(record)).comparable() for record in store.records()
    }


class Voyage:
    """One source, young and grown, and the archives that clean pulls make of it."""

    def __init__(self, root: Path) -> None:
        self.young = record(YOUNG, root / "young").path
        self.grown = record(SAMPLES, root / "grown").path
        self.before = root / "before"
        assert sail(pull_all, self.young, self.before) is not None
        self.after = root / "after"
        effects = sail(pull_all, self.grown, self.after)
        assert effects is not None
        self.effects = effects
        self.clean, self.was = contents(self.after), contents(self.before)
        self.root = root


@pytest.fixture(scope="module")
def voyage(tmp_path_factory: pytest.TempPathFactory) -> Voyage:
    return Voyage(tmp_path_factory.mktemp("voyage"))


def test_pull_killed_anywhere_then_rerun_equals_one_clean_pull(
    voyage: Voyage, tmp_path: Path
) -> None:
    for point in kill_points(voyage.effects, KILLS, SEED):
        archive = tmp_path / "archive"
        sail(pull_all, voyage.grown, archive, **point)
        seen = contents(archive)
        assert all(seen[uid] == voyage.clean[uid] for uid in seen), f"half a run, {point}"
        assert sail(pull_all, voyage.grown, archive) is not None
        assert contents(archive) == voyage.clean, f"seed {SEED}, {point}"
        shutil.rmtree(archive)


def test_incremental_pull_killed_anywhere_shows_the_old_run_or_the_new(
    voyage: Voyage, tmp_path: Path
) -> None:
    for point in kill_points(voyage.effects, KILLS // 3, SEED + 1):
        archive = tmp_path / "archive"
        shutil.copytree(voyage.before, archive)
        sail(pull_all, voyage.grown, archive, **point)
        for uid, content in contents(archive).items():
            assert content in (voyage.was[uid], voyage.clean[uid]), f"half a run, {point}"
        assert sail(pull_all, voyage.grown, archive) is not None
        assert contents(archive) == voyage.clean, f"seed {SEED + 1}, {point}"
        shutil.rmtree(archive)


def test_two_processes_pulling_into_one_archive_equal_one(voyage: Voyage, tmp_path: Path) -> None:
    for attempt in range(3):
        archive = tmp_path / f"archive-{attempt}"
        pullers = [start(pull_all, voyage.grown, archive) for _ in range(2)]
        for puller in pullers:
            puller.join()
        assert [puller.exitcode for puller in pullers] == [0, 0]
        assert contents(archive) == voyage.clean
