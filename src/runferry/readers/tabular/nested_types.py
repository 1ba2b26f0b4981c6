"""Types of Arrow that hold others, with these exchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def with_parts(kind: Any, of: Callable[[Any], Any]) -> Any:
    """The type with what `of` makes of each type that it holds; others as they are."""
    import pyarrow as pa

    def part(field: Any) -> Any:
        return field.with_type(of(field.type))

    if pa.types.is_fixed_size_list(kind):
        return pa.list_(part(kind.value_field), kind.list_size)
    if pa.types.is_list(kind):
        return pa.list_(part(kind.value_field))
    if pa.types.is_large_list(kind):
        return pa.large_list(part(kind.value_field))
    if pa.types.is_struct(kind):
        return pa.struct([part(field) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(part(kind.key_field), part(kind.item_field), kind.keys_sorted)
    return kind
