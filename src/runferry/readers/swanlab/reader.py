"""Reads the run folders of SwanLab's client, 0.3 to 0.10, and gives back exactly what we wrote."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import ClassVar, Self

from runferry import _native
from runferry.dialects.swanlab.names import (
    CONSOLE,
    DATABASE,
    FILES,
    LOGS,
    MEDIA,
    STORE,
    STORE_MARK,
    SUFFIX,
    TRACKER,
    is_log_name,
)
from runferry.errors import BadLocation
from runferry.model import Kind
from runferry.paths import Folder, is_local, regular
from runferry.ports import Location, ReadOptions
from runferry.readers.local_runs import LocalRun
from runferry.readers.plain_folder.own_folder import DamagedCopies
from runferry.readers.run_folders.folder_reader import FolderReader
from runferry.readers.swanlab.logged_run import RUN_FOLDER, LoggedRun, joined
from runferry.readers.swanlab.older import OlderRun
from runferry.readers.swanlab.own import own_runs


class SwanlabReader(FolderReader):
    """Runs of a `swanlog` folder, each a folder; needs no swanlab package."""

    name: ClassVar[str] = TRACKER
    gives: ClassVar[frozenset[Kind]] = frozenset({
        "scalar", "text", "image", "audio", "video", "plot", "html", "object3d", "molecule",
        "file", "other", "config", "environment", "console", "raw"
    })  # fmt: skip
    what: ClassVar[str] = "run-*.swanlab, backup.swanlab or logs/ of SwanLab"

    @classmethod
    def open(cls, where: Location, options: ReadOptions) -> Self:
        """Raises NotFound, and BadLocation for a project of the cloud."""
        if not is_local(where.where):
            raise BadLocation(
                "runs of SwanLab's cloud cannot be read: it has no export",
                where=str(where),
                hint="name a folder of its client: swanlab:./swanlog",
            )
        return super().open(where, options)

    @classmethod
    def is_run(cls, folder: Path, names: Collection[str]) -> bool:
        """Whether a log lies here, or what clients before 0.6 kept instead."""
        if any(is_log_name(name) and regular(folder / name) for name in names):
            return True
        return RUN_FOLDER.fullmatch(folder.name) is not None and LOGS in names and FILES in names

    @classmethod
    def passed_over(cls, names: Collection[str], *, is_run: bool) -> Collection[str]:
        """What is below a run is its own, and our store is read as that."""
        kept = {FILES, MEDIA, LOGS, CONSOLE, "debug"} if is_run else set[str]()
        return {*kept, STORE, f".{STORE}"}

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether this is a log, or run folders lie below."""
        if not path.is_dir():
            return _is_log(path)
        return super().recognises(path)

    @classmethod
    def keeps(cls, folder: Folder) -> Collection[str]:
        """What lies below a run, and our own store."""
        is_run = cls._holds_run(folder)
        mine = cls.passed_over(folder.names, is_run=is_run) if is_run else set[str]()
        if STORE in folder.names and _is_store(folder.path / STORE):
            mine = {*mine, STORE}
        return {*mine} & {*folder.names}

    def check(self) -> None:
        """Raises Damaged, UnknownVersion, NotFound."""
        if self.root.name == DATABASE:
            super().check()
        _native.SwanlabScanner(self.root)

    def look(self) -> Iterator[LocalRun]:
        """The runs, ours first as they were written."""
        if not self.root.is_dir():
            yield LoggedRun.at(self.root)
            return
        ours: set[Path] = set()
        damaged = DamagedCopies()
        for own in own_runs(self.root, damaged):
            ours.update(source.parent.resolve() for source in own.sources)
            yield own
        others = (
            run
            for run in super().look()
            if ours.isdisjoint(source.parent.resolve() for source in run.sources)
        )
        for run in joined(others):
            folders = [source.parent.resolve() for source in run.sources]
            yield damaged.told_by(run, *folders, *(folder.parent for folder in folders))

    def runs_in(self, folder: Path, name: str) -> Iterator[LocalRun]:
        """One for each log; of the older layout the one of the folder."""
        logs = [
            path
            for path in sorted(folder.iterdir())
            if is_log_name(path.name) and regular(path) is not None
        ]
        for log in logs:
            yield LoggedRun.at(log)
        if not logs:
            yield OlderRun.at(folder)


def _is_log(path: Path) -> bool:
    if not path.name.endswith(SUFFIX) or regular(path) is None:
        return False
    with path.open("rb") as stream:
        return stream.read(4) == b":SWL"


def _is_store(path: Path) -> bool:
    from runferry.dialects.plain_folder.layout import form_of

    return form_of(path) == STORE_MARK
