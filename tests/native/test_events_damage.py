"""What is lost of a damaged event file, and that it is said; all the rest is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from event_files import (
    HEADER,
    Gathered,
    blob,
    double,
    doubles,
    event,
    frame,
    masked_crc,
    metadata,
    scan,
    simple,
    spans,
    strings,
    whole,
    write,
)

from runferry.errors import Damaged


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A few dozen events of every table."""
    events = [HEADER]
    for step in range(6):
        time = 1.7e9 + step / 7
        about = metadata("scalars") if step == 0 else b""
        events.append(event(time, step, simple("loss", step / 3)))
        events.append(event(time, step, doubles("lr", step / 9, about=about), simple("x", step)))
    text = strings("note", "a", "b", dims=[2], about=metadata("text"))
    bins = doubles("h", 0.0, 1.0, 2.0, 1.0, 2.0, 3.0, dims=[2, 3], about=metadata("histograms"))
    image = blob(1, "i") + blob(4, whole(1, 2) + whole(2, 3) + whole(3, 1) + blob(4, b"png"))
    events += [event(1.7e9, 5, text), event(1.7e9, 6, bins), event(1.7e9, 7, image)]
    events.append(event(1.7e9, 8, strings("odd", "?", about=metadata("nobody's"))))
    events.append(double(1, 1.7e9) + blob(7, whole(1, 1)))
    return write(tmp_path / "events.out.tfevents.1.host", *events)


def test_truncated_anywhere_gives_an_exact_prefix_and_says_so(path: Path, tmp_path: Path) -> None:
    raw = path.read_bytes()
    ends = [0, *(end for _, end in spans(raw))]
    whole_files = {end: _scan_bytes(tmp_path, raw[:end]) for end in ends}
    for length in range(len(raw)):
        end = max(end for end in ends if end <= length)
        found = _scan_bytes(tmp_path, raw[:length])
        assert found.everything() == whole_files[end].everything()
        assert found.offset == end
        assert found.damage == ([(end, length - end, "cut-tail")] if length > end else [])


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_a_flipped_bit_loses_its_record_only_and_it_is_said(
    path: Path, tmp_path: Path, every: int
) -> None:
    raw = path.read_bytes()
    for start, end in spans(raw):
        without = _scan_bytes(tmp_path, raw[:start] + raw[end:]).everything()
        for bit in range(8 * start, 8 * end, every):
            flipped = bytearray(raw)
            flipped[bit // 8] ^= 1 << bit % 8
            found = _scan_bytes(tmp_path, bytes(flipped))
            reason = "bad-length" if bit // 8 - start < 12 else "bad-checksum"
            assert found.damage == [(start, end - start, reason)]
            assert found.everything() == without


def _scan_bytes(tmp_path: Path, raw: bytes) -> Gathered:
    part = tmp_path / "part"
    part.write_bytes(raw)
    return scan(part)


def test_zeros_are_told_and_read_on_behind(path: Path) -> None:
    raw = path.read_bytes()
    (first, _), (_, end) = spans(raw)[4], spans(raw)[6]
    path.write_bytes(raw[:first] + bytes(end - first) + raw[end:])
    found = scan(path)
    assert found.damage == [(first, end - first, "zeroed")]
    path.write_bytes(raw + bytes(5000))
    found = scan(path)
    assert found.damage == [(len(raw), 5000, "zeroed")]
    assert found.offset == len(raw)


def test_what_is_written_behind_a_cut_is_found(path: Path) -> None:
    raw = path.read_bytes()
    start, end = spans(raw)[7]
    cut = (start + end) // 2
    path.write_bytes(raw[:cut] + raw)
    found = scan(path)
    assert found.damage[0][0] == start
    assert [row["step"] for row in found.points if row["tag"] == "loss"][-6:] == list(range(6))


def test_a_length_that_is_too_long_is_told_apart_from_a_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "events", HEADER, event(1.0, 1, simple("a", 1.0)))
    length = (1 << 40).to_bytes(8, "little")
    raw = path.read_bytes() + length + masked_crc(length).to_bytes(4, "little") + bytes([1] * 50)
    path.write_bytes(raw + frame(event(2.0, 2, simple("a", 2.0))))
    found = scan(path)
    assert found.damage == [(len(raw) - 62, 62, "unfinished-record")]
    assert found.values("a") == [1.0, 2.0]


def test_no_event_file_is_damaged_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1.host"
    for raw in (b"version https://git-lfs.github.com/spec/v1\n" * 3, b"x" * 100_000, bytes(50)):
        path.write_bytes(raw)
        with pytest.raises(Damaged, match="no event file"):
            scan(path)
    path.write_bytes(frame(blob(1, b"features of an example")))
    with pytest.raises(Damaged, match="no event file"):
        scan(path)
    path.write_bytes(b"")
    assert scan(path).everything() == []


def test_a_malformed_event_is_told_and_the_next_is_read(tmp_path: Path) -> None:
    bad = double(1, 1.0) + blob(5, blob(1, b"\x0a\x05ab"))
    path = write(tmp_path / "events", HEADER, bad, event(1.0, 1, simple("a", 1.0)))
    found = scan(path)
    start, end = spans(path.read_bytes())[1]
    assert found.damage == [(start, end - start, "bad-record")]
    assert found.values("a") == [1.0]


def test_names_that_are_no_text_are_mended_and_told(tmp_path: Path) -> None:
    events = [event(1.0, 1, simple(b"a\xff", 1.0)), event(1.0, 2, simple(b"a\xff", 2.0))]
    path = write(tmp_path / "events", HEADER, *events)
    found = scan(path)
    start, end = spans(path.read_bytes())[1]
    assert found.damage == [(start, end - start, "bad-utf8")]
    assert found.values("a\ufffd") == [1.0, 2.0]


def test_a_malformed_message_of_a_plugin_is_told_and_kept(tmp_path: Path) -> None:
    tag = "_hparams_/session_start_info"
    value = blob(1, tag) + metadata("hparams", blob(3, b"\x0a\x09cut"))
    path = write(tmp_path / "events", HEADER, event(1.0, 1, value))
    found = scan(path)
    assert [reason for *_, reason in found.damage] == ["bad-record"]
    kind, *_, message = found.records[1]
    assert (kind, message["plugin"]) == ("unknown", "session_start_info")
    assert message["event"] == event(1.0, 1, value)


def test_a_time_that_is_none_is_null_and_told(tmp_path: Path) -> None:
    times = [float("nan"), float("inf"), -1e300, 0.1, 1 / 3, 1.7e9 + 1 / 3, -2.5]
    events = [event(time, 0, simple("a", 0.0)) for time in times]
    found = scan(write(tmp_path / "events", HEADER, *events))
    assert [row["time"] for row in found.points] == [
        *(None, None, None, 100_000_000, 333_333_333),
        *(round((1.7e9 + 1 / 3 - 1_700_000_000) * 1e9) + 1_700_000_000_000_000_000, -2_500_000_000),
    ]
    assert [reason for *_, reason in found.damage] == ["bad-time"] * 3 + ["rounded-time"]


def test_scanning_from_every_offset_gives_exactly_the_rest(path: Path) -> None:
    raw, all_found = path.read_bytes(), scan(path)
    for _, end in spans(raw):
        path.write_bytes(raw[:end])
        first = scan(path)
        assert first.offset == end
        path.write_bytes(raw)
        rest = scan(path, offset=first.offset, seq=first.seq, plugins=first.plugins)
        assert _merged(first, rest) == _merged(all_found)
        assert rest.seq == all_found.seq


def _merged(*scans: Gathered) -> list[str]:
    return sorted(row for one in scans for row in one.everything())


@pytest.mark.parametrize("rows", [1, 2, 3, 7, 20])
def test_batches_of_any_size_hold_the_same_rows(path: Path, rows: int) -> None:
    found = scan(path, rows=rows)
    assert found.everything() == scan(path).everything()
    assert found.largest <= rows
    assert (found.offset, found.seq) == (scan(path).offset, scan(path).seq)


def test_an_event_with_more_rows_than_a_batch_is_sliced(tmp_path: Path) -> None:
    values = [simple(f"tag {n}", n) for n in range(100)]
    path = write(tmp_path / "events", HEADER, event(1.0, 1, *values), event(2.0, 2, *values))
    found = scan(path, rows=16)
    assert found.largest <= 16
    assert [row["value"] for row in found.points] == [float(n) for n in range(100)] * 2
    assert [row["seq"] for row in found.points] == [0] * 100 + [1] * 100


def test_a_growing_file_is_read_on(path: Path) -> None:
    raw = path.read_bytes()
    found, offset, seq, plugins = [], 0, 0, {}
    for length in range(0, len(raw) + 1, 61):
        path.write_bytes(raw[: length if length + 61 <= len(raw) else len(raw)])
        part = scan(path, offset=offset, seq=seq, plugins=plugins)
        found.append(part)
        offset, seq, plugins = part.offset, part.seq, plugins | part.plugins
    assert _merged(*found) == _merged(scan(path))
