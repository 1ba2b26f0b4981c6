"""What a run printed is shown by lines, also where its source kept pieces of them, as W&B does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from neptune_shown import exported
from tests.transfer.roads import archive_of

from runferry.chunks import Console
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.dialects.printed import Printed
from runferry.losses import Fate
from runferry.ports import Location, ReadOptions
from runferry.readers.swanlab.reader import SwanlabReader
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import START_NS, header
from runferry.transfer.push import push
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.plain_folder.staged import Staged

PIECES = (
    ("stdout", "one"), ("stderr", "\r 50%"), ("stdout", "\n"), ("stdout", ""), ("stdout", "\n"),
    ("stdout", "two\nthree\n"), ("stderr", "\r100%\n"), ("stdout", "no end"),
)  # fmt: skip
LINES = [
    ("stdout", "one"), ("stdout", ""), ("stdout", "two"), ("stdout", "three"),
    ("stderr", "\r 50%\r100%"), ("stdout", "no end"),
]  # fmt: skip
"""In the order in which they ended."""

Lines = list[tuple[str, str]]
"""Stream and text, without line ends."""


def printing(pieces: tuple[tuple[str, str], ...] = PIECES) -> Sample:
    timed = [(stream, text, START_NS + at) for at, (stream, text) in enumerate(pieces)]
    return Recording(header("printing")).console(timed).sample()


def by_stream(lines: Lines) -> Lines:
    return sorted(lines, key=lambda line: line[0])


def in_neptune(folder: Path) -> Lines:
    (run,) = exported(folder).values()
    streams = {stream: run[f"monitoring/{stream}"] for stream in ("stderr", "stdout")}
    return [(stream, row["string_value"]) for stream, rows in streams.items() for row in rows]


def in_clearml(folder: Path) -> Lines:
    (log,) = folder.rglob("log.jsonl")
    events = [event for line in log.read_text().splitlines() for event in json.loads(line)]
    streams = {"info": "stdout", "error": "stderr"}
    return by_stream([(streams[event["level"]], event["msg"]) for event in events])


def in_swanlab(folder: Path) -> Lines:
    shutil.rmtree(folder / "runferry")  # so that its log is read
    reader = SwanlabReader.open(Location("swanlab", str(folder)), ReadOptions())
    (run,) = reader.runs()
    return by_stream([line for chunk in reader.read(run) for line in lines_of(chunk)])


def lines_of(chunk: object) -> Lines:
    if not isinstance(chunk, Console):
        return []
    columns = (chunk.batch.column(name).to_pylist() for name in ("stream", "line"))
    return [(stream, line.removesuffix("\n")) for stream, line in zip(*columns, strict=True)]


@pytest.mark.parametrize("shown", [in_neptune, in_clearml, in_swanlab])
def test_pieces_are_shown_as_the_lines_that_they_are(
    shown: Callable[[Path], Lines], tmp_path: Path
) -> None:
    tracker = shown.__name__.removeprefix("in_")
    archive = archive_of([printing()], tmp_path)
    report = push(archive, Location(tracker, str(tmp_path / "out")), allow=Fate.REENCODED)
    assert not report.exit_code, report.failures
    assert shown(tmp_path / "out") == by_stream(LINES)


@pytest.mark.parametrize("printed", range(len(PIECES) + 1))
def test_what_is_printed_later_stands_behind_what_was_sent(printed: int, tmp_path: Path) -> None:
    """So trackers that count lines go on behind the last one."""
    sent = staged_lines(PIECES[:printed], tmp_path / "first", Printed("ended"))
    assert sent == LINES[: len(sent)]
    assert staged_lines(PIECES, tmp_path / "then", None) == LINES


def staged_lines(pieces: tuple[tuple[str, str], ...], home: Path, waiting: Printed | None) -> Lines:
    home.mkdir()
    sample = printing(pieces)
    draft = Draft(home, ParquetForm(), sample.run, sample.run.uid)
    for chunk in sample.chunks:
        draft.put(chunk)
    draft.settle()
    return [line for batch in Staged(draft).printed(waiting) for line in lines_of(Console(batch))]
