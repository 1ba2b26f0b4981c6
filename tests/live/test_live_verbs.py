"""The verbs of live mirroring: what they print, and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import typer
from training import WITHOUT_COMET, layout, rows, settled, train

from runferry.archive.lock import FileLock
from runferry.cli import living
from runferry.errors import ExitCode
from runferry.live.layout import Layout, Stated
from runferry.live.status import DestinationStatus, Status
from runferry.python_apart import environment_apart

SummaryWriter = pytest.importorskip(
    "tensorboardX", reason="tensorboardX is not installed"
).SummaryWriter
SCHEMAS = json.loads(
    (Path(__file__).parents[2] / "docs" / "cli.schema.json").read_text(encoding="utf-8")
)


def _called(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "runferry", *arguments],
        cwd=folder,
        env=environment_apart(),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )


def test_status_and_resume_tell_what_there_is(tmp_path: Path) -> None:
    train(
        tmp_path,
        """
        import runferry
        runferry.sync_tensorboard(to="archive:./mirrored")
        from tensorboardX import SummaryWriter
        with SummaryWriter("runs/a") as writer:
            for step in range(10):
                writer.add_scalar("loss", step, step)
        """,
    )
    assert settled(tmp_path).state == "done"
    told = _called(tmp_path, "status", "--json")
    assert told.returncode == 0, told.stderr
    document = json.loads(told.stdout)
    jsonschema.validate(document, {**SCHEMAS, "$ref": "#/$defs/status"})
    assert (document["state"], document["captured"]) == ("done", 11)
    shown = _called(tmp_path, "status", "--watch")
    assert shown.stdout.splitlines()[0] == "done"
    assert "archive:./mirrored" in shown.stdout

    journal = str(layout(tmp_path).root)
    again = _called(tmp_path, "resume", journal, "--to", "jsonl:./lines", "--json")
    assert again.returncode == 0, again.stderr
    jsonschema.validate(json.loads(again.stdout), {**SCHEMAS, "$ref": "#/$defs/status"})
    assert rows(f"jsonl:{tmp_path / 'lines'}")["loss"] == [(n, float(n)) for n in range(10)]


def test_a_session_that_was_given_up_says_why_and_which_command_goes_on(tmp_path: Path) -> None:
    root = tmp_path / "a session"
    Stated(("archive:./mirrored",)).write(root)
    why = f"no server: {'the connection failed, ' * 9}: http://127.0.0.1:9\n\nhint: start it"
    failing = DestinationStatus("archive:./mirrored", failing=why)
    Status("gave-up", 1, 5, destinations=(failing,)).write(Layout(root).status)
    told = _called(tmp_path, "status", str(root))
    assert told.returncode == 4
    assert f"goes on with: runferry resume '{root}'" in told.stderr
    assert f"archive:./mirrored: {why}".split() == told.stdout.split()[-len(why.split()) - 1 :]


def test_who_resumes_what_another_process_delivers_is_told_how_to_watch_that(
    tmp_path: Path,
) -> None:
    root = tmp_path / "session"
    Stated(("archive:./mirrored",)).write(root)
    failing = DestinationStatus("archive:./mirrored", failing="nobody answers")
    Status("delivering", 1, destinations=(failing,)).write(Layout(root).status)
    lock = FileLock(Layout(root).delivery_lock)
    lock.acquire()
    told = _called(tmp_path, "resume", "session")
    lock.release()
    assert told.returncode == 1
    assert "another process delivers this session: session" in told.stderr
    assert "hint: runferry status --watch session" in told.stderr


def test_what_is_over_since_it_was_quiet_is_told(tmp_path: Path) -> None:
    with SummaryWriter(str(tmp_path / "runs" / "a")) as writer:
        writer.add_scalar("loss", 1.0, 1)
    told = _called(tmp_path, "follow", "runs", "--to", "jsonl:lines", "--until-quiet", "0.5")
    assert told.returncode == 0, told.stderr
    assert "nothing was written for 0.5 seconds" in told.stderr
    assert rows(f"jsonl:{tmp_path / 'lines'}")["loss"] == [(1, 1.0)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["status"], "no session"),
        (["resume", "nowhere"], "no session"),
        (["resume", "."], "its newest is .runferry/live/20260101_000000-1"),
        (["run", "--", "true"], "--to is missing"),
        (["run", "--to", "mlfow:x", "--", "true"], "mlfow"),
        (["run", "--to", "archive:./a", "--", "no-such-command"], "cannot be run"),
    ],
)
def test_a_wrong_call_is_told_with_a_hint(tmp_path: Path, arguments: list[str], told: str) -> None:
    if "." in arguments:
        Stated().write(tmp_path / ".runferry" / "live" / "20260101_000000-1")
    answer = _called(tmp_path, *arguments)
    assert answer.returncode == 2
    assert told in answer.stderr
    assert "hint:" in answer.stderr


def test_run_mirrors_a_command_without_touching_its_code(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        WITHOUT_COMET
        + """
import sys
assert "pyarrow" not in sys.modules
from tensorboardX import SummaryWriter
with SummaryWriter("runs/a") as writer:
    for step in range(10):
        writer.add_scalar("loss", step, step)
sys.exit(3)
"""
    )
    (tmp_path / "sitecustomize.py").write_text("import os; os.environ['OTHERS'] = 'ran'")
    train(
        tmp_path,
        """
        import subprocess
        os.environ["PYTHONPATH"] += os.pathsep + os.getcwd()
        command = [sys.executable, "-W", "ignore", "train.py"]
        done = subprocess.run(
            [sys.executable, "-m", "runferry", "run", "--to", "archive:./mirrored", "--", *command]
        )
        assert done.returncode == 3, done
        """,
    )
    assert settled(tmp_path).state == "done"
    assert rows(f"archive:{tmp_path / 'mirrored'}") == {"loss": [(n, float(n)) for n in range(10)]}


@pytest.mark.parametrize("is_made", [True, False], ids=["empty", "not there"])
def test_follow_says_how_a_folder_is_waited_for_in_which_nothing_lies_yet(
    tmp_path: Path, is_made: bool
) -> None:
    if is_made:
        (tmp_path / "my runs").mkdir()
    done = _called(tmp_path, "follow", "./my runs", "--to", "jsonl:./lines")
    assert done.returncode == ExitCode.FAILED
    assert "runferry follow 'wandb:./my runs' --to" in done.stderr


def test_follow_ends_when_the_runs_do(tmp_path: Path) -> None:
    code = """
        import subprocess
        from tensorboardX import SummaryWriter
        with SummaryWriter("runs/a") as writer:
            for step in range(20):
                writer.add_scalar("loss", step, step)
                writer.flush()
                if step == 0:  # what is quiet for longer than it takes to begin is over
                    following = subprocess.Popen(
                        [sys.executable, "-m", "runferry", "follow", "runs", "--to",
                         "jsonl:./lines", "--until-quiet", "3", "--json"], stdout=subprocess.PIPE)
                time.sleep(0.15)
        assert following.wait(100) == 0
        """
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "events.out.tfevents.0.before").write_bytes(b"")
    train(
        tmp_path,
        "from tensorboardX import SummaryWriter\n"
        "with SummaryWriter('runs/first') as w: w.add_scalar('first', 1, 1)\n",
    )
    train(tmp_path, code)
    found = rows(f"jsonl:{tmp_path / 'lines'}")
    assert found["loss"] == [(n, float(n)) for n in range(20)]


def test_one_program_after_the_other_in_a_command_is_mirrored(tmp_path: Path) -> None:
    """The delivery ends when the command does, and not when its first program does."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(
            f"{WITHOUT_COMET}from tensorboardX import SummaryWriter\n"
            f"with SummaryWriter('runs/{name}') as writer:\n"
            f"    writer.add_scalar('{name}', 1, 1)\n"
        )
    python = "python -W ignore"
    train(
        tmp_path,
        f"""
        import subprocess
        subprocess.run(
            [sys.executable, "-m", "runferry", "run", "--to", "archive:./mirrored", "--",
             "sh", "-c", "{python} one.py; sleep 5; {python} two.py"], check=True)
        """,
    )
    assert settled(tmp_path).state == "done"
    assert set(rows(f"archive:{tmp_path / 'mirrored'}")) == {"one", "two"}


def test_status_tells_that_nobody_delivers_any_more(tmp_path: Path) -> None:
    train(
        tmp_path,
        """
        import runferry, signal
        from runferry.live.status import Status
        session = runferry.sync_tensorboard(to="mlflow:http://127.0.0.1:9")
        from tensorboardX import SummaryWriter
        SummaryWriter("runs/a").add_scalar("loss", 1, 1)
        while Status.read(session.layout.status) is None:
            time.sleep(0.05)
        os.kill(Status.read(session.layout.status).process, signal.SIGKILL)
        """,
    )
    for more in ([], ["--watch"]):
        told = _called(tmp_path, "status", *more)
        assert told.returncode == 4
        assert told.stdout.splitlines()[0] == "stopped"
        assert "runferry resume" in told.stderr


def test_a_session_that_cannot_be_written_is_told_with_a_hint(tmp_path: Path) -> None:
    session = tmp_path / "session"
    Stated(("jsonl:./lines",)).write(session)
    (session / "rounds.jsonl").mkdir()
    told = _called(tmp_path, "resume", "session")
    assert told.returncode == 1
    assert told.stderr.startswith("error: this session cannot be written")
    assert "hint:" in told.stderr


@pytest.mark.parametrize("code", [0, 1, 77])
def test_a_command_that_is_waited_for_ends_with_its_own_code(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """As on Windows, where no process becomes another."""
    monkeypatch.setattr(living, "CAN_BECOME", False)
    command = [sys.executable, "-c", f"raise SystemExit({code})"]
    with pytest.raises(typer.Exit) as ended:
        living._replaced(command, os.environ)
    assert ended.value.exit_code == code
