"""What comes into a repository of Aim's, noted before it does: `.aim/runferry/published/UID.json`.

Who is killed in between has made a run of which no complete copy tells. By this note it is known
whether somebody has logged on to it since.
"""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Final

from runferry.dialects.aim.own_store import Logged, logged_in
from runferry.dialects.plain_folder.notes import reading_note
from runferry.durable import sync, write_atomically
from runferry.model import Uid

_FOLDER: Final = "published"


class Published:
    """The notes in one store of exact runs."""

    def __init__(self, store: Path) -> None:
        self._home = store.parent
        self._folder = store / _FOLDER

    def of(self, uid: Uid) -> list[Logged]:
        """What may stand there of a run whose sending was broken off. Raises Damaged."""
        path = self._note(uid)
        with suppress(FileNotFoundError), reading_note(path):
            return [logged_in(tree) for tree in json.loads(path.read_bytes())]
        return []

    def expect(self, uid: Uid, coming: Logged) -> None:
        """Lasts when it returns. What stands there is still noted: what comes may never do so."""
        notes = [one for one in self.of(uid) if one.has_database(self._home)]
        text = json.dumps([asdict(one) for one in (*notes, coming)], indent=2)
        write_atomically(self._note(uid), text.encode(), scratch=secrets.token_hex(6))
        sync([self._folder.parent])

    def forget(self, uid: Uid) -> None:
        """A complete copy tells of it now."""
        self._note(uid).unlink(missing_ok=True)

    def _note(self, uid: Uid) -> Path:
        return self._folder / f"{uid}.json"
