"""Trials of Ray Tune: results line by line, with what they repeat told once."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from run_folders import gather, gather_one, result, results

from runferry.errors import SourceChanged
from runferry.losses import Fate
from runferry.ports import Location
from runferry.readers.ray_tune import RayTuneReader
from runferry.testing.reader_contract import ReaderContract


def trial(home: Path, count: int, *, done: bool = False) -> Path:
    rows = [result(number, done=done and number == count) for number in range(1, count + 1)]
    results(home, rows)
    (home / "params.json").write_text(json.dumps({"lr": 0.1, "net": {"act": None, "o": {}}}))
    (home / "params.pkl").write_bytes(pickle.dumps({"lr": 0.1}))
    (home / "events.out.tfevents.1.box").write_bytes(b"")
    return home


class TestRayTune(ReaderContract):
    reader = RayTuneReader

    @pytest.fixture
    def source(self, tmp_path: Path) -> Location:
        home = tmp_path / "ray_results" / "exp"
        trial(home / "a", 5, done=True)
        trial(home / "b", 3)
        with (home / "b" / "result.json").open("a") as lines:
            lines.write('{"training_iteration": 4, "lo')
        (home / "c").mkdir()
        (home / "c" / "params.json").write_text("{}")
        (home / "c" / "progress.csv").write_text(
            "training_iteration,timestamp,loss,info/kl\n1,1600000001,0.5,\n"
        )
        return Location("ray_tune", str(tmp_path / "ray_results"))

    def grow(self, source: Location) -> None:
        home = source.path / "exp"
        text = (home / "b" / "result.json").read_text()
        (home / "b" / "result.json").write_text(text[: text.rindex("{")])
        results(home / "b", [result(4, new="text"), result(5, hostname="other")], mode="a")
        with (home / "c" / "progress.csv").open("a") as table:
            table.write("2,1600000002,0.25,7\n")
        (home / "b" / "error.txt").write_text("oh")

    @classmethod
    def sized(cls, folder: Path, rows: int) -> Location:
        results(folder, (result(number) for number in range(1, rows // 8 + 1)))
        (folder / "params.json").write_text("{}")
        return Location("ray_tune", str(folder))


def test_rows_are_series_by_path_and_iteration(tmp_path: Path) -> None:
    trial(tmp_path / "exp" / "t1", 2, done=True)
    found = gather_one(RayTuneReader, tmp_path)
    assert found.series("loss") == [(1, 1.0), (2, 0.5)]
    assert found.series("info.learner.kl") == [(1, 0.5), (2, 1.0)]
    assert found.series("timesteps_total") == [(1, 1000), (2, 2000)]
    assert found.series("done") == [(1, False), (2, True)]
    assert found.texts("info.empty") == [(1, "{}"), (2, "{}")]
    assert found.texts("date") == [(1, "2020-09-13_1"), (2, "2020-09-13_2")]
    assert found.times("loss") == [1_600_000_001 * 10**9, 1_600_000_002 * 10**9]
    assert (
        not {"training_iteration", "timestamp", "trial_id", "config.lr"}
        & found.content.series.keys()
    )
    assert {one.path for one in found.content.series.values()} >= {("info", "learner", "kl")}


def test_what_results_repeat_is_told_once_and_what_differs_is_a_row(tmp_path: Path) -> None:
    home = trial(tmp_path / "exp" / "t1", 2)
    results(home, [result(3, hostname="elsewhere", config={"lr": 0.2, "layers": [1, 2]})], mode="a")
    found = gather_one(RayTuneReader, tmp_path)
    assert found.attributes("environment") == {("hostname",): "box", ("pid",): 21}
    other = found.attributes("other")
    assert other["trial_id",] == "c8fe3_00000"
    assert other["config", "layers"] == [1, 2]
    assert found.texts("hostname") == [(3, "elsewhere")]
    assert found.series("config.lr") == [(3, 0.2)]


def test_the_header_says_what_the_results_say(tmp_path: Path) -> None:
    trial(tmp_path / "exp" / "t1", 4, done=True)
    trial(tmp_path / "exp" / "t2", 4)
    found = gather(RayTuneReader, tmp_path)
    done, open_ = found["t1"].run, found["t2"].run
    assert (done.group, done.state, done.complete, done.host) == ("exp", "finished", True, "box")
    assert done.ended_ns == 1_600_000_004 * 10**9
    assert done.started_ns == 1_600_000_001 * 10**9 - 2_500_000_000
    assert (open_.state, open_.complete, open_.ended_ns) == ("unknown", False, None)


def test_parameters_are_the_config_and_pickles_are_files(tmp_path: Path) -> None:
    trial(tmp_path / "exp" / "t1", 1)
    found = gather_one(RayTuneReader, tmp_path)
    assert found.attributes("config") == {("lr",): 0.1, ("net", "act"): None, ("net", "o"): {}}
    assert found.content.files.keys() == {"params.json", "params.pkl"}
    assert found.codes() == {"other-tracker": 1}


def test_without_params_the_config_of_the_results_is_the_config(tmp_path: Path) -> None:
    results(tmp_path / "t", [result(1)])
    found = gather_one(RayTuneReader, tmp_path)
    assert found.attributes("config") == {("lr",): 0.1, ("layers",): [1, 2]}


def test_progress_is_read_only_where_there_are_no_results(tmp_path: Path) -> None:
    home = trial(tmp_path / "exp" / "t", 2)
    table = "training_iteration,loss,info/kl,word,done\n1,0.5,,a b,False\n2,nan,3,,True\n"
    (home / "progress.csv").write_text(table)
    assert gather_one(RayTuneReader, tmp_path).series("loss") == [(1, 1.0), (2, 0.5)]
    (home / "result.json").unlink()
    found = gather_one(RayTuneReader, tmp_path)
    assert str(found.series("loss")) == "[(1, 0.5), (2, nan)]"
    assert found.series("info/kl") == [(2, 3)]
    assert found.texts("word") == [(1, "a b")]
    assert found.series("done") == [(1, False), (2, True)]


def test_columns_of_one_name_are_told_apart(tmp_path: Path) -> None:
    home = trial(tmp_path / "exp" / "t", 1)
    (home / "result.json").unlink()
    (home / "progress.csv").write_text("training_iteration,loss,loss\n1,0.5,0.25\n")
    found = gather_one(RayTuneReader, tmp_path)
    assert found.series("loss") == [(1, 0.5)]
    assert found.series("loss (column 3)") == [(1, 0.25)]
    (loss,) = (loss for loss in found.losses if loss.code == "repeated-column")
    assert (loss.fate, loss.where) == (Fate.RENAMED, "progress.csv column 3")


def test_a_cut_last_line_is_no_damage_until_the_trial_is_over(tmp_path: Path) -> None:
    home = trial(tmp_path / "exp" / "t", 2)
    with (home / "result.json").open("a") as lines:
        lines.write('{"loss": 0.1')
    (loss,) = [
        loss for loss in gather_one(RayTuneReader, tmp_path).losses if loss.code == "cut-tail"
    ]
    assert (loss.fate, loss.count) == (Fate.KEPT, 12)
    trial(home, 3, done=True)
    with (home / "result.json").open("a") as lines:
        lines.write('{"loss": 0.1')
    (loss,) = [
        loss for loss in gather_one(RayTuneReader, tmp_path).losses if loss.code == "cut-tail"
    ]
    assert loss.fate is Fate.DROPPED


@pytest.mark.parametrize("end", ["", "\n"], ids=["last and unended", "ended"])
def test_a_line_that_is_too_long_is_never_taken_for_a_cut_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    home = results(tmp_path / "t", [result(1)])
    with (home / "result.json").open("a") as stream:
        stream.write('{"a": "' + "x" * 9000 + '"}' + end)
    monkeypatch.setattr("runferry.readers.lines.LINE_AT_MOST", 2000)
    found = gather_one(RayTuneReader, tmp_path)
    assert [(loss.code, loss.fate, loss.where) for loss in found.losses] == [
        ("long-line", Fate.DROPPED, "result.json:2")
    ]


def test_a_line_that_is_no_mapping_is_told_by_its_number(tmp_path: Path) -> None:
    home = results(tmp_path / "t", [result(1), [1], result(3)])
    with (home / "result.json").open("ab") as lines:
        lines.write(b"nonsense\n\xff\n\n" + b'{"a":' * 300 + b"1" + b"}" * 300 + b"\n")
        lines.write(b'{"a": 1, "a": 2, "training_iteration": 8}\n')
    found = gather_one(RayTuneReader, tmp_path)
    assert [step for step, _ in found.series("loss")] == [1, 3]
    assert found.series("a") == [(8, 2)]
    assert [(loss.code, loss.where) for loss in found.losses] == [
        ("bad-json", "result.json:2"),
        ("bad-json", "result.json:4"),
        ("bad-json", "result.json:5"),
        ("bad-json", "result.json:7"),
        ("repeated-key", "result.json:8"),
    ]


def test_results_that_were_written_anew_are_refused(tmp_path: Path) -> None:
    home = trial(tmp_path / "exp" / "t", 3)
    cursor = gather_one(RayTuneReader, tmp_path).cursor()
    results(home, [result(number, loss=9.0) for number in range(1, 6)])
    with pytest.raises((SourceChanged, AssertionError)):
        gather_one(RayTuneReader, tmp_path, cursor)
