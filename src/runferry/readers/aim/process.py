"""The process that reads RocksDB with Aim's own package, and what it says."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from runferry.dialects.aim.process import Frame, child
from runferry.errors import Damaged
from runferry.paths import spelled

_SCRIPT: Final = Path(__file__).with_name("child.py")


def damaged(what: str, where: Path) -> Damaged:
    """What Aim said of the repository `where`."""
    return Damaged(
        f"Aim cannot read it on ({what})",
        where=spelled(str(where)),
        hint=f"aim storage --repo {shlex.quote(spelled(str(where.parent)))} --help",
        offset=None,
    )


@contextmanager
def frames(meta: Path, seqs: Path, run_hash: str, where: Path) -> Iterator[Iterator[Frame]]:
    """What a process says of a run; one that was read to its end is asked again.

    Raises MissingExtra, SourceError.
    """
    with child(_SCRIPT) as asked:
        asked.put(f"{json.dumps([str(meta), str(seqs), run_hash])}\n".encode())
        yield asked.frames(lambda said: damaged(said, where))
