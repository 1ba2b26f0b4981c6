"""History, system metrics, and where the exports are."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

from runferry.testing.wandb_service import history as histories
from runferry.testing.wandb_service import history_keys
from runferry.testing.wandb_service.graphql import resolves
from runferry.testing.wandb_service.store import Record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runferry.testing.wandb_service.service import WandbService

DEFAULT_SAMPLES = 500
END = 2**63 - 1


@resolves("Run.historyLineCount")
def history_line_count(run: Record, service: WandbService) -> int:
    """The rows there are; none in the answer to an upsert, where the client begins to count.

    It appends behind what is said there, while a run that is begun again without `resume`
    overwrites what was: so the real service says none, but for forks.
    """
    if run.get("is_begun_anew"):
        return 0
    return histories.line_count(service.store, run)


@resolves("Run.historyKeys")
def keys(run: Record, service: WandbService) -> dict[str, Any] | None:
    return history_keys.spelled(run["history_keys"], run["last_step"])


@resolves("Run.historyTail")
def history_tail(run: Record, service: WandbService) -> str:
    rows = service.store.rows(
        "SELECT content FROM history WHERE run = ? ORDER BY line DESC LIMIT 1", run["id"]
    )
    return json.dumps([row["content"] for row in rows])


@resolves("Run.eventsTail")
def events_tail(run: Record, service: WandbService) -> str:
    rows = service.store.rows(
        "SELECT content FROM events WHERE run = ? ORDER BY line DESC LIMIT 1", run["id"]
    )
    return json.dumps([row["content"] for row in rows])


@resolves("Run.eventsLineCount")
def events_line_count(run: Record, service: WandbService) -> int:
    return int(service.store.value("SELECT COUNT(*) FROM events WHERE run = ?", run["id"]))


@resolves("Run.events")
def events(run: Record, service: WandbService, samples: int | None = None) -> Sequence[str]:
    rows = service.store.rows("SELECT content FROM events WHERE run = ? ORDER BY line", run["id"])
    wanted = DEFAULT_SAMPLES if samples is None else samples
    return histories.sampled([row["content"] for row in rows], wanted)


@resolves("Run.history")
def history(
    run: Record,
    service: WandbService,
    min_step: int | None = None,
    max_step: int | None = None,
    samples: int | None = None,
) -> Sequence[str]:
    """Rows with `minStep` ≤ step < `maxStep`; sampled where there are more than `samples`."""
    wanted = DEFAULT_SAMPLES if samples is None else samples
    return histories.sampled(_between(service, run, min_step, max_step), wanted)


@resolves("Run.sampledHistory")
def sampled_history(
    run: Record, service: WandbService, specs: list[str]
) -> list[list[dict[str, Any]]]:
    """For each spec, rows that hold all of its keys; `maxStep` is inclusive here."""
    answers = []
    for text in specs:
        spec = json.loads(text)
        wanted = list(dict.fromkeys(spec.get("keys", [])))
        end = None if spec.get("maxStep") is None else int(spec["maxStep"]) + 1
        lines = _between(service, run, spec.get("minStep"), end)
        rows = [dict(history_keys.leaves(json.loads(line))) for line in lines]
        whole = [
            {key: row[key] for key in wanted} for row in rows if all(key in row for key in wanted)
        ]
        answers.append(_thinned(whole, int(spec.get("samples", DEFAULT_SAMPLES))))
    return answers


def _thinned(rows: list[dict[str, Any]], samples: int) -> list[dict[str, Any]]:
    places = histories.sampled([str(index) for index in range(len(rows))], samples)
    return [rows[int(place)] for place in places]


def _between(
    service: WandbService, run: Record, min_step: int | None, max_step: int | None
) -> list[str]:
    """A page by steps is of the live rows alone: the vendor's client puts the exports beside it."""
    first = -END if min_step is None else int(min_step)
    end = END if max_step is None else int(max_step)
    is_page = min_step is not None or max_step is not None
    rows: list[str] = []
    if not is_page or service.faults.overlapping_pages:
        rows += histories.exported_between(service.store, run, first, end)
    if not service.faults.stale_exports:
        rows += histories.live_between(service.store, run, first, end)
    return rows


@resolves("Run.parquetHistory")
def parquet_history(run: Record, service: WandbService, live_keys: list[str]) -> Record:
    """Signed URLs of the exports, and of each live row what it has of `live_keys`."""
    live = []
    if not service.faults.stale_exports:
        rows = histories.live_between(service.store, run, -END, END)
        live = [_only(json.loads(row), live_keys) for row in rows]
    urls = [
        service.signed(part["blob"], f"exports/{run['id']}/{part['part']}.parquet")
        for part in histories.exports_of(service.store, run)
    ]
    if service.faults.shuffled_urls:
        random.shuffle(urls)
    return {"parquet_urls": urls, "live_data": [row for row in live if row]}


def _only(row: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    return {key: row[key] for key in keys if key in row}
