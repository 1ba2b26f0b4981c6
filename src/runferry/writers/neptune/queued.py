"""Which queue the client made of a staged run, for `neptune sync` to send; and whether it did."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from runferry.dialects.neptune.places import queue_folder

_log = logging.getLogger(__name__)
_QUEUED: Final = "queued.json"
"""In a staged run's folder: which folder of the offline queue was made of it."""
_OFFLINE: Final = "offline"


def queues() -> Path:
    """Where `neptune sync` looks for queues."""
    return queue_folder() / _OFFLINE


def note_queue(folder: Path, container: str, project: str, run_id: str) -> None:
    """Write down what was made of a staged run."""
    told = {"container": container, "project": project, "custom_run_id": run_id}
    (folder / _QUEUED).write_text(json.dumps(told))


def queue_of(folder: Path) -> Path | None:
    """The queue that was made of a staged run, whether it is still there or not."""
    if not (folder / _QUEUED).is_file():
        return None
    name = str(json.loads((folder / _QUEUED).read_bytes())["container"])
    return queues() / Path(name).name


def tell_what_was_sent(folders: Iterable[Path]) -> None:
    """Say of how many staged runs the queue is gone: nothing is queued of them again."""
    made = (queue_of(folder) for folder in folders)
    sent = sum(queue is not None and not queue.is_dir() for queue in made)
    if sent:
        _log.warning(
            "%s: %s queued before, and `neptune sync` took what was queued: nothing of it is queued"
            " again; what has grown since goes with RUNFERRY_NEPTUNE_MODE=async",
            queues(),
            "1 run was" if sent == 1 else f"{sent:,} runs were",
        )
