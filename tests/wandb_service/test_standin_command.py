"""The stand-in started by hand."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from runferry.errors import Unreachable
from runferry.python_apart import environment_apart
from runferry.testing.wandb_service import Account, WandbService
from runferry.testing.wandb_service.__main__ import main, rate_limit, seconds, trouble
from runferry.testing.wandb_service.apart import served_apart, throughput
from runferry.testing.wandb_service.faults import RateLimit

EXPORTS = {
    "query": """query Exports { project(name: "p", entityName: "lab") {
        run(name: "r") { parquetHistory(liveKeys: []) { parquetUrls } } } }"""
}
VIEWER = {"query": "query Viewer { viewer { username } }"}


def test_it_says_where_and_with_which_key_and_ends_on_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "runferry.testing.wandb_service", "--folder", str(tmp_path)]
    faults = ["--latency", "1ms", "--rate-limit", "100/60s", "--trouble", "graphql:Viewer=503"]
    with subprocess.Popen(
        [*command, *faults], stdout=subprocess.PIPE, text=True, env=environment_apart()
    ) as served:
        assert served.stdout is not None
        lines = [served.stdout.readline() for _ in range(5)]
        told = dict(re.findall(r"export (\w+)=(.+)", "".join(lines)))
        url, auth = told["WANDB_BASE_URL"], ("api", told["WANDB_API_KEY"])
        answers = [httpx.post(f"{url}/graphql", json=VIEWER, auth=auth) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [503, 200]
        assert answers[1].headers["RateLimit-Remaining"] == "99"
        served.send_signal(signal.SIGINT)
        rest = served.stdout.read()
    assert served.returncode == 0
    assert "2 requests" in rest
    assert "2 graphql:Viewer" in rest


def test_a_folder_is_served_by_a_process_of_its_own(tmp_path: Path) -> None:
    account = Account()
    content = WandbService(tmp_path, account=account)
    content.put_run("lab/p/r", history_of={"x": [0.5] * 1000})
    content.close()
    with served_apart(tmp_path, "--key", account.key) as served:
        asked = httpx.post(f"{served.url}/graphql", json=EXPORTS, auth=("api", served.key))
        (url,) = asked.json()["data"]["project"]["run"]["parquetHistory"]["parquetUrls"]
        basic = httpx.BasicAuth("api", served.key)._auth_header
        most = throughput(served.url, basic, url, seconds=0.2)
    assert most.requests_per_second > 10
    assert most.megabytes_per_second > 0
    assert served.asked["graphql:Exports"] == 1
    assert served.asked["status:200"] == sum(
        count for name, count in served.asked.items() if not name.startswith("status:")
    )


def test_a_port_that_is_taken_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with WandbService() as other:
        with pytest.raises(Unreachable, match="ended before it served"):
            with served_apart(tmp_path, "--port", other.url.rpartition(":")[2]):
                pass
    told = capfd.readouterr().err
    assert "cannot listen on port" in told
    assert "Traceback" not in told


def test_times_limits_and_troubles_are_understood() -> None:
    assert seconds("19ms") == pytest.approx(0.019)
    assert seconds("2") == 2
    assert rate_limit("200/1min") == RateLimit(200, 60)
    cut = trouble("storage:GET=cutx3")
    assert (cut.kind, cut.where, cut.times) == ("cut", "storage:GET", 3)
    throttled = trouble("*=429")
    assert (throttled.status, throttled.retry_after) == (429, 1)


@pytest.mark.parametrize(
    "wrong", [["--latency", "soon"], ["--rate-limit", "many"], ["--trouble", "x=fire"]]
)
def test_what_is_not_understood_is_said_with_an_example(
    wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(wrong)
    assert "; give " in capsys.readouterr().err
