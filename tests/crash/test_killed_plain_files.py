"""kill -9 at any moment of a push into plain files: what is seen is whole, a rerun ends it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ferries import kill_points, pull_all, push_all, sail

from runferry.dialects.plain_folder.layout import HIDDEN
from runferry.ports import Location, ReadOptions
from runferry.registry import reader as reader_class
from runferry.testing.content import Content, snapshot
from runferry.testing.recording import Sample
from runferry.testing.reference import record
from runferry.testing.samples import attributes, curve, media

SEED = 77
GROWING = curve(120, batch=30)
OTHERS = (attributes(), media())
FORMS = [("csv", 20), ("jsonl", 4), ("parquet", 4)]


def seen(form: str, folder: Path) -> dict[str, object]:
    """What a reader sees."""
    reader = reader_class(form).open(Location(form, str(folder)), ReadOptions())
    return {run.uid: Content.of(reader.read(run)).comparable() for run in reader.runs()}


def tree(folder: Path) -> dict[str, str]:
    """What people see: every file with its content."""
    return snapshot(folder, but=folder / HIDDEN)


def left_behind(folder: Path) -> list[str]:
    """Scratch files of an hour are nobody's; until then they may be another process's."""
    names = [path.name for path in (folder / HIDDEN).iterdir()]
    return [name for name in names if not name.startswith(("listed.json", ".listed.json", "runs-"))]


@pytest.mark.parametrize(("form", "kills"), FORMS)
def test_growth_killed_anywhere_shows_whole_runs_and_a_rerun_equals_one_clean_push(
    form: str, kills: int, tmp_path: Path
) -> None:
    pulled, archive, out = tmp_path / "pulled", tmp_path / "archive", tmp_path / "out"
    young = [Sample(GROWING.run, GROWING.chunks[:4])]
    pull_all(str(record(young, tmp_path / "young").path), str(pulled))
    assert sail(push_all, pulled, f"{form}:{out}") is not None
    begun = shutil.copytree(out, tmp_path / "begun")
    pull_all(str(record([GROWING, *OTHERS], tmp_path / "whole").path), str(pulled))

    def begin() -> None:
        for folder, origin in ((archive, pulled), (out, begun)):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(origin, folder)

    old = seen(form, out)
    begin()
    effects = sail(push_all, archive, f"{form}:{out}")
    assert effects is not None
    clean, clean_tree = seen(form, out), tree(out)
    assert len(clean) == 1 + len(OTHERS)
    for point in kill_points(effects, kills, SEED):
        begin()
        sail(push_all, archive, f"{form}:{out}", **point)
        found = seen(form, out)
        assert GROWING.run.uid in found, f"gone while it is replaced, {point}"
        for uid, content in found.items():
            assert content in (old.get(uid), clean[uid]), f"half a run, {point}"
        assert sail(push_all, archive, f"{form}:{out}") is not None
        assert tree(out) == clean_tree, f"seed {SEED}, {point}"
        assert not left_behind(out), point
