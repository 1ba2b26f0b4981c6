"""The stand-in started by hand."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from runferry.python_apart import environment_apart
from runferry.testing.wandb_service.__main__ import main, rate_limit, seconds, trouble
from runferry.testing.wandb_service.faults import RateLimit

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
