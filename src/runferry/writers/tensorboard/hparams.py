"""Configuration, as the HPARAMS tab of TensorBoard shows it.

The messages are those of TensorBoard's `plugins/hparams/plugin_data.proto`. No experiment is
written but one that the source had: without, TensorBoard makes the columns from all runs that it
finds and their scalars; of several it believes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from runferry.dialects.protobuf import double, field, integer
from runferry.dialects.tensorboard.names import HPARAMS_TAG, TRACKER
from runferry.dialects.tensorboard.wire import Metadata, plugin_event
from runferry.model import Attribute, Run, RunState, Tree
from runferry.tables import dumps
from runferry.writers.tensorboard.messages import message

SESSION_START: Final = f"{HPARAMS_TAG}session_start_info"
SESSION_END: Final = f"{HPARAMS_TAG}session_end_info"
EXPERIMENT: Final = f"{HPARAMS_TAG}experiment"

_STATUS: Final[dict[RunState, int]] = {"finished": 1, "failed": 2, "killed": 2}


def start_event(run: Run, config: Iterable[Attribute], session: Mapping[int, str]) -> bytes:
    """What the run was started with; `session`: other fields that are texts, by their numbers."""
    parts = [field(number, text) for number, text in session.items()]
    for attribute in config:
        name = attribute.name or ".".join(attribute.path)
        parts.append(field(1, field(1, name) + field(2, _shown(attribute.value))))
    group = _session_group(run)
    if group is not None:
        parts.append(field(4, group))
    parts.append(double(5, seconds(run.started_ns)))
    return _event(SESSION_START, field(3, b"".join(parts)), seconds(run.started_ns))


def _session_group(run: Run) -> str | None:
    """The group of sessions that TensorBoard shows as one row: one configuration, repeated.

    Only its own groups are that. Those of other trackers, in runs that we brought too, hold runs
    of many configurations; without a group each run is a row.
    """
    is_theirs = run.key.tracker == TRACKER and run.origin_uid is None
    return run.group if is_theirs else None


def end_event(run: Run) -> bytes | None:
    """How and when it ended; None while nobody knows: TensorBoard believes the first of them."""
    status = _STATUS.get(run.state)
    if status is None:
        return None
    ended = seconds(run.ended_ns)
    return _event(SESSION_END, field(4, integer(1, status) + double(2, ended)), ended)


def experiment_event(body: Tree) -> bytes:
    """What a source's own experiment says of hyperparameters and metrics."""
    return _event(EXPERIMENT, field(2, message("Experiment", body)), 0.0)


def seconds(time_ns: int | None) -> float:
    """A time as events have it; 0 where nobody knows.

    Spelled as rows are natively: the whole as one double would be rounded before it is divided.
    """
    return 0.0 if time_ns is None else time_ns // 10**9 + time_ns % 10**9 / 1e9


def _event(tag: str, content: bytes, wall_time: float) -> bytes:
    return plugin_event(tag, Metadata("hparams", content=content), seconds=wall_time)


def _shown(value: Tree) -> bytes:
    """A `google.protobuf.Value`: a truth value, a number or a text."""
    match value:
        case bool():
            return integer(4, value)
        case int() | float():
            try:
                return double(2, float(value))
            except OverflowError:  # an integer beyond any float
                return field(3, str(value))
        case str():
            return field(3, value)
        case _:
            return field(3, dumps(value))
