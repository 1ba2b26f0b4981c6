"""The benchmark itself: inputs as the vendor reads them, children measured as what they are."""

from __future__ import annotations

import getpass
import io
import json
import re
import socket
import struct
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from bench.__main__ import ROWS
from bench.wandb_file import BLOCK, FILE_HEADER, FrameWriter, RunShape, write_run
from hypothesis import given
from hypothesis import strategies as st

from bench import child, report


def records_of(framed: bytes) -> Iterator[bytes]:
    """The records in framed bytes, every checksum checked; written apart from the writer."""
    assert framed.startswith(FILE_HEADER)
    at, whole, is_begun = len(FILE_HEADER), b"", False
    while at < len(framed):
        left = BLOCK - at % BLOCK
        if left < 7:
            assert framed[at : at + left] == bytes(left)
            at += left
            continue
        checksum, length, kind = struct.unpack_from("<IHB", framed, at)
        part = framed[at + 7 : at + 7 + length]
        assert zlib.crc32(bytes([kind]) + part) == checksum
        at += 7 + length
        assert (kind in (1, 2)) == (not is_begun)
        whole, is_begun = whole + part, True
        if kind in (1, 4):
            yield whole
            whole, is_begun = b"", False


@given(
    st.lists(
        st.one_of(st.integers(1, 200), st.integers(BLOCK - 40, BLOCK + 40), st.just(3 * BLOCK)),
        max_size=12,
    )
)
def test_records_of_any_length_come_back_out_of_their_frames(lengths: list[int]) -> None:
    written = [bytes([number + 1]) * length for number, length in enumerate(lengths)]
    out = io.BytesIO()
    frames = FrameWriter(out)
    for one in written:
        frames.write(one)
    assert list(records_of(out.getvalue())) == written


def test_a_generated_run_is_to_the_vendor_what_was_asked_for(tmp_path: Path) -> None:
    package = find_spec("wandb")
    if package is None or package.origin is None:
        pytest.skip("needs wandb: pip install 'wandb==0.31.*'")
    core = Path(package.origin).parent / "bin" / "wandb-core"
    shape = RunShape("vendor", steps=300, metrics=3, console_lines=7, stats=2)
    write_run(tmp_path / "run-vendor.wandb", shape)
    told = subprocess.run(
        [
            *(core, "leet", "inspect", "-json", "-no-observability"),
            *("-run-file", tmp_path / "run-vendor.wandb"),
        ],
        check=True,
        capture_output=True,
    )
    assert not told.stderr
    records = [json.loads(line) for line in told.stdout.splitlines()]
    kinds = Counter(record["type"] for record in records)
    assert (kinds["history"], kinds["output_raw"], kinds["stats"]) == (300, 7, 2)
    assert kinds["summary"] == 600
    rows = [record["history"]["item"] for record in records if record["type"] == "history"]
    assert [row["_step"] for row in rows] == list(range(300))
    assert all(set(shape.keys) < set(row) for row in rows)
    times = [row["_timestamp"] for row in rows]
    assert times == sorted(times)
    assert times[0] == shape.start_ns / 1e9
    (run,) = (record["run"] for record in records if record["type"] == "run")
    assert run["run_id"] == "vendor"
    assert run["config"]["update"]["optimizer"] == {"name": "adam", "betas": [0.9, 0.999]}


def test_a_childs_peak_memory_is_its_own() -> None:
    held = b"x" * 300_000_000
    small = child.run([sys.executable, "-c", "pass"], on_cores=1)
    large = child.run([sys.executable, "-c", "b = b'x' * 200_000_000"], on_cores=1)
    assert len(held) == 300_000_000
    assert small.peak_rss_bytes < 100_000_000
    assert large.peak_rss_bytes > 200_000_000


def test_a_child_that_fails_says_why() -> None:
    with pytest.raises(child.ChildFailed, match="ended with 3: out of luck"):
        child.run(
            [
                sys.executable,
                "-c",
                "import sys; print('out of luck', file=sys.stderr); sys.exit(3)",
            ],
            on_cores=1,
        )


def test_a_child_runs_on_no_more_cores_than_it_was_given() -> None:
    script = (
        'import os\nprint(\'{"wall_seconds": 1, "cpu_seconds": 1, "outcome": \''
        " + f'{{\"cores\": {len(os.sched_getaffinity(0))}}}' + '}')"
    )
    assert child.run([sys.executable, "-c", script], on_cores=1).outcome == {"cores": 1}


def test_every_row_is_described_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    described = page.partition("## Rows")[2].partition("## Figures")[0]
    assert sorted(re.findall(r"^\*\*([\w-]+)\*\*: ", described, re.MULTILINE)) == sorted(ROWS)


def test_what_is_told_of_the_machine_names_nobody() -> None:
    told = json.dumps(report.machine())
    for name in (socket.gethostname(), str(Path.home()), str(Path.cwd())):
        assert name not in told
    if len(getpass.getuser()) > 3:
        assert getpass.getuser() not in told
