"""convert, pull, push, plan and verify from the command line, on the example that is shipped."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.calling import Answer, Caller
from tests.readers.wandb_service_runs import columns, served

from runferry.errors import NoSpace, Unreachable
from runferry.model import Run
from runferry.readers.wandb.reader import WandbReader

EXAMPLE = Path(__file__).parents[2] / "examples" / "wandb"


@pytest.fixture
def converted(runferry: Caller, database: str) -> Answer:
    return runferry("convert", EXAMPLE, database, "--json")


def test_convert_moves_everything_and_a_second_one_nothing(
    database: str, runferry: Caller, converted: Answer
) -> None:
    assert converted.code == 0, converted.err
    report = converted.json
    assert report["pull"]["counts"] == report["push"]["counts"] == {"new": 2}
    assert report["verify"]["clean"]
    assert Path(".runferry/archive.json").is_file()
    again = runferry("convert", EXAMPLE, database, "--json")
    assert again.code == 0, again.err
    assert again.json["pull"]["counts"] == again.json["push"]["counts"] == {"unchanged": 2}
    assert sum(run["rows"] for run in again.json["push"]["runs"]) == 0


def test_convert_sends_the_runs_of_its_source_and_no_others(runferry: Caller) -> None:
    one, other = sorted(path for path in EXAMPLE.iterdir() if path.is_dir())
    assert runferry("convert", one, "mlflow:sqlite:///one.db").code == 0
    second = runferry("convert", other, "mlflow:sqlite:///other.db", "--json")
    assert second.code == 0, second.err
    assert second.json["push"]["counts"] == {"new": 1}
    assert len(runferry("ls", ".runferry", "--json").json["runs"]) == 2
    assert len(runferry("ls", "mlflow:sqlite:///other.db", "--json").json["runs"]) == 1


def test_what_was_moved_is_shown_with_its_losses(database: str, runferry: Caller) -> None:
    shown = runferry("convert", EXAMPLE, database)
    assert shown.code == 0, shown.err
    assert shown.err == ""
    assert "2 runs (2 new)" in shown.out
    assert "compared: clean" in shown.out
    assert "re-encoded" in shown.out


def test_loss_beyond_what_is_allowed_is_exit_code_3_with_a_way_out(
    database: str, runferry: Caller
) -> None:
    strict = runferry("convert", EXAMPLE, database, "--allow", "renamed")
    assert strict.code == 3
    assert "--allow re-encoded accepts them" in strict.err
    again = runferry("convert", EXAMPLE, database, "--allow", "renamed")
    assert again.code == 0, again.err
    assert "losses: none" in again.out
    assert "nothing new to compare: 2 runs were verified before" in again.out
    assert "how 2 unchanged runs got there is told by: runferry plan" in again.out
    anew = runferry("convert", EXAMPLE, database, "--restart", "--allow", "re-encoded")
    assert anew.code == 0


def test_a_dry_run_and_a_plan_foretell_and_send_nothing(database: str, runferry: Caller) -> None:
    dry = runferry("convert", EXAMPLE, database, "--dry-run", "--json")
    planned = runferry("plan", EXAMPLE, database, "--json")
    assert dry.code == planned.code == 0
    assert dry.json["push"]["losses"] == planned.json["losses"] != []
    assert planned.json["source"] == f"wandb:{EXAMPLE}"
    assert runferry("ls", database, "--json").json["runs"] == []
    shown = runferry("plan", EXAMPLE, database)
    assert "gentle-tide" in shown.out
    assert "altogether" in shown.out


def test_a_plan_shows_what_is_possible_besides_and_ends_by_what_is_certain(
    runferry: Caller,
) -> None:
    Path("twice.csv").write_text(
        "step,timestamp,loss,accuracy\n1,1700000000,1.5,0.25\n1,1700000001,1.25,0.5\n"
    )
    args = ("csv:twice.csv", "wandb:lab/twice", "--time-column", "timestamp")
    for verb in (["plan"], ["convert", "--dry-run"]):
        shown = runferry(*verb, *args)
        assert shown.code == 0, shown.err
        possible = shown.out.partition("possible besides:")[2]
        assert re.search(r"merged +source-order +up to 4 ", possible)
        assert re.search(r"note: besides up to \d+ possible losses beyond what is all", shown.err)
        assert "note:" not in runferry(*verb, *args, "--allow", "merged").err
        document = runferry(*verb, *args, "--json").json
        assert document["exit_code"] == 0
        plan = document.get("push", document)
        codes = {loss["code"] for loss in plan["possible_losses"]}
        assert codes == {"source-order", "repeated-step", "duplicate-point"}
    assert runferry("convert", *args, "--dry-run", "--report", "plan.html").code == 0
    page = Path("plan.html").read_text(encoding="utf-8")
    assert "so many at most" in page
    assert "the order in which values were logged" in page


def test_what_many_series_lose_alike_is_one_line_unless_asked(runferry: Caller) -> None:
    table, verbose = (
        runferry("plan", EXAMPLE, "tensorboard:logs", *more).out for more in ((), ("-v",))
    )
    assert " more" in table
    assert len(table.splitlines()) < len(verbose.splitlines())
    assert " more" not in verbose


def test_pull_then_push_is_convert(database: str, runferry: Caller) -> None:
    assert runferry("pull", EXAMPLE, "kept", "-q").code == 0
    assert runferry("push", "kept", database, "--json").json["counts"] == {"new": 2}
    compared = runferry("verify", "kept", database, "--json")
    assert compared.code == 0, compared.err
    assert compared.json["clean"]
    assert len(compared.json["runs"]) == 2


def test_quiet_leaves_errors_and_answers(database: str, runferry: Caller) -> None:
    done = [runferry("convert", EXAMPLE, database, "-q"), runferry("pull", EXAMPLE, "kept", "-q")]
    done += [runferry("push", "kept", database, "-q"), runferry("verify", "kept", database, "-q")]
    assert {(call.code, call.out, call.err) for call in done} == {(0, "", "")}
    assert "re-encoded" in runferry("plan", "kept", database, "-q").out
    strict = runferry("convert", EXAMPLE, "other", "-q", "--allow", "renamed")
    assert strict.out == ""
    lossy = runferry("push", "kept", database, "-q", "--allow", "renamed", "--restart")
    assert lossy.out == ""
    assert "beyond what is allowed" in lossy.err
    foreign = runferry("verify", "kept", "archive:other", "--run", "8kq*", "-q")
    assert (foreign.code, foreign.out, foreign.err) == (0, "", "")


def test_verify_finds_what_was_changed_behind_our_back(
    database: str, runferry: Caller, converted: Answer
) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect("runs.db")) as store, store:
        store.execute("UPDATE metrics SET value = value + 1 WHERE key = 'lr' AND step = 3")
    compared = runferry("verify", ".runferry", database)
    assert compared.code == 1
    assert "differences that nothing foretold" in compared.out
    assert "NOT clean" in compared.out
    quiet = runferry("verify", ".runferry", database, "-q")
    assert quiet.out == ""
    assert "that nothing foretold" in quiet.err


def test_verify_names_what_stays_in_the_archive(runferry: Caller) -> None:
    with served(runferry.folder / "account") as service:
        service.put_run("lab/p/trained", history_of=columns(3))
        service.put_report("lab/p", "a report", {"blocks": []})
        runferry("pull", "wandb:lab/p", "kept")
    runferry("push", "kept", "tensorboard:there")
    answer = runferry("verify", "kept", "tensorboard:there", "--allow", "dropped")
    assert answer.code == 0, answer.err
    assert "1 run, 9 rows compared: clean; 1 run excluded" in answer.out
    assert "left out:" in answer.out
    assert "`reports` includes them" in answer.out
    told = runferry("verify", "kept", "tensorboard:there", "--json").json
    assert [(one["run"], one["status"]) for one in told["excluded"]] == [("p/~reports", "excluded")]


def test_discard_empties_the_archive_of_what_was_verified(database: str, runferry: Caller) -> None:
    moved = runferry("convert", EXAMPLE, database, "--discard", "--json")
    assert moved.code == 0, moved.err
    assert moved.json["discarded"] == 2
    assert runferry("ls", ".runferry", "--json").json["runs"] == []
    assert len(runferry("ls", database, "--json").json["runs"]) == 2


def test_filters_choose_runs_and_series(runferry: Caller) -> None:
    moved = runferry("pull", EXAMPLE, "kept", "--run", "8kq*", "--metric", "!lr", "--json").json
    assert [run["run"] for run in moved["runs"]] == ["ferry-example/8kq2v1xd"]
    assert moved["left_out_series"] == 1
    (run,) = runferry("inspect", "kept", "--json").json["runs"]
    assert "train/loss" in (keys := {series["key"] for series in run["series"]})
    assert "lr" not in keys


def test_one_bad_run_does_not_end_the_rest_and_is_exit_code_4(
    runferry: Caller, tmp_path: Path
) -> None:
    import shutil

    source = tmp_path / "wandb"
    shutil.copytree(EXAMPLE, source)
    bad = source / "offline-run-20260101_000000-fromlater"
    bad.mkdir()
    database = bytearray(next(EXAMPLE.glob("*8kq2v1xd/*.wandb")).read_bytes())
    database[6] = 9  # a version nobody has taught us
    (bad / "run-fromlater.wandb").write_bytes(database)
    moved = runferry("pull", source, "kept", "--json")
    assert moved.code == 4, moved.out
    assert moved.json["counts"]["new"] == 2
    assert moved.json["counts"]["failed"] == 1


def test_where_every_run_failed_no_archive_is_left_behind(runferry: Caller, tmp_path: Path) -> None:
    """Neither a new one, nor anything in a folder that was there and empty."""
    bad = tmp_path / "wandb" / "offline-run-20260101_000000-fromlater"
    bad.mkdir(parents=True)
    database = bytearray(next(EXAMPLE.glob("*8kq2v1xd/*.wandb")).read_bytes())
    database[6] = 9
    (bad / "run-fromlater.wandb").write_bytes(database)
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder in (tmp_path / "new", empty):
        answer = runferry("pull", tmp_path / "wandb", folder, "--json")
        assert answer.json["counts"] == {"failed": 1}, answer.err
    assert not (tmp_path / "new").exists()
    assert [*empty.iterdir()] == []


@pytest.mark.parametrize("hint", ["", "make room"])
def test_what_ended_the_only_run_and_all_others_is_told_once(
    runferry: Caller, monkeypatch: pytest.MonkeyPatch, hint: str
) -> None:
    def ends(*_: object) -> None:
        raise NoSpace("no room is left", hint=hint)

    monkeypatch.setattr(WandbReader, "read", ends)
    answer = runferry("pull", EXAMPLE, "kept", "--run", "8kq2v1xd")
    assert answer.code == 1
    assert answer.err.count("no room is left") == 1
    assert answer.err.count(f"hint: {hint or 'the same command with -vv tells more'}") == 1
    assert "the remaining runs, if any, were not tried" in answer.err


def test_a_source_that_ends_half_way_is_told_by_verify(
    runferry: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No run has failed by it, so nothing else would say why the exit code is 1."""

    def ends(reader: WandbReader) -> Iterator[Run]:
        yield from itertools.islice(runs(reader), 1)
        raise Unreachable("no answer")

    runs = WandbReader.runs
    runferry("convert", EXAMPLE, "csv:./copy")
    monkeypatch.setattr(WandbReader, "runs", ends)
    answer = runferry("verify", EXAMPLE, "csv:./copy")
    assert answer.code == 1
    assert "the remaining runs were not tried: no answer" in answer.err


def test_an_archive_at_either_end_is_the_archive_between(database: str, runferry: Caller) -> None:
    into, out = runferry("convert", EXAMPLE, "kept"), runferry("convert", "kept", database)
    assert into.code == out.code == 0
    assert "push " not in into.out
    assert "pull " not in out.out
    assert not Path(".runferry").exists()


def test_settings_reach_the_transfer(database: str, runferry: Caller) -> None:
    Path("runferry.toml").write_text('archive = "from-file"\nallow = "renamed"\n')
    assert runferry("convert", EXAMPLE, database, "-q").code == 3
    assert Path("from-file/archive.json").is_file()


def test_a_disk_without_room_is_said_before_anything_is_moved(
    database: str, runferry: Caller
) -> None:
    full = runferry("convert", EXAMPLE, database, RUNFERRY_RESERVE_BYTES="900 TB")
    assert full.code == 1
    assert "free" in full.err
    assert "--archive PATH" in full.err.split("hint: ")[1]


@pytest.mark.parametrize("verb", ["inspect", "plan"])
def test_a_temporary_archive_without_room_is_moved_by_tmpdir(
    database: str, runferry: Caller, verb: str
) -> None:
    places = (EXAMPLE, database)[: 2 if verb == "plan" else 1]
    full = runferry(verb, *places, RUNFERRY_RESERVE_BYTES="900 TB")
    assert full.code == 1
    assert "TMPDIR" in full.err.split("hint: ")[1]
    assert "--archive" not in full.err


def test_deleted_runs_are_moved_when_they_are_asked_for(
    database: str, runferry: Caller, converted: Answer
) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect("runs.db")) as store, store:
        store.execute("UPDATE runs SET lifecycle_stage = 'deleted' WHERE name = 'gentle-tide'")
    counts = {
        args: len(runferry("ls", database, *args, "--json").json["runs"])
        for args in ((), ("--include-deleted",))
    }
    assert list(counts.values()) == [1, 2]
    moved = runferry("pull", database, "all", "--include-deleted", "--json")
    assert moved.json["counts"] == {"new": 2}, moved.err
    assert runferry("pull", database, "rest", "--json").json["counts"] == {"new": 1}


def test_the_log_file_has_one_line_a_run(runferry: Caller) -> None:
    runferry("pull", EXAMPLE, "kept", "--log-file", "run.log", "-q")
    log = Path("run.log").read_text(encoding="utf-8")
    assert "pull ferry-example/8kq2v1xd: new" in log
    assert "pull ferry-example/c04mzp7e: new" in log


def test_asking_for_runs_that_are_not_there_is_a_wrong_call(
    database: str, runferry: Caller
) -> None:
    assert runferry("pull", EXAMPLE, "kept", "-q").code == 0
    for args in (
        ("convert", EXAMPLE, database),
        ("pull", EXAMPLE, "other"),
        ("push", "kept", database),
        ("push", "kept", database, "--dry-run"),
        ("plan", EXAMPLE, database),
        ("verify", "kept", database),
        ("inspect", "kept"),
        ("inspect", EXAMPLE),
    ):
        for asked in (("--run", "nope"), ("--until", "1999-01-01")):
            told = runferry(*args, *asked, "--json")
            assert told.code == told.json["exit_code"] == 2, args
            assert told.json["error"]["kind"] == "UsageError"
            assert told.json["error"]["hint"].startswith("runferry ls ")
    assert runferry("ls", "kept", "--run", "nope", "--json").json["runs"] == []
    nightly = runferry("pull", EXAMPLE, "other", "--since", "2099-01-01", "--json")
    assert nightly.code == 0, nightly.err
    assert "no run began since 2099-01-01" in nightly.err
    for named in (("--run", "8kq2*"), ("--project", "ferry-*", "--until", "2100-01-01")):
        for asking in (
            ("pull", EXAMPLE, "other"),
            ("convert", EXAMPLE, database, "--archive", "other"),
            ("plan", EXAMPLE, database),
            ("plan", "kept", database),
            ("inspect", EXAMPLE),
            ("inspect", "kept"),
        ):
            nightly = runferry(*asking, *named, "--since", "2099-01-01", "--json")
            assert nightly.code == 0, nightly.err
            assert nightly.err.count("no run began since 2099-01-01") == 1
    slip = runferry("pull", EXAMPLE, "other", "--run", "nope", "--since", "2099-01-01", "--json")
    assert slip.code == 2, slip.err
    assert not Path("other").exists(), "nothing came into an archive that was not there"
