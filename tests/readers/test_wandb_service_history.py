"""The history of the service: every row once, whatever is exported, and a shortage never silent."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.readers.wandb_service_runs import columns, gather, opened, read_one, served, the_run

from runferry.dialects.wandb.service import Service
from runferry.errors import Damaged, SourceChanged
from runferry.http.waits import waiting_by
from runferry.losses import Fate
from runferry.readers.wandb.service import pages
from runferry.testing.wandb_service import RunContent, Trouble, WandbService

RUN = "lab/p/r"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WandbService]:
    with served(tmp_path / "home") as service, waiting_by(lambda seconds, reason: None):
        yield service


def logged(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["step"], row["value"]) for row in rows]


@pytest.mark.parametrize("is_overlapping", [False, True])
@pytest.mark.parametrize(("parts", "live"), [(1, 0), (3, 0), (2, 40), (1, 2_999), (1, 3_000)])
def test_every_row_comes_once_however_it_is_served(
    service: WandbService, parts: int, live: int, is_overlapping: bool
) -> None:
    service.faults.overlapping_pages = is_overlapping
    service.faults.shuffled_urls = True
    expected = columns(3_000)
    service.put_run(RUN, history_of=expected, parts=parts, live_rows=live)
    found = read_one(RUN)
    for name in ("loss", "count", "_runtime"):
        rows = found.points(name)
        assert logged(rows) == list(zip(range(3_000), expected[name].tolist(), strict=True))
        assert [row["time"].timestamp() for row in rows] == expected["_timestamp"].tolist()
        assert [row["seq"] for row in rows] == sorted({row["seq"] for row in rows})
    assert not found.losses


def test_values_are_exact_in_exports_and_in_live_rows(service: WandbService) -> None:
    big = 2**53 + 1
    row: dict[str, Any] = {
        "zero": 0.0,
        "nan": math.nan,
        "inf": -math.inf,
        "big": big,
        "flag": True,
        "text": "ünï",
        "list": [1, "NaN", None],
        "mixed": 1,
        "nested": {"a": {"b": 2}},
        "hist": {"_type": "histogram", "values": [1, 2], "bins": [0.0, 0.5, 1.0]},
    }
    service.put_run(RUN, RunContent(summary={"nested": {"a": {"b": 2}}}))
    service.append_history(RUN, [{**row, "_step": 0}, {**row, "_step": 1, "mixed": "word"}])
    live = read_one(RUN)
    service.export(RUN)
    exported = read_one(RUN)
    for found in (live, exported):
        assert found.series["nested.a.b"].path == ("nested", "a", "b")
        assert [math.isnan(value) for value in found.values("nan")] == [True, True]
        assert found.values("inf") == [-math.inf] * 2
        assert [r["value_i64"] for r in found.points("big")] == [big, big]
        assert [r["kind"] for r in found.points("flag")] == ["bool", "bool"]
        texts = sorted((r["key"], r["text"]) for r in found.rows("texts") if r["key"] != "list")
        assert texts == [("mixed", "word"), ("text", "ünï"), ("text", "ünï")]
        assert found.values("mixed") == [1.0]
        assert {r["text"] for r in found.rows("texts") if r["key"] == "list"} == {"[1,NaN,null]"}
        assert [r["edges"] for r in found.rows("histograms")] == [[0.0, 0.5, 1.0]] * 2
        assert not found.losses
    assert [r["kind"] for r in exported.points("zero")] == ["float64"] * 2


def test_absent_is_not_null(service: WandbService) -> None:
    service.put_run(RUN)
    rows: list[dict[str, Any]] = [{"_step": 0, "a": None, "b": 1.5}, {"_step": 1, "b": None}]
    service.append_history(RUN, rows)
    live = read_one(RUN)
    assert [(r["step"], r["kind"]) for r in live.points("a")] == [(0, "null")]
    assert [r["kind"] for r in live.points("b")] == ["float64", "null"]
    service.export(RUN)
    (first, second) = sorted(read_one(RUN).losses, key=lambda loss: loss.where)
    assert (first.code, first.where, first.count) == ("null-value", "a", 1)
    assert (second.code, second.where, second.fate) == ("null-value", "b", Fate.DROPPED)


def test_a_shortage_is_counted_and_the_run_is_read_anew(service: WandbService) -> None:
    service.put_run(RUN, history_of=columns(3_000), live_rows=500)
    service.faults.stale_exports = True
    short = read_one(RUN)
    (loss,) = short.losses
    assert (loss.code, loss.count, loss.fate) == ("missing-rows", 500, Fate.DROPPED)
    assert len(short.points("loss")) == 2_500
    service.faults.clear()
    with pytest.raises(SourceChanged):
        read_one(RUN, short.cursor())
    assert len(read_one(RUN).points("loss")) == 3_000


def test_an_export_whose_pages_are_damaged_is_an_error(
    service: WandbService, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.put_run(RUN, history_of=columns(3_000), live_rows=500)
    no_text = pa.array([b"\xe6\xff"] * 2_500).cast(pa.string(), safe=False)
    sink = io.BytesIO()
    pq.write_table(pa.table({"_step": range(2_500), "note": no_text}), sink)
    monkeypatch.setattr(Service, "fetch", lambda _, url, to: to.write(sink.getvalue()))
    with pytest.raises(Damaged, match="an export of the history cannot be read"):
        read_one(RUN)


def test_what_is_held_back_for_a_moment_is_waited_for(service: WandbService) -> None:
    service.put_run(RUN, history_of=columns(3_000), live_rows=500)
    service.faults.stale_exports = True
    waited: list[float] = []

    def mended(seconds: float, reason: str) -> None:
        waited.append(seconds)
        service.faults.stale_exports = False

    with waiting_by(mended):
        found = read_one(RUN)
    assert len(waited) == 1
    assert len(found.points("loss")) == 3_000
    assert not found.losses


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble("status", "storage:GET", status=403),  # a URL that has expired
        Trouble("status", "storage:GET", status=500, times=2),
        Trouble("cut", "storage:GET", times=2),
        Trouble("reset", "storage:GET", times=2),
        Trouble("status", "graphql:Run", status=429, retry_after=0.01, times=2),
        Trouble("status", "graphql:HistoryPage", status=502, times=2),
        Trouble("cut", "graphql:Run"),
        Trouble("reset", "graphql:HistoryPage"),
    ],
    ids=lambda trouble: f"{trouble.kind}-{trouble.where}-{trouble.status}",
)
def test_a_fault_that_passes_changes_nothing(service: WandbService, trouble: Trouble) -> None:
    service.put_run(RUN, history_of=columns(3_000), live_rows=1_500, parts=2)
    service.faults.add(trouble)
    found = read_one(RUN)
    assert logged(found.points("count")) == [(n, float(3 * n)) for n in range(3_000)]
    assert not found.losses


def test_rows_that_come_while_it_is_read_come_once(service: WandbService) -> None:
    service.put_run(RUN, RunContent(state="running"), history_of=columns(2_500), live_rows=2_500)

    def grow() -> None:
        more = columns(600, first=2_500)
        names = list(more)
        rows = zip(*(more[name].tolist() for name in names), strict=True)
        service.append_history(RUN, [dict(zip(names, row, strict=True)) for row in rows])

    service.faults.add(Trouble("call", "graphql:HistoryPage", do=grow))
    first = read_one(RUN)
    assert not first.losses
    rest = read_one(RUN, first.cursor())
    steps = [row["step"] for found in (first, rest) for row in found.points("loss")]
    assert steps == list(range(3_100))


def test_a_history_that_was_rewound_is_refused(service: WandbService) -> None:
    service.put_run(RUN, history_of=columns(50), live_rows=50)
    cursor = read_one(RUN).cursor()
    service.delete_run(RUN)
    service.put_run(RUN, history_of=columns(20), live_rows=20)
    with pytest.raises(SourceChanged):
        read_one(RUN, cursor)


def test_steps_far_apart_take_few_pages(service: WandbService) -> None:
    steps = np.arange(30) * 1_000_000
    service.put_run(RUN, history_of={"_step": steps, "a": steps / 2}, live_rows=30)
    found = read_one(RUN)
    assert [row["step"] for row in found.points("a")] == steps.tolist()
    assert service.requests.at("graphql:HistoryPage") < 60


def test_a_run_that_has_not_changed_costs_one_request(service: WandbService) -> None:
    content = RunContent(config={"a": 1}, files={"wandb-metadata.json": b"{}", "x": b"y"})
    service.put_run(RUN, content, history_of=columns(5_000), live_rows=10)
    with opened(RUN) as reader:
        run = the_run(reader)
        cursor = gather(reader, run).cursor()
        service.requests.clear()
        assert gather(reader, run, cursor).count == 2  # a header and where it stands
    assert service.requests.total == 1


def test_growth_is_read_without_what_is_known(service: WandbService) -> None:
    service.put_run(RUN, RunContent(state="running"), history_of=columns(9_000))
    with opened(RUN) as reader:
        run = the_run(reader)
        cursor = gather(reader, run).cursor()
        service.append_history(RUN, [{"_step": 9_000, "_timestamp": 1.0, "loss": 1.0}])
        service.requests.clear()
        assert [row["step"] for row in gather(reader, run, cursor).points("loss")] == [9_000]
    assert service.requests.total == 1


def test_no_page_is_sampled_where_rows_come_close_after_a_gap(service: WandbService) -> None:
    steps = np.concatenate([np.arange(12) * 100_000, 2_000_000 + np.arange(12_000)])
    service.put_run(RUN, history_of={"_step": steps, "a": steps / 2}, live_rows=len(steps))
    found = read_one(RUN)
    assert [row["step"] for row in found.points("a")] == steps.tolist()
    assert not found.losses


def test_rows_of_many_names_come_in_small_pages(
    service: WandbService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_VALUES", 1_000)
    wide = {f"m{number}": np.arange(1_400) / 7 for number in range(10)}
    service.put_run(RUN, history_of=wide, live_rows=1_400)
    found = read_one(RUN)
    assert all(len(found.points(name)) == 1_400 for name in wide)
    assert service.requests.at("graphql:HistoryPage") == 4  # a hundred rows each


def test_two_exports_that_overlap_give_each_step_once(service: WandbService) -> None:
    service.put_run(RUN, history_of=columns(2_000), parts=2)
    service.store.execute("UPDATE runs SET exported_lines = 2000")
    (first, second) = service.store.rows("SELECT * FROM exports ORDER BY part")
    whole = service.ready_history(columns(1_500)).parts[0]
    service.store.execute("UPDATE exports SET blob = ? WHERE part = ?", whole[0], first["part"])
    assert second["first_step"] == 1_000
    found = read_one(RUN)
    assert logged(found.points("count")) == [(n, float(3 * n)) for n in range(2_000)]
    assert not found.losses
