"""Values of W&B: which are one, and what rows of ours say of those that it shows as JSON."""

from __future__ import annotations

from enum import IntEnum

from runferry.dialects import json_trees
from runferry.model import Tree


def is_leaf(value: Tree) -> bool:
    """Whether this stays one value: everything but a mapping with entries and without `_type`."""
    return json_trees.is_leaf(value) or (
        isinstance(value, dict) and isinstance(value.get("_type"), str)
    )


class Code(IntEnum):
    """Of a value that is no scalar, as column `code` of `_native.WandbBatch.values` has it.

    `rust/src/wandb/own.rs` writes it.
    """

    TEXT = 5
    JSON = 6  # kept as it is written
    NULL_TEXT = 7
    NULL_JSON = 8
    HISTOGRAM = 9
    EXACT_HISTOGRAM = 10  # edges, counts, kind and extra, as `tables.dumps` spells them
