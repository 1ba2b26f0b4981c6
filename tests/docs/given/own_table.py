"""A table of somebody's own, whose last two lines are odd."""

from pathlib import Path

Path("logs").mkdir()
Path("logs/own.csv").write_text(
    "iter,when,loss,note\n"
    "0,2026-11-21T20:00:00,1.0,begun\n"
    "1,2026-11-21T20:00:01,0.5,\n"
    "2,2026-11-21T20:00:02,0.25,\n"
    "3\n"
    "3,2026-11-21T20:00:03,0.125,"
)
