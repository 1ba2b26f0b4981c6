"""kill -9 at any moment of an upgrade: version 1 or an upgrade to be ended, and a rerun ends it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from ferries import kill_points, sail, upgrade_one
from tests.archive.committed import commits
from tests.archive.version_1 import make_version_1
from tests.transfer.roads import archive_of, push_to

from runferry.archive.store import Archive
from runferry.errors import OlderFormat
from runferry.testing.samples import attributes, curve, media, texts

SAMPLES = (curve(200, batch=50), curve(100, seed=1), attributes(), media(), texts())
SEED = 2026
KILLS = 50


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of today, what it was pushed to, and the archive as version 1 had it."""
    folder = tmp_path_factory.mktemp("harbour")
    archive = archive_of(SAMPLES, folder)
    push_to(archive, folder / "there")
    archive.ledger.close()
    shutil.copytree(archive.path, folder / "old")
    make_version_1(folder / "old")
    return folder


def test_upgrade_killed_anywhere_then_rerun_equals_one_clean_upgrade(
    harbour: Path, tmp_path: Path
) -> None:
    now = commits(harbour / "archive")
    then = {p.name: p.read_bytes() for p in (harbour / "old" / "commits").rglob("*.json")}
    shutil.copytree(harbour / "old", tmp_path / "clean")
    effects = sail(upgrade_one, tmp_path / "clean", "")
    assert effects is not None
    points = [{"fuse": fuse} for fuse in range(1, effects + 1)]
    points += list(kill_points(0, KILLS // 5, SEED))
    versions = set()
    for number, point in enumerate(points):
        folder = tmp_path / f"archive-{number}"
        shutil.copytree(harbour / "old", folder)
        sail(upgrade_one, folder, "", **point)
        stated = json.loads((folder / "archive.json").read_text())
        versions.add((stated["version"], stated.get("upgrading", False)))
        if stated["version"] == 1:
            kept = {p.name: p.read_bytes() for p in (folder / "commits").rglob("*.json")}
            assert kept == then, point
        if stated["version"] == 1 or "upgrading" in stated:
            with pytest.raises(OlderFormat):
                Archive.open(folder)
        assert sail(upgrade_one, folder, "") is not None
        assert commits(folder) == now, point
        archive = Archive.open(folder)
        assert set(push_to(archive, harbour / "there").counts) == {"unchanged"}, point
        archive.ledger.close()
        shutil.rmtree(folder)
    assert versions == {(1, False), (2, True), (2, False)}
