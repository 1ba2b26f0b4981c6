"""What every sample starts from: a header, names that are data, and odd numbers."""

from __future__ import annotations

import struct
from dataclasses import replace

from runferry.model import Run, RunKey

TRACKER = "reference"
SCOPE = "nasty"
START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000

HOSTILE_NAMES = (
    "..",
    ".",
    "../../up",
    "/abs/olute",
    "C:\\windows\\win.ini",
    "\\\\host\\share",
    "con",
    "NUL.txt",
    "~root",
    "$HOME/`id`",
    "-rf",
    "a//b",
    "trailing/",
    "trailing.",
    "new\nline",
    "tab\tand null\x00byte",
    " ",
    "'; drop table runs; --",
    "<script>alert(1)</script>",
    "%2e%2e%2f",
    "run=0/points",
)
"""Names that are data: none of them may become a place on a disk, a query or markup."""

UNICODE_NAMES = (
    "损失/训练",
    "потеря",
    "🚀 speed 🏎️",
    "שלום/עולם",
    "\u202ereversed",
    "caf\u00e9",  # the same word twice, composed and decomposed
    "cafe\u0301",
    "\ufb01t",  # a ligature, and what it folds to
    "fit",
)


def nan_with_payload(payload: int, *, negative: bool = False) -> float:
    """A quiet NaN that carries these 51 bits."""
    bits = 0x7FF8_0000_0000_0000 | payload | (int(negative) << 63)
    return float(struct.unpack("<d", struct.pack("<Q", bits))[0])


def header(run_id: str, **known: object) -> Run:
    """A finished run of the sample project; anything can be said otherwise."""
    plain = Run(
        key=RunKey(TRACKER, SCOPE, run_id),
        name=run_id,
        project=SCOPE,
        created_ns=START_NS,
        started_ns=START_NS,
        ended_ns=START_NS + 3600 * SECOND_NS,
        status="finished",
        state="finished",
        exit_code=0,
        complete=True,
        client="reference 1",
    )
    return replace(plain, **known)  # type: ignore[arg-type]
