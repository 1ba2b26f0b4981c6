"""What objects of ClearML's client say, as values for JSON."""

from __future__ import annotations

import io
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any


def fields_of(task: Any, changed: Mapping[str, Any]) -> dict[str, Any]:
    """A task's fields as `task.json` of an offline session has them; no server is asked."""
    found: dict[str, Any] = {**plain(task._data), **{k: plain(v) for k, v in changed.items()}}
    named = getattr(task, "_project_name", None)  # with the id that it is the name of
    if named and named[1]:
        found["project_name"] = str(named[1])
    if task._offline_mode:
        found["offline_folder"] = Path(task.get_offline_mode_folder()).as_posix()
        found["offline_output_models"] = plain(getattr(task, "_offline_output_models", []))
    return found


def event_of(event: Any) -> dict[str, Any] | None:
    """An event as it is sent, but for its task; None for one that is a file alone."""
    if type(event).__name__ == "ScalarEvent":  # one for every value: objects of the API are slow
        return {
            "type": "training_stats_scalar",
            "timestamp": event._timestamp,
            "metric": event._metric,
            "variant": event._variant,
            "iter": event._iter,
            "value": event._value,
        }
    spelled = event.get_api_event()
    return None if spelled is None else dict(spelled.to_dict())


def content_of(event: Any) -> bytes | Path | None:
    """The bytes that a debug sample uploads, or the file that they lie in; None for no file."""
    data = event._image_data
    if isinstance(data, io.BytesIO):
        return data.getvalue()
    if isinstance(data, io.StringIO):
        return data.getvalue().encode()
    entry = event.get_file_entry()  # an array becomes an image; the name is given only once
    if entry is None:
        return None
    stream = entry.stream
    return stream.getvalue() if isinstance(stream, io.BytesIO) else Path(str(stream))


def plain(value: Any) -> Any:
    """What JSON can say: objects of the API as mappings, and all else as text."""
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(inner) for inner in value]
    if isinstance(value, Enum):
        return plain(value.value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
