"""The reader contract, kept by the reader of W&B's files."""

from __future__ import annotations

from pathlib import Path

import pytest
from wandb_runs import (
    exit_record,
    folder_with,
    framed,
    history_record,
    line_record,
    run_record,
    small_run,
    stats_record,
    summary_record,
)

from runferry.ports import Location
from runferry.readers.wandb.reader import WandbFilesReader
from runferry.testing.reader_contract import ReaderContract


def young_run(steps: int) -> list[object]:
    image = {"_type": "image-file", "path": "media/images/a.png", "caption": "c"}
    histogram = {"_type": "histogram", "values": [1, 2], "bins": [0, 1, 2]}
    records = [run_record("young", project="p", tags=["t"])]
    for step in range(steps):
        row = history_record(step, loss=step / 7, image=image, histogram=histogram, text="x" * 99)
        records += [row, stats_record(1_700_000_000 + step, cpu=step), line_record(f"{step}\n")]
        records.append(summary_record(loss=step / 7))
    return records


class TestWandbFiles(ReaderContract):
    reader = WandbFilesReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        home = tmp_path / "wandb"
        folder = folder_with(home, young_run(50), "young")
        (folder / "files" / "media" / "images").mkdir(parents=True)
        (folder / "files" / "media" / "images" / "a.png").write_bytes(b"png")
        (folder / "files" / "notes.txt").write_text("1")
        folder_with(home, small_run("done"), "done")
        again = [run_record("done", 1_800_000_000, project="p", resume=True)]
        again += [history_record(step, loss=step) for step in range(3)]
        folder_with(home, [*again, exit_record()], "done", "20240202_030405")
        cut = folder_with(home, [], "cut")
        (cut / "run-cut.wandb").write_bytes(framed(small_run("cut"))[:-5])
        (folder_with(home, [], "empty") / "run-empty.wandb").write_bytes(b"")
        old = home / "run-20190306_221046-old"
        old.mkdir()
        (old / "wandb-history.jsonl").write_text('{"_step": 3, "a": 1}\n{"_step": 4, "a": NaN}\n')
        return Location("wandb", str(home))

    def grow(self, source: Location) -> None:
        (folder,) = source.path.glob("*-young")
        records = [*young_run(120), exit_record(0, 5)]
        (folder / "run-young.wandb").write_bytes(framed(records))
        (folder / "files" / "notes.txt").write_text("22")
        (folder / "files" / "later.txt").write_text("3")
        (old,) = source.path.glob("*-old")
        with (old / "wandb-history.jsonl").open("a") as lines:
            lines.write('{"_step": 5, "a": 2, "b": "new"}\n')

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        names = [f"metric-{number}" for number in range(50)]
        values = history_record(**dict.fromkeys(names, 0.3)).SerializeToString()
        # two encodings of a message, one behind the other, are its fields together
        steps = (values + history_record(step).SerializeToString() for step in range(rows // 50))
        folder_with(folder, [run_record("large", project="p"), *steps, exit_record()], "large")
        return Location("wandb", str(folder))
