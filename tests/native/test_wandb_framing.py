"""The framing of `.wandb` files: the whole is read, damage is told, nothing is made up."""

from __future__ import annotations

import itertools
import random
import struct
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wandb_log import BLOCK, HEADER, Log, blob, line, row, scan, scan_bytes

from runferry.errors import Damaged, UnknownVersion
from runferry.losses import Fate
from runferry.readers.wandb import surroundings

quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def run(rows: int, padding: int = 0) -> list[bytes]:
    """A header-like record, rows with one value each, and an exit record."""
    filler = [line("x" * padding)] if padding else []
    return [blob(17, blob(1, "abc")), *filler, *(row(n, x=n) for n in range(rows)), blob(18, b"")]


def steps(path_or_scan: object) -> list[int | None]:
    return [point.step for point in path_or_scan.points]


def blocks(start: int, end: int, origin: int = 0) -> range:
    return range((start - origin) // BLOCK, (end - 1 - origin) // BLOCK + 1)


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


def yields(folder: Path, records: list[bytes]) -> list[list[object]]:
    """What each record gives when it is alone in a file."""
    return [everything(scan_bytes(folder, Log.of([record]).raw)) for record in records]


def test_a_flipped_bit_loses_the_record_it_hits_and_no_other(tmp_path: Path) -> None:
    records = [
        *(row(n, x=n, pad="p" * (7 * n)) for n in range(120)),
        line("y" * (BLOCK + 500)),
        *(row(n, x=n) for n in range(120, 150)),
        line("z" * (2 * BLOCK)),
        *(row(n, x=n) for n in range(150, 180)),
    ]
    log, alone = Log.of(records), yields(tmp_path, records)
    random.seed(4)
    borders = [
        b * BLOCK + d for b in range(1, len(log.raw) // BLOCK + 1) for d in (-8, -1, 0, 3, 7)
    ]
    places = {*borders, *range(7, 15), *random.sample(range(7, len(log.raw)), 150)}
    for at in sorted(places & set(range(len(log.raw)))):
        broken = bytearray(log.raw)
        broken[at] ^= 1 << random.randrange(8)
        found = scan_bytes(tmp_path, bytes(broken))
        hit = [n for n, (start, end) in enumerate(log.spans) if start <= at < end]
        kept = [entry for n, entries in enumerate(alone) if n not in hit for entry in entries]
        assert ordered(everything(found)) == ordered(kept), at
        assert [d[:2] for d in found.damage] == [lost_bytes(log, n) for n in hit], at
        assert {reason for _, _, reason in found.damage} <= {"bad-checksum", "bad-header"}


def lost_bytes(log: Log, number: int) -> tuple[int, int]:
    """From where the record begins to where the next one does, or the file ends."""
    starts = [start for start, _ in log.spans[number : number + 2]]
    return starts[0], [*starts, len(log.raw)][1] - starts[0]


def ordered(entries: list[object]) -> list[object]:
    return sorted(entries, key=repr)


def everything(found: object) -> list[object]:
    rows = [("point", p.step, p.value) for p in found.points]
    return rows + [("line", text) for _, text in found.lines] + [(n,) for n, _, _ in found.records]


def contains(many: list[object], few: list[object]) -> bool:
    rest = list(many)
    for one in few:
        if one not in rest:
            return False
        rest.remove(one)
    return True


def test_every_flipped_bit_of_a_small_file_costs_one_record_and_is_told(tmp_path: Path) -> None:
    records = run(6)
    log, alone = Log.of(records), yields(tmp_path, records)
    for number, (start, end) in enumerate(log.spans):
        kept = [entry for n, entries in enumerate(alone) if n != number for entry in entries]
        for at, bit in itertools.product(range(start, end), range(8)):
            broken = bytearray(log.raw)
            broken[at] ^= 1 << bit
            found = scan_bytes(tmp_path, bytes(broken))
            reason = reason_of_flip(log.raw, bytes(broken), start, at - start)
            assert ordered(everything(found)) == ordered(kept), (at, bit)
            assert found.damage == [(*lost_bytes(log, number), reason)], (at, bit)
            assert surroundings.damage(tmp_path, *found.damage[0]).fate is Fate.DROPPED


def reason_of_flip(raw: bytes, broken: bytes, start: int, at: int) -> str:
    """A length that leads beyond the file, and a type that is none, are the header's fault."""
    length, kind = struct.unpack_from("<HB", broken, start + 4)
    is_beyond = start + 7 + length > len(raw)
    is_header = (at in (4, 5) and is_beyond) or (at == 6 and kind not in (1, 2, 3, 4))
    return "bad-header" if is_header else "bad-checksum"


def test_a_length_that_leads_beyond_a_growing_file_is_damage_once_more_is_there(
    tmp_path: Path,
) -> None:
    records = run(20)
    log = Log.of(records)
    start, end = log.spans[10]
    broken = bytearray(log.raw)
    broken[start + 5] ^= 0x40
    early = scan_bytes(tmp_path, bytes(broken[: end + 3]))
    assert early.damage == [(start, end + 3 - start, "cut-tail")]
    late = scan_bytes(tmp_path, bytes(broken), offset=early.offset, seq=early.seq)
    assert steps(early) + steps(late) == [n for n in range(20) if n != 9]
    assert late.damage == [(start, end - start, "bad-header")]


def test_a_zeroed_sector_loses_the_records_it_touches(tmp_path: Path) -> None:
    log = Log.of([row(n, x=n, pad="p" * 200) for n in range(1000)])
    for sector in (0, 10, 63, 64, 127, len(log.raw) // 512):
        gone = range(max(7, sector * 512), min(len(log.raw), sector * 512 + 512))
        found = scan_bytes(
            tmp_path, log.raw[: gone.start] + bytes(len(gone)) + log.raw[gone.stop :]
        )
        touched = [n for n, (s, e) in enumerate(log.spans) if s < gone.stop and gone.start < e]
        assert steps(found) == [n for n in range(1000) if n not in touched]
        ((start, length, _),) = found.damage
        assert start == log.spans[touched[0]][0]
        assert start + length == sum(lost_bytes(log, touched[-1]))


def test_between_two_damaged_places_of_a_block_nothing_is_taken(tmp_path: Path) -> None:
    """Only chunks that lead to the end of their block are sure to be chunks."""
    log = Log.of([row(n, x=n, pad="p" * 200) for n in range(1000)])
    broken = bytearray(log.raw)
    for at in (BLOCK + 5000, BLOCK + 9000):
        broken[at] ^= 4
    found = scan_bytes(tmp_path, bytes(broken))
    first, last = (
        next(n for n, (_, end) in enumerate(log.spans) if end > at)
        for at in (BLOCK + 5000, BLOCK + 9000)
    )
    assert steps(found) == [n for n in range(1000) if not first <= n <= last]
    start, end = log.spans[first][0], log.spans[last][1]
    assert found.damage == [(start, end - start, "bad-checksum")]


def test_a_record_over_a_damaged_block_is_dropped_whole(tmp_path: Path) -> None:
    log = Log.of([row(0, x=0), line("a" * 3 * BLOCK), row(1, x=1)])
    broken = bytearray(log.raw)
    broken[2 * BLOCK + 9] ^= 1
    found = scan_bytes(tmp_path, bytes(broken))
    assert found.lines == []
    assert steps(found) == [0, 1]
    assert found.damage == [(log.spans[1][0], log.spans[1][1] - log.spans[1][0], "bad-checksum")]


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


def test_damage_and_misalignment_together_lose_one_record(tmp_path: Path) -> None:
    log = Log.of([row(n, x=n, pad="q" * 90) for n in range(2000)], origin=7)
    broken = bytearray(log.raw)
    broken[500] ^= 1
    found = scan_bytes(tmp_path, bytes(broken))
    hit = next(n for n, (_, end) in enumerate(log.spans) if end > 500)
    assert found.origin == 7
    assert steps(found) == [n for n in range(2000) if n != hit]
    assert found.damage == [(*lost_bytes(log, hit), "bad-checksum")]


def test_a_zeroed_block_is_skipped_and_told(tmp_path: Path) -> None:
    log = Log.of([row(n, x=n, pad="p" * 200) for n in range(1000)])
    raw = log.raw[:BLOCK] + bytes(BLOCK) + log.raw[2 * BLOCK :]
    found = scan_bytes(tmp_path, raw)
    assert steps(found) == [n for n, span in enumerate(log.spans) if 1 not in blocks(*span)]
    assert [reason for _, _, reason in found.damage] == ["zeroed"]


@pytest.mark.parametrize("filler", [b"\0", b"\1\x7f", b"noise"])
def test_a_file_of_anything_takes_time_by_its_length(tmp_path: Path, filler: bytes) -> None:
    size = 64 << 20
    body = (
        random.Random(1).randbytes(size) if filler == b"noise" else filler * (size // len(filler))
    )
    began = time.process_time()
    found = scan_bytes(tmp_path, HEADER + body)
    assert time.process_time() - began < 2  # a quadratic scan takes minutes
    assert sum(length for _, length, _ in found.damage) == len(body)


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


@quick
@given(noise=st.binary(max_size=600), tail=st.binary(max_size=50))
def test_noise_is_damage_and_no_record(tmp_path: Path, noise: bytes, tail: bytes) -> None:
    log = Log.of([row(0, x=0)])
    found = scan_bytes(tmp_path, log.raw + noise + tail)
    assert steps(found) == [0]
    assert sum(length for _, length, _ in found.damage) == len(noise + tail)
