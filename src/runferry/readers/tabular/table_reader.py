"""A reader of runs that lie in tables: what all of them do alike."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator
from pathlib import Path

from runferry.errors import NotFound
from runferry.model import Run
from runferry.readers.local_runs import LocalReader
from runferry.readers.tabular.reading import TableRun

NO_ROW = "a header, and no whole row below it"

_log = logging.getLogger(__name__)


class TableReader(LocalReader):
    """Lists the runs below a place once, and reads each. A subclass says which there are."""

    def look(self) -> Iterator[TableRun]:
        """Every run, in a stable order."""
        raise NotImplementedError

    def pass_over(self, path: Path, what: str) -> None:
        """Tells why a file is no run: raises NotFound where it was named, else warns."""
        if not self.root.is_dir():
            raise NotFound(what, where=str(path), hint=f"wc -l {shlex.quote(str(path))}")
        _log.warning("%s is passed over: %s", path, what)

    def check(self) -> None:
        """Raises what is wrong with a file that was named."""
        if not self.listed():
            raise self.nothing()
        for one in self.listed().values():
            if isinstance(one.run, TableRun) and one.run.failure is not None:
                raise one.run.failure

    def runs(self) -> Iterator[Run]:
        """See `runferry.ports.Reader`. Raises NotFound where there is none."""
        if not self.listed():
            raise self.nothing()
        yield from super().runs()
