"""Databases of others are read as their last whole transaction left them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from runferry.readers.sqlite_files import opened


def test_what_a_killed_writer_left_half_done_is_not_read(tmp_path: Path) -> None:
    path, killed = tmp_path / "project.db", tmp_path / "killed" / "project.db"
    killed.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("CREATE TABLE rows (said, filler)")
        writer.executemany("INSERT INTO rows VALUES ('whole', zeroblob(?))", [(2000,)] * 50)
        writer.execute("PRAGMA cache_size = 1")  # so that what is changed goes to the file early
        writer.execute("BEGIN")
        writer.execute("UPDATE rows SET said = 'half'")
        for found in sorted(tmp_path.glob(f"{path.name}*")):
            shutil.copy(found, killed.parent)
    before = {file.name: file.read_bytes() for file in killed.parent.iterdir()}
    assert len(before[f"{path.name}-journal"]) > 512
    with opened(killed) as connection:
        assert connection.execute("SELECT DISTINCT said FROM rows").fetchall() == [("whole",)]
    assert {file.name: file.read_bytes() for file in killed.parent.iterdir()} == before


def test_a_log_that_goes_while_it_is_copied_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, copied, copy = tmp_path / "project.db", list[str](), shutil.copyfile
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("CREATE TABLE rows (said)")
        writer.execute("BEGIN")
        writer.execute("INSERT INTO rows VALUES ('whole')")

        def as_it_ends(source: Path, target: Path) -> None:
            if source.name.endswith("-journal"):
                writer.execute("COMMIT")
            copied.append(source.name)
            copy(source, target)

        monkeypatch.setattr(shutil, "copyfile", as_it_ends)
        with opened(path) as connection:
            assert connection.execute("SELECT said FROM rows").fetchall() == [("whole",)]
    assert copied == ["project.db", "project.db-journal", "project.db"]
