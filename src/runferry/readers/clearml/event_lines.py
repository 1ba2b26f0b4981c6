"""Events of a file of a session: each line is an array of them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

from runferry.chunks import Lost
from runferry.dialects.clearml.names import LOG, Event
from runferry.dialects.json_trees import JsonNotes, mended, noting_decoder
from runferry.losses import Fate, Loss
from runferry.readers.clearml.contents import Contents
from runferry.readers.damage import cut
from runferry.readers.lines import WholeLines, is_too_long, too_long
from runferry.readers.run_folders.documents import noted

_INFINITE: Final = (math.inf, -math.inf)
_SMALL: Final = re.compile(r"[eE]-\d{3}|0\.0{300}|-0(?![\d.])")


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
    notes = JsonNotes()
    try:
        text, is_text = readable(line)
        found = _parsed(text, notes)
    except (ValueError, RecursionError) as error:
        yield Lost(Loss("damaged-line", Fate.DROPPED, where, 1, f"no JSON ({error})"))
        return
    if "\\u" in text:
        found = mended(found, notes)
    if not is_text:
        yield Lost(bad_utf8(where))
    yield from map(Lost, noted(notes, where))
    for event in _listed(found):
        if isinstance(event, dict):
            yield event
        else:
            yield Lost(Loss("damaged-line", Fate.DROPPED, where, 1, "an event that is no mapping"))


def _parsed(text: str, notes: JsonNotes) -> Any:
    """A line; keys that come twice and numbers that no double holds are noted.

    Telling them costs a call for each mapping and number. So a line is parsed in the quick way
    first: with as many colons as its events have keys there is none that came again, nor a mapping
    within.
    """
    found = json.loads(text)
    events = [it for it in _listed(found) if isinstance(it, dict)]
    keys = sum(map(len, events))
    if text.count(":") == keys and not _may_be_beyond(events, text):
        return found
    return noting_decoder(notes).decode(text)


def _listed(line: Any) -> list[Any]:
    return line if isinstance(line, list) else [line]


def _may_be_beyond(events: list[Event], text: str) -> bool:
    """Whether a number may have become an infinity or zero; and what is no plain scalar may."""
    has_zero = False
    for event in events:
        value = event.get("value")
        if event.get("type") == LOG:
            continue  # it has no numbers but its time, and what is none is told of that
        if (value.__class__ is not float and value.__class__ is not int) or value in _INFINITE:
            return True
        has_zero = has_zero or not value
    return has_zero and _SMALL.search(text) is not None


def readable(content: bytes) -> tuple[str, bool]:
    """As text, and whether it is all UTF-8."""
    try:
        return content.decode(), True
    except UnicodeDecodeError:
        return content.decode("utf-8", "replace"), False


def bad_utf8(where: str) -> Loss:
    """What stands there is not all text."""
    return Loss("bad-utf8", Fate.ROUNDED, where, 1, "U+FFFD stands for what is no text")


def _is_whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
