"""The run's header: what the first records, hparams and the names of files and folders tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from runferry.dialects.tensorboard.names import host_of
from runferry.dialects.times import seconds_ns
from runferry.model import Run, RunState, Tree
from runferry.paths import spelled
from runferry.readers.tensorboard.identity import Group

_STATES: dict[object, RunState] = {
    "STATUS_SUCCESS": "finished",
    "STATUS_FAILURE": "failed",
    "STATUS_RUNNING": "running",
}


@dataclass
class Facts:
    """What hparams said of the session, from the first record on: plain data for a cursor."""

    state: dict[str, Tree] = field(default_factory=dict)

    def start(self, message: Mapping[str, Any]) -> None:
        """A session_start_info; the first one that says a thing is believed."""
        if message.get("group_name"):
            self.state.setdefault("group", str(message["group_name"]))
        started = _stated_ns(message.get("start_time_secs"))
        if started is not None:
            self.state.setdefault("start_ns", started)
        for name in ("status", "end_ns"):  # it goes on: what ended was an earlier session
            self.state.pop(name, None)

    def end(self, message: Mapping[str, Any]) -> None:
        """A session_end_info."""
        self.state["status"] = str(message.get("status") or "STATUS_UNKNOWN")
        self.state["end_ns"] = _stated_ns(message.get("end_time_secs"))

    def run(self, group: Group) -> Run:
        """The header.

        torch and tensorboardX write the end of the session, without a time, together with its
        hyperparameters: only an end with a time is one.
        """
        status, ended = self.state.get("status"), self.state.get("end_ns")
        started, named = self.state.get("start_ns"), self.state.get("group")
        first = group.head.first_ns
        return Run(
            group.key,
            name=group.name,
            group=named if isinstance(named, str) else None,
            parent=group.parent,
            host=host_of(spelled(group.head.file)),
            created_ns=first,
            started_ns=started if isinstance(started, int) else first,
            ended_ns=ended if isinstance(ended, int) else None,
            status=status if isinstance(status, str) else None,
            state=_STATES.get(status, "unknown"),
            complete=isinstance(ended, int) and status in ("STATUS_SUCCESS", "STATUS_FAILURE"),
            client=group.head.writer,
        )


def header(group: Group) -> Run:
    """What the first records tell; of a run that we wrote, what it was."""
    mark = group.head.mark
    if mark is not None:
        return replace(mark.run, key=group.key, origin_uid=mark.uid, complete=False)
    facts = Facts()
    if group.head.session is not None:
        facts.start(group.head.session)
    return facts.run(group)


def _stated_ns(seconds: Tree) -> int | None:
    """Zero is how the format says that nobody stated a time."""
    return seconds_ns(seconds) if seconds else None
