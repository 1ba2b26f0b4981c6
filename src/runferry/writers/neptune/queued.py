"""Which queue the client made of a staged run, for `neptune sync` to send; and whether it did."""

from __future__ import annotations

import json
import logging
import shlex
import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from runferry.dialects.neptune.places import queue_folder
from runferry.durable import write_atomically
from runferry.errors import Refused

_log = logging.getLogger(__name__)
_QUEUED: Final = "queued.json"
"""In a staged run's folder: which folder of the offline queue was made of it."""
_TAKEN_BACK: Final = "is_taken_back"
_OFFLINE: Final = "offline"


def queues() -> Path:
    """Where `neptune sync` looks for queues."""
    return queue_folder() / _OFFLINE


def note_queue(folder: Path, container: str, project: str, run_id: str) -> None:
    """Write down what was made of a staged run."""
    _note(folder, {"container": container, "project": project, "custom_run_id": run_id})


def queue_of(folder: Path) -> Path | None:
    """The queue that was made of a staged run, whether it is still there or not."""
    told = _noted(folder)
    return None if told is None else _queue(told)


def was_sent(folder: Path) -> bool:
    """Whether the queue that was made of a staged run is gone, and not by our own hand."""
    told = _noted(folder)
    return told is not None and not told.get(_TAKEN_BACK) and not _queue(told).is_dir()


def take_back(folder: Path) -> None:
    """Remove the queue that was made of a staged run.

    That is noted first: who is killed in between is not told afterwards that somebody sent it.
    """
    told = _noted(folder)
    if told is not None:
        _note(folder, {**told, _TAKEN_BACK: True})
        with suppress(FileNotFoundError):  # taken back before
            shutil.rmtree(_queue(told))


def tell_what_was_sent(folders: Iterable[Path]) -> None:
    """Say of how many staged runs the queue is gone: nothing is queued of them again."""
    sent = sum(map(was_sent, folders))
    if sent:
        _log.warning(
            "%s: %s queued before, and `neptune sync` took what was queued: nothing of it is queued"
            " again; what has grown since goes with RUNFERRY_NEPTUNE_MODE=async",
            queues(),
            "1 run was" if sent == 1 else f"{sent:,} runs were",
        )


def _queue(told: Mapping[str, object]) -> Path:
    """Raises Refused where what was noted is no name of a folder: it may be removed by that."""
    name = Path(str(told["container"])).name
    if name in ("", ".."):
        raise Refused(
            f"what was noted of a staged run names no queue: {name!r}",
            where=str(queues()),
            hint=f"remove its {_QUEUED}, and look what is queued: ls {queues()}",
        )
    return queues() / name


def _note(folder: Path, told: Mapping[str, object]) -> None:
    """In one step, whoever is killed meanwhile."""
    write_atomically(folder / _QUEUED, json.dumps(told).encode(), scratch="part")


def _noted(folder: Path) -> dict[str, object] | None:
    """Raises Refused where something else stands there: nobody knows then what was queued."""
    try:
        told = json.loads((folder / _QUEUED).read_bytes())
    except FileNotFoundError:  # none was made, or another worker is moving the run to its place
        return None
    except ValueError:
        told = None
    if not isinstance(told, dict) or "container" not in told:
        raise Refused(
            "what was noted of a staged run cannot be read",
            where=str(folder / _QUEUED),
            hint=f"look what is queued: ls {shlex.quote(str(queues()))}; "
            f"then rm {shlex.quote(str(folder / _QUEUED))}",
        )
    return told
