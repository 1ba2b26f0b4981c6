"""The media of a log (to SwanLab texts and charts are media too), and which a server has."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from runferry import _native
from runferry.dialects.swanlab.names import MEDIA_RECORD
from runferry.dialects.swanlab.wire import parsed
from runferry.writers.swanlab.vendor_api import asked, unknown

_log = logging.getLogger(__name__)
_KEYS_AT_ONCE: Final = 200
_CHARACTERS_AT_ONCE: Final = 8_000
"""What the command line of every system takes."""

Items = dict[int, int]
"""How many items there are at each step."""


@dataclass(frozen=True, slots=True)
class SentMedia:
    """How many items each key of media has at each of its steps."""

    items: Mapping[str, Items]
    differs = "the server has not as many media as were sent"

    @classmethod
    def of(cls, log: Path) -> Self:
        """Those of a log that can be asked for: the command takes keys with commas between them,
        so one that has a comma itself cannot, which is said."""
        found: dict[str, Items] = {}
        scanner = _native.SwanlabScanner(log)
        while (batch := scanner.next()) is not None:
            for number, _, _, content in batch.records:
                if number == MEDIA_RECORD:
                    record = parsed(content)
                    steps = found.setdefault(record.text(1), {})
                    steps[record.integer(2)] = sum(
                        len(value.fields.get(1, ())) for value in record.messages(5)
                    )
        for key in [key for key in found if "," in key]:
            _log.warning("%s: media whose key has a comma cannot be looked up", key)
            del found[key]
        return cls(found)

    def __len__(self) -> int:
        return len(self.items)

    def look(self, run: str, folder: Path) -> tuple[list[str], list[str]] | None:
        """See `read_back.Sent`."""
        there = _there(run, folder, list(self.items))
        if there is None:
            return None
        short = [key for key, sent in self.items.items() if max(sent) not in there.get(key, {})]
        other = [key for key, sent in self.items.items() if _missing(there.get(key, {}), sent)]
        return short, other

    def missing(self, run: str, folder: Path, keys: Sequence[str]) -> Mapping[str, int]:
        """See `read_back.Sent`: items."""
        there = _there(run, folder, keys)
        if there is None:
            return {}
        return {key: _missing(there.get(key, {}), self.items[key]) for key in keys}


def _there(run: str, folder: Path, keys: Sequence[str]) -> dict[str, Items] | None:
    """What the server has of these keys; None where it cannot be asked, which is said."""
    there: dict[str, Items] = {}
    for group in _together(keys):
        told = asked(run, folder, "medias", f"--keys={','.join(group)}", "--all")
        if told is None:
            return None
        try:
            there.update(_items_in(told))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            unknown(run, f"{type(error).__name__}: {error}")
            return None
    return there


def _together(keys: Sequence[str]) -> Iterator[list[str]]:
    """Keys that fit into one command."""
    group: list[str] = []
    length = 0
    for key in keys:
        size = len(key.encode()) + 1
        if group and (length + size > _CHARACTERS_AT_ONCE or len(group) == _KEYS_AT_ONCE):
            yield group
            group, length = [], 0
        group.append(key)
        length += size
    if group:
        yield group


def _items_in(told: Any) -> Iterator[tuple[str, Items]]:
    for one in told["list"]:
        yield (
            str(one["key"]),
            {int(row["index"]): len(row["items"] or ()) for row in one["metrics"] or ()},
        )


def _missing(there: Items, sent: Items) -> int:
    """How many items are; what is there besides may be of another upload."""
    return sum(max(count - there.get(step, 0), 0) for step, count in sent.items())
