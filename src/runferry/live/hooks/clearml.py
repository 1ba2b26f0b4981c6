"""ClearML: what its client reports of a task, and what it says of the task itself.

`Reporter._report` is the one way of every value, plot and sample from a call of `Logger.report_…`,
of a hook of ClearML's own or of a model, to the thread or process that sends it; `TaskHandler.emit`
that of every line printed. Both are the same with a server and without. An event has its task and
its offset of iterations only when it is sent, and is changed then by another thread: so it is
spelled before it is handed over.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from runferry.live.frames import Kind
from runferry.live.hooks.clearml_facts import content_of, event_of, fields_of, plain
from runferry.live.hooks.copies import Copies
from runferry.live.hooks.hook import PatchingHook
from runferry.live.journal import Journal

NAME: Final = "clearml"
_CALL: Final = Kind.CALL  # looked up once
_TASK: Final = "clearml.backend_interface.task.task"
_OF_VALUE: Final = ("timestamp", "iter", "value")  # what events of a series differ in
_encoded: Final = json.JSONEncoder(default=plain).encode
_STATUSES: Final = {
    "started": "in_progress",
    "mark_completed": "completed",
    "completed": "completed",
    "mark_failed": "failed",
    "stopped": "stopped",
}


class ClearmlHook(PatchingHook):
    """Captures tasks, those too that have begun already."""

    name = NAME

    def __init__(self, journal: Journal, files: Path) -> None:
        """`files` is where copies of samples and artifacts go."""
        super().__init__(journal)
        self._copies = Copies(files)
        self._sources: dict[str, str] = {}
        self._said: dict[str, dict[str, bytes]] = {}  # of a task: what its fields were last
        self._home: dict[str, int] = {}  # of a task: the process that it was met in
        self._here = threading.local()  # what is about to be reported
        self._heads: dict[tuple[str, str, str], str] = {}  # what events of a series begin with
        after, around = self._patches.after, self._patches.around
        around(
            "clearml.backend_interface.metrics.reporter",
            *("Reporter", "_report", self._reporting, self._reported),
        )
        around(
            "clearml.binding.artifacts",
            *("Artifacts", "_upload_local_file", self._uploading, self._uploaded),
        )
        after("clearml.backend_interface.task.log", "TaskHandler", "emit", self._printed)
        after(_TASK, "Task", "_edit", self._edited_online)
        after(_TASK, "Task", "_save_data_to_offline_dir", self._edited)
        after("clearml.backend_interface.base", "IdObjectBase", "reload", self._reloaded)
        for method, status in _STATUSES.items():
            after(_TASK, "Task", method, self._of_status(status))
        after("clearml.task", "Task", "_Task__shutdown", self._ended)

    def on(self) -> None:
        """See `Patches.on`. A task that is there already is told as it is."""
        super().on()
        kind = getattr(sys.modules.get("clearml.task"), "Task", None)
        task = getattr(kind, "_Task__main_task", None)
        if task is not None:
            try:
                self._edited(task, None)
            except Exception:  # noqa: BLE001  training goes on; that we missed something is counted
                self._journal.drop(NAME)

    # --- what is reported -------------------------------------------------------------------------

    def _reporting(self, reporter: Any, event: Any) -> None:
        """The event as it will be sent, and what it would have uploaded."""
        here, metrics = self._here, reporter._metrics
        here.payload = None
        here.task = task = metrics._task_id
        offset = metrics.get_iteration_offset()
        is_of_model = getattr(reporter, "_for_model", False)
        if type(event).__name__ == "ScalarEvent" and not is_of_model:
            here.payload = self._scalar(task, event, offset)
        if here.payload is not None:
            return
        told = event_of(event)
        if told is None:  # the file of an artifact, which `_uploading` has
            return
        told["task"], copy = task, None
        if offset and told.get("iter") is not None:
            told["iter"] += offset
        if hasattr(event, "_image_data"):
            place = reporter._storage_uri or metrics._storage_uri
            # the address is quoted, as it is once the file has gone to a server
            told["key"], told["url"] = event.get_target_full_upload_uri(
                place, metrics.storage_key_prefix
            )
            content = content_of(event)
            copy = None if content is None else self._copies.put(content)
        if is_of_model:
            told["model_event"] = True
            here.task = self._main_task() or task
        here.payload = _encoded({"op": "event", "event": told, "copy": copy}).encode()

    def _reported(self, reporter: Any, result: object, event: Any) -> None:
        payload, self._here.payload = getattr(self._here, "payload", None), None
        if payload is not None:
            self._put(str(self._here.task), payload)

    def _scalar(self, task: str, event: Any, offset: int) -> bytes | None:
        """The call of a value, spelled by hand: there is one for every value. None if it is not a
        finite float with an iteration.
        """
        value, step = event._value, event._iter
        if type(value) is not float or type(step) is not int or value - value != 0.0:
            return None
        series = (task, event._metric, event._variant)
        head = self._heads.get(series)
        if head is None:
            told = {**(event_of(event) or {}), "task": task}
            same = {name: known for name, known in told.items() if name not in _OF_VALUE}
            head = self._heads[series] = _encoded(same).removesuffix("}")
        values = f'"timestamp": {event._timestamp:d}, "iter": {step + offset}, "value": {value!r}'
        return f'{{"op": "event", "event": {head}, {values}}}, "copy": null}}'.encode()

    def _printed(self, handler: Any, result: object, record: Any) -> None:
        if handler._background_log is None or handler._task_id is None:  # it was closed
            return
        message = record.getMessage().replace("\x08", "")
        if message:
            told = {
                "type": "log",
                "task": handler._task_id,
                "timestamp": int(record.created * 1000),
                "level": record.levelname.lower(),
                "worker": handler.worker,
                "msg": message,
            }
            self._call(str(handler._task_id), {"op": "log", "event": told})

    def _uploading(
        self,
        artifacts: Any,
        local_file: Any,
        name: str,
        delete_after_upload: bool = False,
        *_: object,
        **__: object,
    ) -> None:
        self._here.file = None
        path = Path(str(local_file))
        self._here.file = self._copies.of(path, is_going=delete_after_upload)

    def _uploaded(self, artifacts: Any, uri: object, *_: object, **__: object) -> None:
        copy, self._here.file = getattr(self._here, "file", None), None
        task = artifacts._task
        root = task.output_uri or task.get_logger().get_default_upload_destination()
        if copy is not None:
            call = {"op": "file", "uri": str(uri), "root": str(root), "copy": copy}
            self._call(str(task.id), call)

    # --- what is said of the task -----------------------------------------------------------------

    def _edited(self, task: Any, result: object, **fields: Any) -> None:
        """Fields that are new, or other than they were."""
        if task._data is None or not task.id:
            return
        task_id = str(task.id)
        self._home.setdefault(task_id, os.getpid())
        if task_id not in self._sources:
            self._sources[task_id] = _source(task_id, task)
        said, news = self._said.setdefault(task_id, {}), {}
        for name, value in fields_of(task, fields).items():
            digest = hashlib.blake2b(json.dumps(value, default=str).encode()).digest()
            if said.get(name) != digest:
                said[name], news[name] = digest, value
        if news:
            self._call(task_id, {"op": "task", "fields": news})

    def _edited_online(self, task: Any, result: object, **fields: Any) -> None:
        if not task._offline_mode:  # offline it ends in `_save_data_to_offline_dir`
            self._edited(task, None, **fields)

    def _reloaded(self, thing: Any, result: object) -> None:
        is_task = hasattr(thing, "_save_data_to_offline_dir")
        if is_task and not thing._offline_mode:
            self._edited(thing, None)

    def _of_status(self, status: str) -> Any:
        def changed(task: Any, result: object, *_: object, **__: object) -> None:
            if not task._offline_mode:
                ended = {} if status == "in_progress" else {"completed": _now()}
                self._edited(task, None, status=status, **ended)

        return changed

    def _ended(self, task: Any, result: object, *_: object, **__: object) -> None:
        if self._home.get(str(task.id)) == os.getpid():  # and not a child's copy of it
            self._call(str(task.id), {"op": "end"})

    def _main_task(self) -> str | None:
        kind = getattr(sys.modules.get("clearml.task"), "Task", None)
        task = getattr(kind, "_Task__main_task", None)
        return None if task is None else str(task.id)

    def _call(self, task_id: str, call: dict[str, Any]) -> None:
        self._put(task_id, _encoded(call).encode())

    def _put(self, task_id: str, payload: bytes) -> None:
        source = self._sources.get(task_id)
        if source is None:
            source = self._sources[task_id] = _source(task_id, None)
        self._journal.append(NAME, _CALL, source, payload)


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _source(task_id: str, task: Any) -> str:
    """What records of a task are from."""
    is_offline = task is not None and bool(task._offline_mode)
    folder = task.get_offline_mode_folder() if is_offline else None
    told = {
        "tracker": NAME,
        "run": task_id,
        "is_offline": is_offline,
        "folder": None if folder is None else str(folder),
    }
    return json.dumps(told)
