"""The run's header: what the first records, hparams and the names of files and folders tell."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from runferry.dialects.tensorboard.names import host_of
from runferry.model import Run, RunState
from runferry.paths import spelled
from runferry.readers.tensorboard.identity import Group
from runferry.readers.tensorboard.statements import Statements

_STATES: dict[object, RunState] = {
    "STATUS_SUCCESS": "finished",
    "STATUS_FAILURE": "failed",
    "STATUS_RUNNING": "running",
}


def run_of(group: Group, said: Iterable[Statements]) -> Run:
    """The header, as the event files in their order tell it.

    torch and tensorboardX write the end of the session, without a time, together with its
    hyperparameters: only an end with a time is one.
    """
    named, started, status, ended = None, None, None, None
    for one in said:
        named = one.group if named is None else named
        started = one.start_ns if started is None else started
        if one.is_begun or one.status is not None:
            status, ended = one.status, one.end_ns
    first = group.head.first_ns
    return Run(
        group.key,
        name=group.name,
        group=named,
        parent=group.parent,
        host=host_of(spelled(group.head.file)),
        created_ns=first,
        started_ns=first if started is None else started,
        ended_ns=ended,
        status=status,
        state=_STATES.get(status, "unknown"),
        complete=ended is not None and status in ("STATUS_SUCCESS", "STATUS_FAILURE"),
        client=group.head.writer,
    )


def header(group: Group) -> Run:
    """What the first records tell; of a run that we wrote, what it was."""
    mark = group.head.mark
    if mark is not None:
        return replace(mark.run, key=group.key, origin_uid=mark.uid, complete=False)
    first = Statements()
    if group.head.session is not None:
        first.start(group.head.session)
    return run_of(group, [first])
