"""What of a source cannot be read is told by every verb that reads it, and the exit code tells."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.calling import Answer, Caller

from runferry.chunks import Chunk
from runferry.errors import Damaged, Unreachable
from runferry.model import Cursor, Run
from runferry.readers.wandb.reader import WandbReader

EXAMPLE = Path(__file__).parents[2] / "examples" / "wandb"
VERBS = pytest.mark.parametrize("verb", ["inspect", "plan", "plot"])


def called(runferry: Caller, verb: str, *more: str) -> Answer:
    return runferry(verb, EXAMPLE, *(["csv:./copy"] if verb == "plan" else []), *more)


@VERBS
def test_a_run_that_cannot_be_read_is_named_and_the_exit_code_is_4(
    runferry: Caller, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    read = WandbReader.read

    def cut(reader: WandbReader, run: Run, after: Cursor | None = None) -> Iterator[Chunk]:
        if run.key.run_id == "8kq2v1xd":
            raise Damaged("this run is cut", offset=3)
        return read(reader, run, after)

    monkeypatch.setattr(WandbReader, "read", cut)
    answer = called(runferry, verb)
    assert answer.code == 4
    assert answer.err.count("this run is cut at byte 3: ferry-example/8kq2v1xd") == 1
    assert answer.out


def test_a_plan_in_json_has_the_run_that_cannot_be_read(
    runferry: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(*_: object) -> Iterator[Chunk]:
        raise Damaged("this run is cut", offset=3)

    monkeypatch.setattr(WandbReader, "read", cut)
    plan = called(runferry, "plan", "--json", "--run", "8kq2v1xd").json
    assert plan["exit_code"] == 4
    assert plan["counts"] == {"failed": 1}


@VERBS
@pytest.mark.parametrize("listed", [0, 1])
def test_a_source_that_ends_half_way_is_told_and_no_success(
    runferry: Caller, monkeypatch: pytest.MonkeyPatch, verb: str, listed: int
) -> None:
    def ends(reader: WandbReader) -> Iterator[Run]:
        yield from itertools.islice(runs(reader), listed)
        raise Unreachable("no answer")

    runs = WandbReader.runs
    monkeypatch.setattr(WandbReader, "runs", ends)
    answer = called(runferry, verb)
    # without any run there is nothing to draw, which is the call's own error
    assert answer.code == (2 if verb == "plot" and not listed else 1)
    assert answer.err.count("no answer") == 1
    assert ("the remaining runs were not tried" in answer.err) == bool(listed)
    if answer.code == 1:
        assert called(runferry, verb, "--json").json["aborted"] == "no answer"
