"""What an archive holds: runs, complete ones, rows by table, losses.

Usage: archive_facts.py ARCHIVE
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from stopwatch import Lap, answer

from runferry.archive.store import Archive

found: Counter[str] = Counter()
for record in Archive.open(Path(sys.argv[1])).records():
    found["runs"] += 1
    found["complete"] += record.run.complete
    found["losses"] += len(record.losses)
    for segment in record.segments:
        found[segment.table] += segment.rows
answer(Lap(), dict(found))
