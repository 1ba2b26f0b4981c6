"""One run as an archive of neptune-exporter's format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from runferry import settings
from runferry.dialects.neptune.attribute_paths import (
    MONITORING,
    marked,
    project_name,
)
from runferry.dialects.neptune.export_files import DATA, FILES
from runferry.dialects.neptune.names import SCOPES, TRACKER, part_name, san
from runferry.dialects.neptune.own_store import Exported
from runferry.losses import Fate, Loss
from runferry.model import DataKind, Run, Uid
from runferry.writers.neptune.layout import Layout
from runferry.writers.neptune.parts import Parts, owner_of
from runferry.writers.neptune.rows import RowsOfRun
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.plain_folder.run_files import RunFiles
from runferry.writers.plain_folder.staged import Staged

_LONGEST_ID = 120  # bytes: a name of a file holds 255, of which a mark and a number take some
_VALUES_AT_ONCE = 4_096


class Exporting:
    """Makes the parts and files of one run from what is staged of it."""

    def __init__(self, root: Path, draft: Draft, run: Run) -> None:
        self._staged = Staged(draft)
        self.losses: list[Loss] = []
        uid = draft.uid
        project_id = project_of(run)
        keeps_model = is_kept_as_model(run)
        project = san(project_id)
        self._folder = f"{project}/{SCOPES[run.kind]}" if keeps_model else project  # type: ignore[index]
        run_id = self._free_id(root / DATA / self._folder, run, uid)
        self._layout = Layout(
            run, uid, run_id, draft.attributes, draft.series, keeps_model=keeps_model
        )
        self._parts = Parts(root / DATA / self._folder, run_id, uid)
        self._files = RunFiles(draft.home, root / FILES / project, san(run_id))
        self._ids = (project_id, run_id)

    def _free_id(self, data: Path, run: Run, uid: Uid) -> str:
        """The run's id, or one like it where somebody else's run has that."""
        stated = run.key.run_id
        run_id = marked(stated, _LONGEST_ID)
        part_0 = data / part_name(run_id, 0)
        if part_0.exists() and owner_of(part_0) != uid:
            run_id = f"{marked(stated, _LONGEST_ID - 9)}~{uid[:8]}"
        if run_id != stated:
            detail = f"as {run_id}"
            self.losses.append(Loss("run-id", Fate.RENAMED, "", 1, detail))
        return run_id

    def go(self) -> Exported:
        """Write and publish; the parts come last, and of them the first."""
        self._files.remove_scratch()
        try:
            for batch in self._batches():
                self._parts.write(batch)
            self._files.publish()
            parts = self._parts.publish()
        finally:
            self._parts.close()
            self._parts.remove_scratch()
            self._files.remove_scratch()
        self.losses += self._layout.renamed
        return Exported(*self._ids, self._folder, parts)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        values = self._layout.attributes
        rows = self._rows("scalar")
        for start in range(0, len(values), _VALUES_AT_ONCE):
            yield rows.of_values(values[start : start + _VALUES_AT_ONCE])
        for batch in self._staged.batches("points"):
            yield rows.of_points(batch)
        rows = self._rows("text")
        for batch in self._staged.batches("texts"):
            yield rows.of_texts(batch)
        rows = self._rows("histogram")
        for batch in self._staged.batches("histograms"):
            yield rows.of_histograms(batch)
        rows = self._rows("media")
        for batch in self._staged.batches("media"):
            yield self._media(rows, batch)
        yield from self._file_rows(rows)

    def _rows(self, kind: DataKind) -> RowsOfRun:
        return RowsOfRun(*self._ids, lambda key: self._layout.series_path(key, kind))

    def _media(self, rows: RowsOfRun, batch: pa.RecordBatch) -> pa.RecordBatch:
        batch = batch.filter(batch.column("file").is_valid())
        told = batch.select(["key", "step", "seq", "file"]).to_pylist()
        paths = [
            self._files.put_step(
                self._layout.series_path(row["key"], "media"),
                row["seq"] if row["step"] is None else row["step"],
                row["file"],
            )
            for row in told
        ]
        return rows.of_files(batch, pa.array(paths, pa.string()))

    def _file_rows(self, rows: RowsOfRun) -> Iterator[pa.RecordBatch]:
        yield from self._console(rows)
        sets: dict[str, None] = {}
        for file in self._staged.files():
            if file.role == "console":
                continue
            attribute, name = self._layout.of_file(file.path, file.role)
            if name is None:
                path = self._files.put_single(attribute, file.staged)
                yield rows.of_file(attribute, "file", path)
                continue
            self._files.put(attribute, name, file.staged)
            sets[attribute] = None
        for artifact in self._staged.artifacts():
            attribute = self._layout.artifact_path(artifact.name, artifact.version)
            for path, staged in artifact.members:
                self._files.put(attribute, path, staged)
                sets[attribute] = None
        for attribute in sets:
            yield rows.of_file(attribute, "file_set", self._files.folder(attribute))

    def _console(self, rows: RowsOfRun) -> Iterator[pa.RecordBatch]:
        written = Counter[str]()
        for batch in self._staged.printed():
            for stream in ("stdout", "stderr"):
                lines = batch.filter(pc.equal(batch.column("stream").cast(pa.string()), stream))
                yield rows.of_lines(lines, f"{MONITORING}/{stream}", written[stream])
                written[stream] += lines.num_rows


def is_kept_as_model(run: Run) -> bool:
    """Whether this is a model of Neptune that becomes no run."""
    is_model = run.key.tracker == TRACKER and run.kind in SCOPES
    return is_model and settings.current().neptune_models == "models"


def project_of(run: Run) -> str:
    """The project as Neptune spells it; of Neptune's own runs the very same."""
    if run.key.tracker == TRACKER:
        return run.key.scope
    name = project_name(run.project or run.key.scope or run.key.tracker)
    return f"{run.entity}/{name}" if run.entity else name
