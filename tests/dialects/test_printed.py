"""What a run printed, put together from pieces."""

from __future__ import annotations

import time

from runferry.dialects.printed import Printed

PIECES = 200_000


def test_a_line_that_is_drawn_anew_all_the_time_takes_the_same_time_a_piece() -> None:
    """As a progress bar does, which prints no line break: 4 MB, and not 400 GB copied."""
    printed, piece = Printed(), "\r 50%|#####     | 1/2"
    began = time.process_time()
    for _ in range(PIECES):
        assert not list(printed.add(piece, 1_000, "stderr"))
    (chunk,) = printed.drain()
    assert time.process_time() - began < 10
    assert chunk.batch.column("line").to_pylist() == [piece * PIECES]
    assert chunk.batch.column("seq").to_pylist() == [0]


def test_lines_keep_the_order_in_which_they_began() -> None:
    printed = Printed()
    for text, stream in (("a", "stdout"), ("b\nc", "stderr"), ("\rd\n", "stdout"), ("e", "stderr")):
        assert not list(printed.add(text, None, stream))
    (chunk,) = printed.drain()
    lines = zip(*(chunk.batch.column(it).to_pylist() for it in ("stream", "line")), strict=True)
    assert list(lines) == [("stdout", "a\rd\n"), ("stderr", "b\n"), ("stderr", "ce")]
