"""Which row of the source each row in W&B is, where steps and times alone tell them apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa

from runferry.chunks import Chunk, Histograms, Media, Points, Texts
from runferry.dialects.row_addresses import RowAddresses
from runferry.dialects.row_tables import media_batch
from runferry.dialects.wandb.service_tables import APART_NS, ROWS


@dataclass
class SourceRowsFound:
    """Gathered while a run is written; given up at the first row that cannot be told apart."""

    _addresses: RowAddresses = field(default_factory=RowAddresses)

    def look_at(self, chunk: Chunk, is_user: Callable[[str], bool]) -> None:
        """Take in the rows of one chunk."""
        match chunk:
            case Points(batch) | Texts(batch) | Histograms(batch):
                self._addresses.look_at(batch, is_user)
            case Media(items) if items:
                self._addresses.look_at(media_batch(items), is_user)
            case _:
                pass

    def table(self) -> pa.Table | None:
        """A table of `ROWS`; None where some rows of W&B are of several in the source."""
        rows = self._addresses.apart(APART_NS)
        if rows is None:
            return None
        columns = [pa.array(rows[:, 0] != 0), *(pa.array(rows[:, at]) for at in (1, 2, 3))]
        return pa.Table.from_arrays(columns, schema=ROWS)
