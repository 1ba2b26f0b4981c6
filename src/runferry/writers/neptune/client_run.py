"""One run through the vendor's client, from what is staged of it."""

from __future__ import annotations

import glob
import math
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from runferry.dialects import codec
from runferry.dialects.neptune.attribute_paths import (
    CLAIM,
    HEADER,
    MONITORING,
    RUN_ID,
    SEALED,
    SYS,
    UID,
)
from runferry.dialects.neptune.client import RemoteRun
from runferry.dialects.neptune.own_store import BUNDLE, PLACES
from runferry.dialects.plain_folder.layout import RUN_FILE
from runferry.dialects.plain_folder.sums import SUMS
from runferry.durable import sync, sync_tree
from runferry.errors import Refused
from runferry.losses import Fate, Loss
from runferry.model import DataKind, Run
from runferry.redact import without_credentials
from runferry.settings import NeptuneMode
from runferry.tables import dumps
from runferry.writers.neptune.client_media import ClientMedia
from runferry.writers.neptune.client_rows import RisingSteps
from runferry.writers.neptune.client_standing import clear
from runferry.writers.neptune.held import HeldValue
from runferry.writers.neptune.layout import Layout
from runferry.writers.neptune.limits import MAX_LINE, MAX_STRING
from runferry.writers.neptune.refusals import refusals
from runferry.writers.neptune.rows import RowsOfRun
from runferry.writers.neptune.tracked import Tracked
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.plain_folder.run_files import RunFiles
from runferry.writers.plain_folder.staged import Staged

_ENTRYPOINT: Final = "source_code/entrypoint"
_INT32: Final = 2**31
_EXACT: Final = 2**53
_NOT_SET: Final = (f"{SYS}/creation_time", f"{SYS}/custom_run_id", f"{SYS}/forking")
"""What only a server says."""


class ClientRun:
    """Sends a staged run; nothing of it is marked as complete before the server has it all."""

    def __init__(self, draft: Draft, run: Run, run_id: str, uploads: Path) -> None:
        """`uploads` is a new folder for what is uploaded, which stays there until it is."""
        self._draft = draft
        self._run = run
        self._staged = Staged(draft)
        self._layout = Layout(run, draft.uid, run_id, draft.attributes, draft.series)
        self._files = RunFiles(draft.home, uploads.parent, uploads.name, is_private=True)
        self._own_uploads = uploads
        self._uploads = uploads.parent.absolute()
        started_ns = run.started_ns if run.started_ns is not None else run.created_ns
        self._rising = RisingSteps(started_ns or 0)
        self._media = ClientMedia(self._staged, self._layout, self._rising, self._upload)
        self._places: dict[str, list[str]] = {}
        self._tracked = Tracked()
        self._expected: set[str] = set()
        self._refused: list[str] = []

    def send(self, remote: RemoteRun, mode: NeptuneMode) -> None:
        """Everything, and then the mark. Raises Refused, Unreachable."""
        with refusals(remote) as refused:
            self._send(remote, mode)
        self._refused = refused

    def _send(self, remote: RemoteRun, mode: NeptuneMode) -> None:
        remote[UID].assign(self._draft.uid)  # first: whatever is there is found as ours
        if mode in ("async", "sync"):
            clear(remote)  # and wait for the mark as well: uploads overtake what is not there yet
        if remote.exists(_ENTRYPOINT):  # of the program that runs here: no argument turns it off
            remote[_ENTRYPOINT].pop()
        self._send_values(remote)
        for batch, column in self._rows():
            for extension in self._rising.extensions(batch, column):
                is_new = extension.attribute not in self._expected
                extension.send(remote[extension.attribute], is_new=is_new)
                self._expected.add(extension.attribute)
        self._expected |= self._media.send(remote)
        self._send_files(remote, mode)
        remote.wait()
        self._check_arrived(remote, mode)
        remote[SEALED].assign(True)
        if remote.exists(CLAIM):
            remote[CLAIM].pop()
        remote.wait()

    def losses(self) -> Iterator[Loss]:
        """What Neptune shows under another name, or not at all; all of it is in the bundle."""
        yield from self._layout.renamed
        if self._refused:
            said = without_credentials(self._refused[0])[:200]
            told = f"refused by Neptune ({said}); kept in the bundle"
            yield Loss("not-shown", Fate.REENCODED, "", len(self._refused), told)
        for hidden, detail in (
            (self._rising.left_out, "Neptune takes rising steps only; kept in the bundle"),
            (self._rising.not_finite, "Neptune takes finite numbers only; kept in the bundle"),
            (self._media.hidden, "the client has no histograms; kept in the bundle"),
        ):
            for attribute, count in (+hidden).items():
                yield Loss("not-shown", Fate.REENCODED, attribute, count, detail)
        yield from self._tracked.losses()

    # --- the beginning and the end

    def _check_arrived(self, remote: RemoteRun, mode: NeptuneMode) -> None:
        """An error of the client's thread is in its log only: what is not there is told here."""
        if mode == "offline":
            return
        remote.sync()
        gone = sorted(path for path in self._expected if not remote.exists(path))
        if gone:
            raise Refused(
                f"Neptune did not take {len(gone)} of {len(self._expected)} attributes, "
                f"{gone[0]} for one",
                where=f"neptune ({self._run.key})",
                hint="the log says why: runferry --log-file run.log …",
            )

    # --- values and rows

    def _send_values(self, remote: RemoteRun) -> None:
        remote[RUN_ID].assign(self._run.key.run_id)
        remote[HEADER].assign(dumps(codec.run_tree(self._draft.header(self._run))))
        for item in self._layout.attributes:
            if item.path == UID or item.path.startswith(_NOT_SET):
                continue
            if isinstance(item.value, tuple):
                remote[item.path].add(list(item.value))
            else:
                remote[item.path].assign(_taken(item.value))
            self._expected.add(item.path)

    def _rows(self) -> Iterator[tuple[pa.RecordBatch, str]]:
        """Rows of an export, and the column of their values."""
        rows = self._rows_of("scalar")
        for batch in self._staged.batches("points"):
            yield rows.of_points(batch), "float_value"
        rows = self._rows_of("text")
        for batch in self._staged.batches("texts"):
            yield _cut(rows.of_texts(batch)), "string_value"
        for batch in self._lines(rows):
            yield _cut(batch), "string_value"

    def _rows_of(self, kind: DataKind) -> RowsOfRun:
        return RowsOfRun("", "", lambda key: self._layout.series_path(key, kind))

    def _lines(self, rows: RowsOfRun) -> Iterator[pa.RecordBatch]:
        written = Counter[str]()
        for batch in self._staged.printed():
            for stream in ("stdout", "stderr"):
                lines = batch.filter(pc.equal(batch.column("stream").cast(pa.string()), stream))
                yield rows.of_lines(lines, f"{MONITORING}/{stream}", written[stream])
                written[stream] += lines.num_rows

    # --- bytes

    def _send_files(self, remote: RemoteRun, mode: NeptuneMode) -> None:
        """The files as sets, and the bundle; all lie in one folder, where they stay."""
        sets: dict[str, None] = {}
        alone: dict[str, Path] = {}
        for file in self._staged.files():
            if file.role == "console":
                continue
            attribute, name = self._layout.of_file(file.path, file.role)
            if name is None:
                alone[attribute] = self._upload(attribute, file.staged)
            else:
                self._put(attribute, name, file.staged)
                sets[attribute] = None
        for artifact in self._staged.artifacts():
            attribute = self._layout.artifact_path(artifact.name, artifact.version)
            for path, staged in artifact.members:
                self._put(attribute, path, staged)
                sets[attribute] = None
            if artifact.members:  # an attribute holds bytes or places, not both
                self._tracked.leave(attribute, len(artifact.references))
            elif self._tracked.send(remote, attribute, artifact.references):
                self._expected.add(attribute)
        self._bundle()
        if mode == "offline":  # sent from where they lie, whenever somebody asks for it
            sync_tree(self._own_uploads)  # those of other runs come and go meanwhile
            sync([self._uploads])
        for attribute, place in alone.items():
            remote[attribute].upload(str(place))
            self._expected.add(attribute)
        for attribute in (*sets, BUNDLE):
            remote[attribute].upload_files(_pattern(self._uploads / self._files.folder(attribute)))
            self._expected.add(attribute)

    def _upload(self, attribute: str, staged: str) -> Path:
        """Where a single file lies until it is uploaded."""
        self._places[staged] = [attribute, ""]
        return self._uploads / self._files.put_single(attribute, staged)

    def _put(self, attribute: str, name: str, staged: str) -> None:
        place = self._files.put(attribute, name, staged)
        member = place.removeprefix(f"{self._files.folder(attribute)}/")
        self._places[staged] = [attribute, member]

    def _bundle(self) -> None:
        """All that is staged except for bytes that are uploaded anyway."""
        for path in sorted(self._draft.home.rglob("*")):
            staged = path.relative_to(self._draft.home).as_posix()
            if path.is_file() and not path.name.startswith(".") and staged not in self._places:
                self._files.put(BUNDLE, staged, staged)
        said = self._draft.text(self._run)
        self._files.put_text(BUNDLE, RUN_FILE, said)
        if (sums := self._draft.sums_text(said)) is not None:
            self._files.put_text(BUNDLE, SUMS, sums)
        self._files.put_text(BUNDLE, PLACES, dumps({k: list(v) for k, v in self._places.items()}))


def _pattern(folder: Path) -> str:
    """What the client uploads the files of a folder by, under their names in it.

    It names them from the folder that is common to all that a pattern finds; of a folder that is
    found itself it calls them `./name`.
    """
    entries = list(folder.iterdir())
    is_common = len(entries) > 1 or entries[0].is_file()
    return f"{glob.escape(str(folder))}/*" if is_common else glob.escape(str(folder))


def _taken(value: HeldValue) -> bool | int | float | str | datetime:
    """A value as the client takes it; it makes floats of integers that 32 bits do not hold."""
    assert not isinstance(value, tuple)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _INT32:
        return float(value) if abs(value) <= _EXACT else str(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")[:MAX_STRING]
    return value


def _cut(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Texts as long as the client would make them, which warns of each."""
    at = rows.schema.get_field_index("string_value")
    cut = pc.utf8_slice_codeunits(rows.column(at), 0, MAX_LINE)
    return rows.set_column(at, rows.schema.field(at), cut)
