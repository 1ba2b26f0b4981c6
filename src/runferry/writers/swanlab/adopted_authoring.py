"""What is added of one run to a run that SwanLab's own client has logged."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runferry.dialects.plain_folder.names import safe_part
from runferry.dialects.swanlab.names import FINISH, FINISH_NUM, START, START_NUM, SYSTEM_PREFIX
from runferry.losses import Fate, Loss
from runferry.model import Run, Series, Uid
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.swanlab.authoring import Authoring
from runferry.writers.swanlab.columns import Columns
from runferry.writers.swanlab.limits import LONGEST_KEY
from runferry.writers.swanlab.place import Place

if TYPE_CHECKING:
    from runferry._native import SwanlabLog

Names = dict[str, str]
"""What series are called in SwanLab, by the type of their values and their own key: `1:loss`."""
_NO_LINES: Final = "SwanLab numbers a run's lines once, and it has lines of this process already"


@dataclass(frozen=True, slots=True)
class Into:
    """The run that takes more, and what of it is whose."""

    start: bytes
    """Its first record, and its last."""
    finish: bytes | None
    taken: Collection[str]
    """Names of series of its own, and of what else was added."""
    all_renamed: bool
    """Whether nobody knows all its names, so that none may be like one of them."""
    names: Names
    """Those that this run was given before."""
    has_lines: bool
    """Whether the console is another's."""
    is_listed: bool = False
    """Whether the local dashboard lists it."""


class AdoptedColumns(Columns):
    """Columns with names that the run itself does not have."""

    def __init__(
        self, log: SwanlabLog, series: Mapping[str, Series], into: Into, run: Run, uid: Uid
    ) -> None:
        super().__init__(log, series)
        self._into = into
        self.names: Names = dict(into.names)
        self._taken = {*self.names.values()}
        self._labels = (run.key.tracker, f"{run.key.tracker}/{safe_part(run.key.run_id, 40)}", uid)
        self.renamed: list[Loss] = []

    def _axis_name(self, key: str) -> str:
        return self._named(key, key, 1)

    def _named(self, key: str, plain: str, column_type: int) -> str:
        lane = f"{column_type}:{key}"
        if lane not in self.names:
            is_taken = plain in self._into.taken or self._into.all_renamed
            self.names[lane] = self._free(self._other(plain) if is_taken else plain, column_type)
            self._taken.add(self.names[lane])
        name = self.names[lane]
        if name != plain and not any(loss.where == key for loss in self.renamed):
            detail = f"the run in SwanLab has, or may have, a {plain} of its own; shown as {name}"
            self.renamed.append(Loss("taken-key", Fate.RENAMED, key, 1, detail))
        return name

    def _other(self, plain: str) -> str:
        mark = SYSTEM_PREFIX if plain.startswith(SYSTEM_PREFIX) else ""
        rest = plain.removeprefix(mark)
        for label in self._labels:
            name = f"{mark}{label}/{rest}"
            if name not in self._into.taken and len(name) <= LONGEST_KEY:
                return name
        return f"{plain[: LONGEST_KEY - 64]}~{self._labels[-1]}"


class AdoptedAuthoring(Authoring):
    """Writes the folder `home` with what is added alone; its files are named as in `place`."""

    _columns: AdoptedColumns

    def __init__(self, home: Path, place: Place, draft: Draft, run: Run, into: Into) -> None:
        self._into = into
        super().__init__(home, place, draft, run)
        self.has_lines = False
        """Whether lines of the console were added."""

    @property
    def names(self) -> Names:
        """What series are called, those too that were named before."""
        return self._columns.names

    @property
    def originals(self) -> Mapping[str, str]:
        """Names that are not those of the run, and what the run has there."""
        return self._columns.originals

    def losses(self) -> tuple[Loss, ...]:
        """Without those of the header, which is the other run's."""
        headers = {id(loss) for loss in self._header.losses}
        others = (loss for loss in super().losses() if id(loss) not in headers)
        return (*self._columns.renamed, *others)

    def put_config(self, text: str) -> None:
        """The configuration of the whole run."""
        self._files.put_config(text)

    def _new_columns(self) -> AdoptedColumns:
        series, uid = self._draft.series, self._draft.uid
        return AdoptedColumns(self._log, series, self._into, self._run, uid)

    def _below(self) -> str:
        key, uid = self._run.key, self._draft.uid
        return f"{key.tracker}-{safe_part(key.run_id, 40)}-{uid[:8]}/"

    def _begin(self) -> None:
        self._log.record(START, self._into.start, num=START_NUM, time_ns=self._header.started_ns)

    def _own(self) -> None:
        """The machine's are the other run's; the configuration is put when all of it is known."""

    def _console(self) -> None:
        lines = sum(batch.num_rows for batch in self._staged.batches("console"))
        files = [file.path for file in self._staged.files() if file.role == "console"]
        if not self._into.has_lines:
            super()._console()
            self.has_lines = bool(lines or files)
        elif lines:
            fate, where = (Fate.ROUNDED, files[0]) if files else (Fate.DROPPED, "")
            kept = f"; the file {where} has them" if files else ""
            self._lose("taken-console", fate, where, f"{_NO_LINES}{kept}", lines)

    def _end(self) -> None:
        """Once the configuration was put."""

    def end(self) -> None:
        """The last record, and all that waits."""
        if self._into.finish is not None:
            self._log.record(FINISH, self._into.finish, num=FINISH_NUM)
        self._log.flush()
