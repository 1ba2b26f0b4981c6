"""What `swanlab watch`, SwanLab's local dashboard, serves of runs that were written for it, and of
what was added to a run of its client's.

It needs older packages than the rest, and has an environment of its own here. Slow, since that is
fetched.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests.free_ports import free_port
from tests.live.training import ended, settled, start

from runferry import settings
from runferry.model import Address, Blob, MediaItem
from runferry.ports import Location
from runferry.python_apart import environment_apart
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import START_NS, header
from runferry.testing.writer_laws import numbered
from runferry.writers.swanlab import SwanlabWriter

pytestmark = pytest.mark.slow
_PICTURE = b"\x89PNG\r\n\x1a\n not really"
_SECONDS_TO_START = 60.0
_TRAINS = """
sys.path += sys.argv[1:]  # where the dashboard is, which the client asks for
import numpy
import runferry
import swanlab
quiet = swanlab.Settings(
    interactive=False,
    probe=dict.fromkeys(("hardware", "runtime", "requirements", "conda", "git", "monitor"), False),
)
swanlab.init(
    project="zoo", experiment_name="lion", mode="local", settings=quiet, config={"lr": 0.1},
)
swanlab.log({"loss": 10.0, "word": swanlab.Text("theirs")}, step=0)
swanlab.log({"loss": 11.0}, step=7)
print("a line of theirs")
from pathlib import Path
deadline = time.monotonic() + 20  # a key that died with its client is free for others
while not [*Path("swanlog").glob("run-*/logs/*")] and time.monotonic() < deadline:
    time.sleep(0.05)
runferry.sync_tensorboard(root="runs")
from tensorboardX import SummaryWriter
with SummaryWriter("runs/a") as writer:
    for step in range(3):
        writer.add_scalar("loss", step, step)
        writer.add_scalar("acc", step / 2, step)
    writer.add_image("picture", numpy.zeros((3, 4, 4), dtype=numpy.uint8), 1)
    writer.add_text("word", "ours", 2)
"""


def _sample() -> Sample:
    run = Recording(header("watched", name="a run", notes="of it"))
    run.attributes("config", {"lr": 0.1, ("net", "depth"): 3})
    for step in range(2_500):  # more than fit into one of its files
        run.log({"train/loss": 1 / (step + 1)}, step=step, time_ns=START_NS + step)
    picture = MediaItem("", Address(0), "image", Blob.from_bytes(_PICTURE, "image/png"))
    run.log({"picture": picture, "word": "hello"}, step=7, time_ns=START_NS)
    run.console([("stdout", "a line\n", START_NS)])
    return run.sample()


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SwanLab's command in an environment that has its dashboard."""
    home = tmp_path_factory.mktemp("dashboard") / "venv"
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    install = [str(home / "bin" / "pip"), "install", "--quiet", "swanlab[dashboard]==0.10.*"]
    subprocess.run(install, check=True, timeout=600)
    return home / "bin" / "swanlab"


@pytest.fixture(scope="module")
def watched(dashboard: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """The dashboard of a folder with one run."""
    home = tmp_path_factory.mktemp("watched")
    settings.install(settings.Settings(swanlab_dashboard=True))
    try:
        sample = _sample()
        writer = SwanlabWriter.open(Location("swanlab", str(home / "swanlog")))
        remote = writer.create(sample.run, sample.run.uid)
        for number, chunk in numbered(sample):
            writer.append(remote, number, chunk)
        writer.seal(remote, sample.run)
        writer.close()
    finally:
        settings.install(None)
    with _served(dashboard, home) as client:
        yield client


@contextmanager
def _served(dashboard: Path, home: Path) -> Iterator[httpx.Client]:
    """What the dashboard serves of the folder `swanlog` below another."""
    port = free_port()
    command = [str(dashboard), "watch", str(home / "swanlog"), "-h", "127.0.0.1", "-p", str(port)]
    variables = environment_apart() | {"SWANLAB_SAVE_DIR": str(home / "settings")}
    with (
        (home / "log").open("wb") as log,
        subprocess.Popen(command, cwd=home, env=variables, stdout=log, stderr=log) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30) as client,
    ):
        try:
            _wait_for(client, server, home / "log")
            yield client
        finally:
            server.terminate()


def _wait_for(client: httpx.Client, server: subprocess.Popen[bytes], log: Path) -> None:
    began = time.monotonic()
    while server.poll() is None and time.monotonic() - began < _SECONDS_TO_START:
        try:
            client.get("/project")
        except httpx.TransportError:
            time.sleep(0.25)
        else:
            return
    raise AssertionError(f"the dashboard did not start:\n{log.read_text()[-2000:]}")


def _told(client: httpx.Client, path: str) -> Any:
    answer = client.get(path)
    assert answer.is_success, answer.text
    return answer.json()["data"]


def test_the_run_is_listed_with_its_configuration(watched: httpx.Client) -> None:
    (run,) = _told(watched, "/project")["experiments"]
    assert (run["name"], run["description"], run["status"]) == ("a run", "of it", 1)
    assert run["config"]["lr"]["value"] == 0.1
    assert run["config"]["net"]["value"] == {"depth": 3}


def test_values_stand_at_their_steps(watched: httpx.Client) -> None:
    found = _told(watched, f"/experiment/1/tag/{quote('train/loss', safe='')}")
    assert (found["sum"], found["max"], found["min"]) == (2_500, 1.0, 1 / 2_500)
    shown = {int(row["index"]): row["data"] for row in found["list"]}
    assert len(shown) > 1_000
    assert all(value == 1 / (step + 1) for step, value in shown.items())


def test_every_key_has_a_chart_of_its_type(watched: httpx.Client) -> None:
    charts = _told(watched, "/experiment/1/status")["charts"]["charts"]
    assert {chart["name"]: chart["type"] for chart in charts} == {
        "train/loss": "line", "picture": "image", "word": "text",
    }  # fmt: skip


def test_pictures_texts_and_lines_are_served(watched: httpx.Client) -> None:
    (row,) = _told(watched, "/experiment/1/tag/picture")["list"]
    (name,) = row["data"]
    served = watched.get(f"/media/{name}", params={"tag": "picture", "experiment_id": 1})
    assert served.content == _PICTURE
    (row,) = _told(watched, "/experiment/1/tag/word")["list"]
    assert row["data"] == ["hello"]
    assert "a line" in _told(watched, "/experiment/1/recent_log")["logs"]


@pytest.fixture(scope="module", params=["swanlab.finish()", "os.kill(os.getpid(), 9)"])
def adopted(
    request: pytest.FixtureRequest, dashboard: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """The dashboard of a run of the client's into which another was mirrored."""
    pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
    home = tmp_path_factory.mktemp("adopted")
    packages = map(str, (dashboard.parents[1] / "lib").glob("python*/site-packages"))
    ended(start(home, _TRAINS + request.param, *packages), -9 if "kill" in request.param else 0)
    assert settled(home).state == "done"
    with _served(dashboard, home) as client:
        yield client


def _numbers(client: httpx.Client, key: str) -> list[tuple[int, float]]:
    rows = _told(client, f"/experiment/1/tag/{quote(key, safe='')}")["list"]
    return [(int(row["index"]), row["data"]) for row in rows]


def test_what_was_mirrored_into_a_run_of_the_client_is_in_its_experiment(
    adopted: httpx.Client,
) -> None:
    (run,) = _told(adopted, "/project")["experiments"]
    assert (run["name"], run["config"]["lr"]["value"]) == ("lion", 0.1)
    assert "runferry" in run["config"]
    assert _numbers(adopted, "tensorboard/loss") == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert _numbers(adopted, "acc") == [(0, 0.0), (1, 0.5), (2, 1.0)]
    (row,) = _told(adopted, "/experiment/1/tag/picture")["list"]
    query = {"tag": "picture", "experiment_id": 1}
    assert adopted.get(f"/media/{row['data'][0]}", params=query).content.startswith(b"\x89PNG")


def test_its_own_values_stay_and_every_key_is_in_the_comparison(adopted: httpx.Client) -> None:
    charts = _told(adopted, "/experiment/1/status")["charts"]["charts"]
    kinds = {chart["name"]: chart["type"] for chart in charts}
    ours = {"tensorboard/loss": "line", "acc": "line", "picture": "image"}
    assert ours.items() <= kinds.items()
    assert len(kinds) == len(charts)
    compared = {chart["name"] for chart in _told(adopted, "/project/charts")["charts"]}
    assert compared == {key for key, kind in kinds.items() if kind != "text"}  # nor its client's
    told = [one["key"] for one in _told(adopted, "/experiment/1/summary")["summaries"]]
    assert sorted(told) == sorted(kinds)
    if "loss" in kinds:  # else the client's buffer is gone with its process
        assert _numbers(adopted, "loss") in ([(0, 10.0)], [(0, 10.0), (7, 11.0)])
