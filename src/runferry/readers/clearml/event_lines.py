"""Events of a file of a session: each line is an array of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from runferry.chunks import Lost
from runferry.dialects.clearml.names import Event
from runferry.dialects.json_trees import mended
from runferry.losses import Fate, Loss
from runferry.readers.clearml.contents import Contents
from runferry.readers.damage import cut
from runferry.readers.lines import WholeLines, is_too_long, too_long


def events_in(contents: Contents, name: str) -> Iterator[Event | Lost]:
    """The events of a file, in its order; what cannot be read is told by its place."""
    stream = contents.opened(name)
    if stream is None:
        return
    lines = WholeLines(_is_whole)
    with stream:
        for number, line in enumerate(lines.of(stream), 1):
            if is_too_long(line):
                yield Lost(too_long(f"{name}:{number}"))
            elif line.strip():
                yield from _events(line, f"{name}:{number}")
    if lines.unfinished:
        where = f"{name}@{lines.offset}"
        yield Lost(cut(where, lines.unfinished, is_over=contents.is_closed))


def _events(line: bytes, where: str) -> Iterator[Event | Lost]:
    try:
        text = line.decode("utf-8", "replace")
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        yield Lost(Loss("damaged-line", Fate.DROPPED, where, 1, f"no JSON ({error})"))
        return
    if "\\u" in text:
        found = mended(found)
    for event in found if isinstance(found, list) else [found]:
        if isinstance(event, dict):
            yield event
        else:
            yield Lost(Loss("damaged-line", Fate.DROPPED, where, 1, "an event that is no mapping"))


def _is_whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
