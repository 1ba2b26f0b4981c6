"""Lines of a log file, whatever their length: no character is cut, and none is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from runferry import chunks
from runferry.readers.console_log import log_chunks

PIECE = 1 << 20


def lines_of(path: Path, *, is_over: bool = True) -> tuple[list[str], int]:
    """The pieces of all lines, and the offset behind them; nothing is lost of them."""
    lines, offset = [], 0
    for following, _, chunk in log_chunks(path, 0, 0, is_over=is_over):
        assert isinstance(chunk, chunks.Console)
        lines += chunk.batch.column("line").to_pylist()
        offset = following
    return lines, offset


@pytest.mark.parametrize("character", ["é", "€", "🚀"])
@pytest.mark.parametrize("before", [0, 1, 2, 3])
@pytest.mark.parametrize("is_over", [True, False])
def test_a_long_line_comes_in_pieces_of_whole_characters(
    tmp_path: Path, character: str, before: int, is_over: bool
) -> None:
    text = "x" * before + character * (PIECE // 2) + "\n" + "short\n"
    log = tmp_path / "output.log"
    log.write_text(text, encoding="utf-8")
    lines, offset = lines_of(log, is_over=is_over)
    assert "".join(lines) == text
    assert lines[-1] == "short\n"
    assert max(len(line.encode()) for line in lines) <= PIECE
    assert offset == log.stat().st_size
