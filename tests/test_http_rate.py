"""The user's own cap on the rate holds for whoever asks, in whatever thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from tests.http_server import says, serving

from runferry.http.client import RetryingClient
from runferry.http.rate import RateCap
from runferry.http.waits import waiting_by
from runferry.settings import Settings


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float, reason: str) -> None:
        assert reason == "", "a wait that the user asked for is no news"
        self.now += seconds


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    with waiting_by(clock.wait):
        yield clock


def test_requests_to_one_server_are_spaced_evenly_from_the_first_on(clock: Clock) -> None:
    cap, moments = RateCap(clock), []
    for _ in range(5):
        cap.wait("a", 4.0)
        moments.append(clock.now)
    assert moments == [100.0, 100.25, 100.5, 100.75, 101.0]


def test_servers_do_not_wait_for_each_other(clock: Clock) -> None:
    cap = RateCap(clock)
    for server in ("a", "b", "c"):
        cap.wait(server, 0.5)
    assert clock.now == 100.0
    cap.wait("a", 0.5)
    assert clock.now == 102.0


def test_a_pause_saves_nothing_up(clock: Clock) -> None:
    cap = RateCap(clock)
    cap.wait("a", 10.0)
    clock.now += 60
    moments = []
    for _ in range(3):
        cap.wait("a", 10.0)
        moments.append(round(clock.now, 6))
    assert moments == [160.0, 160.1, 160.2]


def test_clients_and_threads_share_the_cap_and_redirects_count() -> None:
    moved = says(302, Location="/there")
    with serving(moved, moved, says(200)) as server:
        began = time.monotonic()
        clients = [RetryingClient(server.url, settings=Settings(rate=10.0)) for _ in range(2)]
        threads = [
            threading.Thread(target=client.request, args=("GET", "/")) for client in clients * 3
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()
    assert len(server.asked) == 8
    assert time.monotonic() - began >= 7 / 10.0
