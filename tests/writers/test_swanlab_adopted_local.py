"""Runs that are added to one of the mode `local` are in its experiment of the local dashboard.

What `swanlab watch` makes of it is asked in tests/packaging/test_swanlab_watched.py.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from swanlab_service import written

from runferry import settings
from runferry.dialects.swanlab.adopted import LOCAL, NOTE, AdoptedNote, adopted_home
from runferry.errors import Declined, Refused
from runferry.model import Address, Blob, MediaItem
from runferry.ports import Location
from runferry.testing.recording import Recording, Sample
from runferry.testing.samples import START_NS, header
from runferry.writers.swanlab import adopted_run, dashboard_database

PICTURE = b"\x89PNG\r\n\x1a\n not really"


def recorded(run_id: str, *keys: str, rows: int = 3, lines: bool = False) -> Sample:
    """A run with numbers under these keys, a text and a picture."""
    recording = Recording(replace(header(run_id), name=run_id))
    for row in range(rows):
        values: dict[str, Any] = {key: float(row) for key in keys}
        recording.log({**values, "word": f"{run_id} {row}"}, step=row, time_ns=START_NS + row)
    picture = MediaItem("", Address(0), "image", Blob.from_bytes(PICTURE, "image/png"))
    recording.log({"picture": picture}, step=0, time_ns=START_NS)
    if lines:
        recording.console([("stdout", f"a line of {run_id}\n", START_NS)])
    return recording.sample()


OURS = recorded("owl", "loss", "acc")


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with one that its dashboard lists and compares, as a client leaves it."""
    swanlog = tmp_path_factory.mktemp("theirs") / "swanlog"
    settings.install(settings.Settings(swanlab_dashboard=True))
    try:
        written(Location("swanlab", str(swanlog)), recorded("lion", "loss")).close()
    finally:
        settings.install(None)
    shutil.rmtree(swanlog / "runferry")
    (folder,) = swanlog.glob("run-*")
    adopted_home(folder).mkdir(parents=True)
    (log,) = folder.glob("run-*.swanlab")
    note = AdoptedNote(log.stem.removeprefix("run-"), LOCAL)
    (adopted_home(folder) / NOTE).write_text(note.text())
    changed(swanlog, "UPDATE project SET charts = 1")
    return swanlog


@pytest.fixture
def swanlog(listed: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(listed, tmp_path / "swanlog"))


def run_in(swanlog: Path) -> Path:
    (folder,) = swanlog.glob("run-*")
    return folder


def add(swanlog: Path, sample: Sample = OURS) -> None:
    written(Location("swanlab", str(run_in(swanlog))), sample).close()


def changed(swanlog: Path, statement: str) -> None:
    with closing(sqlite3.connect(swanlog / "runs.swanlab")) as database, database:
        database.execute(statement)


def asked(swanlog: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(swanlog / "runs.swanlab")) as database:
        return database.execute(query).fetchall()


def dumped(swanlog: Path) -> list[str]:
    with closing(sqlite3.connect(swanlog / "runs.swanlab")) as database:
        return sorted(line for line in database.iterdump() if line.startswith("INSERT"))


def files_in(swanlog: Path) -> dict[str, bytes]:
    """What the dashboard reads, but for the database."""
    folder = run_in(swanlog)
    found = (path for name in ("logs", "media", "console") for path in (folder / name).rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found if path.is_file()}


def keys_of(swanlog: Path) -> dict[str, str]:
    """Keys of the experiment, and their folders, in the dashboard's order, which has no gap."""
    rows = asked(swanlog, "SELECT sort, name, folder FROM tag ORDER BY sort")
    assert [place for place, _, _ in rows] == [*range(len(rows))]
    return {name: folder for _, name, folder in rows}


def values_of(swanlog: Path, key: str) -> list[tuple[int, Any]]:
    home = run_in(swanlog) / "logs" / keys_of(swanlog)[key]
    lines = "".join(path.read_text() for path in sorted(home.glob("*.log"))).splitlines()
    return [(row["index"], row["data"]) for row in map(json.loads, lines)]


def test_what_is_added_stands_behind_the_clients_own_which_stays(
    swanlog: Path, listed: Path
) -> None:
    add(swanlog)
    assert [*keys_of(swanlog)] == [
        "loss", "word", "picture",
        "reference/loss", "acc", "reference/word", "reference/picture",
    ]  # fmt: skip
    assert values_of(swanlog, "reference/loss") == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert values_of(swanlog, "reference/word")[2] == (2, ["owl 2"])
    ((_, (name,)),) = values_of(swanlog, "reference/picture")
    media = run_in(swanlog) / "media"
    shown = media / keys_of(swanlog)["reference/picture"] / name
    assert shown.read_bytes() == PICTURE
    assert shown.samefile(media / "image" / name)
    assert files_in(listed).items() <= files_in(swanlog).items()
    assert {*dumped(listed)} <= {*dumped(swanlog)}
    assert asked(swanlog, "SELECT name, status FROM experiment") == [("lion", 1)]


def test_every_key_that_is_added_has_its_chart_and_is_compared_once(swanlog: Path) -> None:
    for _ in range(2):
        add(swanlog)
    charts = asked(
        swanlog,
        "SELECT tag.name, count(chart.experiment_id), count(chart.project_id), count(display.id)"
        " FROM tag JOIN source ON tag_id = tag.id JOIN chart ON source.chart_id = chart.id"
        " JOIN display ON display.chart_id = chart.id WHERE folder GLOB '*-*' GROUP BY tag.name",
    )
    assert charts == [
        ("acc", 1, 1, 2), ("reference/loss", 1, 1, 2),
        ("reference/picture", 1, 1, 2), ("reference/word", 1, 1, 2),
    ]  # fmt: skip


class Killed(BaseException):
    """As if the process were gone."""


def steps_of(monkeypatch: pytest.MonkeyPatch, swanlog: Path, dies_at: int) -> int:
    """Add a run, and die before the so manieth file is replaced or row written; how many were."""
    count = 0

    def counted(original: Any) -> Any:
        def called(*args: Any, **more: Any) -> Any:
            nonlocal count
            if count == dies_at:
                raise Killed
            count += 1
            return original(*args, **more)

        return called

    with monkeypatch.context() as patch:
        patch.setattr(adopted_run, "replace_file", counted(adopted_run.replace_file))
        listing = dashboard_database._Listing
        patch.setattr(listing, "_insert", counted(listing._insert))
        add(swanlog)
    return count


def test_killed_at_any_file_or_row_and_sent_again_equals_one_clean_run(
    swanlog: Path, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = steps_of(monkeypatch, swanlog, -1)
    clean = dumped(swanlog), files_in(swanlog)
    assert total > 30
    for dies_at in range(2, total, 8):
        shutil.rmtree(swanlog)
        shutil.copytree(listed, swanlog)
        with pytest.raises(Killed):
            steps_of(monkeypatch, swanlog, dies_at)
        assert dumped(swanlog) == dumped(listed)  # nobody sees a part
        add(swanlog)
        assert (dumped(swanlog), files_in(swanlog)) == clean


def test_a_run_that_is_sent_again_takes_its_own_place(swanlog: Path) -> None:
    for one in (OURS, recorded("lynx", "loss"), recorded("owl", "acc", rows=2)):
        add(swanlog, one)
    found = keys_of(swanlog)
    assert {*found} == {
        "loss", "word", "picture", "acc", "reference/word", "reference/picture",
        "reference/lynx/loss", "reference/lynx/word", "reference/lynx/picture",
    }  # fmt: skip
    assert values_of(swanlog, "acc") == [(0, 0.0), (1, 1.0)]
    assert values_of(swanlog, "reference/lynx/loss") == [(0, 0.0), (1, 1.0), (2, 2.0)]
    logs = run_in(swanlog) / "logs"
    assert {path.name for path in logs.iterdir()} == {*found.values()}


def test_a_key_that_the_dashboard_alone_knows_is_the_clients(swanlog: Path) -> None:
    """The log of a client that was killed lacks what was in its buffer."""
    changed(swanlog, "UPDATE tag SET name = 'acc' WHERE name = 'loss'")
    add(swanlog)
    assert keys_of(swanlog)["acc"] == "1"
    assert values_of(swanlog, "reference/acc")


def test_lines_are_those_of_the_first_who_has_any(swanlog: Path) -> None:
    for one in ("owl", "lynx"):
        add(swanlog, recorded(one, "loss", lines=True))
    (console,) = (run_in(swanlog) / "console").iterdir()
    assert console.read_text() == "a line of owl\n"


@pytest.fixture
def forgotten(swanlog: Path) -> Path:
    """Somebody has taken the experiment out of the dashboard."""
    changed(swanlog, "DELETE FROM experiment")
    return swanlog


def test_a_run_that_the_dashboard_has_forgotten_is_refused(forgotten: Path) -> None:
    with pytest.raises(Refused, match="does not list this run any more"):
        add(forgotten)


def test_a_database_that_is_none_is_told(swanlog: Path) -> None:
    (swanlog / "runs.swanlab").write_bytes(b"no database" * 100)
    with pytest.raises(Declined, match="not a database"):
        add(swanlog)


def test_lines_that_the_client_has_shown_are_not_shown_twice(swanlog: Path) -> None:
    """Its log may lack them, where it was killed; they are what this process printed, too."""
    console = run_in(swanlog) / "console"
    (console / "2026-11-23.log").write_text("a line of theirs\n")
    add(swanlog, recorded("owl", "loss", lines=True))
    assert [path.name for path in console.iterdir()] == ["2026-11-23.log"]
