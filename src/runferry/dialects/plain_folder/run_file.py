"""`run.json`: a run's header, what was written of it, and the sign that all of it is there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from runferry.dialects import codec
from runferry.dialects.plain_folder.layout import RUN_FILE
from runferry.errors import Damaged
from runferry.losses import Loss
from runferry.model import Run, Tree, Uid
from runferry.tables import dumps, loads

_KEY: Final = ("tracker", "scope", "run_id")
_TIMES: Final = ("created", "started", "ended")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_NS: Final = -62_135_596_800 * 10**9  # the first of the year 1
_LAST_NS: Final = 253_402_300_800 * 10**9 - 1  # the last of 9999


@dataclass(frozen=True, slots=True)
class RunFile:
    """What `run.json` says."""

    uid: Uid  # by which a push finds the run
    run: Run
    rows: dict[str, int]  # by table
    losses: tuple[Loss, ...] = ()
    left_out: tuple[str, ...] = ()  # tables for people that were not made, and why


def run_file_text(said: RunFile) -> str:
    """The content of `run.json`."""
    tree: Tree = {
        "uid": said.uid,
        "run": _readable(codec.run_tree(said.run)),
        "rows": dict[str, Tree](said.rows),
        "left_out": list(said.left_out),
        "losses": [codec.loss_tree(loss) for loss in said.losses],
    }
    return dumps(tree, indent=2) + "\n"


def read_run_file(folder: Path) -> RunFile:
    """The inverse of `run_file_text`. Raises FileNotFoundError, Damaged."""
    path = folder / RUN_FILE
    try:
        said: Any = loads(path.read_bytes())
        if not isinstance(said["uid"], str):
            raise TypeError("its uid is no text")
        return RunFile(
            Uid(said["uid"]),
            codec.run_of(_exact(said["run"])),
            {str(table): int(rows) for table, rows in said["rows"].items()},
            tuple(codec.loss_of(loss) for loss in said["losses"]),
            tuple(said["left_out"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise Damaged(
            f"this says nothing of a run ({type(error).__name__}: {error})",
            where=str(path),
            hint="put back what was there, or remove the folder and write the run again",
            offset=None,
        ) from error


def _readable(tree: Tree) -> Tree:
    """A header with dates in place of nanoseconds, as far as the calendar goes."""
    assert isinstance(tree, dict)
    shown: dict[str, Tree] = {"name": None} | tree
    key = shown.pop("key")
    assert isinstance(key, list)
    shown["key"] = dict(zip(_KEY, key, strict=True))
    for name in _TIMES:
        ns = shown.get(f"{name}_ns")
        if isinstance(ns, int) and _FIRST_NS <= ns <= _LAST_NS:
            del shown[f"{name}_ns"]
            shown[name] = _date(ns)
    return shown


def _exact(shown: dict[str, Any]) -> Tree:
    """The inverse of `_readable`. Raises ValueError, KeyError."""
    tree = shown | {"key": [shown["key"][part] for part in _KEY]}
    for name in _TIMES:
        if name in tree:
            tree[f"{name}_ns"] = _nanoseconds(tree.pop(name))
    return tree


def _date(ns: int) -> str:
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z".rjust(30, "0")


def _nanoseconds(date: str) -> int:
    whole, _, rest = date.removesuffix("Z").partition(".")
    seconds = (datetime.fromisoformat(f"{whole}Z") - _EPOCH) // timedelta(seconds=1)
    return seconds * 1_000_000_000 + int(rest.ljust(9, "0")[:9])
