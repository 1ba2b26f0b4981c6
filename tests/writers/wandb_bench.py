"""W&B's service, runs pushed into it, and what is found there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.readers.wandb_service_runs import served
from tests.transfer.roads import archive_of

from runferry.archive.store import Archive
from runferry.losses import Fate
from runferry.ports import Location
from runferry.testing.recording import Sample
from runferry.testing.wandb_service import WandbService
from runferry.transfer.push import push
from runferry.transfer.report import Report, VerifyReport
from runferry.transfer.verify import verify_archive

WHERE = Location("wandb", "lab/moved")


@dataclass(frozen=True)
class Bench:
    service: WandbService
    folder: Path

    def archive(self, *samples: Sample) -> Archive:
        return archive_of(samples, self.folder)

    def pushed(self, archive: Archive) -> Report:
        report = push(archive, WHERE, allow=Fate.DROPPED)
        assert not report.failures, report.failures
        assert report.aborted is None
        return report

    def verified(self, archive: Archive) -> VerifyReport:
        report = verify_archive(archive, WHERE)
        assert report.is_clean, [run.unexpected for run in report.runs]
        return report

    def rows(self, run: str) -> int:
        node = self.service.run(f"lab/moved/{run}")
        found = "SELECT COUNT(*) FROM history WHERE run = ?"
        return int(self.service.store.value(found, node["id"]))


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WandbService]:
    with served(tmp_path / "account") as service:
        yield service
        assert not service.failures


@pytest.fixture
def bench(service: WandbService, tmp_path: Path) -> Bench:
    return Bench(service, tmp_path)
