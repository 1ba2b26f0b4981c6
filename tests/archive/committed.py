"""What the commits of an archive say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runferry.archive.record import RunRecord, record_to_bytes
from runferry.archive.store import Archive
from runferry.model import Uid


def records(folder: Path) -> dict[Uid, RunRecord]:
    return {record.run.uid: record for record in Archive.open(folder).records()}


def commits(folder: Path) -> dict[Uid, bytes]:
    """What the commits say, but for the numbers of them."""
    found = records(folder).items()
    return {uid: record_to_bytes(replace(record, generation=0)) for uid, record in found}
