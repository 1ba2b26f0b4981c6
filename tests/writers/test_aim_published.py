"""How a run comes into a repository of Aim's, and what Aim's users and processes do there."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import uuid
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.writers.aim_runs import QUERY, RUN, at, by_aim, facts, points, points_in, read, written

from runferry import chunks
from runferry.dialects.aim.own_store import LOGGED, Logged, Stated
from runferry.dialects.aim.places import DATABASE, HOME, STORE, chunk_at
from runferry.dialects.aim.process import Child, child
from runferry.errors import BadLocation, Refused
from runferry.model import Attribute, RunKey, Tree
from runferry.ports import Location
from runferry.testing.content import Content
from runferry.writers.aim import AimWriter
from runferry.writers.aim.process import _SCRIPT


@pytest.fixture
def place(aim_repository: Path, tmp_path: Path) -> Location:
    return Location("aim", str(shutil.copytree(aim_repository, tmp_path / "repo")))


def test_what_users_change_in_aims_pages_is_read_and_stays_while_a_run_grows(
    place: Location, tmp_path: Path
) -> None:
    values = [("loss", at(n), n / 4) for n in range(3)]
    run_hash = written(place, RUN, facts("loss"), points(values[:2]))
    edit = (
        "import aim, sys; props = aim.Repo(sys.argv[1]).request_props(sys.argv[2], False); "
        "props.name, props.archived = 'renamed', True; props.add_tag('c'); "
        "props.remove_tag('a'); props.add_note('look'); print(1)"
    )
    by_aim(edit, place.where, run_hash, cwd=tmp_path)
    for grown in (2, 3):
        header, found = read(place)
        assert (header.name, header.tags, header.key) == ("renamed", ("b", "c"), RUN.key)
        attributes = Content.of(found).attributes
        assert attributes["other", ("aim", "archived")] == "true"
        assert attributes["other", ("aim", "notes")] == '["look"]'
        assert sum(chunk.batch.num_rows for chunk in points_in(found)) == grown
        assert set(AimWriter.open(place).present() or {}) == {RUN.uid}
        written(place, RUN, facts("loss"), points(values))


def test_what_the_source_changes_of_them_and_no_user_has_is_changed_in_aim_too(
    place: Location,
) -> None:
    def said(**words: Tree) -> chunks.Attributes:
        items = words.items()
        return chunks.Attributes(tuple(Attribute(("aim", it), "other", to) for it, to in items))

    first = replace(RUN, key=RunKey("aim", "", "0123456789"), notes="", tags=("a", "b"))
    later = replace(first, notes="of it", tags=("c", "a"), project="farm")
    for run, stated in (
        (first, said(notes=["one", "two"], archived=True)),
        (later, said(notes=["two", "one"])),
    ):
        written(place, run, facts("loss"), points([("loss", at(0), 0.5)]), stated)
        header, found = read(place)
        assert (header.notes, header.project) == (run.notes, run.project)
        assert (header.tags, header.key) == (run.tags, run.key)
        wanted = Content.of([stated]).attributes
        assert Content.of(found).attributes == wanted
    shutil.rmtree(Path(place.where) / HOME / STORE)
    header, found = read(place)
    assert (header.notes, sorted(header.tags), header.project) == ("of it", ["a", "c"], "farm")
    attributes = Content.of(found).attributes
    assert attributes["other", ("aim", "notes")] == '["two","one"]'
    assert ("other", ("aim", "archived")) not in attributes


def test_a_note_that_names_no_run_moves_nothing_out_of_the_repository(place: Location) -> None:
    put = (facts("loss"), points([("loss", at(0), 0.5)]))
    run_hash = written(place, RUN, *put)
    (note,) = (Path(place.where) / HOME / STORE).rglob(LOGGED)
    note.write_text(note.read_text().replace(run_hash, "../../../../outside"))
    before = sorted(Path(place.where).parent.iterdir())
    written(place, RUN, *put)
    assert sorted(Path(place.where).parent.iterdir()) == before
    assert set(AimWriter.open(place).present() or {}) == {RUN.uid}


def test_what_aim_logs_on_to_a_run_is_read_and_the_next_push_writes_it_anew(
    place: Location, tmp_path: Path
) -> None:
    run_hash = written(place, RUN, facts("loss"), points([("loss", at(0), 0.5)]))
    log = (
        "import aim, sys; run = aim.Run(sys.argv[2], repo=sys.argv[1], "
        "system_tracking_interval=None, log_system_params=False); "
        "run.track(0.25, name='loss', step=7); run.close(); print(1)"
    )
    by_aim(log, place.where, run_hash, cwd=tmp_path)
    header, found = read(place)
    assert header.origin_uid == RUN.uid
    steps = [row["step"] for chunk in points_in(found) for row in chunk.batch.to_pylist()]
    assert steps == [0, 7]
    assert AimWriter.open(place).present() == {}
    assert written(place, RUN, facts("loss"), points([("loss", at(0), 0.5)])) == run_hash
    assert set(AimWriter.open(place).present() or {}) == {RUN.uid}


def test_a_file_that_goes_while_it_is_looked_at_is_no_error(tmp_path: Path) -> None:
    """RocksDB takes files away while somebody logs."""
    logged = Logged("abc", {"meta": {"1.sst": 4}, "seqs": {}}, {}, Stated(None, None, None))
    assert not logged.stands(tmp_path)
    chunk = chunk_at(tmp_path, "meta", "abc")
    chunk.mkdir(parents=True)
    (chunk / "1.sst").write_text("rows")
    assert logged.stands(tmp_path)
    (chunk / "2.sst").symlink_to(tmp_path / "gone")
    (chunk / "1.sst").unlink()
    assert not logged.stands(tmp_path)


def test_a_lock_that_a_killed_process_left_is_no_hindrance_and_one_that_is_held_is_an_error(
    place: Location,
) -> None:
    put = (facts("loss"), points([("loss", at(0), 0.5)]))
    locks = Path(place.where) / HOME / "locks"
    for process, is_refused in ((os.getpid(), True), (_dead(), False)):
        (locks / f"{RUN.uid[:24]}.softlock").write_text(f"{uuid.getnode()}-{process}-1.5")
        (locks / "structured_db_lock").write_text(f"{_dead()}\n{socket.gethostname()}\n")
        if is_refused:
            with pytest.raises(Refused, match=r"logs to the run"):
                written(place, RUN, *put)
            assert not chunk_at(Path(place.where) / HOME, "meta", RUN.uid[:24]).exists()
        else:
            written(place, RUN, *put)


def _dead() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_killed_anywhere_while_it_is_published_and_pushed_again_is_one_run(
    place: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the rows have come, the header, the row in the database; and before all of it."""
    home, put = Path(place.where) / HOME, (facts("loss"), points([("loss", at(0), 0.5)]))

    frames = Child.frames

    def killed(child: Child, *args: Any) -> Any:
        os.kill(child._process.pid, signal.SIGKILL)
        return frames(child, *args)

    with monkeypatch.context() as patched:
        patched.setattr(Child, "frames", killed)
        with pytest.raises(Refused):
            written(place, RUN, *put)
    run_hash = written(place, RUN, *put)
    before = by_aim(QUERY, place.where, cwd=tmp_path)
    for undo in (
        lambda: shutil.rmtree(chunk_at(home, "meta", run_hash)),
        lambda: _delete_row(home),
        lambda: None,
    ):
        undo()
        for folder in (home / STORE / "runs").iterdir():
            shutil.rmtree(folder)
        written(place, RUN, *put)
        assert [path.name for path in (home / "meta" / "chunks").iterdir()] == [run_hash]
        read(place)
    assert by_aim(QUERY, place.where, cwd=tmp_path) == before


def _delete_row(home: Path) -> None:
    with closing(sqlite3.connect(home / DATABASE)) as database:
        database.execute("DELETE FROM run")
        database.commit()


def test_a_ctrl_c_is_for_us_and_not_for_the_process_that_writes(aim_repository: Path) -> None:
    """A terminal sends it to a whole group; what is under way goes on to the next safe point."""
    with child(_SCRIPT) as asked:
        assert os.getpgid(asked._process.pid) != os.getpgrp()


def test_a_run_of_aims_that_comes_back_keeps_its_hash_where_nobody_has_it(place: Location) -> None:
    ours = replace(RUN, key=RunKey("aim", "", "0123456789abcdef01234567"))
    other = replace(ours, key=RunKey("aim", "elsewhere", ours.key.run_id))
    put = (facts("loss"), points([("loss", at(0), 0.5)]))
    written(place, ours, *put)
    written(place, other, *put)
    chunks_there = Path(place.where) / HOME / "meta" / "chunks"
    found = {path.name for path in chunks_there.iterdir()}
    assert found == {ours.key.run_id, other.uid[:24]}


def test_a_server_of_aims_is_a_bad_location() -> None:
    with pytest.raises(BadLocation, match="tracking server"):
        AimWriter.open(Location("aim", "//10.0.0.1:53800"))
