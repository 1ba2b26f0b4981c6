"""What rows of ours say of values that W&B shows as JSON: `rust/src/wandb/own.rs` writes it."""

from __future__ import annotations

from enum import IntEnum


class Code(IntEnum):
    """Of a value that is no scalar, as column `code` of `_native.WandbBatch.values` has it."""

    TEXT = 5
    JSON = 6  # kept as it is written
    NULL_TEXT = 7
    NULL_JSON = 8
    HISTOGRAM = 9
    EXACT_HISTOGRAM = 10  # edges, counts, kind and extra, as `tables.dumps` spells them
