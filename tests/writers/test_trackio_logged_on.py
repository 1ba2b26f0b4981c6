"""What users log on to a run of ours, with trackio itself, is not taken away in silence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.writers.grown_runs import UID, pushed

from runferry.dialects.plain_folder.folders import Folders
from runferry.dialects.trackio.own_store import logged_of
from runferry.dialects.trackio.places import Place
from runferry.ports import Location, ReadOptions
from runferry.python_apart import environment_apart
from runferry.readers.trackio import TrackioReader
from runferry.testing.content import Content

LOG = (
    "import sys; from trackio.sqlite_storage import SQLiteStorage; "
    "SQLiteStorage.bulk_log('project', sys.argv[1], [{'of theirs': 0.25}], [7], run_id=sys.argv[2])"
)


def logged_on(place: Location) -> None:
    folder = Folders(Place.of(place.where).store).find(UID)
    assert folder is not None
    logged = logged_of(folder)
    environment = environment_apart() | {
        "TRACKIO_DIR": str(place.path.parent), "HF_HUB_OFFLINE": "1"
    }  # fmt: skip
    command = [sys.executable, "-P", "-W", "ignore", "-c", LOG, logged.run_name, logged.run_id]
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=environment)


def is_theirs_there(place: Location) -> bool:
    reader = TrackioReader.open(place, ReadOptions())
    (run,) = reader.runs()
    return "of theirs" in Content.of(reader.read(run)).series


def test_a_run_that_grew_is_not_sent_over_what_somebody_logged_on_to_it_there(
    tmp_path: Path,
) -> None:
    """`--restart` is the way; as long as nothing is new here, nothing is amiss."""
    pytest.importorskip("trackio", reason="trackio is not installed")
    place = Location("trackio", str(tmp_path / "out" / "project"))
    assert not pushed(place, tmp_path, 5).failures
    logged_on(place)
    assert pushed(place, tmp_path, 5).counts == {"unchanged": 1}
    (refused,) = pushed(place, tmp_path, 9).failures
    assert "somebody logged on to the run" in (refused.error or "")
    assert "--restart" in (refused.hint or "")
    assert is_theirs_there(place)
    assert not pushed(place, tmp_path, 9, restart=True).failures
    assert not is_theirs_there(place)
