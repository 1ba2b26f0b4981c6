"""Delivery: killed, stalled or alone, nothing is lost, nothing comes twice, nobody waits."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from training import QUIET, ended, rows, start, told, train

from runferry.live.layout import Layout, Stated
from runferry.live.status import Status
from runferry.python_apart import environment_apart

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")

WRITES = """
import json
from runferry.live.interfaces import stop_logging, sync_tensorboard
session = sync_tensorboard(to=TO, root="runs", journal="session")
from tensorboardX import SummaryWriter
writer = SummaryWriter("runs/a")
for step in range(STEPS):
    writer.add_scalar("loss", step, step)
    print(step, flush=True)
    time.sleep(PAUSE)
writer.close()
"""


PATIENCE = 120.0
"""Seconds until something has come to pass; nothing takes so long, on a slow machine either."""


def _script(*to: str, steps: int = 100, pause: float = 0.0) -> str:
    return f"TO, STEPS, PAUSE = {to!r}, {steps}, {pause}\n{WRITES}"


def _deliver(folder: Path, *to: str) -> subprocess.Popen[bytes]:
    """A delivery process of the session there, in the foreground."""
    environment = environment_apart()
    if to:
        environment["RUNFERRY_LIVE_TO"] = json.dumps(to)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "runferry.live.deliver", str(folder / "session"), "--here"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _journalled(folder: Path, *to: str, steps: int = 100) -> None:
    """A session that has captured, and of which nothing was delivered."""
    code = _script(*to, steps=steps).replace(
        "session = sync", "from runferry.live import session as s\ns.Session.deliver = "
        "lambda self: None\nsession = sync",
    )  # fmt: skip
    train(folder, code)


def _waited(
    folder: Path,
    wanted: Callable[[Status], bool] = lambda _: True,
) -> Status:
    """The status as soon as it is as it should be."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        status = Status.read(Layout(folder / "session").status)
        if status is not None and wanted(status):
            return status
        time.sleep(0.05)
    raise AssertionError(f"{status} {Layout(folder / 'session').log.read_text()}")


LOSS = {"loss": [(step, float(step)) for step in range(100)]}


MOMENTS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 50))]


@pytest.mark.parametrize("seed", MOMENTS)
def test_training_killed_at_any_moment_loses_at_most_the_call_in_flight(
    tmp_path: Path, seed: int
) -> None:
    process = start(tmp_path, _script("archive:./mirrored", steps=10**6))
    stop_at = random.Random(seed).randrange(1, 400)
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= stop_at:
            break
    process.send_signal(signal.SIGKILL)
    last = int([line, *process.stdout.read().split()][-1])
    process.communicate()
    _ended(tmp_path)
    found = rows(f"archive:{tmp_path / 'mirrored'}")["loss"]
    assert found == [(step, float(step)) for step in range(len(found))]
    assert last + 1 <= len(found) <= last + 2


def _ended(folder: Path) -> Status:
    return _waited(folder, lambda status: status.state in ("done", "gave-up"))


@pytest.mark.parametrize("seed", MOMENTS[:13])
def test_delivery_killed_at_random_moments_duplicates_nothing(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    to = ("archive:./mirrored", "jsonl:./lines", "tensorboard:./events")
    process = start(tmp_path, _script(*to, steps=100, pause=0.02))
    while not (tmp_path / "session" / "session.json").exists():
        time.sleep(0.01)
    delivering = []
    for _ in range(4):
        time.sleep(chance.uniform(0.0, 0.8))
        status = Status.read(Layout(tmp_path / "session").status)
        if status is not None:
            with suppress(ProcessLookupError):
                os.kill(status.process, signal.SIGKILL)
        delivering.append(_deliver(tmp_path, *to))
    ended(process)
    last = _deliver(tmp_path, *to)
    for one in (last, *delivering):
        one.wait(PATIENCE)
    status = _ended(tmp_path)
    assert status.state == "done"
    for place in ("archive:mirrored", "jsonl:lines", "tensorboard:events"):
        tracker, _, name = place.partition(":")
        assert rows(f"{tracker}:{tmp_path / name}") == LOSS


def test_a_session_is_resumed_on_another_machine(tmp_path: Path) -> None:
    """Nothing but its folder is needed: the runs that were logged are gone."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    _journalled(first, "archive:./mirrored")
    shutil.copytree(first / "session", second / "session")
    shutil.rmtree(first)
    assert _deliver(second).wait(PATIENCE) == 0
    assert rows(f"archive:{second / 'mirrored'}") == LOSS


def test_what_another_version_made_of_a_session_is_made_anew(tmp_path: Path) -> None:
    """It may have made other bytes, in which no place is what it was."""
    to = ("trackio:./t/p", "tensorboard:./events", "jsonl:./lines")
    _journalled(tmp_path, *to)
    assert _deliver(tmp_path).wait(PATIENCE) == 0
    session = Layout(tmp_path / "session")
    (made,) = (session.replicas / "tensorboard").rglob("events.*")
    made.write_bytes(made.read_bytes()[:-900] + bytes(300))
    session.made_by.write_text("0.0.1")
    assert _deliver(tmp_path).wait(PATIENCE) == 0
    for place in to:
        assert rows(place.replace("./", f"{tmp_path}/")) == LOSS


def test_a_second_delivery_beside_the_first_does_nothing(tmp_path: Path) -> None:
    code = _script("archive:./mirrored").replace("writer.close()", "sys.stdin.read()")
    process = start(tmp_path, code, is_asked=True)
    first = _waited(tmp_path).process
    assert all(_deliver(tmp_path).wait(PATIENCE) == 0 for _ in range(2))
    assert _waited(tmp_path).process == first
    ended(process)
    assert (_ended(tmp_path).state, _ended(tmp_path).process) == ("done", first)
    assert rows(f"archive:{tmp_path / 'mirrored'}") == LOSS


# --- backends that are dead, stalled or broken ----------------------------------------------------


class _Broken(BaseHTTPRequestHandler):
    def _answer(self) -> None:
        self.send_response(500)
        self.end_headers()

    do_GET = do_POST = do_PUT = _answer  # noqa: N815  the names that its base looks for

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _broken() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Broken)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def _stalled() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@contextmanager
def _dead() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


TIMED = """
import json, statistics
from runferry.live.interfaces import stop_logging, sync_tensorboard
sync_tensorboard(to=TO, root="runs", journal="session")
from tensorboardX import SummaryWriter
writer, took = SummaryWriter("runs/a"), []
for step in range(100):
    began = time.perf_counter()
    writer.add_scalar("loss", step, step)
    took.append(time.perf_counter() - began)
    time.sleep(0.01)
writer.close()
began = time.perf_counter()
told = stop_logging(timeout=0)
print(json.dumps([statistics.median(took), time.perf_counter() - began, told]))
"""


def test_backends_that_fail_delay_themselves_alone(tmp_path: Path) -> None:
    """A dead port, a socket that nobody answers at and a server of 500s, beside two that serve."""
    with _dead() as dead, _stalled() as stalled, _broken() as broken:
        bad = [f"mlflow:http://127.0.0.1:{port}" for port in (dead, stalled, broken)]
        good = ["archive:./mirrored", "jsonl:./lines"]
        out = train(tmp_path, f"TO = {(*bad, *good)!r}\n{TIMED}", RUNFERRY_PATIENCE=f"{PATIENCE}")
        median, stopping, counts = told(out)
        assert median < 0.05 * 0.01  # of a training that takes 10 ms a step
        assert stopping < 5
        assert set(counts) == {*bad, *good}
        status = _waited(
            tmp_path, lambda status: [one.delivered for one in status.destinations[3:]] == [101] * 2
        )
        assert [one.pending for one in status.destinations] == [101] * 3 + [0] * 2
        assert status.captured == 101
        assert all(rows(place.replace("./", f"{tmp_path}/")) == LOSS for place in good)
        os.kill(status.process, signal.SIGTERM)
        assert _waited(tmp_path, lambda status: status.state == "gave-up").captured == 101


def test_what_a_dead_backend_did_not_get_is_delivered_by_resume(tmp_path: Path) -> None:
    _journalled(tmp_path, "mlflow:http://127.0.0.1:9")
    assert Stated.read(tmp_path / "session").destinations == ("mlflow:http://127.0.0.1:9",)
    assert _deliver(tmp_path, "jsonl:./lines").wait(PATIENCE) == 0
    assert rows(f"jsonl:{tmp_path / 'lines'}") == LOSS


def test_credentials_of_a_place_are_on_no_disk(tmp_path: Path) -> None:
    secret = "hunter2secret"
    _journalled(tmp_path, f"mlflow:http://user:{secret}@127.0.0.1:9")
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_nothing_that_the_training_process_prints_or_waits_for_is_ours(tmp_path: Path) -> None:
    assert QUIET
    process = start(tmp_path, _script("mlflow:http://127.0.0.1:9", steps=10))
    out, err = process.communicate(timeout=PATIENCE)
    assert (out.split(), err) == ([str(step) for step in range(10)], "")
    os.kill(_waited(tmp_path).process, signal.SIGTERM)


def _session_on_a_full_disk(folder: Path) -> str:
    """Of what is below this folder, and who may write no more than so much into a file."""
    return f"""
        import resource, signal, subprocess, runferry
        from pathlib import Path
        from runferry.live.session import Session
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        deliver = Session.deliver
        def limited(self, **more):
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, -1))
            deliver(self, **more)
            resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
        Session.deliver = limited
        runferry.sync_tensorboard(to="jsonl:./lines", journal={str(folder)!r})
        from tensorboardX import SummaryWriter
        with SummaryWriter("runs/a") as writer:
            for step in range(2000):
                writer.add_scalar("loss", step, step)
        from runferry.live.status import Status
        root = Path({str(folder)!r})
        def failing():  # the file has its space before it has anything to say
            status = Status.read(root / "status.json")
            return status is not None and any(one.failing for one in status.destinations)
        while not failing():
            time.sleep(0.1)
        code = [sys.executable, "-P", "-m", "runferry", "status", str(root), "--watch"]
        watching = subprocess.Popen(code, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            watching.wait(6)
        except subprocess.TimeoutExpired:
            watching.kill()
        watched = watching.wait()
        found = runferry.stop_logging(timeout=5)["jsonl:./lines"]
        print(json.dumps(found | {{"watched": watched}}))
        """


def test_where_the_session_has_no_space_it_is_told_and_resumed(tmp_path: Path) -> None:
    """The delivery process may not write what the journal has."""
    out = train(
        tmp_path, "import json\n" + textwrap.dedent(_session_on_a_full_disk(tmp_path / "session"))
    )
    found = told(out)
    assert found["captured"] == 2001
    assert 0 < found["pending"] == 2001 - found["delivered"]  # the first may have had space
    assert re.search("cannot be written|disk is full", found["failing"])
    assert found["watched"] == -signal.SIGKILL  # while somebody trains it is tried again
    code = [sys.executable, "-P", "-m", "runferry", "status", "session", "--watch"]
    seen = subprocess.run(code, cwd=tmp_path, env=environment_apart(), capture_output=True)
    assert seen.returncode == 4
    states = [line for line in seen.stdout.split() if line in (b"gave-up", b"stopped")]
    assert len(states) == 1
    time.sleep(2)
    status = Status.read(tmp_path / "session" / "status.json")
    assert status is not None
    assert not _goes_on(status.process)
    assert _deliver(tmp_path).wait(60) == 0
    assert len(rows(f"jsonl:{tmp_path / 'lines'}")["loss"]) == 2000


def _goes_on(process: int) -> bool:
    """Whether a process is there, and not only what whoever began it has not asked for yet."""
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True)
    return found.stdout.strip()[:1] not in (b"", b"Z")
