"""From a service to an archive and on into MLflow: stopped on the way, ended later, logged."""

from __future__ import annotations

import re
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from tests.cli.calling import Answer, Caller, command, environment, in_new_process
from tests.cli.terminals import on_a_terminal
from tests.readers.wandb_service_runs import columns

from runferry.archive.store import Archive
from runferry.cli.session import Session
from runferry.testing.wandb_service import RunContent, WandbService
from runferry.transfer.figures import again_after
from runferry.transfer.progress import Observer, Phase, Silent, StopToken

EXAMPLE = Path(__file__).parents[2] / "examples" / "wandb"
RUNS = 60
SOON = 30  # seconds, on a busy machine; waiting out a service or a lock takes 300
SIGNALS = pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])


@pytest.fixture(scope="module")
def service() -> Iterator[WandbService]:
    with WandbService() as service:
        ready = service.ready_history(columns(30), live_rows=30)
        for number in range(RUNS):
            content = RunContent(config={"seed": number}, tags=("a",))
            service.put_run(f"lab/many/r{number:03d}", content, history_of=ready)
        service.faults.latency_seconds = 0.02
        yield service


@pytest.fixture
def known(service: WandbService, tmp_path: Path) -> dict[str, str]:
    """The variables under which a new process finds the service."""
    return dict(service.environment(tmp_path / "home"))


@pytest.fixture(scope="module")
def archived(service: WandbService, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archived")
    args = ("pull", "wandb:lab/many", folder / "archive", "--quiet")
    answer = in_new_process(*args, **service.environment(folder / "home"))
    assert answer.code == 0, answer.err
    return folder / "archive"


def interrupted(
    *args: str | Path, after: int, signals: tuple[signal.Signals, ...], environ: dict[str, str]
) -> tuple[Answer, float]:
    """Send signals after so many runs; the answer, and how long it took from the first signal."""
    with subprocess.Popen(
        command(*args, "-v"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(**environ),
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            said = ""
            while said.count(": new") < after:
                line = process.stderr.readline()
                assert line, said
                said += line
            sent = time.monotonic()
            for each in signals:
                process.send_signal(each)
                time.sleep(0.02)
            out, err = process.communicate(timeout=60)
            return Answer(process.returncode, out, said + err), time.monotonic() - sent
        finally:
            process.kill()


@SIGNALS
def test_a_pull_from_a_service_that_is_stopped_keeps_what_is_done_and_goes_on(
    known: dict[str, str], tmp_path: Path, name: signal.Signals
) -> None:
    target = tmp_path / "archive"
    args = ("pull", "wandb:lab/many", target, "--workers", "4")
    stopped, seconds = interrupted(*args, after=5, signals=(name,), environ=known)
    assert stopped.code == 130, stopped.err
    assert "stopping at the next safe point" in stopped.err
    assert "hint: the same command again continues where it stopped" in stopped.err
    assert seconds < SOON
    done = len(list(Archive.open(target).records()))
    assert 5 <= done < RUNS
    again = in_new_process(*args, "--json", **known)
    assert again.code == 0, again.err
    assert again.json["counts"] == {"new": RUNS - done, "unchanged": done}
    assert len(list(Archive.open(target).records())) == RUNS


@SIGNALS
def test_a_push_that_is_stopped_keeps_what_is_sealed_and_goes_on_without_a_duplicate(
    archived: Path, empty_store: Path, tmp_path: Path, name: signal.Signals
) -> None:
    database, archive = tmp_path / "runs.db", tmp_path / "archive"
    shutil.copyfile(empty_store, database)
    shutil.copytree(archived, archive)
    args = ("push", archive, f"mlflow:sqlite:///{database}")
    stopped, seconds = interrupted(*args, after=5, signals=(name,), environ={})
    assert stopped.code == 130, stopped.err
    assert "hint: the same command again continues where it stopped" in stopped.err
    assert seconds < SOON
    sealed = stopped.err.count(": new")
    assert 5 <= sealed < RUNS
    again = in_new_process(*args, "--json")
    assert again.code == 0, again.err
    assert again.json["counts"].get("unchanged", 0) == sealed
    assert sum(again.json["counts"].values()) == RUNS
    assert marks_in(database) == sorted(marks_in(database, "DISTINCT"))
    assert len(marks_in(database)) == RUNS
    compared = in_new_process("verify", *args[1:])
    assert compared.code == 0, compared.err


def marks_in(database: Path, which: str = "ALL") -> list[str]:
    with closing(sqlite3.connect(database)) as connection:
        query = f"SELECT {which} value FROM tags WHERE key = 'runferry.uid' ORDER BY value"
        return [value for (value,) in connection.execute(query)]


def test_two_signals_end_a_pull_at_once_and_it_goes_on(
    known: dict[str, str], service: WandbService, tmp_path: Path
) -> None:
    target = tmp_path / "archive"
    args = ("pull", "wandb:lab/many", target, "--workers", "4")
    both = (signal.SIGINT, signal.SIGINT)
    killed, seconds = interrupted(*args, after=5, signals=both, environ=known)
    assert killed.code == 130
    assert seconds < SOON
    again = in_new_process(*args, "--json", **known)
    assert again.code == 0, again.err
    assert sum(again.json["counts"].values()) == RUNS
    assert len(list(Archive.open(target).records())) == RUNS


def test_two_pulls_of_one_service_into_one_archive_share_the_work(
    known: dict[str, str], tmp_path: Path
) -> None:
    target = tmp_path / "archive"
    first, second = (
        subprocess.Popen(
            command("pull", "wandb:lab/many", target, "--quiet"),
            stderr=subprocess.PIPE,
            env=environment(**known),
            text=True,
        )
        for _ in range(2)
    )
    for process in (first, second):
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert len(list(Archive.open(target).records())) == RUNS


def test_a_terminal_shows_how_many_of_all_runs_are_done(
    known: dict[str, str], tmp_path: Path
) -> None:
    shown = on_a_terminal("pull", "wandb:lab/many", tmp_path / "archive", cwd=tmp_path, **known)
    assert re.search(rf"\d+ of {RUNS} runs", shown)
    assert f"{RUNS} of {RUNS} runs" in shown


LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}Z (DEBUG|INFO|WARNING|ERROR) [\w-]+ [\w.]+: (.*)"
)


def test_the_log_says_when_which_run_what_and_how_long_and_no_secret(
    known: dict[str, str], service: WandbService, tmp_path: Path
) -> None:
    from runferry.testing.wandb_service import Trouble

    service.faults.add(Trouble("status", "graphql:*", times=2, skip=3, status=500))
    log = tmp_path / "runferry.log"
    args = ("pull", "wandb:lab/many", tmp_path / "archive", "--run", "r00*", "--log-file", log)
    answer = in_new_process(*args, **known)
    assert answer.code == 0, answer.err
    text = log.read_text()
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    assert all(found), text
    said = [match[2] for match in found if match is not None]
    assert re.fullmatch(r"runferry \S+: pull wandb:lab/many .*", said[0])
    runs = re.compile(r"pull many/r00\d: new, \d+ rows in \d+\.\d s")
    assert sum(runs.fullmatch(line) is not None for line in said) == 10
    assert any(re.search(r"was answered 500.*; trying again in [\d.]+ s", s) for s in said)
    assert re.fullmatch(r"ended with exit code 0 after \d+\.\d s", said[-1])
    assert known["WANDB_API_KEY"] not in text


def test_the_log_names_what_is_lost_run_by_run_and_altogether(tmp_path: Path) -> None:
    pulled = in_new_process("pull", EXAMPLE, tmp_path / "archive", "--log-file", tmp_path / "1.log")
    assert pulled.code == 0, pulled.err
    assert "losses: none" in (tmp_path / "1.log").read_text()
    args = ("push", tmp_path / "archive", f"tensorboard:{tmp_path / 'runs'}")
    pushed = in_new_process(*args, "--log-file", tmp_path / "2.log", "--json")
    said = (tmp_path / "2.log").read_text()
    for outcome in pushed.json["runs"]:
        line = next(one for one in said.splitlines() if f"push {outcome['run']}: new" in one)
        gone = {x["code"] for x in outcome["losses"] if x["fate"] in ("rounded", "dropped")}
        named = line.partition("; lost: ")[2].split(", ")
        assert {one.split()[-1] for one in named if one} == gone
    altogether = re.search(r"progress: losses: (.*)", said)
    assert altogether is not None
    for loss in pushed.json["losses"]:
        assert f"{loss['fate']} {loss['count']:,} {loss['code']}" in altogether[1]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0, "at once"), (0.04, "at once"), (0.5, "in 0.5 s"), (0.97, "in 1 s"), (12.4, "in 12 s")],
)
def test_no_pause_is_told_as_none(seconds: float, words: str) -> None:
    assert again_after(seconds) == f"trying again {words}"


def test_an_error_that_ends_the_call_is_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "runferry.log"
    answer = in_new_process("pull", tmp_path / "none", tmp_path / "archive", "--log-file", log)
    assert answer.code == 1
    assert "ended with exit code 1: no such file or folder" in log.read_text()


def test_the_log_has_no_word_of_the_program_that_is_run(tmp_path: Path) -> None:
    """It may be given its secrets on its command line."""
    log = tmp_path / "run.log"
    in_new_process("run", "--to", "nowhere:x", "--log-file", log, "--", "python", "--key=SEKRET")
    assert "-- …" in log.read_text()
    assert "SEKRET" not in log.read_text()


class Counting(Silent):
    """Hears how many runs there will be."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def expected(self, phase: Phase, runs: int) -> None:
        self.told.append((phase, runs))


def test_convert_says_how_many_runs_there_are_before_all_are_listed(
    known: dict[str, str], runferry: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Counting()

    @contextmanager
    def working(session: Session) -> Iterator[tuple[Observer, StopToken]]:
        yield counting, StopToken()

    monkeypatch.setattr(Session, "working", working)
    answer = runferry("convert", "wandb:lab/many", "jsonl:out", "--dry-run", **known)
    assert answer.code == 0, answer.err
    assert counting.told == [("pull", RUNS)]


@pytest.mark.parametrize("words", [["plot", "."], ["report", ".", "mlflow:x"]], ids=lambda w: w[0])
def test_every_verb_that_asks_a_server_takes_a_cap_on_the_rate(
    runferry: Caller, words: list[str]
) -> None:
    refused = runferry(*words, "--rate", "no")
    assert refused.code == 2
    assert "No such option" not in refused.err
    assert "rate" in refused.err
