"""Whether a command printed what the page says: all but what differs from one call to the next."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TIME = r"\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_CHANGING = (
    ("<time>", rf"\d{{4}}-\d\d-\d\d(?:[ T]{_TIME})?"),
    ("<time>", r"\d{8}[T_-]\d{6}(?:Z|-\d+)*"),
    ("<hash>", r"(?<![\w.])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w.])"),
    (
        "<hash>",
        r"(?<![\w.])[0-9a-f][0-9a-f-]{5,}…[0-9a-f-]+|(?<![\w.])(?=[a-f]*\d)[0-9a-f]{8,64}(?![\w.])",
    ),
    ("<size>", r"\b\d[\d.,]* (?:B|kB|MB|GB)\b"),
    ("<span>", r"\b\d+(?:\.\d+)?(?:ms|min|mo|s|m|h|d|y)\b"),
    ("<port>", r"127\.0\.0\.1:\d+"),
)
"""Times, hashes, sizes, durations: what they stand for is told apart from all else."""

ELISION = "…"


def same(stated: Sequence[str], printed: Sequence[str]) -> bool:
    """Whether the lines say the same; a stated `…` stands for any lines, or for part of one."""
    stated, printed = ([_steady(line) for line in lines] for lines in (stated, printed))
    stated, printed = _unended(stated), _unended(printed)
    pattern = "".join(
        r"(?:.*\n)*?" if line == ELISION else _pattern(line) + r"\n" for line in stated
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


def _unended(lines: list[str]) -> list[str]:
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines


def _steady(line: str) -> str:
    for name, pattern in _CHANGING:
        line = re.sub(pattern, name, line)
    return " ".join(line.split())


def _pattern(line: str) -> str:
    return ".*?".join(re.escape(part) for part in line.split(ELISION))
