"""Hydra's output folders: `.hydra/{config,hydra,overrides}.yaml` and the job's log.

Of a multirun each job is a run, and the sweep's folder, which holds `multirun.yaml`, is its group.
What else a job wrote into its folder are files of the run, without those of other trackers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import ClassVar

from runferry import chunks
from runferry.dialects.run_folder import HYDRA, Beside, config_beside, file_beside
from runferry.losses import Fate, Loss
from runferry.model import Cursor, Kind, Run, RunKey
from runferry.paths import spelled
from runferry.readers.finding import key_of, label_of, signature_of
from runferry.readers.local_runs import LocalRun
from runferry.readers.run_folders.console import console
from runferry.readers.run_folders.documents import lost
from runferry.readers.run_folders.folder_reader import FolderReader, names_in
from runferry.readers.run_folders.position import Grown, Position
from runferry.readers.run_folders.run_files import run_files

_SWEEP = "multirun.yaml"
_FIRST_AT_MOST = 1 << 24
# job_logging/default.yaml of Hydra: [%(asctime)s][%(name)s][%(levelname)s] - %(message)s
_LINE = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3})\]\[")


class HydraReader(FolderReader):
    """Jobs of Hydra: their configuration, overrides and logs."""

    name: ClassVar[str] = "hydra"
    gives: ClassVar[frozenset[Kind]] = frozenset({
        "file", "other", "config", "environment", "console",
    })  # fmt: skip
    what: ClassVar[str] = f"{HYDRA}/config.yaml"

    @classmethod
    def is_run(cls, folder: Path, names: Collection[str]) -> bool:
        """Whether Hydra kept the configuration of a job here."""
        return HYDRA in names and (folder / HYDRA / "config.yaml").is_file()

    @classmethod
    def is_closed_run(cls, names: Collection[str]) -> bool:
        """No one else calls a folder so."""
        return HYDRA in names

    @classmethod
    def passed_over(cls, names: Collection[str], *, is_run: bool) -> Collection[str]:
        """`.hydra` holds no runs."""
        return (HYDRA,)

    def runs_in(self, folder: Path, name: str) -> Iterator[LocalRun]:
        """The one job of a folder."""
        first = b""
        (folder / HYDRA / "config.yaml").stat()  # not even that where the folder is closed
        if isinstance(path := file_beside(folder, f"{HYDRA}/config.yaml"), Path):
            with path.open("rb") as stream:
                first = stream.read(_FIRST_AT_MOST)
        key = key_of(self.name, name, signature_of(first))
        yield HydraJob(key, folder, self._sweep(folder), self.options.timezone)

    def _sweep(self, folder: Path) -> str | None:
        """The sweep's folder below the root: the next one above that has `multirun.yaml`."""
        for around in folder.parents:
            if (around / _SWEEP).is_file():
                return (
                    label_of(self.root, around) if around.is_relative_to(self.root) else around.name
                )
            if around == self.root.parent:
                return None
        return None


@dataclass(frozen=True, slots=True)
class HydraJob:
    """The output folder of a job."""

    key: RunKey
    home: Path
    sweep: str | None
    timezone: tzinfo

    @property
    def sources(self) -> tuple[Path, ...]:
        """What Hydra kept."""
        return (self.home / HYDRA / "config.yaml",)

    def header(self) -> Run:
        """Neither an ending nor times are stated; those of the log are its own."""
        called = self.home.resolve().name
        group = None if self.sweep is None else spelled(self.sweep)
        return Run(self.key, name=spelled(called), group=group, client="hydra")

    def read(self, run: Run, after: Cursor | None = None) -> Iterator[chunks.Chunk]:
        """See `runferry.ports.Reader`."""
        reader = HydraReader.name
        position = Position.of(reader, after.position) if after else Position(reader)
        beside = config_beside(self.home)
        yield chunks.Attributes(tuple(beside.attributes), is_whole=True)
        yield from position.news(lost(beside.losses))
        log = self._log(beside)
        if log is not None:
            yield from self._console(log, position)
        yield from position.news(run_files(self.home, position.files, self._takes))
        yield from position.ending(self.header())

    def _takes(self, name: str) -> bool:
        """All but what belongs to a job in a folder below."""
        folders = name.split("/")[:-1]
        return folders == [HYDRA] or not any(
            (self.home.joinpath(*folders[:depth]) / HYDRA).is_dir()
            for depth in range(1, len(folders) + 1)
        )

    def _log(self, beside: Beside) -> str | None:
        """The log that is called as the job is, or the only one."""
        logs = [name for name in names_in(self.home) if name.endswith(".log")]
        for item in beside.attributes:
            if item.path == ("hydra", "job", "name") and isinstance(item.value, str):
                named = f"{item.value}.log"
                if named in logs:
                    return named
        return logs[0] if len(logs) == 1 else None

    def _console(self, name: str, position: Position) -> Iterator[chunks.Chunk]:
        """Lines of the log; a last one without an end is left for later."""
        is_timed = False
        for chunk in console(self.home, name, position, is_over=False, time_of=self._time_of):
            if isinstance(chunk, chunks.Console):
                is_timed |= chunk.batch.column("time").null_count < chunk.batch.num_rows
            yield chunk
        if isinstance(path := file_beside(self.home, name), Path):
            done = position.grown[name]
            yield from position.news(lost(self._of_the_log(name, path, done, is_timed)))

    def _of_the_log(self, name: str, path: Path, done: Grown, is_timed: bool) -> Iterator[Loss]:
        if is_timed:
            why = f"times without a zone were read as {self.timezone} (--timezone)"
            yield Loss("naive-time", Fate.KEPT, spelled(name), 1, why)
        if rest := path.stat().st_size - done.offset:
            why = "the last line has no end yet; the file itself is kept as it is"
            yield Loss("cut-tail", Fate.KEPT, f"{spelled(name)}@{done.offset}", rest, why)

    def _time_of(self, line: str) -> int | None:
        """The time of a line in Hydra's own form, to the millisecond."""
        match = _LINE.match(line)
        if match is None:
            return None
        try:
            at = datetime.fromisoformat(match[1]).replace(tzinfo=self.timezone)
            seconds = int(at.timestamp())
        except (ValueError, OverflowError):  # the 99th of a month; a year no clock knows
            return None
        return seconds * 1_000_000_000 + int(match[2]) * 1_000_000
