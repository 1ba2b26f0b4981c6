"""One run while it is written: our own copy first, and the session that is made of it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

from runferry.chunks import Chunk, Points
from runferry.dialects.clearml.names import METRICS_FILE
from runferry.dialects.clearml.own_copy import AUTHORED, BUNDLE, OWN, Span, authored
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.durable import sync, sync_tree
from runferry.losses import Loss
from runferry.model import Run, Uid
from runferry.tables import POINTS, conform
from runferry.writers.clearml.authoring import Authoring, Parts
from runferry.writers.clearml.event_file import EventFile
from runferry.writers.clearml.session_zip import SessionZip, write_bundle
from runferry.writers.clearml.titles import Titles
from runferry.writers.plain_folder.draft import Draft

SESSION: Final = "session"
ZIP: Final = "session.zip"
_BUNDLE_FILE: Final = f"{BUNDLE}.zip"


class SessionDraft:
    """One attempt to write a run, in a new folder of its own."""

    def __init__(
        self,
        home: Path,
        run: Run,
        uid: Uid,
        place: Path,
        *,
        project: str | None = None,
        is_for_server: bool = False,
        has_copy: bool = True,
    ) -> None:
        """`place` is where the session is going to lie; its name is the task's id. With a
        `project` the task is shown in that one, whatever the run says.

        A session for a server has our own copy among its artifacts too, if it `has_copy`, and no
        zip.
        """
        self.home = home
        self.session = home / SESSION
        self.uid = uid
        self.place = place
        self.events: dict[str, Span] = {}
        self.parts: Parts = (0, 0, 0)
        self.is_complete = False
        self._has_copy = has_copy
        self._project = project
        self._renamed: tuple[Loss, ...] = ()
        (self.session / OWN).mkdir(parents=True)
        self._own = Draft(self.session / OWN, ParquetForm(), run, uid, is_beside=True)
        self._titles = Titles(self._own.series)
        self._packed = None if is_for_server else SessionZip(self.session, self.zip, METRICS_FILE)
        self._metrics = EventFile(
            self.session / METRICS_FILE,
            place.name,
            is_finite=is_for_server,
            packed=None if self._packed is None else self._packed.first,
        )

    @property
    def zip(self) -> Path:
        """What is going to lie beside the session."""
        return self.home / ZIP

    def put(self, chunk: Chunk) -> None:
        """Add one chunk. Points are written at once, all else when the run is complete."""
        self._own.put(chunk)
        if isinstance(chunk, Points) and chunk.batch.num_rows:
            self._metrics.scalars(conform(chunk.batch, POINTS), self._titles.of)

    def complete(self, run: Run) -> None:
        """The session, and last of all what says whose it is."""
        self._own.settle()
        told = self._own.header(run)
        if self._project is not None:
            told = replace(told, project=self._project)
        authoring = Authoring(self.session, self._own, told, self.place, self._titles)
        authoring.write_events(self._metrics, is_over=self._has_copy)
        self.events, self.parts = authoring.events, authoring.parts
        self._own.complete(run)
        if self._packed is not None:
            authoring.write_task(self.uid)
            self._say(self._packed.add_others())
        elif self._has_copy:
            self._write_for_server(authoring)
        else:
            authoring.write_task(self.uid)
        self._renamed = authoring.renamed
        sync_tree(self.session)
        sync([self.home])
        self.is_complete = True

    def _write_for_server(self, authoring: Authoring) -> None:
        self._say(0)
        write_bundle(self.session, self.home / _BUNDLE_FILE)
        bundle = authoring.files.added(BUNDLE, self.home / _BUNDLE_FILE)
        authoring.write_task(self.uid, bundle)

    def _say(self, zip_bytes: int) -> None:
        """What was made; a session for a server has no task yet, which names the copy of this."""
        said = authored(self.uid, self.session, self.events, zip_bytes)
        (self.session / OWN / AUTHORED).write_text(said.text(), encoding="utf-8")

    @property
    def is_there(self) -> bool:
        """Whether nobody took this attempt away."""
        return self._own.is_there

    def told(self) -> tuple[Loss, ...]:
        """What has another name there than it should."""
        return (*self._own.told(), *self._renamed)

    def close(self) -> None:
        """Let go of all files; what was written stays."""
        with ExitStack() as last:
            last.callback(self._own.close)
            last.callback(self._metrics.close)
