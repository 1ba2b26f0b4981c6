"""The framing of `.wandb` files: the whole is read, damage is told, nothing is made up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wandb_log import BLOCK, HEADER, Log, everything, line, row, run, scan, scan_bytes, steps

from runferry.errors import Damaged, UnknownVersion

quick = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def test_truncated_anywhere_gives_an_exact_prefix(tmp_path: Path) -> None:
    log = Log.of(run(20))
    for length in range(len(log.raw) + 1):
        found = scan_bytes(tmp_path, log.raw[:length])
        whole = [end for _, end in log.spans if end <= length]
        assert steps(found) == list(range(min(20, max(0, len(whole) - 1))))
        assert [name for name, _, _ in found.records] == ["run"][: len(whole)] + ["exit"] * (
            len(whole) == len(log.spans)
        )
        end = whole[-1] if whole else min(length, 7)
        assert found.damage == ([(end, length - end, "cut-tail")] if length > end else [])
        assert found.offset == (whole[-1] if whole else 7)


def test_truncated_across_blocks_gives_an_exact_prefix(tmp_path: Path) -> None:
    log = Log.of([line("y" * (BLOCK - 60)), *(row(n, x=n) for n in range(8))])
    for length in range(BLOCK - 40, len(log.raw) + 1):
        found = scan_bytes(tmp_path, log.raw[:length])
        assert steps(found) == list(range(sum(end <= length for _, end in log.spans[1:])))


@pytest.mark.parametrize("rows", [1, 400, 2000])
def test_blocks_counted_from_seven_are_found_out(tmp_path: Path, rows: int) -> None:
    log = Log.of([row(n, x=n, pad="q" * 90) for n in range(rows)], origin=7)
    found = scan_bytes(tmp_path, log.raw)
    assert steps(found) == list(range(rows))
    assert found.damage == []
    assert found.origin == (7 if len(log.raw) > BLOCK else -1)


@quick
@given(lengths=st.lists(st.integers(0, 3 * BLOCK), max_size=8), origin=st.sampled_from([0, 7]))
def test_records_of_any_length_come_back_under_both_origins(
    tmp_path: Path, lengths: list[int], origin: int
) -> None:
    texts = [f"{n}" + "t" * length for n, length in enumerate(lengths)]
    found = scan_bytes(tmp_path, Log.of(map(line, texts), origin).raw)
    assert [text for _, text in found.lines] == texts
    assert found.damage == []


@pytest.mark.parametrize("gap", range(20))
@pytest.mark.parametrize("origin", [0, 7])
def test_every_remainder_of_a_block_is_read(tmp_path: Path, gap: int, origin: int) -> None:
    first = line("")
    empty = BLOCK - (7 - origin) - 7 - gap
    text = "f" * (empty - len(first) - 4)  # two lengths grow by two bytes each
    log = Log.of([line(text), row(1, x=1), row(2, x=2)], origin)
    assert (log.spans[0][1] - origin) % BLOCK == BLOCK - gap or gap == 0
    found = scan_bytes(tmp_path, log.raw)
    assert steps(found) == [1, 2]
    assert found.damage == []


def test_an_empty_file_and_a_bare_header_hold_nothing(tmp_path: Path) -> None:
    for length in range(8):
        found = scan_bytes(tmp_path, HEADER[:length])
        assert everything(found) == []
        assert found.damage == []


def test_something_else_is_no_wandb_file(tmp_path: Path) -> None:
    (tmp_path / "run.wandb").write_bytes(b"PK\x03\x04 a zip")
    with pytest.raises(Damaged, match=r"not a \.wandb file at byte 0: .*run\.wandb") as caught:
        scan(tmp_path / "run.wandb")
    assert caught.value.offset == 0


def test_an_unknown_version_is_refused_by_name_unless_asked_for(tmp_path: Path) -> None:
    raw = HEADER[:6] + b"\x01" + Log.of(run(3)).raw[7:]
    (tmp_path / "run.wandb").write_bytes(raw)
    with pytest.raises(UnknownVersion, match=r"version 1 of the \.wandb format"):
        scan(tmp_path / "run.wandb")
    assert steps(scan(tmp_path / "run.wandb", any_version=True)) == [0, 1, 2]


def test_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        scan(tmp_path / "run.wandb")


def test_a_read_only_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "run.wandb"
    path.write_bytes(Log.of(run(3)).raw)
    path.chmod(0o400)
    assert steps(scan(path)) == [0, 1, 2]


@quick
@given(cuts=st.lists(st.integers(0, 80_000), max_size=6), origin=st.sampled_from([0, 7]))
def test_a_growing_file_is_read_as_if_it_had_been_there_at_once(
    tmp_path: Path, cuts: list[int], origin: int
) -> None:
    log = Log.of([row(n, x=n, pad="g" * (n % 700)) for n in range(150)], origin)
    at_once = scan_bytes(tmp_path, log.raw)
    found, cursor = [], {"offset": 0, "origin": -1, "seq": 0}
    for cut in [*sorted(cuts), len(log.raw)]:
        part = scan_bytes(tmp_path, log.raw[: max(cut, cursor["offset"])], **cursor)
        assert all(reason == "cut-tail" for _, _, reason in part.damage)
        found += part.points
        cursor = {"offset": part.offset, "origin": part.origin, "seq": part.seq}
    assert found == at_once.points


def test_every_batch_ends_where_a_later_scan_can_go_on(tmp_path: Path) -> None:
    log = Log.of([row(n, x=n, y=-n, z=n / 2) for n in range(50)])
    whole = scan_bytes(tmp_path, log.raw, rows=10)
    assert [rows for rows, _ in whole.batches[:-1]] == [9] * (len(whole.batches) - 1)
    done = 0
    for rows, offset in whole.batches:
        done += rows
        rest = scan_bytes(tmp_path, log.raw, offset=offset, seq=done // 3)
        assert rest.points == whole.points[done:]


def test_a_row_longer_than_a_batch_is_the_only_one_that_is_split(tmp_path: Path) -> None:
    wide = row(1, **{f"m{n}": n for n in range(25)})
    log = Log.of([row(0, x=1), wide, row(2, x=1)])
    found = scan_bytes(tmp_path, log.raw, rows=10)
    assert [rows for rows, _ in found.batches] == [1, 10, 10, 5, 1]
    ends = [end for _, end in log.spans]
    assert [offset for _, offset in found.batches] == [ends[0], ends[0], ends[0], ends[1], ends[2]]
