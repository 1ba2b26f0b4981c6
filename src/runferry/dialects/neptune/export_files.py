"""Where the parts and files of an export lie.

    <data>/<project>/<run>_part_<n>.parquet      part 0 comes last: with it a run is complete
    <files>/<project>/…                          what `file_value.path` is relative to

`data` and `files` are how the exporter's command calls them unless it is told otherwise
(neptune-exporter 0.1, `main.py`).
"""

from __future__ import annotations

from typing import Final, Literal

AttributeType = Literal[
    "float", "int", "string", "bool", "datetime", "string_set", "float_series", "string_series",
    "histogram_series", "file", "file_series", "file_set", "artifact",
]  # fmt: skip

DATA: Final = "data"
FILES: Final = "files"
PART_BYTES: Final = 50 * 1024 * 1024
"""A part that has become as large is followed by another."""
