"""Tables below a folder that no reader takes for a run unless it is named."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runferry import registry
from runferry.errors import BadPlugin
from runferry.paths import Folder, folders_below, none_comes_into, regular
from runferry.ports import Reader

if TYPE_CHECKING:
    from runferry.readers.run_folders.folder_reader import FolderReader

_ARTIFACTS = ("mlartifacts", "mlruns")  # where MLflow keeps files of runs that lie in a database


def untaken(root: Path, loose: Collection[str], closed: Collection[Path]) -> Mapping[str, int]:
    """How many there are for each reader of tables that would take them.

    `loose` are the readers that have runs here: what one of them takes, and the files of its run
    folders, are told by it. Nothing is looked for in `closed`.
    """
    from runferry.readers.run_folders.folder_reader import FolderReader  # needs pyarrow

    found: Counter[str] = Counter()
    readers = [registry.reader(name) for name in loose]
    with none_comes_into(closed):
        of_runs = {
            folder.path
            for reader in readers
            if issubclass(reader, FolderReader)
            for folder in _folders(reader, root)
        }
        takers = [reader for reader in readers if not issubclass(reader, FolderReader)]
        for folder in folders_below(root, lambda _: _ARTIFACTS):
            if not of_runs.isdisjoint((folder.path, *folder.path.parents)):
                continue
            for name in folder.names:
                kind = _kind(name)
                path = folder.path / name
                if kind is None or regular(path) is None:
                    continue
                found[kind] += not any(_takes(reader, path) for reader in takers)
    return {kind: count for kind, count in found.items() if count}


def _folders(reader: type[FolderReader], root: Path) -> Sequence[Folder]:
    """The run folders of a reader; none of a plugin that fails at finding them."""
    try:
        with registry.blamed(reader.name, f"cannot look for its runs in {root}"):
            return tuple(reader.folders(root))
    except BadPlugin as error:
        registry.pass_over(reader.name, error)
        return ()


def _kind(name: str) -> str | None:
    lower = name.lower()
    return next((kind for kind, ends in registry.TABLES.items() if lower.endswith(ends)), None)


def _takes(reader: type[Reader], path: Path) -> bool:
    try:
        return registry.recognises(reader.name, path)
    except OSError:  # closed to us: its own reader says so
        return True


def told(counts: Mapping[str, int], root: str) -> str:
    """One line on them, with the commands that read them; empty where there are none."""
    if not counts:
        return ""
    total = sum(counts.values())
    said = "1 table is" if total == 1 else f"{total:,} tables are"
    commands = (f"runferry ls {shlex.quote(f'{kind}:{root}')}" for kind in sorted(counts))
    return f"{said} not taken for runs: {', '.join(commands)}"
