"""kill -9 in a push into the offline queue of Neptune: `neptune sync` sends no run twice."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ferries import kill_points, pull_all, push_all, sail

from runferry import settings
from runferry.dialects.neptune.places import FOLDER_VARIABLE
from runferry.testing.recording import Sample
from runferry.testing.reference import record
from runferry.testing.samples import curve, files

SEED = 31
RUNS = (curve(30, batch=10), files())
TOKEN = "eyJhcGlfYWRkcmVzcyI6Imh0dHA6Ly8xMjcuMC4wLjE6OSJ9"


def push_offline(archive: str, folder: str) -> None:
    """Queue all runs of an archive below a folder."""
    os.environ |= {FOLDER_VARIABLE: folder, "NEPTUNE_API_TOKEN": TOKEN}
    settings.install(settings.Settings(neptune_mode="offline"))
    push_all(archive, "neptune:team/vision")


def queues_at(folder: Path) -> list[str]:
    """What `neptune sync` would send."""
    return [path.name for path in (folder / "offline").glob("*")]


def test_each_run_is_queued_once_whenever_a_push_was_killed(tmp_path: Path) -> None:
    pulled, archive, out = tmp_path / "pulled", tmp_path / "archive", tmp_path / "out"
    pull_all(str(record(RUNS, tmp_path / "source").path), str(pulled))

    def begin() -> None:
        shutil.rmtree(archive, ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(pulled, archive)

    begin()
    effects = sail(push_offline, archive, out)
    assert effects is not None
    assert len(queues_at(out)) == len(RUNS)
    # the queue of the last run comes into sight a few effects before the run is complete
    late = ({"fuse": effects - back} for back in (8, 6, 4))
    for point in (*late, *kill_points(effects, 3, SEED)):
        begin()
        sail(push_offline, archive, out, **point)
        assert sail(push_offline, archive, out) is not None, point
        assert len(queues_at(out)) == len(RUNS), f"seed {SEED}, {point}"


def test_growth_is_queued_once_in_place_of_what_was_queued_whenever_a_push_was_killed(
    tmp_path: Path,
) -> None:
    """What we took back ourselves is never taken for sent."""
    pulled, archive, out = tmp_path / "pulled", tmp_path / "archive", tmp_path / "out"
    whole = curve(120, batch=30)
    young = Sample(whole.run, whole.chunks[:4])
    pull_all(str(record([young], tmp_path / "young").path), str(pulled))
    assert sail(push_offline, pulled, out) is not None
    begun = shutil.copytree(out, tmp_path / "begun")
    pull_all(str(record([whole], tmp_path / "whole").path), str(pulled))

    def begin() -> None:
        for folder, origin in ((archive, pulled), (out, begun)):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(origin, folder)

    begin()
    (old,) = queues_at(out)
    effects = sail(push_offline, archive, out)
    assert effects is not None
    assert len(queues_at(out)) == 1
    assert queues_at(out) != [old]
    for point in ({"fuse": effects - back} for back in range(1, 24, 3)):
        begin()
        sail(push_offline, archive, out, **point)
        assert sail(push_offline, archive, out) is not None, point
        assert len(queues_at(out)) == 1, point
        assert queues_at(out) != [old], point
