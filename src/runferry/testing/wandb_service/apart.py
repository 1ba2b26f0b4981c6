"""The stand-in in a process of its own, as benchmarks want it, and what it can do at most.

Content is put into a folder first, by a `WandbService` that is not started; then the folder is
served, so that the client and the server do not take turns in one interpreter.
"""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from runferry.errors import Unreachable
from runferry.python_apart import environment_apart


@dataclass(frozen=True)
class Apart:
    """Where it is served, and with which key."""

    url: str
    key: str
    asked: dict[str, int] = field(default_factory=dict)
    """How often what was asked, by place, and `status:CODE`; there when it is served no more."""


@dataclass(frozen=True)
class Throughput:
    """What the stand-in answers at most, whoever asks."""

    requests_per_second: float
    megabytes_per_second: float


@contextmanager
def served_apart(folder: Path, *flags: str) -> Iterator[Apart]:
    """Serve what a folder holds; `flags` are those of the command. Raises Unreachable."""
    command = [sys.executable, "-m", __package__, "--folder", str(folder), *flags]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment_apart()
    ) as served:
        assert served.stdout is not None
        try:
            apart = _told(served.stdout)
            yield apart
        finally:
            served.send_signal(signal.SIGINT)
            counts = _counts(served.stdout)  # to its end: it would break on a closed pipe
        apart.asked.update(counts)


def _told(lines: Iterable[str]) -> Apart:
    """What the command says at its start, as variables to export."""
    told: dict[str, str] = {}
    for line in lines:
        name, _, value = line.removeprefix("export ").strip().partition("=")
        told[name] = value
        if "WANDB_BASE_URL" in told and "WANDB_API_KEY" in told:
            return Apart(told["WANDB_BASE_URL"], told["WANDB_API_KEY"])
    raise Unreachable("the stand-in ended before it served", hint=f"python -m {__package__}")


def _counts(lines: Iterable[str]) -> dict[str, int]:
    """What the command says at its end, of how often what was asked."""
    told = (line.split() for line in lines)
    return {words[1]: int(words[0]) for words in told if len(words) == 2 and words[0].isdigit()}


def throughput(url: str, authorization: str, blob_url: str, *, seconds: float = 1.0) -> Throughput:
    """Ask for the viewer, then for one signed blob, for so long each, over two connections."""
    viewer = json.dumps({"query": "query Viewer { viewer { id } }"})
    headers = {"Authorization": authorization, "Content-Type": "application/json"}

    def asks(_: int) -> tuple[int, int]:
        return _ask(url, "POST", "/graphql", viewer, headers, seconds)

    def reads(_: int) -> tuple[int, int]:
        parts = urlsplit(blob_url)
        return _ask(url, "GET", f"{parts.path}?{parts.query}", None, {}, seconds)

    with ThreadPoolExecutor(2) as threads:
        requests = sum(count for count, _ in threads.map(asks, range(2)))
        read = sum(size for _, size in threads.map(reads, range(2)))
    return Throughput(requests / seconds, read / seconds / 1e6)


def _ask(
    url: str, method: str, target: str, body: str | None, headers: dict[str, str], seconds: float
) -> tuple[int, int]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    count = size = 0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise Unreachable(f"the stand-in answered {answer.status}", where=target)
        size += len(answer.read())
        count += 1
    connection.close()
    return count, size
