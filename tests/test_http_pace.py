"""The pace at which a server is asked: what a window allows, then a wait that all share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from runferry.http.pace import RateLimits
from runferry.http.waits import waiting_by


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float, reason: str) -> None:
        assert reason
        self.waits.append(round(seconds, 3))
        self.now += seconds


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    with waiting_by(clock.wait):
        yield clock


def headers(remaining: object, reset: object) -> dict[str, str]:
    return {"ratelimit-remaining": str(remaining), "ratelimit-reset": str(reset)}


def test_what_a_window_allows_is_spent_without_a_wait(clock: Clock) -> None:
    pace = RateLimits(clock)
    for left in range(100, 10, -1):
        pace.ready()
        pace.heard(200, headers(left, 30), None)
    assert clock.waits == []


def test_an_empty_window_is_waited_out(clock: Clock) -> None:
    pace = RateLimits(clock)
    pace.heard(200, headers(0, 2.5), None)
    pace.ready()
    pace.ready()
    assert clock.waits == [2.5]


def test_what_a_request_costs_is_learned(clock: Clock) -> None:
    pace = RateLimits(clock)
    for left in (1_000, 900, 800, 700, 600, 500, 400, 300, 200):
        pace.heard(200, headers(left, 9), None)
    pace.ready()
    assert clock.waits == [9.0], "the next requests would cost 100 units each"


def test_who_is_told_to_come_back_tells_all(clock: Clock) -> None:
    pace = RateLimits(clock)
    pace.heard(429, {}, 4.0)
    pace.ready()
    assert clock.waits == [4.0]


@pytest.mark.parametrize("found", [{}, headers("x", 1), headers(-1, 5), headers(0, "nan")])
def test_what_says_nothing_changes_nothing(clock: Clock, found: dict[str, str]) -> None:
    pace = RateLimits(clock)
    pace.heard(200, found, None)
    pace.ready()
    assert clock.waits == []


def test_no_window_is_waited_for_without_end(clock: Clock) -> None:
    pace = RateLimits(clock)
    pace.heard(200, headers(0, 10**9), None)
    pace.ready()
    assert clock.waits == [600.0]
