"""kill -9 at any moment of a push into an export of Neptune: a rerun makes it one clean run."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
from ferries import kill_points, pull_all, push_all, sail

from runferry.dialects.neptune.own_store import STORE
from runferry.dialects.neptune.schema import EXPORT
from runferry.errors import Damaged
from runferry.ports import Location, ReadOptions
from runferry.registry import reader as reader_class
from runferry.testing.content import Content
from runferry.testing.recording import Sample
from runferry.testing.reference import record
from runferry.testing.samples import attributes, curve, files, media

SEED = 78
GROWING = curve(120, batch=30)
OTHERS = (attributes(), media(), files())


def seen(folder: Path) -> dict[str, object]:
    """What our own reader sees; a run that it calls damaged is none."""
    reader = reader_class("neptune").open(Location("neptune", str(folder)), ReadOptions())
    found: dict[str, object] = {}
    for run in reader.runs():
        with suppress(Damaged):
            found[run.uid] = Content.of(reader.read(run)).comparable()
    return found


def loaded(folder: Path) -> dict[str, list[str]]:
    """What the exporter's loaders see: all parts of the runs that have a part 0."""
    found: dict[str, list[str]] = {}
    for first in folder.glob("data/*/*_part_0.parquet"):
        prefix = first.name.removesuffix("_part_0.parquet")
        parts = sorted(first.parent.glob(f"{prefix}_part_*.parquet"))
        rows = [row for part in parts for row in pq.read_table(part, schema=EXPORT).to_pylist()]
        found[prefix] = [repr(row) for row in rows]  # as text NaN equals NaN
        for row in rows:
            if row["file_value"] is not None:
                path = folder / "files" / first.parent.name / row["file_value"]["path"]
                assert path.exists(), path
    return found


def left_behind(folder: Path) -> list[str]:
    """Whatever nobody will ask for."""
    inner = [p for p in (folder / STORE / ".runferry").iterdir() if not p.name.startswith(".")]
    parts = [*folder.glob("data/*/*.tmp"), *folder.glob("files/*/.*")]
    return [path.name for path in (*inner, *parts)]


def test_growth_killed_anywhere_then_pushed_again_equals_one_clean_push(tmp_path: Path) -> None:
    pulled, archive, out = tmp_path / "pulled", tmp_path / "archive", tmp_path / "out"
    young = [Sample(GROWING.run, GROWING.chunks[:4])]
    pull_all(str(record(young, tmp_path / "young").path), str(pulled))
    assert sail(push_all, pulled, f"neptune:{out}") is not None
    begun = shutil.copytree(out, tmp_path / "begun")
    pull_all(str(record([GROWING, *OTHERS], tmp_path / "whole").path), str(pulled))

    def begin() -> None:
        for folder, origin in ((archive, pulled), (out, begun)):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(origin, folder)

    begin()
    effects = sail(push_all, archive, f"neptune:{out}")
    assert effects is not None
    clean, clean_rows = seen(out), loaded(out)
    assert len(clean) == len(clean_rows) == 1 + len(OTHERS)
    for point in kill_points(effects, 12, SEED):
        begin()
        sail(push_all, archive, f"neptune:{out}", **point)
        # whole parts without our own copy of the run are anybody's export, under another key
        for uid in (found := seen(out)).keys() & clean.keys() - {GROWING.run.uid}:
            assert found[uid] == clean[uid], f"half a run, {point}"
        assert sail(push_all, archive, f"neptune:{out}") is not None
        assert seen(out) == clean, f"seed {SEED}, {point}"
        assert loaded(out) == clean_rows, f"seed {SEED}, {point}"
        assert not left_behind(out), point
