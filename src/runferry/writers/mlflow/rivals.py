"""Two pushes that begin the same run at the same moment, where no transaction keeps them apart.

Each looks again once its own run is there, so that the later one at least sees both, and then one
of the two takes its own run away: the one whose rival has gone further, else the one whose id comes
later. Before a run is sealed it looks once more, for a rival that began unseen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from runferry.dialects.mlflow.tags import CLAIM_TAG, SEALED, SEALED_TAG
from runferry.errors import Conflict, RunMissing

if TYPE_CHECKING:
    from runferry.dialects.mlflow.header import NativeRun
    from runferry.writers.mlflow.backend import Backend


def yield_at_begin(backend: Backend, run_id: str, marked: Iterable[str]) -> None:
    """Take a run of ours away that was begun just now beside another. Raises Conflict."""
    for rival in _others(backend, run_id, marked):
        if rival.tags.keys() & {CLAIM_TAG, SEALED_TAG} or rival.run_id < run_id:
            backend.delete(run_id)
            raise _conflict(rival)


def yield_at_end(backend: Backend, run_id: str, marked: Iterable[str]) -> None:
    """Take a run of ours away that is not sealed yet, with all that was sent. Raises Conflict."""
    for rival in _others(backend, run_id, marked):
        if rival.tags.get(SEALED_TAG) == SEALED or rival.run_id < run_id:
            backend.folder(run_id).remove_all()  # first: a run that is gone names no folder
            backend.delete(run_id)
            raise _conflict(rival)


def _others(backend: Backend, run_id: str, marked: Iterable[str]) -> Iterable[NativeRun]:
    for other in marked:
        if other == run_id:
            continue
        try:
            rival = backend.run(other)
        except RunMissing:  # it was just taken away
            continue
        if rival.lifecycle == "active":
            yield rival


def _conflict(rival: NativeRun) -> Conflict:
    return Conflict(
        "another push began to send this run at the same moment",
        where=rival.run_id,
        hint="let it end, then push again",
    )
