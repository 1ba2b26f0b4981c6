"""TensorBoard: what `EventFileWriter.add_event` is given, of `tensorboard` (which torch uses too)
and of `tensorboardX`, as serialized events.
"""

from __future__ import annotations

import json
import os
import weakref
from typing import Any, Final

from runferry._native import JournalLane
from runferry.live.frames import Kind
from runferry.live.hooks.hook import PatchingHook
from runferry.live.journal import Journal

NAME: Final = "tensorboard"
_EVENT: Final = Kind.EVENT  # looked up once
_OF_TENSORBOARD = "tensorboard.summary.writer.event_file_writer"
_OF_TENSORBOARDX = "tensorboardX.event_file_writer"
_FIRST_AT_MOST = 4096  # bytes of a first event, which says the version of the format


class TensorboardHook(PatchingHook):
    """Captures events of writers, of those too that are there already."""

    name = NAME

    def __init__(
        self, journal: Journal, root: str | None = None, experiment: str | None = None
    ) -> None:
        """`root` is what runs are named from, else the working directory.

        With an experiment, by its id, all that is captured belongs to that.
        """
        super().__init__(journal)
        self._experiment = experiment
        self._root = os.path.abspath(root) if root else None  # noqa: PTH100
        self._sources: dict[int, tuple[str, weakref.ref[Any]]] = {}  # by the id of the writer
        self._lanes: dict[int, JournalLane] = {}  # of writers that have been heard of, the same
        after = self._patches.after
        record = self._patches.record
        record(_OF_TENSORBOARD, "EventFileWriter", "add_event", self._lanes, self._added)
        after(_OF_TENSORBOARDX, "EventFileWriter", "__init__", self._made_x)
        record(_OF_TENSORBOARDX, "EventFileWriter", "add_event", self._lanes, self._added_x)
        after(_OF_TENSORBOARDX, "EventFileWriter", "close", self._closed_x)

    def _added(self, writer: Any, result: object, event: Any) -> None:
        found = self._sources.get(id(writer))
        if found is None:
            path = str(writer._file_name)
            found = self._met(writer, path)
            first = None if event.file_version else _first_event(path)
            if first is not None:
                self._journal.append(NAME, _EVENT, found[0], first)
        self._take(writer, found[0], event)

    def _made_x(self, writer: Any, result: object, *_: object, **__: object) -> None:
        """The first event of a file of tensorboardX does not come by `add_event`."""
        inner = writer._ev_writer
        source = self._met(writer, str(inner._file_name))[0]
        self._journal.append(NAME, _EVENT, source, inner._event.SerializeToString())

    def _added_x(self, writer: Any, result: object, event: Any) -> None:
        if writer._closed:  # then the original did nothing
            return
        found = self._sources.get(id(writer))
        if found is None:
            self._made_x(writer, None)
            found = self._sources[id(writer)]
        self._take(writer, found[0], event)

    def _closed_x(self, writer: Any, result: object) -> None:
        """From now on the original does nothing, unless the writer is opened again."""
        self._lanes.pop(id(writer), None)

    def _take(self, writer: Any, source: str, event: Any) -> None:
        """An event for which there is no lane yet, or that it did not take."""
        self._lanes[id(writer)] = self._journal.lane(NAME, source)
        self._journal.append(NAME, _EVENT, source, event.SerializeToString())

    def _met(self, writer: Any, path: str) -> tuple[str, weakref.ref[Any]]:
        """What events of a writer are from, for as long as it is there."""
        facts = {
            "tracker": NAME,
            "file": os.path.abspath(path),  # noqa: PTH100
            "cwd": os.getcwd(),  # noqa: PTH109
            "root": self._root,
            "experiment": self._experiment,
        }
        number, sources, lanes = id(writer), self._sources, self._lanes

        def forget(_: object) -> None:
            sources.pop(number, None)
            lanes.pop(number, None)

        gone = weakref.ref(writer, forget)
        found = sources[number] = json.dumps(facts), gone
        return found


def _first_event(path: str) -> bytes | None:
    """That of a file whose writer was there already: by it a reader tells one run from another."""
    with open(path, "rb") as stream:  # noqa: PTH123
        head = stream.read(12)
        length = int.from_bytes(head[:8], "little")
        if len(head) < 12 or length > _FIRST_AT_MOST:
            return None
        content = stream.read(length)
    return content if len(content) == length else None
