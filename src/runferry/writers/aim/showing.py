"""One run as Aim has it: made of what is staged in our own store."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from runferry.dialects.aim.own_store import Logged, Stated, identities_of, stamps_of
from runferry.dialects.aim.places import TRACKER, is_hash
from runferry.dialects.json_trees import mended
from runferry.losses import Fate, Loss
from runferry.model import Attribute, Run
from runferry.writers.aim.names import Context, Names
from runferry.writers.aim.others import Others, Row, framed
from runferry.writers.aim.parameters import parameters
from runferry.writers.aim.process import Writing, writing
from runferry.writers.aim.rows import NumberRows
from runferry.writers.plain_folder.draft import Draft
from runferry.writers.plain_folder.staged import Staged

_SCRATCH: Final = "aim.scratch"
_NO_PROJECT: Final = "default"
"""The experiment of a run that names none, as Aim has it."""
_AT_A_TIME: Final = 1_000
_BYTES_AT_A_TIME: Final = 1 << 20
_NS: Final = 1_000_000_000


class Showing:
    """Writes one run into a repository."""

    def __init__(self, root: Path, draft: Draft, run: Run, before: Logged | None) -> None:
        """`before` is what was written of it earlier, as far as that is known."""
        self._root = root
        self._draft = draft
        self._run = run
        self._before = before
        self._staged = Staged(draft)
        self._names = Names(draft.series, draft.attributes)
        self._stated = _stated(run, draft.attributes)
        times = (run.started_ns, run.created_ns, run.ended_ns)
        self._began_ns = next((time for time in times if time is not None), 0)
        self._last_us = self._began_ns // 1000
        self.losses: list[Loss] = []

    def go(self, expect: Callable[[Logged], None]) -> Logged:
        """Write and publish all of it; `expect` is told what is about to stand there.

        Raises Refused, MissingExtra.
        """
        scratch = self._draft.home / _SCRATCH
        wished = self._before.run_hash if self._before is not None else self._own_hash()
        try:
            with writing(self._root, self._draft.uid, wished, scratch) as there:
                self._send(there)
                ending = self._ending()
                run_hash = there.settle(ending["end_time"])
                stamps, identities = stamps_of(scratch, run_hash), identities_of(scratch, run_hash)
                logged = Logged(run_hash, stamps, identities, self._stated)
                expect(logged)
                there.publish(**ending)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        if self._run.key.tracker == TRACKER and run_hash != self._run.key.run_id:
            detail = f"Aim has it as {run_hash}"
            self.losses.append(Loss("run-id", Fate.REENCODED, "", 1, detail))
        for key, name in self._names.renamed.items():
            self.losses.append(Loss("renamed", Fate.REENCODED, key, 1, f"Aim has it as {name}"))
        return logged

    def _own_hash(self) -> str | None:
        """That of a run which comes from Aim."""
        stated = self._run.key.run_id
        is_aims = self._run.key.tracker == TRACKER and is_hash(stated)
        return stated if is_aims else None

    def _send(self, there: Writing) -> None:
        attributes = list(self._draft.attributes)
        values = parameters(self._run, self._draft.uid, attributes)
        there.put({"kind": "parameters", "values": values})
        began_us = self._began_ns // 1000
        is_aims = self._run.key.tracker == TRACKER
        epochs = self._names.epochs() if is_aims else dict[str, str]()

        def name(key: str) -> tuple[str, Context] | None:
            return None if key in epochs else self._names.of(key, "number")

        numbers = NumberRows("numbers", name, began_us)
        for told, payload in numbers.frames(self._staged.batches("points")):
            there.put(told, payload)
        self._last_us = max(self._last_us, numbers.last_us)
        for rows in _parts(Others(self._staged, self._names).rows()):
            there.put(*framed(rows, began_us))
        if epochs:  # they replace the ones that values came without

            def name_of_other(key: str) -> tuple[str, Context] | None:
                return self._names.given(epochs[key]) if key in epochs else None

            of_values = NumberRows("epochs", name_of_other, began_us)
            for told, payload in of_values.frames(self._staged.batches("points")):
                there.put(told, payload)

    def _ending(self) -> dict[str, Any]:
        """What Aim's database is to say, and what it said when this run was last written."""
        run, ended_ns = self._run, self._run.ended_ns
        if ended_ns is None and (run.complete or run.state not in ("running", "unknown")):
            ended_ns = self._last_us * 1000
        before = None if self._before is None else asdict(self._before.stated)
        return {
            "stated": asdict(self._stated),
            "before": before,
            "created": self._began_ns / _NS,
            "end_time": None if ended_ns is None else ended_ns / _NS,
        }


def _stated(run: Run, attributes: Iterable[Attribute]) -> Stated:
    """What a header says, and what Aim's reader found beside it."""
    is_aims = run.key.tracker == TRACKER
    found = {it.path: it.value for it in attributes if is_aims and it.role == "other"}
    notes = found.get((TRACKER, "notes"))
    return Stated(
        _word(run.name or run.key.run_id),
        None if run.notes is None else _word(run.notes),
        _word(run.project or _NO_PROJECT),
        tuple(dict.fromkeys(map(_word, run.tags))),
        archived=found.get((TRACKER, "archived")) is True,
        notes=tuple(_word(str(it)) for it in notes) if isinstance(notes, list) else (),
    )


def _word(text: str) -> str:
    """As sqlite holds it."""
    return str(mended(text.replace("\0", "\N{REPLACEMENT CHARACTER}")))


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Some at a time: few enough, and not too large together."""
    part, size = list[Row](), 0
    for row in rows:
        part.append(row)
        size += sum(len(content) for _, content in row.items)
        if len(part) >= _AT_A_TIME or size >= _BYTES_AT_A_TIME:
            yield part
            part, size = [], 0
    if part:
        yield part
