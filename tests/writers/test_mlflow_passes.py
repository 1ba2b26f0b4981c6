"""Rows are compared in so many passes that no more hashes are held at once than allowed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.writers.mlflow_runs import SERIES, content, header, pulled, push, random_points

from runferry.chunks import Chunk, Points, SeriesFacts
from runferry.dialects.mlflow import points
from runferry.ports import Location
from runferry.readers.mlflow import counterparts
from runferry.writers.mlflow import MlflowWriter, superseded

AT_ONCE = 100


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many hashes were held, each time that any were; few are allowed."""
    counts: list[int] = []
    ordered = points.sorted_hashes

    def counting(batches: Iterator[NDArray[np.uint64]]) -> NDArray[np.uint64]:
        hashes = ordered(batches)
        counts.append(len(hashes))
        return hashes

    for module in (counterparts, superseded):
        monkeypatch.setattr(module, "sorted_hashes", counting)
    monkeypatch.setattr(points, "AT_ONCE", AT_ONCE)
    return counts


def sent(*seeds: int) -> list[Chunk]:
    return [SeriesFacts(SERIES), *(Points(random_points(seed, 150)) for seed in seeds)]


@pytest.mark.parametrize("way", ["sqlite", "server"])
def test_a_run_is_read_in_passes_whoever_holds_it(
    way: str, database: Path, served: tuple[str, Path], held: list[int]
) -> None:
    where, path = served if way == "server" else (f"sqlite:///{database}", database)
    writer = MlflowWriter.open(Location("mlflow", where))
    remote = push(writer, header("passes"), sent(1, 2, 3, 4))
    writer.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        chosen = "run_uuid = ? AND key = 'loss'"
        (gone,) = connection.execute(
            f"SELECT min(rowid) FROM metrics WHERE {chosen}", (remote,)
        ).fetchone()
        connection.execute("DELETE FROM metrics WHERE rowid = ?", (gone,))
        connection.execute(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)"
            " VALUES ('loss', 4.5, 1, ?, 9, 0)", (remote,),
        )  # fmt: skip
    back, whole = content(pulled(where, remote)), content(sent(1, 2, 3, 4))
    assert len([row for row in back["points"] if row not in whole["points"]]) == 1
    assert len(back["lost"]) == 1
    assert len(held) == 2 * 6  # 600 rows, both sides
    assert max(held) < 1.5 * AT_ONCE


def test_what_a_later_sending_lacks_is_found_in_passes(database: Path, held: list[int]) -> None:
    where = f"sqlite:///{database}"
    writer = MlflowWriter.open(Location("mlflow", where))
    push(writer, header(), sent(1, 2, 3, 4))
    remote = push(writer, header(), sent(2, 4, 5))
    writer.close()
    assert len(held) == 6
    assert max(held) < 1.5 * AT_ONCE
    held.clear()
    assert content(pulled(where, remote))["points"] == content(sent(2, 4, 5))["points"]
