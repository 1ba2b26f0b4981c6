"""What can be told of a container without reading its logs to the end."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from itertools import islice
from typing import Final

from runferry.dialects.times import time_ns_of
from runferry.model import Tree
from runferry.readers.lines import WholeLines
from runferry.readers.neptune.queue.containers import Execution, Queue
from runferry.readers.neptune.queue.logs import operation_in
from runferry.readers.neptune.queue.values import Unreplayable, Values

_LOOKED_AT: Final = 200  # operations; the client writes down what it knows of a run first
_BYTES_AT_MOST: Final = 1 << 20


def assigned_sys(queue: Queue) -> dict[str, Tree]:
    """Values below `sys` that the first operations of each log assign, by paths there."""
    values = Values(queue.container_id)
    for execution in queue.executions:
        for log in execution.logs[:1]:
            with log.open("rb") as stream:
                whole = WholeLines(lambda text: False)
                for text in islice(whole.of(stream), _LOOKED_AT):
                    operation = operation_in(text)
                    if operation is not None and operation.path[0] == "sys":
                        try:
                            if values.takes(operation.kind):
                                values.apply(operation)
                        except Unreplayable:
                            continue  # reading the run tells it
                    if whole.offset > _BYTES_AT_MOST:
                        break
    return {"/".join(path[1:]): held.value for path, held in values.held.items()}


def began_ns(execution: Execution, zone: tzinfo) -> int | None:
    """When an execution began; a time without a zone is read in this one."""
    try:
        began = datetime.fromisoformat(execution.began)
        if began.tzinfo is None:
            began = began.replace(tzinfo=zone)
        return time_ns_of(began.astimezone(UTC).isoformat())
    except (ValueError, OverflowError):  # no time, or one at the edge of the years there are
        return None
