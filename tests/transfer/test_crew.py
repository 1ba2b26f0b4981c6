"""What a crew reports when its work ends early, and how it is stopped while a server is down."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from runferry.errors import AuthFailed, Damaged, Refused, RunferryError
from runferry.http.client import client
from runferry.model import Run
from runferry.testing.samples import header
from runferry.transfer import crew as crew_module
from runferry.transfer.crew import Crew
from runferry.transfer.progress import Silent, StopToken
from runferry.transfer.report import RunOutcome
from runferry.transfer.waves import Waves


class Tool:
    def close(self) -> None:
        pass


def crew_of(open_tool: type[Tool] | object, *, workers: int = 1) -> Crew[Tool, Run]:
    return Crew[Tool, Run](
        "pull",
        open_tool,  # type: ignore[arg-type]
        header=lambda run: run,
        observer=Silent(),
        stop=StopToken(),
        workers=workers,
    )


def done(tool: Tool, run: Run) -> RunOutcome:
    return RunOutcome.of(run, "new")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_listing_that_breaks_half_way_keeps_the_outcomes_so_far(workers: int) -> None:
    def runs() -> Iterator[Run]:
        yield header("one")
        yield header("two")
        raise Damaged("the listing ends", offset=7)

    crew = crew_of(Tool, workers=workers)
    assert sorted(o.run for o in crew.run(runs(), done)) == sorted(
        str(header(name).key) for name in ("one", "two")
    )
    assert isinstance(crew.aborted, Damaged)


def test_a_second_worker_that_cannot_open_keeps_the_outcomes_so_far() -> None:
    opened: list[Tool] = []
    is_refused = threading.Event()

    def once() -> Tool:
        if opened:
            is_refused.set()
            raise Refused("only one at a time")
        opened.append(Tool())
        return opened[0]

    crew = crew_of(once, workers=2)

    def slow(tool: Tool, run: Run) -> RunOutcome:
        is_refused.wait(10)
        return RunOutcome.of(run, "new")

    outcomes = crew.run([header(f"run-{n}") for n in range(3)], slow)
    assert outcomes
    assert isinstance(crew.aborted, RunferryError)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_wave_begins_when_the_one_before_has_ended_and_tools_stay_over_all(workers: int) -> None:
    waves = [[header(f"{wave}-{n}") for n in range(size)] for wave, size in enumerate((5, 1, 0, 4))]
    opened, closed, said = list[Tool](), list[Tool](), list[tuple[str, str]]()

    class Counted(Tool):
        def __init__(self) -> None:
            opened.append(self)

        def close(self) -> None:
            closed.append(self)

    def working(tool: Tool, run: Run) -> RunOutcome:
        assert tool not in closed
        said.append(("began", run.key.run_id))
        time.sleep(0.02)
        said.append(("ended", run.key.run_id))
        return RunOutcome.of(run, "new")

    outcomes = crew_of(Counted, workers=workers).run_in_turn(waves, working)
    assert len(outcomes) == 10
    at = [int(run[0]) for _, run in said]
    assert at == sorted(at)
    assert len(opened) <= workers
    assert sorted(map(id, closed)) == sorted(map(id, opened))


def test_what_ends_one_wave_keeps_the_next_from_beginning() -> None:
    def refused(tool: Tool, run: Run) -> RunOutcome:
        raise AuthFailed("the key is wrong")

    crew = crew_of(Tool, workers=3)
    waves = [[header("first")], [header("second")]]
    assert [outcome.status for outcome in crew.run_in_turn(waves, refused)] == ["failed"]
    assert isinstance(crew.aborted, AuthFailed)


def test_no_wave_begins_behind_an_item_that_no_tool_opened_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Preempted(Waves[Run]):
        """The system takes the processor from the second thread when it is done with an item."""

        @contextmanager
        def at_work(self) -> Iterator[None]:
            try:
                with super().at_work():
                    yield
            finally:
                if threading.current_thread().name == "pull-1":
                    time.sleep(0.5)

    monkeypatch.setattr(crew_module, "Waves", Preempted)
    opened, begun = list[Tool](), list[str]()
    is_taken = threading.Event()

    def once() -> Tool:
        if opened:
            is_taken.set()
            raise Refused("only one at a time")
        opened.append(Tool())
        return opened[0]

    def working(tool: Tool, run: Run) -> RunOutcome:
        is_taken.wait(10)
        begun.append(run.key.run_id)
        return RunOutcome.of(run, "new")

    crew = crew_of(once, workers=2)
    crew.run_in_turn([[header("parent"), header("other")], [header("child")]], working)
    assert len(begun) == 1
    assert "child" not in begun
    assert isinstance(crew.aborted, Refused)


@pytest.mark.parametrize("workers", [1, 3])
def test_what_a_tool_says_when_it_is_closed_is_heard_and_the_outcomes_stand(workers: int) -> None:
    class Unclosed(Tool):
        def close(self) -> None:
            raise Refused("the last of it is not there")

    crew = crew_of(Unclosed, workers=workers)
    assert len(crew.run([header("one"), header("two")], done)) == 2
    assert isinstance(crew.aborted, Refused)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_bug_in_the_closing_of_a_tool_reaches_the_caller(workers: int) -> None:
    class Broken(Tool):
        def close(self) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        crew_of(Broken, workers=workers).run([header("one")], done)


def test_a_stop_is_heard_while_a_server_is_down() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}"  # bound, and nobody listens
        stop, waits = StopToken(), list[str]()

        class Watching(Silent):
            def waiting(self, reason: str, seconds: float) -> None:
                waits.append(reason)
                stop.set()

        def asking(tool: Tool, run: Run) -> RunOutcome:
            with client(nobody) as server:
                server.json("GET", "/")
            raise AssertionError("nobody answers")

        crew = Crew[Tool, Run]("pull", Tool, header=lambda run: run, observer=Watching(), stop=stop)
        began = time.monotonic()
        (outcome,) = crew.run([header("one")], asking)
    assert outcome.status == "interrupted"
    assert time.monotonic() - began < 25  # where nobody ever answered patience is 30 s
    assert "connection" in waits[0]
