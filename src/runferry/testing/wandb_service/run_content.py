"""Content that is put into the service without uploads: projects, runs, reports."""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from runferry.testing.wandb_service import file_stream, history, times
from runferry.testing.wandb_service.history import ReadyHistory
from runferry.testing.wandb_service.refusals import Missing
from runferry.testing.wandb_service.rows import without_bare_nan
from runferry.testing.wandb_service.store import Record, Store

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa


@dataclass(frozen=True)
class RunContent:
    """All that one run has but its history; what is not said is empty."""

    name: str | None = None
    """What the web app shows; the run's id where it is not said."""
    state: str = "finished"
    config: Mapping[str, Any] = field(default_factory=dict)
    """As a user gives it; the `{"value": …}` around each is added."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    notes: str | None = None
    group: str | None = None
    job_type: str | None = None
    sweep: str | None = None
    host: str | None = None
    commit: str | None = None
    created_at: datetime | str | None = None
    updated_at: datetime | str | None = None
    events: Sequence[Mapping[str, Any]] = ()
    """System metrics: `_timestamp`, `_runtime` and `system.…` a row."""
    console: Sequence[str] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)


class RunsContent:
    """What a test puts into the service directly: projects, runs, reports, sweeps."""

    store: Store

    def has_entity(self, name: str) -> bool:
        """Whether there is such an entity."""
        return self.store.row("SELECT id FROM entities WHERE name = ?", name) is not None

    def project(self, entity: str, name: str) -> Record | None:
        """The row of a project, if there is one."""
        return self.store.row(
            "SELECT * FROM projects WHERE entity_name = ? AND name = ?", entity, name
        )

    def put_project(
        self, path: str, *, description: str | None = None, created_at: datetime | str | None = None
    ) -> int:
        """A project `ENTITY/PROJECT`, made if there is none; its number. Raises Missing."""
        entity, name = path.split("/")
        if not self.has_entity(entity):
            raise Missing(f"entity {entity} not found during upsertModel")
        if found := self.project(entity, name):
            return int(found["id"])
        time = times.spelled(created_at or times.now())
        return self.store.insert(
            "projects",
            entity_name=entity,
            name=name,
            description=description,
            access="USER_READ",
            created_at=time,
            updated_at=time,
        )

    def ready_history(
        self,
        columns: Mapping[str, Any] | pa.Table,
        *,
        live_rows: int = 0,
        parts: int = 1,
        row_group_rows: int = 65_536,
    ) -> ReadyHistory:
        """Columns of one length, written once, for any number of runs; see `history.prepare`."""
        return history.prepare(
            self.store, columns, live_rows=live_rows, parts=parts, row_group_rows=row_group_rows
        )

    def put_run(
        self,
        path: str,
        content: RunContent | None = None,
        *,
        history_of: ReadyHistory | Mapping[str, Any] | pa.Table | None = None,
        live_rows: int = 0,
        parts: int = 1,
    ) -> None:
        """A new run `ENTITY/PROJECT/RUN`; its project is made where there is none."""
        entity, project, name = three_parts(path)
        given = content or RunContent()
        with self.store.together():
            run = self.store.insert(
                "runs",
                project=self.put_project(f"{entity}/{project}"),
                name=name,
                **_columns(given, name),
            )
            if history_of is not None:
                ready = (
                    history_of
                    if isinstance(history_of, ReadyHistory)
                    else self.ready_history(history_of, live_rows=live_rows, parts=parts)
                )
                history.give(self.store, run, ready)
            events = [json.dumps(without_bare_nan(dict(row))) for row in given.events]
            file_stream.write(self.store, "events", run, 0, events)
            latest = file_stream.system_metrics("{}", events)
            self.store.update("runs", run, system_metrics=latest)
            file_stream.write(self.store, "console", run, 0, list(given.console))
            for file_name, content_bytes in given.files.items():
                self._put_file(run, file_name, content_bytes)

    def append_history(self, path: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """More live rows for a run, as its process would log them."""
        run = self.run(path)
        offset = history.line_count(self.store, run)
        history.write_lines(self.store, run, offset, [dict(row) for row in rows])
        self.store.update("runs", run["id"], heartbeat_at=times.now(), updated_at=times.now())

    def put_file(self, path: str, name: str, content: bytes) -> None:
        """A file of a run, new or instead of the one of that name."""
        self._put_file(int(self.run(path)["id"]), name, content)

    def put_report(self, project: str, title: str, spec: Mapping[str, Any], text: str = "") -> None:
        """A report in `ENTITY/PROJECT`; `spec` is its document, blocks and all."""
        number = self.put_project(project)
        time = times.now()
        self.store.insert(
            "views",
            project=number,
            name=f"{title}--Vmlldzo",
            display_name=title,
            type="runs",
            description=text,
            spec=json.dumps(spec),
            created_at=time,
            updated_at=time,
        )

    def put_sweep(self, path: str, config: Mapping[str, Any], *, state: str = "FINISHED") -> int:
        """A sweep `ENTITY/PROJECT/SWEEP`; runs join it by `RunContent.sweep`. Its number."""
        import yaml

        entity, project, name = three_parts(path)
        time = times.now()
        return self.store.insert(
            "sweeps",
            project=self.put_project(f"{entity}/{project}"),
            name=name,
            display_name=config.get("name"),
            description=config.get("description"),
            method=config.get("method"),
            state=state,
            config=yaml.safe_dump(dict(config), sort_keys=False),
            created_at=time,
            updated_at=time,
        )

    def run(self, path: str) -> Record:
        """The row of a run. Raises Missing."""
        raise NotImplementedError

    def path_of(self, run: Record) -> str:
        """`ENTITY/PROJECT/RUN` of a run's row."""
        number = run["project"]
        project = self.store.remember(
            ("path of project", number),
            lambda: self.store.value(
                "SELECT entity_name || '/' || name FROM projects WHERE id = ?", number
            ),
        )
        return f"{project}/{run['name']}"

    def _put_file(self, run: int, name: str, content: bytes) -> None:
        digest = hashlib.md5(content, usedforsecurity=False).digest()
        self.store.execute(
            "INSERT OR REPLACE INTO files"
            " (run, name, blob, size_bytes, md5, mimetype, updated_at, is_uploaded)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
            run,
            name,
            self.store.put_blob(content),
            len(content),
            base64.b64encode(digest).decode(),
            mimetypes.guess_type(name)[0],
            times.now(),
        )


def three_parts(path: str) -> tuple[str, str, str]:
    """`ENTITY/PROJECT/NAME` in parts. Raises Missing for anything else."""
    match path.split("/"):
        case [entity, project, name]:
            return entity, project, name
    raise Missing(f"nothing at {path!r}: it takes ENTITY/PROJECT/NAME")


def _columns(given: RunContent, name: str) -> dict[str, object]:
    created = times.spelled(given.created_at or times.now())
    updated = times.spelled(given.updated_at or created)
    config = {key: {"value": value, "desc": None} for key, value in given.config.items()}
    return {
        "display_name": given.name or name,
        "state": given.state,
        "config": json.dumps(without_bare_nan(config)),
        "summary_metrics": json.dumps(without_bare_nan(dict(given.summary))),
        "tags": json.dumps(list(given.tags)),
        "notes": given.notes,
        "group_name": given.group,
        "job_type": given.job_type,
        "sweep_name": given.sweep,
        "host": given.host,
        "commit": given.commit,
        "created_at": created,
        "updated_at": updated,
        "heartbeat_at": updated,
    }
