"""The run of SwanLab that is open in the training process: where it lies, and that it lives.

Nothing of SwanLab's is called but what tells of the run: nothing is logged, and nobody waits.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

from runferry.dialects.swanlab.adopted import LOCAL, NOTE, ONLINE, OPEN, AdoptedNote, adopted_home
from runferry.errors import UsageError

if sys.platform != "win32":
    import fcntl

_ADOPTED_MODES = (ONLINE, "offline", LOCAL)
_held: dict[Path, BinaryIO] = {}
"""Locks of this process, by run folder: the system frees them when it is gone."""


def open_run() -> Any:
    """SwanLab's own object of the run that is open in this process; None where there is none."""
    module = sys.modules.get("swanlab")
    with contextlib.suppress(Exception):  # whatever a version of SwanLab makes of the question
        asked = getattr(module, "has_run", None) or getattr(module, "get_run", None)
        if asked is not None and asked():
            return module.get_run()  # type: ignore[union-attr]
    return None


def adopted_place(run: Any) -> str:
    """The place that is this run; empty for one of which SwanLab keeps nothing (`disabled`).

    Raises UsageError for a run that cannot be adopted.
    """
    try:
        mode, folder, run_id = str(run.mode), Path(run.dir).absolute(), str(run.id)
    except Exception as error:
        raise _refused("this version of SwanLab does not tell where its run lies") from error
    if mode == "disabled":
        return ""
    if mode not in _ADOPTED_MODES:
        raise _refused(
            f"its mode is {mode}, and only runs of {', '.join(_ADOPTED_MODES)} take more"
        )
    if not folder.is_dir():
        raise _refused("it keeps no folder on the disk, by which to know what it has logged")
    with contextlib.suppress(OSError):  # then its log alone says when it is over
        _note(folder, run, AdoptedNote(run_id, mode, time_ns=time.time_ns()))
        _hold(folder)
    return f"swanlab:{folder}"


def _note(folder: Path, run: Any, note: AdoptedNote) -> None:
    """Note what the client says of the run: its log may lack it where the process is killed."""
    told: dict[str, str] = {}
    with contextlib.suppress(Exception):  # another version may have its settings elsewhere
        stated = run._ctx.config.settings
        told = {"project": stated.project.name or "", "workspace": stated.project.workspace or ""}
        told["name"] = stated.experiment.name or ""
    home = adopted_home(folder)
    home.mkdir(parents=True, exist_ok=True)
    scratch = home / f".{NOTE}.{os.getpid()}"
    said = AdoptedNote(note.run_id, note.mode, **told, time_ns=note.time_ns)
    scratch.write_text(said.text(), encoding="utf-8")
    scratch.replace(home / NOTE)


def _hold(folder: Path) -> None:
    if sys.platform == "win32" or folder in _held:
        return
    stream = (adopted_home(folder) / OPEN).open("wb")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # somebody else's, who lives
        stream.close()
        return
    except OSError:  # a disk without locks
        stream.close()
        (adopted_home(folder) / OPEN).unlink()
        raise
    _held[folder] = stream


def _refused(why: str) -> UsageError:
    return UsageError(
        f"a run of SwanLab is open in this process, and runs cannot go into that one: {why}",
        hint="call swanlab.finish() first; or name a place, as in to='swanlab:WORKSPACE'",
    )
