"""The Parquet form of an export: columns, and which of them holds a value of which type.

Source: `model.py` of neptune-exporter at 8d3f44a, the same in all versions since October 2025.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

EXPORT: Final = pa.schema(
    [
        ("project_id", pa.string()),
        ("run_id", pa.string()),
        ("attribute_path", pa.string()),
        ("attribute_type", pa.string()),
        ("step", pa.decimal128(18, 6)),
        ("timestamp", pa.timestamp("ms", tz="UTC")),
        ("int_value", pa.int64()),
        ("float_value", pa.float64()),
        ("string_value", pa.string()),
        ("bool_value", pa.bool_()),
        ("datetime_value", pa.timestamp("ms", tz="UTC")),
        ("string_set_value", pa.list_(pa.string())),
        ("file_value", pa.struct([("path", pa.string())])),
        (
            "histogram_value",
            pa.struct(
                [
                    ("type", pa.string()),
                    ("edges", pa.list_(pa.float64())),
                    ("values", pa.list_(pa.float64())),
                ]
            ),
        ),
    ]
)

ATOMS: Final = {
    "float": "float_value",
    "int": "int_value",
    "string": "string_value",
    "bool": "bool_value",
    "datetime": "datetime_value",
    "string_set": "string_set_value",
}
"""Types of single values, with their columns."""

SERIES: Final = {
    "float_series": "float_value",
    "string_series": "string_value",
    "histogram_series": "histogram_value",
    "file_series": "file_value",
}
"""Types of series, with their columns."""

FILES: Final = ("file", "file_set", "artifact")
"""Types whose `file_value` is the path of a file, of a folder, of `files_list.json`."""

COUNTING: Final = "COUNTING"
DENSITY: Final = "DENSITY"
"""What a histogram's values are, as neptune-query calls it."""
