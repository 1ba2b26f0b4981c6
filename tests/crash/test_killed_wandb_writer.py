"""kill -9 at any moment of a push into run folders: what is seen is whole, a rerun ends it."""

from __future__ import annotations

import shutil
from pathlib import Path

from ferries import kill_points, pull_all, push_all, sail

from runferry.dialects.wandb.own_files import HIDDEN
from runferry.ports import Location, ReadOptions
from runferry.readers.wandb.reader import WandbFilesReader
from runferry.testing.content import Content
from runferry.testing.recording import Sample
from runferry.testing.reference import record
from runferry.testing.samples import attributes, curve, media

SEED = 41
KILLS = 16
GROWING = curve(120, batch=30)


def seen(folder: Path) -> dict[str, object]:
    """What a reader sees."""
    reader = WandbFilesReader.open(Location("wandb", str(folder)), ReadOptions())
    return {
        run.origin_uid or "": Content.of(reader.read(run)).comparable() for run in reader.runs()
    }


def test_growth_killed_anywhere_shows_whole_runs_and_a_rerun_equals_one_clean_push(
    tmp_path: Path,
) -> None:
    """A run that is replaced may be out of sight for a moment, and is never half there."""
    pulled, archive, out = tmp_path / "pulled", tmp_path / "archive", tmp_path / "out"
    young = [Sample(GROWING.run, GROWING.chunks[:4])]
    pull_all(str(record(young, tmp_path / "young").path), str(pulled))
    assert sail(push_all, pulled, f"wandb:{out}") is not None
    begun = shutil.copytree(out, tmp_path / "begun")
    whole = [GROWING, attributes(), media()]
    pull_all(str(record(whole, tmp_path / "whole").path), str(pulled))

    def begin() -> None:
        for folder, origin in ((archive, pulled), (out, begun)):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(origin, folder)

    old = seen(out)
    begin()
    effects = sail(push_all, archive, f"wandb:{out}")
    assert effects is not None
    clean = seen(out)
    assert len(clean) == len(whole)
    for point in kill_points(effects, KILLS, SEED):
        begin()
        sail(push_all, archive, f"wandb:{out}", **point)
        for uid, content in seen(out).items():
            assert content in (old.get(uid), clean[uid]), f"half a run, {point}"
        assert sail(push_all, archive, f"wandb:{out}") is not None
        assert seen(out) == clean, f"seed {SEED}, {point}"
        assert not (out / HIDDEN).exists(), f"something is left, {point}"
