"""A run's header as MLflow spells it, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from runferry.dialects.mlflow.tags import (
    DELETED_TAG,
    MAX_EXPERIMENT,
    MAX_NAME,
    MAX_TAG,
    NAME_TAG,
    NOTE_TAG,
    PARENT_TAG,
    PARENT_UID_TAG,
    SEALED,
    SEALED_TAG,
    TRACKER,
    UID_TAG,
    USER_TAG,
    label_tag,
    short_hash,
    storable,
)
from runferry.model import Run, RunKey, RunState, Uid

_STATUS: Final[dict[RunState, str]] = {
    "running": "RUNNING",
    "finished": "FINISHED",
    "failed": "FAILED",
    "killed": "KILLED",
    "unknown": "RUNNING",  # MLflow has no word for "the source never said"
}
_STATE: Final[dict[str, RunState]] = {
    "RUNNING": "running",
    "FINISHED": "finished",
    "FAILED": "failed",
    "KILLED": "killed",
}

_FIELD_TAGS: Final = {
    "runferry.group": "group",
    "runferry.job_type": "job_type",
    "runferry.sweep": "sweep",
    "runferry.host": "host",
    "runferry.source_url": "source_url",
    "runferry.kind": "kind",
    "runferry.status": "status",
}
MODELS: Final = "Registered models"
"""The experiment of the runs that hold what is known of registered models."""
_TAGS_TAG: Final = "runferry.tags"


@dataclass(frozen=True, slots=True)
class NativeRun:
    """One run as MLflow holds it: the row of `runs`, its tags and params. Times in ms."""

    run_id: str
    experiment: str
    name: str | None = None
    user: str | None = None
    status: str = "RUNNING"
    start_ms: int | None = None
    end_ms: int | None = None
    lifecycle: str = "active"
    artifact_uri: str | None = None
    experiment_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def uid(self) -> Uid | None:
        """The mark that a push of ours left."""
        mark = self.tags.get(UID_TAG)
        return None if mark is None else Uid(mark)

    @property
    def is_gone(self) -> bool:
        """Whether somebody deleted it in MLflow: a push of ours says so where it does."""
        return self.lifecycle == "deleted" and DELETED_TAG not in self.tags

    @property
    def is_in_transit(self) -> bool:
        """Whether a push of ours has begun it, or made it grow, and has not ended."""
        return self.uid is not None and self.tags.get(SEALED_TAG) != SEALED


def experiment_name(run: Run) -> str:
    """The experiment a run belongs to; runs without a project meet in MLflow's `Default`.

    Models that belong to no project are kept apart from them.
    """
    otherwise = MODELS if run.kind == "model" else "Default"
    name = storable(run.project or otherwise)
    if len(name) <= MAX_EXPERIMENT:
        return name
    return f"{name[: MAX_EXPERIMENT - 17]}~{short_hash(name)}"


def as_native(run: Run, uid: Uid) -> NativeRun:
    """The run's header in MLflow's words; `run_id`, lifecycle and parent are the writer's part."""
    name = storable(run.name or run.key.run_id or uid)[:MAX_NAME]
    tags = {UID_TAG: str(uid), NAME_TAG: name}
    if run.user is not None:
        tags[USER_TAG] = run.user
    if run.notes is not None:
        tags[NOTE_TAG] = run.notes
    if run.parent is not None:
        tags[PARENT_UID_TAG] = str(parent_uid(run))
    for tag, name_of_field in _FIELD_TAGS.items():
        value = getattr(run, name_of_field)
        if value is not None and (name_of_field != "kind" or value != "run"):
            tags[tag] = str(value)
    if run.tags:
        tags[_TAGS_TAG] = json.dumps(list(run.tags), ensure_ascii=False)
    for label, value in run.labels.items():
        tags[label_tag(label)] = value
    started = run.started_ns if run.started_ns is not None else run.created_ns
    return NativeRun(
        run_id="",
        experiment=experiment_name(run),
        name=name,
        user=storable(run.user or "")[:256],
        status=_status(run),
        start_ms=_milliseconds(started) or 0,  # MLflow's own client fails on a run without one
        end_ms=_milliseconds(run.ended_ns),
        tags={tag: storable(value)[:MAX_TAG] for tag, value in tags.items()},
    )


def _status(run: Run) -> str:
    """A run that nobody saw end stays RUNNING, unless its source has found out that it died."""
    if run.state in ("unknown", "running") and (run.status or "").lower() == "crashed":
        return "FAILED"
    return _STATUS[run.state]


def parent_uid(run: Run) -> Uid | None:
    """The uid of the run this one is nested in."""
    if run.parent is None:
        return None
    return RunKey(run.key.tracker, run.key.scope, run.parent).uid


def as_run(native: NativeRun) -> Run:
    """A run that was logged with MLflow itself."""
    tags = native.tags
    labels = {k: v for k, v in tags.items() if not k.startswith(("mlflow.", "runferry."))}
    return Run(
        key=RunKey(TRACKER, "", native.run_id),
        name=tags.get(NAME_TAG) or native.name,
        project=native.experiment,
        parent=tags.get(PARENT_TAG),
        labels=labels,
        notes=tags.get(NOTE_TAG),
        user=tags.get(USER_TAG) or native.user or None,
        started_ns=_nanoseconds(native.start_ms),
        ended_ns=_nanoseconds(native.end_ms),
        status=native.status,
        state=_STATE.get(native.status, "unknown"),
        complete=native.status in ("FINISHED", "FAILED", "KILLED"),
        origin_uid=None if native.is_gone else native.uid,
    )


def restored(native: NativeRun, bundled: Run) -> Run:
    """The header that was pushed, except where MLflow says something else by now."""
    plain = as_run(native)
    uid = native.uid or bundled.uid
    sent = as_native(bundled, uid)
    then, now = as_run(replace(sent, run_id=native.run_id)), plain
    merged: dict[str, object] = {}
    for name in ("name", "project", "notes", "user", "started_ns", "ended_ns"):
        if getattr(then, name) != getattr(now, name):
            merged[name] = getattr(now, name)
    if sent.status != native.status:
        merged |= {"status": now.status, "state": now.state, "complete": now.complete}
    for tag, name in _FIELD_TAGS.items():
        if sent.tags.get(tag) != native.tags.get(tag) and name not in ("kind", "status"):
            merged[name] = native.tags.get(tag)
    if sent.tags.get(_TAGS_TAG) != native.tags.get(_TAGS_TAG):
        merged["tags"] = _tag_set(native.tags.get(_TAGS_TAG))
    return replace(
        bundled,
        key=plain.key,
        origin_uid=native.uid,
        parent=plain.parent or bundled.parent,
        labels=_labels(native, bundled),
        **merged,  # type: ignore[arg-type]
    )


def _tag_set(text: str | None) -> tuple[str, ...]:
    """The set of tags as somebody left it in MLflow: ours is JSON, theirs may be anything."""
    if not text:
        return ()
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        return (text,)
    return tuple(map(str, names)) if isinstance(names, list) else (text,)


def _labels(native: NativeRun, bundled: Run) -> dict[str, str]:
    """Labels by their native tags: what is still as sent takes its exact form."""
    labels: dict[str, str] = {}
    ours = {label_tag(label): label for label in bundled.labels}
    for tag, label in ours.items():
        if tag in native.tags:
            sent = bundled.labels[label]
            labels[label] = (
                sent if native.tags[tag] == storable(sent)[:MAX_TAG] else native.tags[tag]
            )
    for tag, value in native.tags.items():
        if tag not in ours and not tag.startswith(("mlflow.", "runferry.")):
            labels[tag] = value
    return labels


def _milliseconds(time_ns: int | None) -> int | None:
    return None if time_ns is None else max(0, time_ns // 1_000_000)


def _nanoseconds(time_ms: int | None) -> int | None:
    return None if time_ms is None else time_ms * 1_000_000
