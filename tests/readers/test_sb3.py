"""The reader of Stable-Baselines' logs: its contract, and what it makes of the files.

The files are written as `stable_baselines3/common/{logger,monitor}.py` write them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from plain_tables import all_held, csv_file, held, one_held, opened

from runferry.errors import SourceChanged
from runferry.ports import Location
from runferry.readers.sb3 import StableBaselinesReader
from runferry.testing.reader_contract import ReaderContract

START = 1733087430.6528745


def monitor(
    path: Path,
    episodes: Sequence[tuple[float, int, float]],
    *,
    start: float | None = START,
    mode: str = "w",
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open(mode, newline="\n") as stream:
        writer = csv.DictWriter(stream, ("r", "l", "t"))
        if mode == "w":
            if start is not None:
                header = {"t_start": start, "env_id": "CartPole-v1"}
                stream.write(f"#{json.dumps(header)}\n")
            writer.writeheader()
        writer.writerows({"r": r, "l": l, "t": t} for r, l, t in episodes)  # noqa: E741
    return path


def progress(path: Path, steps: int, step_name: str = "time/total_timesteps") -> Path:
    rows = [[2048 * (n + 1), round(1 / (n + 1), 6), -0.5 if n % 2 else ""] for n in range(steps)]
    header = [step_name, "train/loss", "rollout/ep_rew_mean"]
    return csv_file(path, [header, *rows], lineterminator="\n")


EPISODES = [(18.0, 18, 0.0007), (-1.5, 30, 0.25), (200.0, 200, 12.345678)]


class TestStableBaselines(ReaderContract):
    reader = StableBaselinesReader
    flat_bytes = 64 << 20  # a block is full from 200,000 rows on: 1,000,000 take no more

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        home = tmp_path / "logs"
        progress(home / "ppo" / "progress.csv", 20)
        monitor(home / "ppo" / "0.monitor.csv", EPISODES)
        monitor(home / "ppo" / "1.monitor.csv", EPISODES, start=START + 1)
        monitor(home / "dqn" / "monitor.csv", EPISODES)
        progress(home / "plain" / "progress.csv", 3, "iterations")
        return Location("sb3", str(home))

    def grow(self, source: Location) -> None:
        monitor(source.path / "ppo" / "0.monitor.csv", [(1.0, 2, 99.5)], mode="a")
        monitor(source.path / "dqn" / "monitor.csv", [(1.0, 2, 99.5)], mode="a")

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        monitor(folder / "monitor.csv", [(n / 7, n, n / 8) for n in range(rows // 2)])
        return Location("sb3", str(folder))


def test_a_monitor_has_times_from_its_start_and_no_steps(tmp_path: Path) -> None:
    found = one_held(StableBaselinesReader, monitor(tmp_path / "monitor.csv", EPISODES))
    assert found.values("r") == [18.0, -1.5, 200.0]
    assert found.values("l") == [18.0, 30.0, 200.0]
    assert found.steps("r") == [None] * 3
    began = 1733087430652874500
    times = [
        int(row["time"].timestamp()) * 10**9
        + row["time"].microsecond * 1000
        + (row["time_ns"] or 0)
        for row in found.points["r"]
    ]
    assert [
        abs(time - began - round(t * 1e9)) < 200
        for time, (_, _, t) in zip(times, EPISODES, strict=True)
    ]
    assert times[1] - times[0] == 249_300_000
    assert "t" not in found.series
    assert found.run.started_ns is not None
    assert abs(found.run.started_ns - began) < 200
    assert found.attributes[("config", ("env_id",))] == "CartPole-v1"
    assert found.attributes[("config", ("t_start",))] == START


def test_monitors_of_one_folder_are_one_run_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (10, 2):
        monitor(tmp_path / f"{number}.monitor.csv", EPISODES[:2], start=START + number)
    found = one_held(StableBaselinesReader, tmp_path)
    assert {series.path for series in found.series.values()} == {
        (f"{number}.monitor", name) for number in (2, 10) for name in ("r", "l")
    }
    assert [row["seq"] for row in found.points["2.monitor.r"]] == [0, 2]
    assert [row["seq"] for row in found.points["10.monitor.r"]] == [1, 3]
    assert found.attributes[("config", ("10.monitor", "t_start"))] == START + 10


def test_a_file_that_joins_a_run_makes_it_read_anew(tmp_path: Path) -> None:
    monitor(tmp_path / "0.monitor.csv", EPISODES)
    before = one_held(StableBaselinesReader, tmp_path)
    progress(tmp_path / "progress.csv", 2)
    reader = opened(StableBaselinesReader, tmp_path)
    (run,) = reader.runs()
    assert run.key == before.run.key
    with pytest.raises(SourceChanged, match="not those that were read before"):
        held(reader, run, before.cursor())


@pytest.mark.parametrize("name", ["time/total_timesteps", "total_timesteps", "TimestepsSoFar"])
def test_environment_steps_are_the_step(tmp_path: Path, name: str) -> None:
    found = one_held(StableBaselinesReader, progress(tmp_path / "progress.csv", 3, name))
    assert found.steps("train/loss") == [2048, 4096, 6144]
    assert found.steps("rollout/ep_rew_mean") == [4096]
    assert name not in found.series


def test_without_a_column_of_steps_there_are_none(tmp_path: Path) -> None:
    found = one_held(StableBaselinesReader, progress(tmp_path / "progress.csv", 3, "nupdates"))
    assert found.steps("train/loss") == [None] * 3
    assert found.values("nupdates") == [2048, 4096, 6144]


def test_other_files_of_these_names_are_not_ours(tmp_path: Path) -> None:
    csv_file(tmp_path / "progress.csv", [["training_iteration", "loss"], [1, 2]])
    csv_file(tmp_path / "a" / "monitor.csv", [["agent", "reward"], ["x", 2]])
    assert not StableBaselinesReader.recognises(tmp_path)
    assert not StableBaselinesReader.recognises(tmp_path / "progress.csv")


def test_a_monitor_without_episodes_says_so(tmp_path: Path) -> None:
    monitor(tmp_path / "monitor.csv", [])
    before = one_held(StableBaselinesReader, tmp_path)
    assert before.codes()["header-only"] == 1
    monitor(tmp_path / "monitor.csv", EPISODES, mode="a")
    assert one_held(StableBaselinesReader, tmp_path).run.key == before.run.key


def test_a_header_that_is_no_json_is_told(tmp_path: Path) -> None:
    (tmp_path / "monitor.csv").write_text("#{broken\nr,l,t\n1,2,3\n")
    found = one_held(StableBaselinesReader, tmp_path)
    assert found.codes()["bad-json"] == 1
    assert found.values("t") == [3.0]
    assert found.run.started_ns is None


def test_each_folder_is_a_run(tmp_path: Path) -> None:
    monitor(tmp_path / "a" / "monitor.csv", EPISODES)
    monitor(tmp_path / "b" / "monitor.csv", EPISODES)
    assert [found.run.name for found in all_held(StableBaselinesReader, tmp_path)] == ["a", "b"]
