"""What an event file of ours begins with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from runferry import _native
from runferry._version import VERSION
from runferry.dialects.tensorboard.names import WRITER
from runferry.dialects.tensorboard.own_files import MARK_TAG, Mark
from runferry.dialects.tensorboard.wire import first_events, record_event
from runferry.writers.tensorboard.hparams import seconds


def begin_file(path: Path, mark: Mark, *, first: Iterable[bytes] = ()) -> None:
    """A new file: the format's version, who writes it, these events, and at last whose it is."""
    run = mark.run
    begun = seconds(run.started_ns if run.started_ns is not None else run.created_ns)
    writer = _native.EventWriter(path, offset=0, tags={}, doubles=False)
    for event in (*first_events(begun, f"{WRITER} {VERSION}"), *first):
        writer.event(event)
    writer.event(record_event(MARK_TAG, mark.content(), seconds=begun))
    writer.flush()
