"""Single values as Neptune shows them: where they stand, and as which of its types."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from runferry.dialects.neptune.attribute_paths import (
    CONFIG,
    MODEL_TAGS,
    OLD_SYS,
    SUMMARY,
    SYS,
    UID,
)
from runferry.dialects.neptune.export_files import AttributeType
from runferry.dialects.neptune.file_places import FILES, SETS
from runferry.dialects.neptune.names import TRACKER
from runferry.dialects.times import time_ns_of
from runferry.model import Attribute, Run, Tree, Uid, instant
from runferry.tables import dumps

_STAGE: Final = (SYS, "stage")
_OF_HEADER: Final = {"name", "description", "tags", "group_tags", "custom_run_id"}
_NOT_COPIED: Final = {"state"}
_INT64: Final = 2**63

HeldValue: TypeAlias = "bool | int | float | str | datetime | tuple[str, ...]"


@dataclass(frozen=True, slots=True)
class Held:
    """One value at the place that is wished for it."""

    path: str
    type: AttributeType
    value: HeldValue
    place: str = ""  # how a loss names it; empty for what the header says


def held(path: str, value: Tree, place: str = "") -> Held:
    """A value in the type that Neptune has for it, else as a string."""
    match value:
        case bool():
            return Held(path, "bool", value, place)
        case int() if -_INT64 <= value < _INT64:
            return Held(path, "int", value, place)
        case float():
            return Held(path, "float", value, place)
        case str():
            return Held(path, "string", value, place)
        case datetime():
            return Held(path, "datetime", value, place)
        case bytes():
            return Held(path, "string", base64.b64encode(value).decode("ascii"), place)
        case list() | dict():
            return Held(path, "string", dumps(value), place)
        case _:
            return Held(path, "string", str(value), place)


def says_the_same(value: HeldValue, header: HeldValue) -> bool:
    """Whether an attribute says what the header does in the same place, which then says it once."""
    if isinstance(header, datetime) and isinstance(value, str):
        found = time_ns_of(value)
        return found is not None and instant(found) == header
    return type(value) is type(header) and value == header


def of_header(
    run: Run, uid: Uid, run_id: str, attributes: Iterable[Attribute], *, stage_as_tag: bool
) -> Iterator[Held]:
    """What the header says: `sys/…` as Neptune has it, the rest under the tracker's name."""
    yield held(UID, uid)
    yield held(f"{SYS}/custom_run_id", run_id)
    if run.name is not None:
        yield held(f"{SYS}/name", run.name)
    if run.notes is not None:
        yield held(f"{SYS}/description", run.notes)
    tags = tags_of(run, attributes, stage_as_tag=stage_as_tag)
    if tags:
        yield Held(f"{SYS}/tags", "string_set", tags)
    groups = group_tags_of(run, attributes)
    if groups:
        yield Held(f"{SYS}/group_tags", "string_set", groups)
    created_ns = run.created_ns if run.created_ns is not None else run.started_ns
    if created_ns is not None:
        yield held(f"{SYS}/creation_time", instant(created_ns))
    if run.state == "failed":
        yield held(f"{SYS}/failed", True)
    if run.forked_from is not None:
        yield held(f"{SYS}/forking/parent", run.forked_from.run_id)
        if run.forked_from.step is not None:
            yield held(f"{SYS}/forking/step", float(run.forked_from.step))
    yield from _under_tracker(run)


def tags_of(run: Run, attributes: Iterable[Attribute], *, stage_as_tag: bool) -> tuple[str, ...]:
    """The run's tags; for a model or a version that it is one, and its stage if wished."""
    tags = [*run.tags, *([MODEL_TAGS[run.kind]] if run.kind in MODEL_TAGS else [])]
    if stage_as_tag and run.key.tracker == TRACKER:
        tags += [str(a.value) for a in attributes if a.path == _STAGE and a.value is not None]
    return tuple(dict.fromkeys(tags))


def group_tags_of(run: Run, attributes: Iterable[Attribute]) -> tuple[str, ...]:
    """The run's group; of a model and its versions the model's id; Neptune's own as they were."""
    if run.kind == "run" and run.key.tracker == TRACKER:
        for attribute in attributes:
            if attribute.path == (SYS, "group_tags"):
                return words_of(attribute.value) or ()
    match run.kind:
        case "model":
            return (run.group or run.key.run_id,)
        case "model_version":
            return (run.group or run.parent or run.key.run_id.rpartition("-")[0],)
        case _:
            return () if run.group is None else (run.group,)


def _under_tracker(run: Run) -> Iterator[Held]:
    """The rest of the header, as attributes of the tracker that the run comes from."""
    told: dict[str, Tree] = {
        "id": run.key.run_id,
        "name": run.name,
        "entity": run.entity,
        "project": run.project,
        "url": run.source_url,
        "state": run.status if run.status is not None else _known(run.state),
        "job_type": run.job_type,
        "sweep": run.sweep,
        "user": run.user,
        "host": run.host,
        "parent": run.parent,
        "exit_code": run.exit_code,
        "created_at": run.created,
        "started_at": run.started,
        "ended_at": run.ended,
        "client": run.client,
    }
    if run.key.tracker == TRACKER:  # its own attributes say all this
        return
    for name, value in told.items():
        if value is not None:
            yield held(f"{run.key.tracker}/{name}", value)
    for label, word in run.labels.items():
        yield held(f"{run.key.tracker}/labels/{label}", word)


def _known(state: str) -> str | None:
    return None if state == "unknown" else state


def of_model(uid: Uid, attributes: Iterable[Attribute]) -> Iterator[Held]:
    """A model of Neptune as it was: its attributes say all that its header does."""
    yield held(UID, uid)
    for attribute in attributes:
        if attribute.path in (SETS, FILES):
            continue
        place = ".".join((attribute.role, *attribute.path))
        yield _own("/".join(attribute.path), attribute.value, place)


def of_attributes(
    attributes: Iterable[Attribute], tracker: str, *, stage_as_tag: bool
) -> Iterator[Held]:
    """Config, summary, and what else there is, each in its namespace."""
    for attribute in attributes:
        place = ".".join((attribute.role, *attribute.path))
        if tracker != TRACKER:
            namespace = {"config": CONFIG, "summary": SUMMARY}.get(attribute.role, tracker)
            yield held("/".join((namespace, *attribute.path)), attribute.value, place)
        elif attribute.path in (SETS, FILES):
            continue  # the files' own attributes say it
        elif attribute.path[0] != SYS:
            yield _own("/".join(attribute.path), attribute.value, place)
        elif not _is_said(attribute, stage_as_tag):
            yield _own("/".join((OLD_SYS, *attribute.path[1:])), attribute.value, place)


def _own(path: str, value: Tree, place: str) -> Held:
    """A value that came from Neptune: a list of words is a set of them."""
    words = words_of(value)
    return held(path, value, place) if words is None else Held(path, "string_set", words, place)


def words_of(value: Tree) -> tuple[str, ...] | None:
    """A list of words; None for anything else, and for none: an empty set is not kept there."""
    if not isinstance(value, list) or not value:
        return None
    words = tuple(item for item in value if isinstance(item, str))
    return words if len(words) == len(value) else None


def _is_said(attribute: Attribute, stage_as_tag: bool) -> bool:
    """Whether a `sys` attribute is in the header, in a tag, or means nothing for another run."""
    if stage_as_tag and attribute.path == _STAGE:
        return True
    return len(attribute.path) == 2 and attribute.path[1] in {*_OF_HEADER, *_NOT_COPIED}
