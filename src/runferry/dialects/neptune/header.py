"""A container's `sys` namespace as our header.

What the fields are: docs-legacy.neptune.ai/api/sys, and `neptune_scale` for forks. All of them stay
attributes besides, with the types that they have.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from runferry.dialects.neptune.names import Container, parts_of
from runferry.model import Fork, Run, RunKey, RunState, Tree

_ENDED = "inactive"
_STATES = {"active": "running", "running": "running", _ENDED: _ENDED, "idle": _ENDED}


def header_of(
    key: RunKey, container: Container, sys: Mapping[str, Tree], client: str | None = None
) -> Run:
    """The header; `sys` maps paths below `sys` (`forking/step`) to values."""
    workspace, project = parts_of(key.scope)
    status = _text(sys.get("state"))
    called = _STATES.get((status or "").lower())
    created = _time(sys.get("creation_time"))
    return Run(
        key,
        name=_text(sys.get("name")) or _text(sys.get("custom_run_id")),
        project=project,
        entity=workspace,
        group=_group(key, container, sys),
        kind="run" if container == "project" else container,
        job_type=None if container == "run" else container,
        forked_from=_fork(sys),
        tags=_texts(sys.get("tags")),
        notes=_text(sys.get("description")),
        user=_text(sys.get("owner")),
        host=_text(sys.get("hostname")),
        created_ns=created,
        started_ns=created,
        ended_ns=_time(sys.get("ping_time")) if called == _ENDED else None,
        status=status,
        state=_state(called, sys.get("failed")),
        complete=called == _ENDED,
        client=client,
    )


def _state(called: str | None, failed: Tree) -> RunState:
    if called == "running":
        return "running"
    if failed is True:
        return "failed"
    return "finished" if called == _ENDED else "unknown"


def _group(key: RunKey, container: Container, sys: Mapping[str, Tree]) -> str | None:
    """A model and its versions are a group; a run has one if it has one group tag."""
    if container == "model":
        return _text(sys.get("id")) or key.run_id
    if container == "model_version":
        return _text(sys.get("model_id"))
    tags = _texts(sys.get("group_tags"))
    return tags[0] if len(tags) == 1 else None


def _fork(sys: Mapping[str, Tree]) -> Fork | None:
    """The step is the floor of a fractional one; `sys/forking/step` has all of it."""
    parent, step = _text(sys.get("forking/parent")), sys.get("forking/step")
    if parent is None:
        return None
    if isinstance(step, bool) or not isinstance(step, (int, float)) or not math.isfinite(step):
        return Fork(parent)
    return Fork(parent, math.floor(step))


def _text(value: Tree) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: Tree) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _time(value: Tree) -> int | None:
    if not isinstance(value, datetime):
        return None
    return (value - _EPOCH) // timedelta(microseconds=1) * 1000


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
