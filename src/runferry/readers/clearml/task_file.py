"""`task.json`, which may be cut: what stands before the cut is read."""

from __future__ import annotations

import json
import re
from typing import Final, cast

from runferry.dialects.clearml.names import TASK_FILE, Task
from runferry.dialects.json_trees import mended, parse_json
from runferry.losses import Fate, Loss
from runferry.readers.clearml.contents import Contents

_BYTES_AT_MOST: Final = 256 << 20
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)
_CLOSING: Final = {"{": "}", "[": "]"}


def read_task(contents: Contents) -> tuple[Task, Loss | None]:
    """The task, and what could not be read of it."""
    stream = contents.opened(TASK_FILE)
    if stream is None:
        return {}, Loss("unreadable-file", Fate.DROPPED, TASK_FILE, 1, "it is gone")
    with stream:
        content = stream.read(_BYTES_AT_MOST)
    text = content.decode("utf-8", "replace")
    try:
        return _mapping(parse_json(text)), None
    except ValueError as error:
        whole = _closed(text)
        detail = f"it is cut, or no JSON ({error}): what stands before was read"
        return whole, Loss("cut-file", Fate.DROPPED, TASK_FILE, 1, detail)


def _closed(text: str) -> Task:
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
        return _mapping(mended(json.loads(text[:end] + closing)))
    except (ValueError, RecursionError):
        return {}


def _mapping(value: object) -> Task:
    return cast("Task", value) if isinstance(value, dict) else {}
