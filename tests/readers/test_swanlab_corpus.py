"""The corpus's SwanLab folders against what their own client counted in them.

The client (0.6.8) keeps a summary of each series beside the rows: how many, and the extremes.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from run_folders import CORPUS, Gathered, gather_one

from runferry import chunks
from runferry.ports import Location, ReadOptions
from runferry.readers.swanlab.reader import SwanlabReader

FOLDERS = sorted(path.parent for path in CORPUS.glob("swanlab/**/backup.swanlab"))
pytestmark = pytest.mark.skipif(not FOLDERS, reason="no corpus; set RUNFERRY_CORPUS")


def columns_of(found: Gathered) -> dict[str, str]:
    """Folder of rows → key."""
    return {
        str(item.value["kid"]): item.path[2]
        for chunk in found.chunks
        if isinstance(chunk, chunks.Attributes)
        for item in chunk.items
        if item.path[:2] == ("swanlab", "columns") and isinstance(item.value, dict)
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name[:19])
def test_a_backup_has_what_its_client_counted(folder: Path) -> None:
    found = gather_one(SwanlabReader, folder)
    keys = columns_of(found)
    told = {path.parent.name: json.loads(path.read_text()) for path in folder.glob("logs/*/_s*")}
    assert told
    for number, summary in told.items():
        rows = found.series(keys[number])
        values = [float(value) for _, value in rows]
        assert len(rows) == summary["num"]
        assert (min(values), max(values)) == (summary["min"], summary["max"])
        steps = {step for step, value in rows if float(value) == summary["max"]}
        assert summary["max_step"] in steps
    assert not [loss for loss in found.losses if loss.code != "same-run-id"]


def test_every_run_is_found_once() -> None:
    root = FOLDERS[0].parent
    reader = SwanlabReader.open(Location("swanlab", str(root)), ReadOptions())
    assert len(list(reader.runs())) == len(list(root.glob("run-*")))
    assert all(run.complete for run in reader.runs())
