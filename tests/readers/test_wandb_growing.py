"""Files that are cut, damaged or still being written: an exact prefix, then exactly the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from wandb.proto import wandb_internal_pb2 as pb
from wandb_runs import (
    BLOCK,
    Gathered,
    exit_record,
    folder_with,
    framed,
    gather,
    gather_one,
    history_record,
    line_record,
    opened,
    pulled,
    run_record,
    small_run,
    stats_record,
)

from runferry.errors import SourceChanged, UnknownVersion
from runferry.losses import Fate, LossLedger
from runferry.model import Cursor

TABLES = ("points", "texts", "histograms", "console")


def database(tmp_path: Path, content: bytes = b"") -> Path:
    path = tmp_path / "run-r1.wandb"
    path.write_bytes(content)
    return path


def rows_of(*found: Gathered) -> dict[str, list[dict[str, Any]]]:
    return {table: [row for one in found for row in one.rows(table)] for table in TABLES}


def long_run_records(steps: int) -> list[pb.Record]:
    records = [run_record("r1", project="p")]
    for step in range(steps):
        records.append(history_record(step, loss=step / 3, text="x" * 300))
        records.append(stats_record(1_700_000_000 + step, cpu=step))
        records.append(line_record(f"line {step}\n"))
    return records


def long_run(steps: int) -> bytes:
    return framed([*long_run_records(steps), exit_record(0, 9)])


def test_truncated_anywhere_gives_an_exact_prefix(tmp_path: Path) -> None:
    content = framed(small_run(steps=3))
    whole = rows_of(gather_one(database(tmp_path, content)))
    longest = dict.fromkeys(TABLES, 0)
    for length in range(8, len(content) + 1):
        found = gather_one(database(tmp_path, content[:length]))
        rows = rows_of(found)
        for table in TABLES:
            count = len(rows[table])
            assert rows[table] == whole[table][:count], (length, table)
            assert count >= longest[table]
            longest[table] = count
        assert found.header.complete == (length == len(content)), length
        assert {loss.code for loss in found.losses} <= {"cut-tail"}
    assert longest == {table: len(rows) for table, rows in whole.items()}


def test_a_file_cut_in_its_header_is_a_run_by_its_name(tmp_path: Path) -> None:
    for length in range(8):
        found = gather_one(database(tmp_path, framed([])[:length]))
        assert found.run.key.run_id == "r1"
        assert not found.header.complete


@pytest.mark.parametrize("pieces", [2, 5, 17])
def test_a_growing_file_read_on_from_the_cursor_gives_exactly_the_rest(
    tmp_path: Path, pieces: int
) -> None:
    content = long_run(600)
    whole = rows_of(gather_one(database(tmp_path, content)))
    found: list[Gathered] = []
    cursor: Cursor | None = None
    for piece in range(1, pieces + 1):
        path = database(tmp_path, content[: len(content) * piece // pieces])
        found.append(gather_one(path, cursor))
        cursor = found[-1].cursor(cursor)
    assert rows_of(*found) == whole
    assert found[-1].header.complete
    assert all(not one.header.complete for one in found[:-1])
    assert not [loss for one in found for loss in one.losses if loss.fate > Fate.KEPT]


def test_read_again_without_a_change_gives_nothing_but_the_ending(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, small_run())
    (folder / "files" / "notes.txt").write_text("x")
    first = gather_one(folder)
    again = gather_one(folder, first.cursor())
    assert again.count == 2
    assert again.header == first.header
    assert again.position == first.position


def test_a_cursor_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    first = gather_one(database(tmp_path, framed(small_run(steps=5))))
    path = database(tmp_path, framed(small_run(steps=5, host="h")))
    with pytest.raises(SourceChanged):
        gather_one(path, first.cursor())
    with pytest.raises(SourceChanged):
        gather_one(database(tmp_path, framed(small_run(steps=5))[:200]), first.cursor())
    with pytest.raises(SourceChanged):
        gather_one(path, Cursor({"offset": 3}))


@pytest.mark.parametrize("origin", [0, 7])
def test_a_flipped_byte_loses_only_what_touches_its_block(tmp_path: Path, origin: int) -> None:
    records = [run_record("r1", project="p")]
    records += [history_record(step, loss=step / 3, text="x" * 300) for step in range(1000)]
    content = bytearray(framed([*records, exit_record()], origin=origin))
    whole = [row["step"] for row in gather_one(database(tmp_path, bytes(content))).rows("texts")]
    assert whole == list(range(1000))
    place = 5 * BLOCK + 1234
    content[place] ^= 0x40
    found = gather_one(database(tmp_path, bytes(content)))
    steps = [row["step"] for row in found.rows("texts")]
    lost = sorted(set(whole) - set(steps))
    assert 0 < len(lost) <= BLOCK // 300 + 2
    assert lost == list(range(lost[0], lost[-1] + 1))
    assert found.header.complete
    losses = [loss for loss in found.losses if loss.code == "damaged-bytes"]
    assert losses
    assert all(loss.fate is Fate.DROPPED and loss.count > 0 for loss in losses)
    offsets = [int(loss.where.partition("@")[2]) for loss in losses]
    assert place - 2 * BLOCK < min(offsets) <= place


@pytest.mark.parametrize("bit", range(16))
def test_a_flipped_length_costs_one_row_of_a_small_file_and_is_a_loss(
    tmp_path: Path, bit: int
) -> None:
    records = [run_record("r1"), *(history_record(step, loss=step) for step in range(200))]
    content = bytearray(framed([*records, exit_record()]))
    content[len(framed(records[:10])) + 4 + bit // 8] ^= 1 << bit % 8
    found = gather_one(database(tmp_path, bytes(content)))
    assert [row["step"] for row in found.rows("points")] == [n for n in range(200) if n != 9]
    assert found.header.complete
    assert [(loss.code, loss.fate) for loss in found.losses] == [("damaged-bytes", Fate.DROPPED)]


def test_a_cut_end_is_a_loss_only_where_nobody_can_still_be_writing(tmp_path: Path) -> None:
    records = [run_record("r1"), history_record(0, loss=0.5)]
    open_end = gather_one(database(tmp_path, framed(records) + b"\0\0\0"))
    assert [(loss.code, loss.fate) for loss in open_end.losses] == [("cut-tail", Fate.KEPT)]
    ended = gather_one(database(tmp_path, framed([*records, exit_record()]) + b"\0\0\0"))
    assert [(loss.code, loss.fate) for loss in ended.losses] == [("cut-tail", Fate.DROPPED)]


def test_a_cut_end_that_could_grow_is_a_loss_once_the_run_went_on_elsewhere(
    tmp_path: Path,
) -> None:
    records = [run_record("r1", 1000), history_record(0, loss=0.5), history_record(1, loss=0.5)]
    folder = folder_with(tmp_path, records, when="20240101_000000")
    (folder / "run-r1.wandb").write_bytes(framed(records)[:-5])
    first = gather_one(tmp_path)
    assert [(loss.code, loss.fate) for loss in first.losses] == [("cut-tail", Fate.KEPT)]
    resumed = [run_record("r1", 2000, resume=True), history_record(1, loss=0.5), exit_record()]
    folder_with(tmp_path, resumed, when="20240102_000000")
    second = gather_one(tmp_path, first.cursor())
    left = LossLedger()
    left.extend([*first.losses, *second.losses])
    assert [(loss.code, loss.fate) for loss in left] == [("cut-tail", Fate.DROPPED)]
    assert not gather_one(tmp_path, second.cursor(first.cursor())).losses


def test_of_all_ends_that_pulls_have_met_the_last_one_is_told(tmp_path: Path) -> None:
    folder = folder_with(tmp_path / "runs", small_run(steps=6))
    path = folder / "run-r1.wandb"
    content = path.read_bytes()
    for length in range(len(content) // 2, len(content) + 37, 37):
        path.write_bytes(content[:length])
        (grown,) = pulled(tmp_path / "runs", tmp_path / "grown").records()
        (once,) = pulled(tmp_path / "runs", tmp_path / f"once-{length}").records()
        assert grown.losses == once.losses, length
        assert len(once.losses) <= 1
    assert not once.losses


def test_an_unknown_version_is_refused_by_name(tmp_path: Path) -> None:
    content = bytearray(framed(small_run()))
    content[6] = 1
    database(tmp_path, bytes(content))
    with pytest.raises(UnknownVersion, match="version 1"):
        opened(tmp_path / "run-r1.wandb")
    other = folder_with(tmp_path, small_run("r2"), "r2")
    reader = opened(tmp_path)
    by_id = {run.key.run_id: run for run in reader.runs()}
    assert set(by_id) == {"r1", "r2"}
    with pytest.raises(UnknownVersion):
        gather(reader, by_id["r1"])
    assert gather(reader, by_id["r2"]).header.complete
    assert other.is_dir()


def test_an_exit_code_tells_how_the_run_ended(tmp_path: Path) -> None:
    for code, state in ((0, "finished"), (3, "failed"), (255, "failed")):
        records = [run_record("r1", start=1_700_000_000), exit_record(code, 60)]
        found = gather_one(database(tmp_path, framed(records))).header
        assert (found.state, found.exit_code, found.complete) == (state, code, True)
        assert found.ended_ns == 1_700_000_060_000_000_000
    open_end = gather_one(database(tmp_path, framed([run_record("r1")]))).header
    assert (open_end.state, open_end.exit_code, open_end.complete) == ("unknown", None, False)


def test_how_a_run_ended_is_known_without_reading_it(tmp_path: Path) -> None:
    records = [*long_run_records(600), exit_record(0, 9)]
    for origin in (0, 7):
        path = database(tmp_path, framed(records, origin=origin))
        (run,) = opened(path).runs()
        assert (run.state, run.complete, run.exit_code) == ("finished", True, 0)
        assert run.ended_ns == 1_700_000_009_000_000_000
        (cut,) = opened(database(tmp_path, framed(records[:-1], origin=origin))).runs()
        assert (cut.state, cut.complete) == ("unknown", False)


def test_an_ending_of_zeros_is_an_ending(tmp_path: Path) -> None:
    (run,) = opened(database(tmp_path, framed([run_record("r1"), exit_record()]))).runs()
    assert (run.state, run.complete) == ("finished", True)


def test_mended_texts_are_one_loss_with_their_number(tmp_path: Path) -> None:
    lines = [
        line_record(f"caf\0{n}").SerializeToString().replace(b"\0", b"\xe9") for n in range(5000)
    ]
    found = gather_one(database(tmp_path, framed([run_record("r1"), *lines])))
    (loss,) = found.losses
    assert (loss.code, loss.fate, loss.count) == ("bad-utf8", Fate.ROUNDED, 5000)
    assert loss.where == "run-r1.wandb"
    assert len(found.rows("console")) == 5000
