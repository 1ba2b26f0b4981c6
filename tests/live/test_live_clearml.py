"""ClearML: what is mirrored equals what conversion of the same task gives."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from training import differences, rows, settled, train

import runferry
from runferry.live.origins import came_from
from runferry.model import Run, RunKey, Tree
from runferry.ports import Location
from runferry.testing.clearml_server import ClearmlServer

pytestmark = pytest.mark.skipif(find_spec("clearml") is None, reason="clearml is not installed")

READERS = Path(__file__).parents[1] / "readers"
BEGIN = f"""
sys.path.insert(0, {str(READERS)!r})
from runferry.live.interfaces import stop_logging, sync_clearml
def sync():
    sync_clearml(to="archive:./mirrored")
"""
ALL = """
sync()
import clearml_script
from pathlib import Path
clearml_script.main(Path.cwd() / "work")
"""
NONE = {
    "project_name": "group/demo",
    "reuse_last_task_id": False,
    "auto_connect_frameworks": False,
    "auto_resource_monitoring": False,
}
THERE = f"""
from clearml import Logger, Task
task = Task.init(task_name="there", **{NONE!r})
report = task.get_logger().report_scalar
task.connect({{"lr": 0.1}})
report("loss", "train", 0, 0)
sync()
for step in range(1, 10):
    report("loss", "train", step, step)
if os.fork() == 0:
    for step in range(10, 15):
        report("loss", "train", step, step)
    os._exit(0)
os.wait()
def stop():
    (told,) = stop_logging(60).values()
    assert told["pending"] == 0 and told["failing"] is None, told
stop()
report("loss", "train", 99, 99)
sync()
for step in range(15, 20):
    report("loss", "train", step, step)
task.connect({{"later": 2}}, name="More")
task.close()
stop()
"""
ONE_PART = """
sync()
from clearml import Task
task = Task.init(**{0!r})
for step in range({1}, {1} + 3):
    task.get_logger().report_scalar("loss", "train", step, step)
task.close()
(told,) = stop_logging(60).values()
assert told["pending"] == 0 and told["failing"] is None, told
print(task.id)
"""


def _home(folder: Path) -> dict[str, str]:
    """Without a process for its reports, for which ClearML's client may wait for ever."""
    (folder / "work").mkdir()
    configuration = folder / "clearml.conf"
    configuration.write_text("sdk { development { report_use_subprocess: false } }\n")
    return {
        "CLEARML_OFFLINE_MODE": "1",
        "CLEARML_CACHE_DIR": str(folder / "cache"),
        "CLEARML_CONFIG_FILE": str(configuration),
        "HOME": str(folder),
    }


def test_an_offline_session_mirrored_equals_converted(tmp_path: Path) -> None:
    """But for what was printed: each line has its own time, and not that of a second."""
    train(tmp_path, BEGIN + ALL, **_home(tmp_path))
    status = settled(tmp_path)
    assert (status.state, status.dropped) == ("done", 0)
    sessions, mirrored = (
        f"clearml:{tmp_path / 'cache' / 'offline'}",
        f"archive:{tmp_path / 'mirrored'}",
    )
    found = differences(sessions, mirrored)
    assert all("code='time'" in one for one in found), found
    (run,) = runferry.load(mirrored)
    assert run.run.complete
    assert "a printed line\n" in [row["line"] for row in run.console.to_pylist()]


def test_a_task_goes_nowhere_where_it_is_already(tmp_path: Path) -> None:
    run = Run(RunKey("clearml", "", "a1"), project="group/demo")
    offline: dict[str, Tree] = {
        "tracker": "clearml",
        "run": "a1",
        "is_offline": True,
        "folder": str(tmp_path),
    }
    served: dict[str, Tree] = {"tracker": "clearml", "run": "a1", "is_offline": False}
    places = {
        "": True,
        "group/demo": True,
        "group/other": False,
        str(tmp_path): False,
    }
    for where, is_there in places.items():
        assert came_from(Location("clearml", where), run, served) == is_there
    assert came_from(Location("clearml", str(tmp_path.parent)), run, offline)
    assert not came_from(Location("clearml", "group/demo"), run, offline)
    assert not came_from(Location("archive", str(tmp_path)), run, offline)


@pytest.mark.slow
def test_a_task_that_was_there_before_forks_and_start_stop_start(tmp_path: Path) -> None:
    train(tmp_path, BEGIN + THERE, **_home(tmp_path))
    mirrored = f"archive:{tmp_path / 'mirrored'}"
    assert rows(mirrored) == {"loss.train": [(step, float(step)) for step in range(1, 20)]}
    (run,) = runferry.load(mirrored)
    assert run.config == {"General": {"lr": 0.1}, "More": {"later": 2}}
    assert (run.run.name, run.run.project) == ("there", "group/demo")


@pytest.mark.slow
def test_a_task_of_a_server_mirrored_equals_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for what only a server knows, and times of what it was told."""
    home = _home(tmp_path)
    with ClearmlServer() as server:
        environment = {**home, **server.environment(tmp_path), "CLEARML_OFFLINE_MODE": "0"}
        train(tmp_path, BEGIN + ALL, **environment)
        assert settled(tmp_path).state == "done"
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        found = differences("clearml:", f"archive:{tmp_path / 'mirrored'}")
    told_later = ("ended_ns", "other.last_update", "other.method", "other.status_reason")
    known = ("code='time'", "source_url", *told_later)
    assert [one for one in found if not any(word in one for word in known)] == []
    (run,) = runferry.load(f"archive:{tmp_path / 'mirrored'}")
    assert run.run.state == "finished"


@pytest.mark.slow
def test_a_task_that_a_later_process_continues_is_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {name: value for name, value in NONE.items() if name != "reuse_last_task_id"}
    named["task_name"] = "parts"
    home = _home(tmp_path)
    with ClearmlServer() as server:
        environment = {**home, **server.environment(tmp_path), "CLEARML_OFFLINE_MODE": "0"}
        first = NONE | named
        task_id = train(tmp_path, BEGIN + ONE_PART.format(first, 0), **environment).split()[-1]
        more = named | {"continue_last_task": task_id}
        again = train(tmp_path, BEGIN + ONE_PART.format(more, 3), **environment).split()[-1]
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        there = rows("clearml:")
    assert again == task_id
    mirrored = f"archive:{tmp_path / 'mirrored'}"
    (run,) = runferry.load(mirrored)
    assert run.run.name == "parts"
    assert rows(mirrored) == there
    assert [value for _, value in there["loss.train"]] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
