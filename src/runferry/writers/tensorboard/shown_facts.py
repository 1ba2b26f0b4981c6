"""Facts of a run as TensorBoard shows them: hyperparameters, documents, values of other plugins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from runferry.chunks import Document, Raw
from runferry.dialects.tensorboard.names import TRACKER, session_path
from runferry.dialects.tensorboard.wire import shown_again, string_event
from runferry.model import Attribute, Run
from runferry.writers.tensorboard.hparams import (
    EXPERIMENT,
    SESSION_START,
    experiment_event,
    start_event,
)
from runferry.writers.tensorboard.messages import message
from runferry.writers.tensorboard.tag_facts import tag_facts

if TYPE_CHECKING:
    from runferry._native import EventWriter

LAYOUT: Final = "custom_scalars__config__"
"""The tag by which TensorBoard finds the layout of custom scalars."""


def show_tags(events: EventWriter, attributes: Iterable[Attribute]) -> None:
    """What was said of tags, for the metadata of their first values."""
    for tag, facts in tag_facts(attributes).items():
        events.describe(tag, facts.content, facts.spelled(), facts.shape)


def show_config(events: EventWriter, run: Run, attributes: Iterable[Attribute]) -> bool:
    """Hyperparameters, if there are any; False where HPARAMS has them already."""
    if not events.tag(SESSION_START, "hparams")[1]:
        return False
    of_session = {session_path("model_uri"): 2, session_path("monitor_url"): 3}
    session: dict[int, str] = {}
    config: list[Attribute] = []
    for item in attributes:
        if item.role == "config":
            config.append(item)
        elif item.path in of_session and isinstance(item.value, str):
            session[of_session[item.path]] = item.value
    events.event(start_event(run, config, session))
    return True


def show_document(events: EventWriter, document: Document) -> None:
    """What came from TensorBoard; the first of each kind, which is the one that it shows."""
    if document.kind == "hparams_experiment" and events.tag(EXPERIMENT, "hparams")[1]:
        events.event(experiment_event(document.body))
    if document.kind == "custom_scalars" and events.tag(LAYOUT, "custom_scalars")[1]:
        content = message("Layout", document.body)
        events.event(string_event(LAYOUT, "custom_scalars", content))


def show_raw(events: EventWriter, run: Run, raw: Raw) -> int | None:
    """The event of another plugin, where it came as one: where in the file its bytes stand."""
    if run.key.tracker != TRACKER or run.origin_uid is not None:
        return None
    event = shown_again(raw.payload)
    return None if event is None else events.event(event)
