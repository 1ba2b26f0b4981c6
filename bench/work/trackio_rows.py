"""Counts the values in a project's database, with Python's own `sqlite3` and `json`.

Usage: trackio_rows.py DATABASE
"""

from __future__ import annotations

import json
import sqlite3
import sys

from stopwatch import answer, stopwatch

with stopwatch() as lap:
    rows = sqlite3.connect(sys.argv[1]).execute("SELECT metrics FROM metrics")
    values = sum(len(json.loads(said)) for (said,) in rows)
answer(lap, {"values": values})
