"""`task.json`, which may be cut: what stands before the cut is read."""

from __future__ import annotations

import re
from typing import Final

from runferry.dialects.clearml.names import TASK_FILE, Task
from runferry.dialects.json_trees import JsonNotes, parse_json
from runferry.losses import Fate, Loss
from runferry.readers.clearml.contents import Contents
from runferry.readers.clearml.event_lines import bad_utf8, readable
from runferry.readers.run_folders.documents import noted

_BYTES_AT_MOST: Final = 256 << 20
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)
_CLOSING: Final = {"{": "}", "[": "]"}


def read_task(contents: Contents) -> tuple[Task, list[Loss]]:
    """The task, and what could not be read of it."""
    stream = contents.opened(TASK_FILE)
    if stream is None:
        return {}, [Loss("unreadable-file", Fate.DROPPED, TASK_FILE, 1, "it is gone")]
    with stream:
        content = stream.read(_BYTES_AT_MOST)
    text, is_text = readable(content)
    losses, notes = [] if is_text else [bad_utf8(TASK_FILE)], JsonNotes()
    try:
        task = parse_json(text, notes)
        if not isinstance(task, dict):
            raise ValueError("no mapping")
    except ValueError as error:
        detail = f"it is cut, or no JSON ({error}): what stands before was read"
        losses.append(Loss("cut-file", Fate.DROPPED, TASK_FILE, 1, detail))
        notes = JsonNotes()
        task = _closed(text, notes)
    return task, [*losses, *noted(notes, TASK_FILE)]


def _closed(text: str, notes: JsonNotes) -> Task:
    """What stands before a cut, up to the last value that is surely whole."""
    open_brackets: list[str] = []
    end, closing = 0, ""
    for found in _TOKEN.finditer(text):
        word = found[0]
        if word in _CLOSING:
            open_brackets.append(_CLOSING[word])
        elif word in ("}", "]"):
            if not open_brackets or open_brackets.pop() != word:
                break
        elif word == ",":
            end, closing = found.start(), "".join(reversed(open_brackets))
    try:
        whole = parse_json(text[:end] + closing, notes)
    except ValueError:
        return {}
    return whole if isinstance(whole, dict) else {}
