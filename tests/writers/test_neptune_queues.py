"""The folder of the client's queues, which it takes from the environment."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from runferry.dialects.neptune.places import FOLDER_VARIABLE, queue_folder, queues_in
from runferry.writers.neptune.queues import SharedQueues


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, "mine")


def test_threads_that_name_one_folder_are_in_it_together(tmp_path: Path) -> None:
    met = threading.Barrier(3, timeout=10)

    def opening() -> None:
        with queues_in(tmp_path):
            met.wait()  # all are inside at the same time
            assert os.environ[FOLDER_VARIABLE] == str(tmp_path)
            assert queue_folder() == Path("mine")

    threads = [threading.Thread(target=opening) for _ in range(2)]
    for thread in threads:
        thread.start()
    opening()
    for thread in threads:
        thread.join()
    assert os.environ[FOLDER_VARIABLE] == "mine"


def test_another_folder_waits_until_nobody_is_in_the_first(tmp_path: Path) -> None:
    seen: list[str] = []

    def opening() -> None:
        with queues_in(tmp_path / "b"):
            seen.append(os.environ[FOLDER_VARIABLE])

    thread = threading.Thread(target=opening)
    with queues_in(tmp_path / "a"):
        thread.start()
        thread.join(timeout=0.1)
        assert seen == []
    thread.join(timeout=10)
    assert seen == [str(tmp_path / "b")]


def test_a_thread_goes_from_one_folder_into_another_and_back(tmp_path: Path) -> None:
    seen: list[str] = []

    def see() -> None:
        seen.append(Path(os.environ[FOLDER_VARIABLE]).name)

    def opening() -> None:
        with queues_in(tmp_path / "a"):
            with queues_in(tmp_path / "b"), queues_in(tmp_path / "b"):
                see()
                assert queue_folder() == Path("mine")
            see()
        see()

    thread = threading.Thread(target=opening, daemon=True)
    thread.start()
    thread.join(timeout=10)
    assert seen == ["b", "a", "mine"]


def test_what_was_not_set_is_not_set_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE)
    with queues_in(tmp_path):
        assert queue_folder() == Path(".neptune")
    assert FOLDER_VARIABLE not in os.environ


def test_the_shared_folder_is_there_for_as_long_as_anybody_uses_it() -> None:
    queues = SharedQueues()
    first, second = queues.enter(), queues.enter()
    assert first == second
    queues.leave()
    assert first.is_dir()
    queues.leave()
    assert not first.exists()
    assert queues.enter() != first
    queues.leave()
