"""A run's attributes as MLflow's params and tags, and back."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Final

from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.tags import (
    DELETED_TAG,
    IMAGES_TAG,
    LIFECYCLE,
    MAX_PARAM,
    MAX_TAG,
    NAME_TAG,
    NOTE_TAG,
    PARENT_TAG,
    TABLES_TAG,
    USER_TAG,
    is_key,
    storable,
)
from runferry.model import Attribute, Tree
from runferry.tables import to_json

_READ_TAGS: Final = {NAME_TAG, USER_TAG, NOTE_TAG, PARENT_TAG}
_WRITTEN_TAGS: Final = {*_READ_TAGS, IMAGES_TAG, TABLES_TAG}


def is_tag(attribute: Attribute) -> bool:
    """Whether the attribute came from one of MLflow's own tags, and goes back into it."""
    return (
        attribute.role in ("environment", "other")
        and len(attribute.path) == 1
        and attribute.path[0].startswith("mlflow.")
        and attribute.path[0] not in _WRITTEN_TAGS
        and is_key(attribute.path[0])
        and isinstance(attribute.value, str)
    )


def param_name(attribute: Attribute) -> str:
    """The param that holds this attribute."""
    return attribute.name if attribute.name is not None else ".".join(attribute.path)


def spelled(value: Tree) -> str:
    """A value as `mlflow.log_param` would spell it, cut to what MLflow holds."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, bytes):
        text = base64.b64encode(value).decode("ascii")
    elif isinstance(value, datetime):
        text = value.isoformat()
    elif isinstance(value, (list, dict)):
        text = json.dumps(to_json(value), ensure_ascii=False)
    else:
        text = str(value)
    return storable(text)[:MAX_PARAM]


def tag_name(attribute: Attribute) -> str:
    """The tag that holds one of MLflow's own; that a run is deleted is told by a mark of ours."""
    return DELETED_TAG if attribute.path[0] == LIFECYCLE else attribute.path[0]


def spelled_tag(attribute: Attribute) -> str:
    """The value of one of MLflow's own tags."""
    return storable(str(attribute.value))[:MAX_TAG]


def system_attributes(native: NativeRun) -> tuple[Attribute, ...]:
    """MLflow's own tags that the header has no place for: where the code came from, and so on."""
    deleted = (Attribute((LIFECYCLE,), "other", "deleted"),) * (native.lifecycle == "deleted")
    return deleted + tuple(
        Attribute((tag,), "environment" if tag.startswith("mlflow.source.") else "other", value)
        for tag, value in sorted(native.tags.items())
        if tag.startswith("mlflow.") and tag not in _READ_TAGS
    )


def params(native: NativeRun) -> tuple[Attribute, ...]:
    """A run's params: one-element paths, always strings."""
    return tuple(Attribute((key,), "config", value) for key, value in native.params.items())
