"""What the columns of any table mean: by the user's words, and else by a few well-known names."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path

from runferry.errors import BadLocation
from runferry.losses import Fate, Loss
from runferry.model import KeyPath
from runferry.ports import ReadOptions, TableColumns
from runferry.readers.tabular.wide import Meaning

STEPS = ("step", "_step", "global_step", "iteration", "epoch")
"""Columns that are taken for the step where none is named: the first of these that there is."""

_TOLD_AT_MOST = 40  # names in a message


def meaning_of(
    paths: Sequence[KeyPath], options: ReadOptions, path: Path
) -> tuple[Meaning, tuple[Loss, ...]]:
    """The meaning of a table's columns, and what is to be said of a guess.

    Raises BadLocation for a column that the table does not have.
    """
    chosen = options.columns
    named: dict[str, int] = {}
    for number, column in enumerate(paths):
        named.setdefault(".".join(column), number)
    found = {
        word: _column(word, name, named, path)
        for word, name in _words(chosen).items()
        if name is not None
    }
    guess = next((name for name in STEPS if name in named), None)
    losses: tuple[Loss, ...] = ()
    if "step" not in found:
        if guess is not None and named[guess] not in found.values():
            found["step"] = named[guess]
            detail = f"the column {guess!r} was taken for the step; --step-column names another"
        else:
            detail = "no column was taken for the step: steps are null; --step-column names one"
        losses = (Loss("guessed-step", Fate.KEPT, path.name, 1, detail),)
    return _meaning(found, options.timezone), losses


def _words(chosen: TableColumns) -> dict[str, str | None]:
    return {"step": chosen.step, "time": chosen.time, "run": chosen.run}


def _meaning(found: dict[str, int], zone: tzinfo) -> Meaning:
    run = (found["run"], "") if "run" in found else None
    return Meaning(step=found.get("step"), time=found.get("time"), run=run, zone=zone)


def _column(word: str, name: str, named: dict[str, int], path: Path) -> int:
    if name in named:
        return named[name]
    told = ", ".join(list(named)[:_TOLD_AT_MOST])
    more = f" and {len(named) - _TOLD_AT_MOST:,} more" if len(named) > _TOLD_AT_MOST else ""
    example = shlex.quote(next(iter(named), "NAME"))
    raise BadLocation(
        f"no column is called {name!r}",
        where=str(path),
        hint=f"--{word}-column {example}; its columns are {told}{more}",
    )
