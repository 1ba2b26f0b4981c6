"""What a real TensorBoard shows of a folder of event files, read from its page.

The page is TensorBoard 2.21's. Its tabs are Polymer elements inside shadow roots, so a look walks
through all of them; it returns only what takes room on the screen. A card that is still loading
is waited for, and given as None if it stays so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
from tests.shown.tensorboard_server import PATIENCE_S, DataPath, Server, served

Place = tuple[str, str]  # run, tag

_LOOK = """
const all = (selector, root = document) => [
  ...root.querySelectorAll(selector),
  ...[...root.querySelectorAll('*')].flatMap(e => e.shadowRoot ? all(selector, e.shadowRoot) : []),
];
const isShown = e => e.checkVisibility() && e.getBoundingClientRect().width > 0;
const shown = (selector, root = document) => all(selector, root).filter(isShown);
for (const section of shown('tf-category-paginated-view'))
  if (!section.opened) section.shadowRoot.querySelector('button').click();
const normal = colour => { const s = new Option().style; s.color = colour; return s.color; };
const path = mark => mark.getAttribute('d') || '';
const count = (marks, character) => marks.map(m => path(m).split(character).length - 1);
const curves = (card, runOf) => shown('tf-line-chart-data-loader', card.shadowRoot)
  .flatMap(chart => chart.dataSeries.map(series => {
    const colour = normal(chart.colorScale.scale(series));
    const marks = kind => all(`path.${kind}`, chart.shadowRoot)
      .filter(m => [getComputedStyle(m).stroke, getComputedStyle(m).fill].includes(colour));
    const corners = Math.max(0, ...count(marks('line'), /[ML]/));  // smoothed, and as it is
    const [triangles, last] = [marks('symbol').filter(m => path(m).startsWith('M0,-')),
                               marks('symbol').filter(m => path(m).startsWith('M4,0'))];
    const drawn = corners > 0 && last.some(isShown) ? corners : null;
    return [runOf(series), card.tag, drawn, count(triangles, 'Z').reduce((sum, n) => sum + n, 0)];
  }));
"""


@dataclass(frozen=True)
class Curve:
    """The corners of a drawn line, and the triangles that stand for NaN and infinity."""

    points: int
    triangles: int = 0


@dataclass(frozen=True)
class Seen:
    """All that a page shows, tab by tab."""

    scalars: dict[Place, Curve | None] = field(default_factory=dict)
    latest: dict[Place, str | None] = field(default_factory=dict)  # rounded to be read
    images: dict[Place, list[tuple[int, int]] | None] = field(default_factory=dict)  # sizes, px
    audio: dict[Place, float | None] = field(default_factory=dict)  # seconds
    texts: dict[Place, str | None] = field(default_factory=dict)
    histograms: dict[Place, int | None] = field(default_factory=dict)  # outlines, one a step
    pr_curves: dict[Place, int | None] = field(default_factory=dict)  # corners of the curve
    hparams: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """A TensorBoard in a browser."""

    browser: WebDriver
    server: Server

    def tabs(self) -> list[str]:
        """The tabs of plugins that have something to show."""
        return list(self._tabs())

    def _tabs(self) -> dict[str, WebElement]:
        script = "return shown('[role=tab]').map(tab => [tab.innerText.trim(), tab]);"
        return {name: tab for name, tab in self._run(script) if name}

    def _run(self, script: str) -> list[Any]:
        found = self.browser.execute_script(f"{_LOOK}\n{script}")
        return list(found)

    def look(self, tab: str, script: str) -> list[Any]:
        """What the script finds in this tab, once it is whole and stays so; [] without the tab."""
        tabs = self._tabs()
        if tab not in tabs:
            return []
        tabs[tab].click()
        until, before, found = time.monotonic() + PATIENCE_S, list[Any](), list[Any]()
        while time.monotonic() < until:
            found = self._run(script)
            if found and found == before and all(None not in row for row in found):
                break
            before = found
            time.sleep(0.1)
        return found


def scalar_cards(page: Page) -> dict[Place, Curve | None]:
    """The curves of the SCALARS tab; up to seven runs, which is as many as it has colours for."""
    script = """
    shown('tf-scalar-dashboard').forEach(d => { d._ignoreYOutliers = false; });
    return shown('tf-scalar-card').flatMap(card => curves(card, series => JSON.parse(series)[1]));
    """
    found = page.look("SCALARS", script)
    return {(run, tag): points and Curve(points, nan) for run, tag, points, nan in found}


def latest_values(page: Page) -> dict[Place, str | None]:
    """The values in the tables below the curves of TIME SERIES, the tab that opens first."""
    script = """
    shown('metrics-card-group-toolbar [svgicon=expand_more_24px]')
      .forEach(folded => folded.parentNode.click());
    return shown('scalar-card').flatMap(card => {
      const cells = row => [...row.children].map(cell => cell.innerText.trim());
      const headings = shown('tb-data-table-header-cell', card).map(e => e.innerText.trim());
      const tag = shown('.tag', card)[0].title;
      const rows = shown('tb-data-table-content-row', card).map(cells)
        .map(row => [row[headings.indexOf('Run')], tag, row[headings.indexOf('Value')] || null]);
      return rows.length ? rows : [['', tag, null]];
    });
    """
    return {(run, tag): value for run, tag, value in page.look("TIME SERIES", script)}


def images(page: Page) -> dict[Place, list[tuple[int, int]] | None]:
    """Width and height of the pictures of the IMAGES tab as the browser decoded them."""
    script = """
    return shown('tf-image-loader').map(card => {
      const [image] = shown('img', card.shadowRoot);
      return [card.run, card.tag, image && image.complete && image.naturalWidth
        ? [image.naturalWidth, image.naturalHeight] : null];
    });
    """
    found: dict[Place, list[tuple[int, int]] | None] = {}
    for run, tag, size in page.look("IMAGES", script):
        sizes = found.setdefault((run, tag), [])
        if size is None or sizes is None:
            found[run, tag] = None
        else:
            sizes.append(tuple(size))
    return found


def audio(page: Page) -> dict[Place, float | None]:
    """The lengths of the AUDIO tab's players, as the browser decoded them."""
    script = """
    return shown('tf-audio-loader').map(card => {
      const [player] = shown('audio', card.shadowRoot);
      return [card.run, card.tag, player && player.readyState ? player.duration : null];
    });
    """
    return {(run, tag): seconds for run, tag, seconds in page.look("AUDIO", script)}


def texts(page: Page) -> dict[Place, str | None]:
    """What the TEXT tab lets one read of each tag's latest step."""
    script = """
    return shown('tf-text-loader').map(card => [card.run, card.tag,
      shown('#markdown', card.shadowRoot).map(e => e.innerText).join('\\n') || null]);
    """
    return {(run, tag): text for run, tag, text in page.look("TEXT", script)}


def histograms(page: Page) -> dict[Place, int | None]:
    """How many outlines the HISTOGRAMS tab draws."""
    script = """
    return shown('tf-histogram-loader').map(card => [card.run, card.tag,
      shown('.histogram path.outline', card.shadowRoot).length || null]);
    """
    return {(run, tag): outlines for run, tag, outlines in page.look("HISTOGRAMS", script)}


def pr_curves(page: Page) -> dict[Place, int | None]:
    """The corners of the curves of the PR CURVES tab."""
    script = "return shown('tf-pr-curve-card').flatMap(card => curves(card, series => series));"
    return {(run, tag): points for run, tag, points, _ in page.look("PR CURVES", script)}


def hparams_rows(page: Page) -> list[dict[str, str]]:
    """The table of the HPARAMS tab: what stands in it under each heading."""
    script = """
    const cells = row => [...row.children].map(cell => cell.querySelector('slot'))
      .flatMap(slot => slot.assignedNodes()).filter(isShown).map(cell => cell.innerText.trim());
    const rows = part => shown('vaadin-grid').flatMap(g => shown(`#${part} tr`, g.shadowRoot));
    return rows('items').length ? [...rows('header'), ...rows('items')].map(cells) : [];
    """
    headings, *rows = page.look("HPARAMS", script) or [[]]
    return [dict(zip(headings, row, strict=True)) for row in rows]


def seen(page: Page) -> Seen:
    """All of it."""
    return Seen(
        scalar_cards(page),
        latest_values(page),
        images(page),
        audio(page),
        texts(page),
        histograms(page),
        pr_curves(page),
        hparams_rows(page),
    )


@contextmanager
def shown(browser: WebDriver, logdir: Path, data_path: DataPath) -> Iterator[Page]:
    """The page of a TensorBoard that has read all of this folder."""
    with served(logdir, data_path) as server:
        page = Page(browser, server)
        browser.get(server.url)
        until = time.monotonic() + PATIENCE_S
        while not page.tabs() and time.monotonic() < until:
            time.sleep(0.1)
        yield page
