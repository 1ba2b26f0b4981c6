"""Params and tags against what was pushed: what still agrees takes its exact form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from runferry.dialects.mlflow.attributes import (
    is_tag,
    param_name,
    spelled,
    spelled_tag,
    system_attributes,
)
from runferry.dialects.mlflow.header import NativeRun
from runferry.dialects.mlflow.tags import IMAGES_TAG, TABLES_TAG, label_tag
from runferry.losses import Fate, Loss, LossLedger
from runferry.model import Attribute, Run
from runferry.readers.mlflow.bundled import SentAttribute


def refined_attributes(
    native: NativeRun, bundled: Iterable[SentAttribute], losses: LossLedger
) -> tuple[Attribute, ...]:
    """The run's attributes as they are in MLflow now."""
    found: list[Attribute] = []
    params = dict(native.params)
    tags = {a.path[0]: a for a in system_attributes(native)}
    tags.pop(IMAGES_TAG, None)  # ours, not the run's
    tags.pop(TABLES_TAG, None)
    for one in bundled:
        sent, forms = one.attribute, {one.frozen}
        attribute = replace(sent, name=None)
        if sent.role == "config":
            now = params.pop(param_name(sent), None)
            forms.add(spelled(sent.value))
        elif is_tag(sent):
            stated = tags.pop(sent.path[0], None)
            now = None if stated is None else str(stated.value)
            forms.add(spelled_tag(sent))
        else:
            found.append(attribute)  # the bundle is its only home
            continue
        if now is None:
            losses.add(_removed(".".join(sent.path), "a param or tag was removed from MLflow"))
        else:
            found.append(attribute if now in forms else replace(attribute, value=now))
    found += [Attribute((key,), "config", value) for key, value in params.items()]
    found += tags.values()
    return tuple(found)


def removed_labels(native: NativeRun, bundled: Run, losses: LossLedger) -> None:
    """Count the labels whose tags are gone."""
    for label in bundled.labels:
        if label_tag(label) not in native.tags:
            losses.add(_removed(label, "a tag was removed from MLflow"))


def _removed(where: str, detail: str) -> Loss:
    return Loss("removed-from-mlflow", Fate.DROPPED, where, 1, detail)
