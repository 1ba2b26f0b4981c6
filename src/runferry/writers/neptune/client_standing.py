"""What stands on a server where a run is to go: ours, or somebody else's."""

from __future__ import annotations

from runferry.dialects.neptune.attribute_paths import RUNFERRY, SEALED, SYS, UID
from runferry.dialects.neptune.client import RemoteRun
from runferry.dialects.neptune.own_store import BUNDLE
from runferry.errors import Conflict
from runferry.model import Run, Uid


def owner_of(remote: RemoteRun, run: Run) -> Uid | None:
    """Whose copy of ours is there under this id; None if there is nothing yet.

    Raises Conflict for a run that somebody else made.
    """
    if remote.exists(UID):
        return Uid(remote[UID].fetch())
    structure = remote.get_structure()
    if not all(_is_of_client(name, structure[name]) for name in structure if name != SYS):
        raise Conflict(
            "a run of this id is there, and runferry did not make it",
            where=f"neptune ({run.key})",
            hint="delete or rename it in Neptune, or name another project",
        )
    return None


def clear(remote: RemoteRun) -> None:
    """Take away what an earlier sending left: series can only grow, and would be doubled."""
    for name in remote.get_structure():
        if name not in (SYS, RUNFERRY):
            remote[name].pop()
    for path in (SEALED, BUNDLE):
        if remote.exists(path):
            remote[path].pop()
    for path in (f"{SYS}/tags", f"{SYS}/group_tags"):
        if remote.exists(path):
            remote[path].clear()
    remote.wait()


def _is_of_client(name: str, inner: object) -> bool:
    """Whether a namespace holds only what the client puts into every run that it makes."""
    return name == "source_code" and set(inner if isinstance(inner, dict) else ()) <= {
        "entrypoint",
        "files",
    }
