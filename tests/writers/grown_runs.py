"""A run that grows between pushes, for destinations where others log on to it."""

from __future__ import annotations

from pathlib import Path

from tests.transfer.roads import archive_of

from runferry.ports import Location
from runferry.testing.recording import Sample
from runferry.testing.samples import as_run, curve
from runferry.transfer.push import push
from runferry.transfer.report import Report

WHOLE = as_run(curve(24, batch=6), "watched")
UID = WHOLE.run.uid


def pushed(place: Location, folder: Path, cut: int, *, restart: bool = False) -> Report:
    """Once the run had so many chunks; `folder` has the archive."""
    archive = archive_of([Sample(WHOLE.run, WHOLE.chunks[:cut])], folder)
    return push(archive, place, restart=restart)
