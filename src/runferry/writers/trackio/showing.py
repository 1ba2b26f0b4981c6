"""One run as trackio has it: made of what is staged in our own store."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Container, Iterable, Iterator
from datetime import datetime
from itertools import count
from typing import Final

from runferry.dialects.plain_folder.names import safe_part
from runferry.dialects.trackio.own_store import UID_NAME, Logged, logged_in
from runferry.dialects.trackio.places import MEDIA, Place
from runferry.losses import Fate, Loss
from runferry.model import Run, Tree, Uid, instant
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.plain_folder.run_files import RunFiles
from runferry.writers.plain_folder.staged import Staged
from runferry.writers.trackio import database, others
from runferry.writers.trackio.rows import PointRows

_RESERVED: Final = {"project", "run", "timestamp", "step", "time", "metrics"}
"""Names that trackio itself puts `__` before (trackio 0.43, `utils.RESERVED_KEYS`)."""
_ROLES: Final = {"config": "", "summary": "summary.", "environment": "environment."}


class Showing:
    """Makes the rows and media of one run."""

    def __init__(self, place: Place, draft: Draft, run: Run) -> None:
        self._place = place
        self._draft = draft
        self._run = run
        self._staged = Staged(draft)
        self._names: dict[str, str] = {}
        self._taken: set[str] = set(draft.series)
        began = next(
            (t for t in (run.started_ns, run.created_ns, run.ended_ns) if t is not None), 0
        )
        self._began_us = began // 1000
        self.losses: list[Loss] = []

    def go(self) -> Logged:
        """Write and publish all of it. Raises Refused."""
        self._place.folder.mkdir(parents=True, exist_ok=True)
        with database.writing(self._place.database) as connection:
            run_id = self._free_id(connection)
            run_name = database.word(self._run.name or self._run.key.run_id) or run_id
            folder = f"{safe_part(run_id, 60)}-{self._draft.uid[:8]}"
            media = self._place.folder / MEDIA / self._place.project
            files = RunFiles(self._draft.home, media, folder)
            files.remove_scratch()
            try:
                self._write(connection, (run_id, run_name), files)
                files.publish()
            finally:
                files.remove_scratch()
            logged = logged_in(connection, run_id, run_name)
        renamed = {key: name for key, name in self._names.items() if key != name}
        for key, name in renamed.items():
            detail = f"trackio has it as {name}"
            self.losses.append(Loss("reserved-name", Fate.REENCODED, key, 1, detail))
        return logged

    def _free_id(self, connection: sqlite3.Connection) -> str:
        """The run's own id, or one like it where another run has that."""
        uid, stated = self._draft.uid, database.word(self._run.key.run_id)
        if _is_free(connection, stated, uid):
            return stated
        run_id = f"{stated}~{uid[:8]}"
        self.losses.append(Loss("run-id", Fate.REENCODED, "", 1, f"trackio has it as {run_id}"))
        return run_id

    def _write(self, connection: sqlite3.Connection, run: tuple[str, str], files: RunFiles) -> None:
        database.remove(connection, run[0])
        log_ids = map(f"{self._draft.uid}:{{}}".format, count())
        scratch = self._draft.home / "rows.scratch"
        streams = {key: series.stream for key, series in self._draft.series.items()}
        for table, stream in (("metrics", "user"), ("system_metrics", "system")):
            rows = PointRows(scratch, self._name, self._began_us)
            try:
                of_stream = {key for key, kept in streams.items() if kept == stream}
                for batch in self._staged.batches("points"):
                    rows.put(batch, of_stream)
                database.insert(connection, table, run, rows.rows(), log_ids)
            finally:
                rows.remove()
        database.insert(connection, "metrics", run, self._others(files), log_ids)
        created = instant(self._began_us * 1000).isoformat()
        database.put_config(connection, run, self._config(created), created)

    def _others(self, files: RunFiles) -> Iterator[database.Logged]:
        """Texts, histograms and media, each in a row of its own."""
        project = self._place.project
        for seq, step, time_us, key, value in _joined(
            others.texts(self._staged),
            others.histograms(self._staged),
            others.media(self._staged, files, project),
        ):
            at = instant((self._began_us if time_us is None else time_us) * 1000).isoformat()
            yield at, seq if step is None else step, database.spelled({self._name(key): value})

    def _name(self, key: str) -> str:
        """A key as trackio's own client would store it; another where that is taken."""
        known = self._names.get(key)
        if known is None:
            known = str(database.word(key))
            if known in _RESERVED or known.startswith("__"):
                known = f"__{known}"
            if known != key:
                plain, copies = known, count(2)
                while known in self._taken:
                    known = f"{plain}~{next(copies)}"
                self._taken.add(known)
            self._names[key] = known
        return known

    def _config(self, created: str) -> dict[str, object]:
        """The config with names of one level, and what trackio keeps in it for itself."""
        found: dict[str, object] = {}
        for item in self._draft.attributes:
            if self._run.key.tracker == "trackio" and item.path[0].startswith("_"):
                continue  # stated below
            name = ".".join(item.path)
            name = f"{_ROLES.get(item.role, f'{self._run.key.tracker}.')}{name}"
            name = name if not name.startswith("_") else f"config.{name}"
            found[self._free_name(name, found)] = _plain(item.value)
        for field, value in _header(self._run).items():
            found[self._free_name(f"{self._run.key.tracker}.{field}", found)] = value
        return found | {
            "_Username": self._run.user,
            "_Created": created,
            "_Group": self._run.group,
            UID_NAME: self._draft.uid,
        }

    def _free_name(self, name: str, taken: Container[str]) -> str:
        """The name in the config; another one where a value of another path or role has it."""
        free, copies = name, count(2)
        while free in taken:
            free = f"{name}~{next(copies)}"
        if free != name:
            detail = f"trackio's config has another value under this name: it is {free} there"
            self.losses.append(Loss("same-name", Fate.REENCODED, name, 1, detail))
        return free


def _is_free(connection: sqlite3.Connection, run_id: str, uid: Uid) -> bool:
    """Whether nobody else has rows under this id."""
    row = connection.execute("SELECT config FROM configs WHERE run_id = ?", (run_id,)).fetchone()
    if row is not None:
        text = row[0].decode("utf-8", "replace") if isinstance(row[0], bytes) else str(row[0])
        return f'"{UID_NAME}": "{uid}"' in text or f'"{UID_NAME}":"{uid}"' in text
    query = (
        "SELECT EXISTS (SELECT 1 FROM metrics WHERE run_id = ?1) "
        "OR EXISTS (SELECT 1 FROM system_metrics WHERE run_id = ?1)"
    )
    return not connection.execute(query, (run_id,)).fetchone()[0]


def _joined(*parts: Iterable[others.Value]) -> Iterator[others.Value]:
    for part in parts:
        yield from part


def _header(run: Run) -> dict[str, object]:
    """What trackio has no place for, shown with the config."""
    told: dict[str, object] = {
        "status": run.status if run.status is not None else run.state,
        "tags": list(run.tags),
        "notes": run.notes,
        "job_type": run.job_type,
        "url": run.source_url,
        "host": run.host,
        "entity": run.entity,
        "project": run.project,
        "ended": None if run.ended is None else run.ended.isoformat(),
        "exit_code": run.exit_code,
        **{f"labels.{label}": word for label, word in run.labels.items()},
    }
    return {name: value for name, value in told.items() if value not in (None, [])}


def _plain(value: Tree) -> object:
    """A value as JSON has it; exactly it is beside."""
    match value:
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case datetime():
            return value.isoformat()
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case _:
            return value
