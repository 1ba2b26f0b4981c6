"""The page about a transfer, as a browser shows it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from tests.cli.calling import Answer, Caller
from tests.shown.conftest import chromium as chromium  # noqa: PLC0414  a fixture

from runferry.archive.store import Archive
from runferry.errors import ExitCode
from runferry.losses import Fate, Loss
from runferry.model import Uid
from runferry.pictures.page import page
from runferry.pictures.told import Holdings, Told, ToldPhase, ToldRun
from runferry.testing.recording import Recording
from runferry.testing.samples import header

EXAMPLE = Path(__file__).parents[2] / "examples" / "wandb"
HOSTILE = (
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=2>",
    '"><svg onload=window.hacked=3>',
    "\u202ename & co \x1b[31m\u2028",
)


class Shown:
    """A page that a browser has opened from a file."""

    def __init__(self, browser: WebDriver, path: Path) -> None:
        self.browser = browser
        browser.get("about:blank")
        browser.get_log("browser")  # type: ignore[no-untyped-call]
        began = time.monotonic()
        browser.get(path.as_uri())
        self.seconds = time.monotonic() - began
        self.complaints = browser.get_log("browser")  # type: ignore[no-untyped-call]

    def do(self, script: str) -> Any:
        return self.browser.execute_script(script)  # type: ignore[no-untyped-call]

    @property
    def text(self) -> str:
        return self.browser.find_element(By.TAG_NAME, "body").text

    @property
    def tiles(self) -> dict[str, str]:
        found = self.do(
            "return [...document.querySelectorAll('[data-tile]')]"
            ".map(e => [e.dataset.tile, e.firstChild.textContent])"
        )
        return dict(found)

    @property
    def losses(self) -> dict[tuple[str, str], int]:
        found = self.do(
            "return [...document.querySelectorAll('[data-loss]')]"
            ".map(e => [e.dataset.loss, e.dataset.fate, +e.dataset.count])"
        )
        return {(code, fate): count for code, fate, count in found}


@pytest.fixture(scope="module")
def converted(
    tmp_path_factory: pytest.TempPathFactory, empty_store: Path
) -> Iterator[tuple[Path, Answer]]:
    """The example in MLflow, the page about it, and the report as JSON."""
    folder = tmp_path_factory.mktemp("converted")
    (folder / "runs.db").write_bytes(empty_store.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        answer = Caller(folder)(
            "convert", EXAMPLE, "mlflow:sqlite:///runs.db", "--report", "report.html", "--json"
        )
        assert answer.code == 0, answer.err
        yield folder, answer


def test_the_pages_numbers_are_the_reports(
    chromium: WebDriver, converted: tuple[Path, Answer]
) -> None:
    folder, answer = converted
    report = answer.json
    shown = Shown(chromium, folder / "report.html")
    outcomes = report["push"]["runs"]
    counted: dict[tuple[str, str], int] = {}
    for loss in (loss for outcome in outcomes for loss in outcome["losses"]):
        kind = (loss["code"], loss["fate"])
        counted[kind] = counted.get(kind, 0) + loss["count"]
    assert shown.losses == counted
    assert shown.tiles["runs"] == str(len(outcomes))
    assert shown.tiles["rows moved"] == f"{sum(outcome['rows'] for outcome in outcomes):,}"
    assert shown.tiles["lost"] == "0"
    assert shown.tiles["in another form"] == f"{sum(counted.values()):,}"
    phases = shown.do("return [...document.querySelectorAll('[data-phase]')].map(e => e.innerText)")
    assert [text.split()[0] for text in phases] == ["pull", "push", "verify"]
    assert "Every value was read back" in shown.text
    rows = shown.do("return [...document.querySelectorAll('table')].at(-1).tBodies[0].rows.length")
    assert rows == len(outcomes)
    for outcome in outcomes:
        assert outcome["run"] in shown.text
        assert outcome["remote"] in shown.text


def test_the_page_asks_nobody_for_anything(
    chromium: WebDriver, converted: tuple[Path, Answer]
) -> None:
    shown = Shown(chromium, converted[0] / "report.html")
    assert shown.do("return performance.getEntriesByType('resource').length") == 0
    assert shown.complaints == []
    assert "http://" not in (converted[0] / "report.html").read_text()


def test_curves_before_and_after_are_alike_where_all_values_are(
    chromium: WebDriver, converted: tuple[Path, Answer]
) -> None:
    shown = Shown(chromium, converted[0] / "report.html")
    cards = shown.do(
        "return [...document.querySelectorAll('.curve')].map(e => [e.className, "
        "e.querySelector('svg').getAttribute('aria-label'), e.querySelectorAll('use').length])"
    )
    assert len(cards) == 8
    assert {kind for kind, _, _ in cards} == {"curve alike"}
    assert {drawn for _, _, drawn in cards} == {2}
    assert "train/loss: 40 values, 1 NaN, before and after" in [label for _, label, _ in cards]


def test_a_value_that_was_changed_there_is_seen_in_its_curve(
    chromium: WebDriver, converted: tuple[Path, Answer]
) -> None:
    folder, _ = converted
    with sqlite3.connect(folder / "runs.db") as database:
        database.execute("UPDATE metrics SET value = 99 WHERE key = 'train/loss' AND step = 20")
    database.close()
    answer = Caller(folder)("report", ".runferry", "mlflow:sqlite:///runs.db", "-o", "later.html")
    assert answer.code == 0, answer.err
    shown = Shown(chromium, folder / "later.html")
    unlike = shown.do(
        "return [...document.querySelectorAll('.curve.unlike b')].map(e => e.innerText)"
    )
    assert set(unlike) == {"train/loss"}
    assert "verified before" in shown.text


@pytest.mark.parametrize("width", [340, 390, 800, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_window_and_can_be_read(
    chromium: WebDriver, converted: tuple[Path, Answer], width: int, scheme: str
) -> None:
    """Text and what lies behind it differ in lightness as the guidelines for contrast ask."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)  # type: ignore[attr-defined]
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})  # type: ignore[attr-defined]
    try:
        shown = Shown(chromium, converted[0] / "report.html")
        assert shown.do("return document.documentElement.scrollWidth") <= width
        assert shown.do(_WORST_CONTRAST) >= 4.5
        assert shown.do(_LINES_OF_A_SUMMARY) == 1
    finally:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})  # type: ignore[attr-defined]
        chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})  # type: ignore[attr-defined]


_LINES_OF_A_SUMMARY = """
return Math.max(...[...document.querySelectorAll('summary')].map(e =>
  Math.round(e.offsetHeight / parseFloat(getComputedStyle(e).lineHeight))));
"""
_WORST_CONTRAST = """
const part = c => (c /= 255) <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
const light = ([r, g, b]) => .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
const behind = e => {
  for (; e; e = e.parentElement) {
    const found = numbers(getComputedStyle(e).backgroundColor);
    if (found.length < 4 || found[3] > 0) return found;
  }
  return [255, 255, 255];
};
return Math.min(...[...document.querySelectorAll('body *')].filter(e => e.checkVisibility()
  && !e.disabled
  && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())).map(e => {
    const pair = [light(numbers(getComputedStyle(e).color)), light(behind(e))];
    return (Math.max(...pair) + .05) / (Math.min(...pair) + .05);
  }));
"""


def test_names_from_the_data_stay_text(chromium: WebDriver, runferry: Caller) -> None:
    archive = Archive.open(runferry.folder / "kept", create=True)
    for n, name in enumerate(HOSTILE):
        run = Recording(replace(header(f"id{n}"), name=name, project=name))
        for step in range(3):
            run.log({name: step + 0.5}, step=step)
        with archive.draft(run.run) as draft:
            for chunk in run.sample().chunks:
                draft.put(chunk)
            draft.commit()
    answer = runferry("push", "kept", "tensorboard:./logs", "--report", "report.html")
    assert answer.code in (0, 3), answer.err
    shown = Shown(chromium, runferry.folder / "report.html")
    assert shown.do("return window.hacked === undefined")
    assert shown.do("return document.querySelectorAll('img, main svg svg').length") == 0
    assert shown.complaints == []
    names = shown.do("return [...document.querySelectorAll('h3')].map(e => e.textContent)")
    for name in HOSTILE[:3]:
        assert any(name in text for text in names), name


def told_of(runs: int) -> Told:
    lossy = (
        Loss("long-text", Fate.DROPPED, "note", 2, "longer than 500 characters"),
        Loss("finer-time", Fate.REENCODED, "loss", 100, "times are cut"),
    )
    told = [
        ToldRun(
            Uid(f"{n:032x}"), f"team/project/run-{n:05}", "new", f"name {n}", "project", 1000, 10,
            f"{n:032x}", lossy if n % 3 == 0 else lossy[1:], (), "foretold",
        )
        for n in range(runs)
    ]  # fmt: skip
    phase = ToldPhase("push", "wandb:team", "mlflow:sqlite:///x.db", {"new": runs}, runs * 1000)
    return Told(
        "wandb:team", "mlflow:sqlite:///x.db", Fate.REENCODED, ExitCode.LOSS, (phase,), told,
        Holdings(runs, runs, runs), is_verified=True,
    )  # fmt: skip


def test_ten_thousand_runs_are_a_page_that_opens_and_is_searched(
    chromium: WebDriver, tmp_path: Path
) -> None:
    path = tmp_path / "large.html"
    with path.open("w", encoding="utf-8") as stream:
        pieces = page(told_of(10_000), (), datetime.now(UTC))
        largest = max(stream.write(piece) for piece in pieces)
    assert path.stat().st_size < 6_000_000
    assert largest < 100_000  # no piece grows with the runs
    shown = Shown(chromium, path)
    assert shown.seconds < 20
    assert shown.do("return document.querySelectorAll('*').length") < 2500
    assert shown.losses[("long-text", "dropped")] == 2 * 3334
    search = chromium.find_element(By.ID, "search")
    search.send_keys("run-09999")
    assert "1 of 10,000 runs, page 1 of 1" in shown.text
    search.clear()
    search.send_keys("run-")
    chromium.find_element(By.ID, "on").click()
    assert "page 2 of 100" in shown.text
    assert "name 100" in shown.text


@pytest.mark.parametrize("name", ["report.pdf", "nowhere/report.html", ".", ""])
def test_a_page_that_cannot_be_written_is_refused_before_anything_moves(
    runferry: Caller, name: str
) -> None:
    refused = runferry("convert", EXAMPLE, "tensorboard:./logs", "--report", name)
    assert refused.code == 2
    assert name in refused.err
    assert not (runferry.folder / "logs").exists()


def test_what_an_archive_did_not_send_is_said_on_the_page(runferry: Caller) -> None:
    runferry("pull", EXAMPLE, "kept")
    answer = runferry("report", "kept", "tensorboard:./logs", "--json")
    assert answer.code == 4
    assert answer.json == {"schema": 1, "report": "report.html", "exit_code": 4, "runs": 2}
    text = (runferry.folder / "report.html").read_text(encoding="utf-8")
    assert "2 runs not sent, or not in whole" in text
    (runs,) = text.split('id="runs">')[1:]
    rows = json.loads(runs.split("</script>")[0])
    assert {row["status"] for row in rows} == {"not sent"}


def test_a_page_that_fails_at_the_end_hides_nothing_of_the_transfer(runferry: Caller) -> None:
    (runferry.folder / "report.html").mkdir()
    answer = runferry("convert", EXAMPLE, "tensorboard:./logs", "--report", "report.html", "--json")
    assert answer.code == 1
    assert answer.json["exit_code"] == 0
    assert len(answer.json["push"]["runs"]) == 2
    assert "the report cannot be written" in answer.err
    assert not list(runferry.folder.glob(".report*"))


def recorded(folder: Path, steps: int) -> None:
    """A run in the archive `kept`, with so many steps."""
    run = Recording(header("grows"))
    for step in range(steps):
        run.log({"loss": step + 0.5}, step=step)
    with Archive.open(folder / "kept", create=True).draft(run.run) as draft:
        for chunk in run.sample().chunks:
            draft.put(chunk)
        draft.commit()


def test_a_run_that_grew_after_it_was_verified_has_not_arrived(runferry: Caller) -> None:
    recorded(runferry.folder, 5)
    runferry("convert", "archive:kept", "jsonl:out")
    sent = runferry("report", "kept", "jsonl:out", "-o", "sent.html")
    assert sent.code == 0, sent.err
    text = (runferry.folder / "sent.html").read_text(encoding="utf-8")
    assert "Everything arrived" in text
    assert "verified before" in text
    recorded(runferry.folder, 10)
    assert runferry("report", "kept", "jsonl:out", "-o", "grown.html").code == 4
    text = (runferry.folder / "grown.html").read_text(encoding="utf-8")
    assert "1 run not sent, or not in whole" in text
    assert "grown since" in text
    assert "verified before" not in text


def test_a_report_that_was_not_written_is_not_named(runferry: Caller) -> None:
    recorded(runferry.folder, 3)
    (runferry.folder / "report.html").mkdir()
    answer = runferry("report", "kept", "jsonl:out", "--json")
    assert answer.code == 1
    assert answer.json == {"schema": 1, "report": None, "exit_code": 1, "runs": 1}


def test_a_report_ends_as_its_page_says() -> None:
    told = replace(told_of(3), exit_code=None)
    assert told.ending is ExitCode.LOSS
    assert replace(told, allowed=Fate.DROPPED).ending is ExitCode.DONE
    unsent = [replace(told.runs[0], status="half sent")]
    assert replace(told, runs=unsent).ending is ExitCode.SOME_FAILED


def test_a_damaged_segment_costs_the_curves_of_its_run_alone(runferry: Caller) -> None:
    recorded(runferry.folder, 3)
    runferry("convert", EXAMPLE, "jsonl:out", "--archive", "kept")
    runferry("push", "kept", "jsonl:out")
    archive = Archive.open(runferry.folder / "kept")
    (broken,) = (record for record in archive.records() if record.run.key.run_id == "grows")
    (segment, *_) = broken.of("points")
    (archive.path / segment.path).write_bytes(b"PAR1")
    answer = runferry("report", "kept", "jsonl:out")
    assert answer.code == 0, answer.err
    text = (runferry.folder / "report.html").read_text(encoding="utf-8")
    assert text.count('<figure class="curve alike">') == 8
    assert "the archive cannot be read: a segment has 4 bytes" in text
