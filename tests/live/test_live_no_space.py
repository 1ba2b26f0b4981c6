"""A session that gets no folder: training goes on, is warned once, and knows what it has not."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from training import told, train

from runferry.live import session as module
from runferry.live.frames import Kind
from runferry.live.journal import JournalWarning
from runferry.live.layout import FOLDER_VARIABLE, Layout, Stated
from runferry.live.session import Session, Sessions
from runferry.python_apart import command_apart, environment_apart

FULL = "import json, pathlib; pathlib.Path('.runferry').write_text('where sessions are made')\n"


def test_sessions_without_a_folder_stop_no_training(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    out = train(
        tmp_path,
        f"""{FULL}
import runferry
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    runferry.sync_tensorboard(to="archive:./a")
    runferry.sync_tensorboard(to="archive:./a")
    runferry.start_logging("b", config={{"lr": 1}}).log_metric("loss", 1.0, 1)
    from tensorboardX import SummaryWriter
    with SummaryWriter("runs/a") as writer:
        for step in range(3):
            writer.add_scalar("loss", step, step)
    if os.fork() == 0:
        with SummaryWriter("runs/b") as writer:
            writer.add_scalar("loss", 1, 1)
        os._exit(0)
    os.wait()
began = time.monotonic()
places = list(runferry.stop_logging(timeout=60).values())
print(json.dumps([[str(one.message) for one in seen], places, time.monotonic() - began]))
""",
    )
    seen, places, seconds = told(out)
    warned = ["Training goes on" in one for one in seen if "runferry" in one]
    assert warned == [True, True]  # one for each session
    assert seconds < 5
    assert [(place["delivered"], place["dropped"] >= 3) for place in places] == [(0, True)] * 2
    assert (tmp_path / "runs" / "b").is_dir()


def test_a_command_whose_session_gets_no_folder_runs_alone_and_that_is_told(
    tmp_path: Path,
) -> None:
    (tmp_path / ".runferry").write_text("where sessions are made")
    script = "from runferry.cli import main; import sys; sys.exit(main())"
    arguments = ("run", "--to", "archive:./a", "--", "sh", "-c", "echo trained; exit 7")
    ended = subprocess.run(
        command_apart(script, *arguments),
        cwd=tmp_path, env=environment_apart(), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (7, "trained\n")
    assert "nothing is mirrored, the command runs alone" in ended.stderr
    assert "hint: runferry run --journal" in ended.stderr


def test_a_delivery_that_cannot_be_started_is_a_warning_and_what_is_captured_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(module.subprocess, "run", refused)
    monkeypatch.setenv(FOLDER_VARIABLE, "")  # which a session sets for children
    stated = Stated(("archive:./a",))
    with pytest.warns(JournalWarning, match="nothing is delivered: Resource temporarily"):
        session = Sessions().begin(stated.destinations, tmp_path / "session", stated)
    assert isinstance(session, Session)
    assert not session.journal.is_stopped
    assert [*Layout(tmp_path / "session").journals.glob("*.journal")]
    session.journal.close()


@pytest.mark.parametrize("meets", ["no space", "removal"])
def test_a_session_that_has_no_folder_is_begun_anew_by_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, meets: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Session, "_start", lambda _: None)
    monkeypatch.setenv(FOLDER_VARIABLE, "")
    home, stated, known = tmp_path / ".runferry", Stated(("archive:./a",)), Sessions()
    if meets == "no space":
        home.write_text("where sessions are made")
        with pytest.warns(JournalWarning, match="Not a directory"):
            first = known.begin(stated.destinations, None, stated)
        first.journal.drop("wandb")
        home.unlink()
        second = known.begin(stated.destinations, None, stated)
    else:
        first = known.begin(stated.destinations, None, stated)
        first.journal.append("wandb", Kind.CALL, "{}", b"{}")
        shutil.rmtree(home)
        with pytest.warns(JournalWarning, match="No such file"):
            second = known.begin(stated.destinations, None, stated)
        first.journal.append("wandb", Kind.CALL, "{}", b"{}")
        assert not first.layout.root.exists()  # nobody would deliver what lies there
    second.journal.append("wandb", Kind.CALL, "{}", b"{}")
    assert known.all() == [second]
    assert (second.journal.captured.total(), first.journal.dropped.total()) == (1, 1)
    assert second.journal.dropped.total() == (1 if meets == "no space" else 0)
    assert [*second.layout.journals.glob("*.journal")]
    second.release()
