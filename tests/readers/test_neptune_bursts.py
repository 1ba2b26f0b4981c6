"""Numbers that are read many at once are those that are read line by line."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from neptune_gathered import neptune_at
from neptune_queues import floats, operation, queue

from runferry.errors import SourceChanged
from runferry.readers.neptune.queue.bursts import Burst, blocks_of, bursts_and_lines
from runferry.testing.content import Content

LARGE = 9000
"""Lines of more than one block."""


def logged() -> Iterator[dict[str, Any]]:
    """What clients log, and what they hardly ever do."""
    chance = random.Random(7)
    names = ["train/loss", "monitoring/cpu", "ü/ñ", 'a"b', "back\\slash"]
    for number in range(LARGE):
        value = chance.choice([chance.uniform(-1, 1), chance.gauss(0, 1e20), number / 3, 1e-9])
        step = chance.choice([None, number, float(number), number / 7])
        one = floats(names[number // 100 % 5], [(step, value)], ts=1.7e9 + number / 3)
        if number % 1000 == 999:
            yield operation("AssignString", "note", value=f"{number}")
        if number % 1500 == 1499:
            one["values"][0] |= chance.choice(
                [{"value": 3}, {"value": float("nan")}, {"value": 1e308}, {"ts": 5}, {"step": -0.0}]
            )
        if number % 2000 == 1999:
            one["values"] *= 3
        yield one


def content(home: Path, *, closely: bool = False, cut: int = 0) -> Any:
    """What is read; `closely` spells the same without spaces, which leaves it to the parser."""
    folder = queue(home / ".neptune", list(logged()))
    log = folder / "data-1.log"
    lines = log.read_bytes().splitlines(keepends=True)
    del lines[4000:4010]  # a gap in the versions
    if closely:
        lines = [
            json.dumps(json.loads(one), separators=(",", ":")).encode() + b"\n" for one in lines
        ]
    lines.insert(20, b"no JSON\n")
    lines.insert(5000, b"\n")
    text = b"".join(lines)
    log.write_bytes(text[: len(text) - cut])
    reader = neptune_at(home)
    (run,) = reader.runs()
    found = Content.of(list(reader.read(run))).comparable()
    return {name: one for name, one in found.items() if name != "losses"}


def test_many_at_once_are_the_same_as_one_by_one(tmp_path: Path) -> None:
    assert content(tmp_path / "a") == content(tmp_path / "b", closely=True)


def test_an_unfinished_last_line_is_left(tmp_path: Path) -> None:
    assert content(tmp_path / "a", cut=9) == content(tmp_path / "b", closely=True, cut=9)


def test_nothing_between_the_lines_is_lost_and_most_are_bursts(tmp_path: Path) -> None:
    folder = queue(tmp_path / ".neptune", list(logged()))
    block = (folder / "data-1.log").read_bytes()
    for text in (block, block[:-1], b"\n\n" + block):
        found = list(bursts_and_lines(text))
        sizes = [one.size_bytes if isinstance(one, Burst) else len(one) for one in found]
        assert sum(sizes) == len(text)
        assert sum(len(one) for one in found if isinstance(one, Burst)) > LARGE / 3


def test_a_clearing_sets_the_values_before_it_aside(tmp_path: Path) -> None:
    operations = [floats("loss", [(float(step), 0.5)]) for step in range(50)]
    operations[30] = operation("ClearFloatLog", "loss")
    folder = queue(tmp_path / ".neptune", operations)
    reader = neptune_at(folder)
    (run,) = reader.runs()
    rows = Content.of(list(reader.read(run))).comparable()["rows"]["Points"]
    assert len(rows) == 19


def test_a_log_that_becomes_shorter_while_it_is_read_is_an_error() -> None:
    stream = BytesIO(b'{"type": "x"}\n{"ty')
    stream.name = "data-1.log"  # type: ignore[attr-defined]
    with pytest.raises(SourceChanged, match=r"data-1\.log"):
        list(blocks_of(stream, 0, 100))
