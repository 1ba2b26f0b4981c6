"""Jobs of Hydra, made by Hydra itself: configuration, overrides and the log."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from run_folders import Gathered, gather, gather_one

from runferry.losses import Fate
from runferry.ports import Location, ReadOptions
from runferry.python_apart import environment_apart
from runferry.readers.hydra import HydraReader
from runferry.testing.reader_contract import ReaderContract

SCRIPT = Path(__file__).with_name("hydra_script.py")


def app(folder: Path, *arguments: str) -> None:
    pytest.importorskip("hydra")
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-W", "ignore", str(SCRIPT), *arguments]
    subprocess.run(
        command, check=True, capture_output=True, timeout=60, cwd=folder, env=environment_apart()
    )


def job(home: Path, config: str = "lr: 0.1\n", log: str | bytes = "") -> Path:
    (home / ".hydra").mkdir(parents=True)
    (home / ".hydra" / "config.yaml").write_text(config)
    (home / ".hydra" / "hydra.yaml").write_text("hydra:\n  job:\n    name: train\n")
    (home / ".hydra" / "overrides.yaml").write_text("[]\n")
    (home / "train.log").write_bytes(log if isinstance(log, bytes) else log.encode())
    return home


def line(number: int) -> str:
    return f"[2024-01-02 03:04:05,{number % 1000:03}][__main__][INFO] - line {number}\n"


class TestHydra(ReaderContract):
    reader = HydraReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        home = tmp_path / "outputs"
        job(home / "a", log="".join(map(line, range(5))))
        job(home / "b", log=line(1) + "Traceback\n  cut")
        return Location("hydra", str(home))

    def grow(self, source: Location) -> None:
        with (source.path / "b" / "train.log").open("a") as log:
            log.write(" no more\n" + line(2))
        (source.path / "a" / "model.pt").write_bytes(b"1")

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        job(folder / "a", log="".join(map(line, range(rows))))
        return Location("hydra", str(folder))


def test_a_job_is_its_config_its_overrides_and_its_log(tmp_path: Path) -> None:
    app(tmp_path, "hydra.run.dir=out/one", "+lr=0.5", "+net.act=null", "+ref=${lr}")
    found = gather_one(HydraReader, tmp_path)
    assert found.attributes("config") == {("lr",): 0.5, ("net", "act"): None, ("ref",): "${lr}"}
    other = found.attributes("other")
    assert other[".hydra/overrides.yaml",] == ["+lr=0.5", "+net.act=null", "+ref=${lr}"]
    assert other["hydra", "job", "name"] == "hydra_script"
    lines = found.console()
    assert [row["line"].partition(" - ")[2] for row in lines] == ["began\n", "ended\n"]
    now = datetime.now(UTC)
    assert all(abs(row["time"] - now) < timedelta(hours=15) for row in lines)
    assert found.codes() == {"naive-time": 1}
    assert found.run.key.run_id.startswith("out/one@")
    assert found.run.group is None
    assert found.content.files.keys() == {
        ".hydra/config.yaml",
        ".hydra/hydra.yaml",
        ".hydra/overrides.yaml",
        "hydra_script.log",
    }


def test_jobs_of_a_multirun_are_runs_of_one_group(tmp_path: Path) -> None:
    app(tmp_path, "--multirun", "hydra.sweep.dir=sweep", "+lr=0.1,0.2")
    found = gather(HydraReader, tmp_path)
    assert {name: one.attributes("config")["lr",] for name, one in found.items()} == {
        "0": 0.1,
        "1": 0.2,
    }
    assert {one.run.group for one in found.values()} == {"sweep"}


def test_lines_without_a_time_have_none_and_naive_ones_follow_the_setting(tmp_path: Path) -> None:
    job(tmp_path / "a", log=line(7) + "Traceback:\n[2024-99-99 00:00:00,000][x][INFO] - y\n")
    zone = timezone(timedelta(hours=2))
    source = HydraReader.open(Location("hydra", str(tmp_path)), ReadOptions(timezone=zone))
    (run,) = source.runs()
    times = [row["time"] for row in Gathered(run, source.read(run)).console()]
    assert times == [datetime(2024, 1, 2, 1, 4, 5, 7000, tzinfo=UTC), None, None]


def test_files_of_other_trackers_and_of_jobs_below_are_left_to_them(tmp_path: Path) -> None:
    home = job(tmp_path / "a")
    (home / "model.pt").write_bytes(b"w")
    (home / "wandb" / "run-1").mkdir(parents=True)
    (home / "wandb" / "run-1" / "run-1.wandb").write_bytes(b"")
    (home / "tb").mkdir()
    (home / "tb" / "events.out.tfevents.1.box").write_bytes(b"")
    (job(home / "below") / "inner.pt").write_bytes(b"w")
    found = gather(HydraReader, tmp_path)
    assert {name for name in found["a"].content.files if not name.startswith(".hydra")} == {
        "model.pt",
        "train.log",
    }
    assert "inner.pt" in found["below"].content.files
    others = {loss.where: loss.fate for loss in found["a"].losses if loss.code == "other-tracker"}
    assert others == {"wandb/run-1": Fate.KEPT, "tb": Fate.KEPT}


def test_of_several_logs_the_one_of_the_job_is_its_console(tmp_path: Path) -> None:
    home = job(tmp_path / "a", log=line(1))
    (home / "another.log").write_text("other\n")
    found = gather_one(HydraReader, tmp_path)
    assert [row["line"] for row in found.console()] == [line(1)]
    assert found.content.files["another.log"].startswith("console ")
