"""A small tracker to prove the core with: JSON lines in a folder, and as strict as one likes.

`record` makes a source of it, `ReferenceReader` reads it, and writers fill it: `FaithfulWriter`
keeps all that it is given; `StrictWriter` wants rows in order of steps and, like several real
trackers, silently drops what comes late, merges what is equal, and takes names for the same that
differ by case only; `tracker(limits)` makes one with any limits. What it loses is lost without a
word: it is the plan that has to know.
"""

from runferry.testing.reference.log import NAME, record
from runferry.testing.reference.reader import ReferenceReader
from runferry.testing.reference.writer import (
    EVERYTHING,
    FaithfulWriter,
    ReferenceWriter,
    StrictWriter,
    tracker,
)

__all__ = [
    "EVERYTHING",
    "NAME",
    "FaithfulWriter",
    "ReferenceReader",
    "ReferenceWriter",
    "StrictWriter",
    "record",
    "tracker",
]
