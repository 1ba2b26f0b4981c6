"""W&B: what its client hands to its service, as serialized records, and where a run's files lie.

`InterfaceSock` is the one way from the client to the service in all versions from 0.13 on: by
`_publish`, and what wants an answer by `_communicate_async` (to 0.18), `_deliver` (from 0.21.2) or
`deliver_async` (from 0.22.1, where `_deliver` calls it). How rows come of these records is in
`replicas.wandb_history`. The end of a run that a script leaves to its own end (no `run.finish()`)
is no record of the client: it tells the service to end with an exit code, which is every run's.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any, Final

from runferry._native import JournalLane
from runferry.live.frames import Kind
from runferry.live.hooks.hook import PatchingHook
from runferry.live.journal import Journal

NAME: Final = "wandb"
_INTERFACE = "wandb.sdk.interface.interface_sock"
_SERVICE: Final = (
    ("wandb.sdk.wandb_manager", "_Manager", "_inform_teardown"),  # to 0.17
    ("wandb.sdk.lib.service_connection", "ServiceConnection", "teardown"),  # 0.18 to 0.19
    ("wandb.sdk.lib.service.service_connection", "ServiceConnection", "teardown"),
)


class WandbHook(PatchingHook):
    """Captures runs of W&B from their start on."""

    name = NAME

    def __init__(self, journal: Journal, *, events: Callable[[], object] | None = None) -> None:
        """`events` is called when W&B is about to read event files (`sync_tensorboard`): what
        stands in them is no record of the client.
        """
        super().__init__(journal)
        self._events = events
        self._streams: dict[str, str] = {}  # of a run: what its records are from
        self._lanes: dict[str, JournalLane] = {}  # of runs that have been heard of, the same
        self._begun = 0
        after = self._patches.after
        after("wandb.sdk.wandb_run", "Run", "__init__", self._announced)
        after("wandb.sdk.wandb_run", "Run", "_tensorboard_callback", self._reads_events)
        for method in ("_publish", "deliver_async|_deliver", "_communicate_async"):
            after(_INTERFACE, "InterfaceSock", method, self._sent)
        for module, of_class, method in _SERVICE:
            after(module, of_class, method, self._torn_down)

    def _announced(self, run: Any, result: object, settings: Any, *_: object, **__: object) -> None:
        """A run object was made: where it will put its files."""
        run_id = str(settings.run_id)
        self._begun += 1
        facts = {
            "tracker": NAME,
            "stream": run_id,
            "begun": f"{os.getpid()}-{self._begun}",
            "cwd": os.getcwd(),  # noqa: PTH109
            "files": _absolute(getattr(settings, "files_dir", None)),
            "folder": os.path.basename(str(getattr(settings, "sync_dir", "") or "")),  # noqa: PTH119
            "database": _absolute(getattr(settings, "sync_file", None)),
            "entity": getattr(settings, "entity", None),
            "project": getattr(settings, "project", None),
            "server": getattr(settings, "base_url", None),
            "version": getattr(sys.modules.get("wandb"), "__version__", None),
            "is_offline": bool(getattr(settings, "_offline", False)),
        }
        self._streams[run_id] = json.dumps(facts, default=str)
        self._lanes.pop(run_id, None)  # one that is begun again is another source

    def _reads_events(self, run: Any, result: object, *_: object, **__: object) -> None:
        """A writer of TensorBoard is about to be made, and W&B follows its files."""
        if self._events is not None:
            self._events()

    def _sent(self, interface: Any, result: object, record: Any, *_: object, **__: object) -> None:
        """A record was handed over."""
        stream = record._info.stream_id
        payload = record.SerializeToString()
        lane = self._lanes.get(stream)
        if lane is not None and lane.put(payload):
            return
        source = self._streams.get(stream)
        if source is None:
            source = self._streams[stream] = json.dumps({"tracker": NAME, "stream": stream})
        self._lanes[stream] = self._journal.lane(NAME, source)
        self._journal.append(NAME, Kind.WANDB, source, payload)

    def _torn_down(self, connection: Any, result: object, exit_code: int) -> None:
        """The service was told to end, and ends all runs; those that ended before stay as they are.

        A process that has only joined somebody's service ends nothing.
        """
        if getattr(connection, "_proc", connection) is None:
            return
        from wandb.proto import wandb_internal_pb2 as messages

        ended = messages.Record(exit=messages.RunExitRecord(exit_code=exit_code))
        for source in self._streams.values():
            self._journal.append(NAME, Kind.WANDB, source, ended.SerializeToString())


def _absolute(path: object) -> str | None:
    return os.path.abspath(str(path)) if path else None  # noqa: PTH100
