"""A row, its file and the record that lists the file come in any order, over many reads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from tests.readers.gathered import pulled
from wandb.proto import wandb_internal_pb2 as pb
from wandb_runs import exit_record, folder_with, framed, gather_one, history_record, run_record

from runferry.archive.store import Archive
from runferry.ports import ReadOptions
from runferry.readers.wandb.row_media import RowMedia

NAME = "media/table/t_1.table.json"
OTHER = "media/images/nobody.png"


def _listing() -> pb.Record:
    record = pb.Record()
    record.files.files.add(path=NAME)
    return record


def _row() -> pb.Record:
    return history_record(1, t={"_type": "table-file", "path": NAME})


def _put(folder: Path, name: str) -> None:
    path = folder / "files" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    os.utime(path, (1_000_000_000, 1_000_000_000))  # as what was copied has times of its own


def _told(archive: Archive) -> tuple[object, ...]:
    (record,) = archive.records()
    return record.digest, _files(archive), record.losses


def _files(archive: Archive) -> list[str]:
    found = (archive.snapshot(record, "files") for record in archive.records())
    return sorted(str(row["path"]) for rows in found for row in rows)


@pytest.mark.parametrize("order", list(permutations(("listing", "row", "file"))))
@pytest.mark.parametrize("is_growing", [True, False], ids=["follow", "convert"])
@pytest.mark.parametrize("has_files", [True, False], ids=["files folder", "no files folder yet"])
def test_what_a_row_names_is_its_own_in_whichever_read_it_is_met(
    tmp_path: Path, order: tuple[str, ...], is_growing: bool, has_files: bool
) -> None:
    records = [run_record("r1", project="p"), history_record(0, loss=1)]
    folder = folder_with(tmp_path / "runs", records)
    first = ["media/images/first.png"] if has_files else []
    for name in first:
        _put(folder, name)
    if not has_files:
        (folder / "files").rmdir()
    met = []
    for event in order:
        if event == "file":
            _put(folder, NAME)
        else:
            records.append(_row() if event == "row" else _listing())
            (folder / "run-r1.wandb").write_bytes(framed(records))
        options = ReadOptions(is_growing=is_growing)
        archive = pulled(tmp_path / "runs", tmp_path / "grown", options=options)
        met += _files(archive)
    if is_growing:
        assert set(met) <= set(first)
    archive = pulled(tmp_path / "runs", tmp_path / "grown")
    once = pulled(tmp_path / "runs", tmp_path / "once")
    assert _told(archive) == _told(once)
    assert _told(once)[1] == first


@pytest.mark.parametrize("has_exit", [True, False], ids=["ended", "killed"])
def test_media_that_no_row_names_are_files_once_no_row_can_come(
    tmp_path: Path, has_exit: bool
) -> None:
    records = [run_record("r1", project="p"), _listing()]
    folder = folder_with(tmp_path / "runs", records)
    _put(folder, OTHER)
    growing = ReadOptions(is_growing=True)
    archive = pulled(tmp_path / "runs", tmp_path / "grown", options=growing)
    assert _told(archive)[1] == []
    if has_exit:
        (folder / "run-r1.wandb").write_bytes(framed([*records, exit_record()]))
        archive = pulled(tmp_path / "runs", tmp_path / "grown", options=growing)
    else:
        archive = pulled(tmp_path / "runs", tmp_path / "grown")
    assert _told(archive)[1] == [OTHER, NAME]  # the second without bytes
    assert _told(archive) == _told(pulled(tmp_path / "runs", tmp_path / "once"))


def test_a_medium_that_is_touched_is_no_file_of_its_own(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [run_record("r1"), _row()])
    _put(folder, NAME)
    first = gather_one(folder)
    os.utime(folder / "files" / NAME)
    again = gather_one(folder, first.cursor())
    assert not first.files
    assert not again.files


def test_names_of_old_clients_are_claimed_where_their_files_lie(tmp_path: Path) -> None:
    """They left the folder out."""
    row = history_record(1, i={"_type": "image-file", "path": "i_1.png"})
    folder = folder_with(tmp_path, [run_record("r1"), row])
    _put(folder, "media/images/i_1.png")
    found = gather_one(folder)
    assert [item.blob.is_missing for item in found.media] == [False]
    assert not found.files


def test_a_read_resolves_no_place_for_each_medium_that_a_row_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run may have tens of thousands, and a live mirror reads them at every poll."""
    names = [f"media/table/t_{number}.table.json" for number in range(20)]
    rows = [
        history_record(step, t={"_type": "table-file", "path": name})
        for step, name in enumerate(names)
    ]
    folder = folder_with(tmp_path, [run_record("r1"), *rows])
    for name in names:
        _put(folder, name)
    first = gather_one(folder)
    resolved: list[Path] = []
    resolve = Path.resolve
    monkeypatch.setattr(Path, "resolve", lambda path: (resolved.append(path), resolve(path))[1])
    assert not gather_one(folder, first.cursor()).files
    assert not [path for path in resolved if "media" in path.parts]


def test_a_name_is_looked_up_as_quickly_among_many_as_among_few() -> None:
    few, many = _quickest(100), _quickest(1_000_000)
    assert many[0] < 20 * few[0]
    assert many[1] < 20 * few[1]


def _quickest(names: int) -> tuple[float, float]:
    """Seconds that a look-up takes among names of earlier reads: claimed ones, and awaited ones."""
    hashes = np.arange(names, dtype=">u8").tobytes()
    media = RowMedia(claimed=hashes, awaited=hashes)
    return _seconds(media.is_claimed), _seconds(lambda name: media.check("run", name))


def _seconds(look_up: Callable[[str], object]) -> float:
    look_up("first")
    taken = []
    for number in range(100):
        began = time.perf_counter()
        look_up(f"media/{number}")
        taken.append(time.perf_counter() - began)
    return min(taken)
