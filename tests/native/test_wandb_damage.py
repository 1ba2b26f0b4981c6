"""Damaged `.wandb` files: what is whole is read, the rest is told, nothing is made up."""

from __future__ import annotations

import itertools
import random
import struct
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wandb_log import (
    BLOCK,
    HEADER,
    Log,
    blob,
    everything,
    history,
    item,
    line,
    row,
    run,
    scan_bytes,
    steps,
    written,
)

from runferry._native import WandbScanner
from runferry.losses import Fate
from runferry.readers.standing_losses import StandingLosses
from runferry.readers.wandb.damage import reports

quick = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


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


def touches(span: tuple[int, int], block: int) -> bool:
    return span[0] // BLOCK <= block <= (span[1] - 1) // BLOCK


def ordered(entries: list[object]) -> list[object]:
    return sorted(entries, key=repr)


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
            told = reports("f", StandingLosses()).losses(found.damage, len(broken))
            assert [lost.loss.fate for lost in told] == [Fate.DROPPED]


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
    assert steps(found) == [n for n, span in enumerate(log.spans) if not touches(span, 1)]
    assert [reason for _, _, reason in found.damage] == ["zeroed"]


@pytest.mark.parametrize("filler", [b"\0", b"\1\x7f", b"noise"])
def test_a_file_of_anything_takes_time_by_its_length(tmp_path: Path, filler: bytes) -> None:
    size = 64 << 20
    body = (
        random.Random(1).randbytes(size) if filler == b"noise" else filler * (size // len(filler))
    )
    began = time.process_time()
    found = scan_bytes(tmp_path, HEADER + body)
    assert time.process_time() - began < 20  # a quadratic scan takes minutes
    assert sum(length for _, length, _ in found.damage) == len(body)


def test_a_batch_is_bounded_however_much_of_it_is_damage(tmp_path: Path) -> None:
    bad = history([item(["a"], "{")])
    scanner = WandbScanner(written(tmp_path, Log.of([bad] * 5000).raw), rows=100)
    sizes = [len(batch.damage) for batch in iter(scanner.next, None)]
    assert (sum(sizes), max(sizes)) == (5000, 100)
    empty = blob(2, b"")  # a record that gives nothing, so that only damage fills a batch
    log = Log.of([line("x" * (BLOCK // 2 - 40)), empty, empty] * 120)
    broken = bytearray(log.raw)
    for start, _ in log.spans[::3]:
        broken[start] ^= 1
    scanner = WandbScanner(written(tmp_path, bytes(broken)), rows=10)
    sizes = [len(batch.damage) for batch in iter(scanner.next, None)]
    assert sum(sizes) > 50
    assert max(sizes) == 10


@quick
@given(noise=st.binary(max_size=600), tail=st.binary(max_size=50))
def test_noise_is_damage_and_no_record(tmp_path: Path, noise: bytes, tail: bytes) -> None:
    log = Log.of([row(0, x=0)])
    found = scan_bytes(tmp_path, log.raw + noise + tail)
    assert steps(found) == [0]
    assert sum(length for _, length, _ in found.damage) == len(noise + tail)
