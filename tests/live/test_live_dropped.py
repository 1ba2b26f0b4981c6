"""What could not be captured is counted, and whoever asks hears of it."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from training import ended, layout, rows, settled, start

from runferry.live.layout import Layout
from runferry.live.status import Status

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")


def test_what_a_hook_could_not_take_is_told_while_training_goes_on(tmp_path: Path) -> None:
    process = start(
        tmp_path,
        """
        import runferry
        session = runferry.sync_tensorboard(to="archive:./mirrored")
        from tensorboardX import SummaryWriter
        with SummaryWriter("runs/a") as writer:
            writer.add_scalar("loss", 1, 1)
            session.journal.drop("tensorboard")
            print("dropped", flush=True)
            sys.stdin.read()
            session.journal.drop("tensorboard")
        runferry.stop_logging()
        """,
        is_asked=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    deadline, status = time.monotonic() + 30, None
    while status is None or not status.dropped:
        assert time.monotonic() < deadline, status
        time.sleep(0.05)
        status = Status.read(layout(tmp_path).status)
    assert (status.state, status.dropped) == ("following", 1)
    ended(process)
    assert settled(tmp_path).dropped == 2


ENDS = {
    "with space": "resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))",
    "full": "",
    "killed": "os.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.mark.parametrize("ends", list(ENDS))
def test_what_a_full_disk_dropped_is_told_also_where_it_stays_full(
    tmp_path: Path, ends: str
) -> None:
    code = f"""
        import resource, signal, runferry
        experiment = runferry.start_logging("e", backend="jsonl:./lines", journal="session")
        from runferry.live.session import sessions
        (session,) = sessions.all()
        session.journal.drop("experiment")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, -1))
        for step in range(1000):
            experiment.log_metric("loss", step, step)
        assert session.journal.is_stopped
        {ENDS[ends]}
        """
    ended(start(tmp_path, code), -signal.SIGKILL if ends == "killed" else 0)
    status = settled(tmp_path, root=Layout(tmp_path / "session"))
    if ends == "killed":  # what was counted after it was told last is gone with the process
        assert status.dropped == 2
    else:
        assert status.captured + status.dropped == 1003  # and that it began, and ended
        assert 100 < status.dropped < 1000
    assert len(rows(f"jsonl:{tmp_path / 'lines'}")["loss"]) == status.captured - 1
