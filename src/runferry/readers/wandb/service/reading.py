"""Reads one run of the service: its history, what it printed, its files, and what it belongs to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from runferry import chunks
from runferry.dialects.wandb.marks import SHOWN_TIME_UNIT_NS, marked
from runferry.dialects.wandb.service import Service
from runferry.errors import SourceChanged
from runferry.losses import Fate, Loss
from runferry.model import Cursor, KeyPath, Run, Tree
from runferry.readers.declared import Declared
from runferry.readers.missing import MissingBytes
from runferry.readers.standing_losses import StandingLosses
from runferry.readers.wandb.attributes import Assembly
from runferry.readers.wandb.json_rows import JsonRows
from runferry.readers.wandb.loose import Loose
from runferry.readers.wandb.metrics import Definitions
from runferry.readers.wandb.service.artifacts import Artifacts
from runferry.readers.wandb.service.console import FIRST as FIRST_LINES
from runferry.readers.wandb.service.console import Console
from runferry.readers.wandb.service.documents import sweep_document
from runferry.readers.wandb.service.events import FIRST as FIRST_EVENTS
from runferry.readers.wandb.service.events import Events
from runferry.readers.wandb.service.files import PAGE, RunFiles
from runferry.readers.wandb.service.header import (
    config_of,
    definitions_of,
    environment_of,
    header,
    is_over,
    mapping_of,
)
from runferry.readers.wandb.service.history import History, export_urls
from runferry.readers.wandb.service.metadata import METADATA, metadata_file, metadata_in
from runferry.readers.wandb.service.names import Names
from runferry.readers.wandb.service.own_copy import OwnCopy, as_it_was, copy_in
from runferry.readers.wandb.service.own_tables import own_console
from runferry.readers.wandb.service.pages import STEPS, HistoryPage, rows_of
from runferry.readers.wandb.service.place import RunPlace
from runferry.readers.wandb.service.position import Position
from runferry.readers.wandb.service.queries import RUN
from runferry.readers.wandb.service.stated import Stated, with_numbers
from runferry.tables import dumps, loads


@dataclass(frozen=True, slots=True)
class _Said:
    """What the service says of a run apart from its rows."""

    stated: Stated
    header: Run
    summary: dict[str, Tree]
    assembly: Assembly
    definitions: Definitions


class RunReading:
    """One pass over one run, from its beginning or from a cursor."""

    def __init__(
        self, service: Service, place: RunPlace, sweep: str | None, after: Cursor | None
    ) -> None:
        self._service = service
        self._place = place
        self._sweep = sweep
        self._known = after.series if after else ()
        self._is_first = after is None
        self._position = Position() if after is None else Position.restored(after.position)
        self._paths: tuple[KeyPath, ...] = ()  # of series, where a file of ours tells them
        self._standing = StandingLosses(self._position.standing)
        if self._position.is_short:
            raise SourceChanged(
                "the service had held rows back when this run was read before",
                where=str(place),
                hint="it is read from its beginning now",
            )

    def read(self) -> Iterator[chunks.Chunk]:
        """All chunks; the last two are the header as known now, and a checkpoint."""
        node, project = self._asked()
        self._check(node)
        _, mark = marked(node.get("tags") or ())
        files = RunFiles(self._service, self._place, self._position)
        if mark is None:
            yield from self._read(node, project, files, None)
            return
        copy, losses = copy_in(files, node)
        yield from map(chunks.Lost, losses)
        self._paths = () if copy is None else copy.said.paths
        yield from as_it_was(self._read(node, project, files, copy), mark, copy, self._known)

    def _read(
        self,
        node: dict[str, Any],
        project: dict[str, Any],
        files: RunFiles,
        copy: OwnCopy | None,
    ) -> Iterator[chunks.Chunk]:
        yield from self._metadata(node, files)
        said = self._said(node)
        if self._is_first:
            yield chunks.Header(said.header)
        missing = MissingBytes()
        yield from missing.watched(self._rows(node, said, files))
        over = is_over(node)
        if copy is not None and copy.console is not None and not self._position.log_lines:
            yield from own_console(files, copy.console, self._position)
        else:
            console = Console(self._service, self._place, self._position, files)
            yield from console.read(node, is_over=over)
        yield from missing.watched(files.changed(node.get("files") or {}, is_over=over))
        yield from Artifacts(self._service, self._place, self._position).read(node)
        yield from self._sweep_of(project)
        yield from map(chunks.Lost, missing.losses())
        yield from self._ending(said)

    def _ending(self, said: _Said) -> Iterator[chunks.Chunk]:
        position = self._position
        yield from self._standing.ending()
        position.standing = self._standing.tree()
        yield from said.assembly.news(Loose(), ())
        position.attributes = said.assembly.given
        yield chunks.Header(said.header)
        yield chunks.Checkpoint(loads(dumps(position.tree())))

    # --- the question

    def _asked(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The run's node and its project's."""
        position = self._position
        start = position.last_step or 0
        answer = self._service.ask(
            RUN,
            {
                **self._place.variables,
                "minStep": start,
                "maxStep": start + STEPS,
                "pageSize": STEPS,
                "liveKeys": ["_step"],
                "samples": FIRST_EVENTS,
                "isFirst": not position.events,
                "sweep": self._sweep or "",
                "hasSweep": bool(self._sweep) and self._sweep != position.sweep,
                "logFirst": FIRST_LINES,
                "logAfter": position.log_cursor,
                "perPage": PAGE,
            },
        )
        return self._place.run_in(answer), answer["project"]

    def _check(self, node: dict[str, Any]) -> None:
        found = str(node.get("id") or "")
        if self._position.storage_id not in ("", found):
            raise SourceChanged(
                "another run has this id now; the one that was read before is gone",
                where=str(self._place),
                hint="pull it into a new archive to keep both",
            )
        self._position.storage_id = found

    # --- what is said of the run

    def _metadata(self, node: dict[str, Any], files: RunFiles) -> Iterator[chunks.Chunk]:
        """Takes in wandb-metadata.json, if it is new."""
        file = metadata_file(files, node)
        if file is None or self._position.files.get(METADATA) == file.stamp:
            return
        try:
            self._position.metadata = metadata_in(files, file)
        except FileNotFoundError as error:
            self._position.is_short = True  # it was listed a moment ago
            yield chunks.Lost(Loss("missing-file", Fate.DROPPED, METADATA, 1, str(error)))
        except ValueError as error:
            loss = Loss("unreadable-file", Fate.DROPPED, METADATA, 1, f"no JSON: {error}")
            yield from self._standing.settled([loss])

    def _said(self, node: dict[str, Any]) -> _Said:
        stated = Stated.of(node)
        summary = with_numbers(mapping_of(node.get("summaryMetrics")), stated)
        config = config_of(node.get("config"))
        told = header(
            node,
            self._service.account.base_url,
            self._place.entity,
            self._place.project,
            metadata=self._position.metadata,
            summary=summary,
            config=config,
        )
        assembly = self._assembly(node, config, summary)
        return _Said(stated, told, summary, assembly, definitions_of(config, assembly))

    def _assembly(
        self, node: dict[str, Any], config: dict[str, Tree], summary: dict[str, Tree]
    ) -> Assembly:
        """All attributes, as the records of a run's own file would give them."""
        environment = environment_of(self._position.metadata)
        git = environment.get("git")
        if node.get("commit") and not (isinstance(git, dict) and git.get("commit")):
            environment["git"] = {
                **(git if isinstance(git, dict) else {}),
                "commit": node["commit"],
            }
        assembly = Assembly(config, summary, environment, has_environment=True)
        assembly.given = self._position.attributes
        account = (node.get("user") or {}).get("username")
        for name, value in (("account", account), ("description", node.get("description"))):
            if value:
                assembly.note(("_wandb", name), value)
        return assembly

    # --- rows

    def _rows(self, node: dict[str, Any], said: _Said, files: RunFiles) -> Iterator[chunks.Chunk]:
        position = self._position
        declared = Declared.after(self._known, said.definitions.applied)
        names = Names(self._known, said.summary, position.counts, self._paths)
        _, mark = marked(node.get("tags") or ())
        unit_ns = 1 if mark is None else SHOWN_TIME_UNIT_NS
        user = JsonRows("user", declared, None, files.claim_items, names.path, _compact, unit_ns)
        history = History(
            self._service, self._place, said.stated, position, user, names, self._standing
        )
        first = HistoryPage(rows_of(node, self._place), (position.last_step or 0) + STEPS)
        yield from files.with_bytes(history.read(first, export_urls(node)))
        system = JsonRows("system", declared, None, files.claim_items, text_of=_compact)
        yield from Events(self._service, self._place, position, system).read(node)
        if changed := declared.restated():
            yield chunks.SeriesFacts(changed)

    # --- what it belongs to

    def _sweep_of(self, project: dict[str, Any]) -> Iterator[chunks.Document]:
        found = project.get("sweep")
        if isinstance(found, dict):
            self._position.sweep = self._sweep or ""
            yield sweep_document(found)


def _compact(value: Tree) -> str:
    """JSON as W&B's client spells it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
