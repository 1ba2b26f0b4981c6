"""One run while it is written: our own copy first, and the session that is made of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from runferry.chunks import Chunk
from runferry.dialects.clearml.names import METRICS_FILE
from runferry.dialects.clearml.own_copy import AUTHORED, BUNDLE, OWN, Span, authored
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.durable import sync, sync_tree
from runferry.losses import Loss
from runferry.model import Run, Uid
from runferry.writers.clearml.authoring import Authoring
from runferry.writers.clearml.session_zip import SessionZip, write_bundle
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
    ) -> None:
        """`place` is where the session is going to lie; its name is the task's id. With a
        `project` the task is shown in that one, whatever the run says.

        A session for a server has our own copy among its artifacts too, and no zip.
        """
        self.home = home
        self.session = home / SESSION
        self.uid = uid
        self.place = place
        self.events: dict[str, Span] = {}
        self._is_for_server = is_for_server
        self._project = project
        self._renamed: tuple[Loss, ...] = ()
        (self.session / OWN).mkdir(parents=True)
        self._own = Draft(self.session / OWN, ParquetForm(), run, uid, has_wide_tables=False)

    @property
    def zip(self) -> Path:
        """What is going to lie beside the session."""
        return self.home / ZIP

    def put(self, chunk: Chunk) -> None:
        """Add one chunk."""
        self._own.put(chunk)

    def complete(self, run: Run) -> None:
        """The session, and last of all what says whose it is."""
        self._own.settle()
        told = self._own.header(run)
        if self._project is not None:
            told = replace(told, project=self._project)
        for_server = self._is_for_server
        authoring = Authoring(self.session, self._own, told, self.place, is_for_server=for_server)
        if for_server:
            self._write_for_server(authoring, run)
        else:
            self._write_with_zip(authoring, run)
        self._renamed = authoring.renamed
        sync_tree(self.session)
        sync([self.home])

    def _write_with_zip(self, authoring: Authoring, run: Run) -> None:
        with SessionZip(self.session, self.zip) as packed:
            with packed.growing(METRICS_FILE) as also:
                authoring.write_events(also)
            self.events = authoring.events
            self._own.complete(run)
            authoring.write_task(self.uid)
            self._say(packed.add_others())

    def _write_for_server(self, authoring: Authoring, run: Run) -> None:
        authoring.write_events()
        self.events = authoring.events
        self._own.complete(run)
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
        self._own.close()
