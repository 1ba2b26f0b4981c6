"""What a run being written is apart from its rows: header, attributes, series, files, losses.

Each commit states all of it as a whole; a later statement replaces an earlier one of the same name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from runferry.archive import snapshots
from runferry.archive.digest import RowSum, digest_of
from runferry.archive.layout import KIND_OF, SNAPSHOT_TABLES
from runferry.archive.record import RunRecord, Sum, attribute_to_json, run_to_json
from runferry.losses import LossLedger
from runferry.model import Attribute, KeyPath, MediaItem, Run, Series, Tree

if TYPE_CHECKING:
    from runferry.archive.store import Archive

Tables = dict[str, list[snapshots.Row]]
Tallies = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""What was counted of each series, by row table."""


class RunFacts:
    """What was stated of one run so far."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.losses = LossLedger()
        self.position: Tree = None
        self.has_cursor = False
        self.media: dict[str, tuple[int, int]] = {}  # rows, and those without bytes, by type
        self._attributes: dict[tuple[str, KeyPath], Attribute] = {}
        self._series: dict[str, Series] = {}
        self._snapshots: dict[str, dict[tuple[str | None, ...], snapshots.Row]] = {
            table: {} for table in SNAPSHOT_TABLES if table != "series"
        }

    def restore(self, archive: Archive, after: RunRecord) -> Tallies:
        """Go on from what a commit stated; returns what it had counted."""
        self.attribute(after.attributes)
        self.losses.extend(after.losses)
        self.position, self.has_cursor = after.position, after.has_cursor
        self.media.update(after.media)
        for table, rows in self._snapshots.items():
            for row in archive.snapshot(after, table):
                rows[snapshots.identity(table, row)] = row
        rows_of_series = archive.snapshot(after, "series")
        self.declare(snapshots.series_of(row) for row in rows_of_series)
        return {row["key"]: row["tally"] for row in rows_of_series}

    # --- statements -------------------------------------------------------------------------------

    def restate(self, run: Run) -> None:
        """A later header of the same run."""
        if run.uid != self.run.uid:
            raise ValueError(f"the header of {run.key} among the chunks of {self.run.key}")
        self.run = run

    def attribute(self, items: Iterable[Attribute], *, is_whole: bool = False) -> None:
        """Attributes, each replacing an earlier one of its role and path, or all of them."""
        if is_whole:
            self._attributes.clear()
        self._attributes.update({(item.role, item.path): item for item in items})

    def declare(self, items: Iterable[Series]) -> None:
        """Series, each replacing an earlier declaration of its key."""
        self._series.update({series.key: series for series in items})

    def snapshot(self, table: str, row: snapshots.Row) -> None:
        """A file, an artifact or a document."""
        self._snapshots[table][snapshots.identity(table, row)] = row

    def reach(self, position: Tree) -> None:
        """The reader's cursor."""
        self.position, self.has_cursor = position, True

    def count_media(self, items: Iterable[MediaItem]) -> None:
        """Media rows by their type."""
        for item in items:
            rows, missing = self.media.get(item.media_type, (0, 0))
            self.media[item.media_type] = (rows + 1, missing + item.blob.is_missing)

    # --- the whole --------------------------------------------------------------------------------

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """All attributes, in the order in which their paths first came."""
        return tuple(self._attributes.values())

    def tables(self, tallies: Tallies) -> Tables:
        """The snapshot tables, in an order that does not depend on how the run was pulled."""
        tables = {"series": self._series_rows(tallies)}
        for table, rows in self._snapshots.items():
            in_order = sorted(rows, key=lambda name: [part or "" for part in name])
            tables[table] = [rows[name] for name in in_order]
        return tables

    def _series_rows(self, tallies: Tallies) -> list[snapshots.Row]:
        """Every series with its counts; one that a reader forgot to declare is declared here.

        First come, first served: what a growing run has published keeps its place, and with it
        the name that a destination gave it.
        """
        for key, by_table in tallies.items():
            if key not in self._series:
                kind = KIND_OF[next(iter(by_table))]
                self._series[key] = Series(key, (key,), kind=kind)
        return [
            snapshots.series_row(series, tallies.get(key, {}))
            for key, series in self._series.items()
        ]

    def digest(self, tables: Tables, rows: Mapping[str, Sum]) -> str:
        """The digest of all content: what is stated, and the sums of the row tables."""
        sums = dict(rows)
        attributes = sorted(self._attributes.values(), key=lambda item: (item.role, item.path))
        in_order = tables | {"series": sorted(tables["series"], key=lambda row: str(row["key"]))}
        wholes = {table: snapshots.content(table, stated) for table, stated in in_order.items()}
        wholes["run"] = [run_to_json(self.run)]
        wholes["attributes"] = [attribute_to_json(item) for item in attributes]
        for table, stated in wholes.items():
            if stated:
                total = RowSum()
                total.add_item(stated)
                sums[table] = total.state()
        return digest_of(sums)
